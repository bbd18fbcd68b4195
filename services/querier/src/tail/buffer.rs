//! Rows between their arrival and their frame: held back for late ones to sort in, and counted as dropped
//! when the client does not read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use larch_api::{DroppedEntry, MAX_TAIL_FRAME_ENTRIES};
use larch_logql::{LabelSet, LogRow};
use larch_types::{Monotonic, Timestamp};

/// Rows that wait for the client: ten frames.
const MOST_WAITING: usize = 10 * MAX_TAIL_FRAME_ENTRIES;

/// The same in bytes, because lines may be long.
const MOST_WAITING_BYTES: usize = 16 << 20;

/// Rows that are held back: as many as a tail of that speed can show in the longest delay.
const MOST_HELD: usize = 20_000;

/// Dropped rows that are named; of others nothing is said.
const MOST_DROPPED: usize = 1000;

/// The row's time, and its number among all that arrived.
type Place = (Timestamp, u64);

#[derive(Debug)]
pub(super) struct Buffer {
    delay: Duration,
    /// By time, then by arrival.
    held: BTreeMap<Place, LogRow>,
    /// In the order of arrival; of those that went on early too.
    arrivals: VecDeque<(Monotonic, Place)>,
    next: u64,
    waiting: VecDeque<LogRow>,
    bytes: usize,
    dropped: Vec<DroppedEntry>,
}

impl Buffer {
    pub(super) fn new(delay: Duration) -> Self {
        let (held, arrivals, waiting) = (BTreeMap::new(), VecDeque::new(), VecDeque::new());
        Self { delay, held, arrivals, next: 0, waiting, bytes: 0, dropped: Vec::new() }
    }

    /// Takes in a row that arrived now.
    pub(super) fn add(&mut self, row: LogRow, now: Monotonic) {
        if self.arrivals.len() >= MOST_HELD || self.bytes + row.line.len() > MOST_WAITING_BYTES {
            self.drop_row(row.timestamp, row.labels.stream);
            return;
        }
        self.bytes += row.line.len();
        let place = (row.timestamp, self.next);
        self.next += 1;
        self.arrivals.push_back((now, place));
        self.held.insert(place, row);
    }

    /// Lets those go on whose time has come, with all that are older than the newest of them: behind it they
    /// would be out of order.
    pub(super) fn release(&mut self, now: Monotonic) {
        let mut newest: Option<Place> = None;
        while let Some((arrived, place)) = self.arrivals.front()
            && now.since(*arrived) >= self.delay
        {
            newest = newest.max(Some(*place));
            self.arrivals.pop_front();
        }
        let Some(newest) = newest else { return };
        let later = self.held.split_off(&(newest.0, newest.1 + 1));
        for row in std::mem::replace(&mut self.held, later).into_values() {
            if self.waiting.len() < MOST_WAITING {
                self.waiting.push_back(row);
            } else {
                self.bytes -= row.line.len();
                self.drop_row(row.timestamp, row.labels.stream);
            }
        }
    }

    /// How long until the next row is due; none if none is held.
    pub(super) fn due_in(&self, now: Monotonic) -> Option<Duration> {
        let (arrived, _) = self.arrivals.front()?;
        Some(self.delay.saturating_sub(now.since(*arrived)))
    }

    pub(super) fn drop_row(&mut self, timestamp: Timestamp, labels: Arc<LabelSet>) {
        if self.dropped.len() < MOST_DROPPED {
            self.dropped.push(DroppedEntry { timestamp, labels });
        }
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The rows of the next frame, and what was dropped before them.
    pub(super) fn take_frame(&mut self) -> (Vec<LogRow>, Vec<DroppedEntry>) {
        let count = self.waiting.len().min(MAX_TAIL_FRAME_ENTRIES);
        let rows: Vec<LogRow> = self.waiting.drain(..count).collect();
        self.bytes -= rows.iter().map(|row| row.line.len()).sum::<usize>();
        (rows, std::mem::take(&mut self.dropped))
    }
}

#[cfg(test)]
mod tests {
    use larch_logql::EntryLabels;

    use super::*;

    fn at(second: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(second))
    }

    fn row(second: i64, line: &str) -> LogRow {
        LogRow {
            timestamp: Timestamp::from_secs(second),
            line: line.as_bytes().into(),
            labels: EntryLabels::default(),
        }
    }

    fn lines(buffer: &mut Buffer) -> Vec<String> {
        let (rows, _) = buffer.take_frame();
        rows.iter().map(|row| String::from_utf8_lossy(&row.line).into_owned()).collect()
    }

    #[test]
    fn late_rows_sort_in() {
        let mut buffer = Buffer::new(Duration::from_secs(3));
        buffer.add(row(20, "b"), at(0));
        buffer.add(row(10, "a"), at(2));
        buffer.add(row(30, "c"), at(2));
        assert_eq!(buffer.due_in(at(2)), Some(Duration::from_secs(1)));
        buffer.release(at(2));
        assert!(!buffer.has_waiting());
        buffer.release(at(3));
        assert_eq!(lines(&mut buffer), ["a", "b"], "the one that is late is not shown behind");
        buffer.release(at(5));
        assert_eq!(lines(&mut buffer), ["c"]);
        assert_eq!(buffer.due_in(at(5)), None);
    }

    #[test]
    fn without_delay_rows_go_on_in_the_order_of_time() {
        let mut buffer = Buffer::new(Duration::ZERO);
        for (second, line) in [(2, "b"), (1, "a"), (2, "c")] {
            buffer.add(row(second, line), at(0));
        }
        assert_eq!(buffer.due_in(at(0)), Some(Duration::ZERO));
        buffer.release(at(0));
        assert_eq!(lines(&mut buffer), ["a", "b", "c"]);
    }

    #[test]
    fn what_waits_is_bounded_and_the_rest_is_named() {
        let mut buffer = Buffer::new(Duration::ZERO);
        for second in 0..5000 {
            buffer.add(row(second, "x"), at(0));
            buffer.release(at(0));
        }
        let (rows, dropped) = buffer.take_frame();
        assert_eq!((rows.len(), rows[99].timestamp), (100, Timestamp::from_secs(99)));
        assert_eq!((dropped.len(), dropped[0].timestamp), (1000, Timestamp::from_secs(1000)));
        let mut frames = 1;
        while buffer.has_waiting() {
            let (_, dropped) = buffer.take_frame();
            assert!(dropped.is_empty(), "each is named once");
            frames += 1;
        }
        assert_eq!((frames, buffer.bytes), (10, 0));
        buffer.add(row(1, &"x".repeat(MOST_WAITING_BYTES)), at(0));
        buffer.add(row(2, "y"), at(0));
        buffer.release(at(0));
        let (rows, dropped) = buffer.take_frame();
        assert_eq!((rows.len(), dropped.len(), buffer.bytes), (1, 1, 0));
    }
}
