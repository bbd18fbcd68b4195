//! Lines on their way to the miners. A push never waits for them: what finds no place is dropped and counted.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use larch_proto::{AppendRequest, AppendResponse};
use larch_types::{TenantId, Timestamp};
use tokio::sync::Notify;

use crate::settings::TeeSettings;

/// All lines that wait: some seconds of a busy node.
const MOST_BYTES: usize = 64 << 20;

/// What a row takes besides its line, roughly.
const ROW_BYTES: usize = 64;

/// Of rows whose level nobody detected.
pub(super) const UNKNOWN_LEVEL: &str = "unknown";

/// Streams that Larch writes about others.
const INTERNAL_LABELS: [&str; 2] = ["__aggregated_metric__=", "__pattern__="];

/// The rows of one push that are mined.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(super) levels: Vec<String>,
    pub(super) streams: Vec<OfferedStream>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OfferedStream {
    /// Canonical label text.
    pub(super) labels: String,
    pub(super) rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) time: Timestamp,
    pub(super) line: Bytes,
    /// Place among the offer's levels.
    pub(super) level: Option<u32>,
}

/// Offers that are mined together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) offers: Vec<(TenantId, Offer)>,
    lines: usize,
    bytes: usize,
}

#[derive(Debug)]
pub(super) struct Waiting {
    batch_lines: usize,
    most_batches: usize,
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Takes in what comes.
    open: Batch,
    /// The oldest first.
    full: VecDeque<Batch>,
    bytes: usize,
}

impl Offer {
    /// Must be made before the request goes into the log; the lines are shared, not copied.
    pub(crate) fn of(request: &AppendRequest) -> Self {
        let mut streams = Vec::with_capacity(request.streams.len());
        for stream in &request.streams {
            let entries = stream.entries.iter();
            let row = |entry: &larch_proto::AppendEntry| Row {
                time: entry.timestamp,
                line: entry.line.clone(),
                level: entry.level,
            };
            streams.push(OfferedStream { labels: stream.labels.clone(), rows: entries.map(row).collect() });
        }
        Self { levels: request.levels.clone(), streams }
    }

    /// Leaves what was taken in and was not there before. Clients that send rows again send those they sent
    /// before first.
    pub(super) fn keep_new(&mut self, response: &AppendResponse) {
        let mut outcomes = response.outcomes.iter();
        for stream in &mut self.streams {
            let taken = outcomes.next().filter(|outcome| outcome.refusal.is_none());
            let known = taken.map_or(usize::MAX, |outcome| outcome.duplicate_rows as usize);
            stream.rows.drain(..known.min(stream.rows.len()));
            if INTERNAL_LABELS.iter().any(|name| stream.labels.contains(name)) {
                stream.rows.clear();
            }
        }
        self.streams.retain(|stream| !stream.rows.is_empty());
    }

    pub(super) fn lines(&self) -> usize {
        self.streams.iter().map(|stream| stream.rows.len()).sum()
    }

    fn bytes(&self) -> usize {
        let rows = self.streams.iter().flat_map(|stream| &stream.rows);
        rows.map(|row| ROW_BYTES + row.line.len()).sum()
    }
}

impl Waiting {
    pub(super) fn new(tee: &TeeSettings) -> Self {
        Self {
            batch_lines: tee.batch_size as usize,
            most_batches: tee.flush_queue_size as usize,
            state: Mutex::default(),
            filled: Notify::new(),
        }
    }

    /// Nothing that runs under the lock can panic halfway through a change.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False if there is no place.
    pub(super) fn add(&self, tenant: TenantId, offer: Offer) -> bool {
        let (lines, bytes) = (offer.lines(), offer.bytes());
        let mut state = self.lock();
        if state.bytes + bytes > MOST_BYTES || state.full.len() >= self.most_batches {
            return false;
        }
        state.bytes += bytes;
        state.open.offers.push((tenant, offer));
        state.open.lines += lines;
        state.open.bytes += bytes;
        if state.open.lines >= self.batch_lines {
            state.close_batch();
            self.filled.notify_one();
        }
        true
    }

    /// What waits for more lines waits no longer.
    pub(super) fn flush(&self) {
        let mut state = self.lock();
        if !state.open.offers.is_empty() {
            state.close_batch();
            self.filled.notify_one();
        }
    }

    /// # Cancel safety
    /// A batch is taken when this returns, not before.
    pub(super) async fn next(&self) -> Batch {
        loop {
            if let Some(batch) = self.take() {
                return batch;
            }
            self.filled.notified().await;
        }
    }

    pub(super) fn take(&self) -> Option<Batch> {
        let mut state = self.lock();
        let batch = state.full.pop_front()?;
        state.bytes -= batch.bytes;
        if !state.full.is_empty() {
            // Each wakes the next, so that none is forgotten when two came at once.
            self.filled.notify_one();
        }
        Some(batch)
    }
}

impl State {
    fn close_batch(&mut self) {
        let batch = std::mem::take(&mut self.open);
        self.full.push_back(batch);
    }
}

#[cfg(test)]
mod tests {
    use larch_proto::{Failure, RingDigest, StreamOutcome, WalPosition};
    use larch_types::{ErrorKind, NodeId};

    use super::*;
    use crate::testing::push;

    fn tee(batch_size: u32, flush_queue_size: u32) -> TeeSettings {
        TeeSettings { batch_size, flush_queue_size, ..TeeSettings::default() }
    }

    fn tenant() -> TenantId {
        "acme".parse().unwrap()
    }

    fn lines(offer: &Offer) -> Vec<String> {
        let rows = offer.streams.iter().flat_map(|stream| &stream.rows);
        rows.map(|row| String::from_utf8_lossy(&row.line).into_owned()).collect()
    }

    #[test]
    fn what_is_new_is_left() {
        let request = push(
            1,
            &[
                ("{a=\"1\"}", 1, "again"),
                ("{a=\"1\"}", 2, "new"),
                ("{a=\"2\"}", 3, "refused"),
                ("{a=\"3\"}", 4, "kept"),
                ("{__pattern__=\"x\", a=\"3\"}", 4, "internal"),
            ],
        );
        let failure = Failure { kind: ErrorKind::TooMany, text: "no".to_owned() };
        let outcomes = vec![
            StreamOutcome { duplicate_rows: 1, ..StreamOutcome::default() },
            StreamOutcome { refusal: Some(failure), ..StreamOutcome::default() },
            StreamOutcome::default(),
            StreamOutcome::default(),
        ];
        let response = AppendResponse {
            node: NodeId::from_u128(1),
            outcomes,
            synced: true,
            wal_position: WalPosition(1),
            ring_digest: RingDigest(0),
        };
        let mut offer = Offer::of(&request);
        offer.keep_new(&response);
        assert_eq!(lines(&offer), ["new", "kept"]);
    }

    #[test]
    fn batches_are_closed_by_lines_or_by_time() {
        let waiting = Waiting::new(&tee(2, 10));
        let offer = || Offer::of(&push(1, &[("{a=\"1\"}", 1, "x y")]));
        assert!(waiting.add(tenant(), offer()));
        assert!(waiting.take().is_none());
        assert!(waiting.add(tenant(), offer()));
        assert_eq!(waiting.take().unwrap().offers.len(), 2);
        waiting.flush();
        assert!(waiting.take().is_none(), "nothing is no batch");
        assert!(waiting.add(tenant(), offer()));
        waiting.flush();
        assert_eq!(waiting.take().unwrap().offers.len(), 1);
        assert_eq!(waiting.lock().bytes, 0);
    }

    #[test]
    fn what_waits_is_bounded() {
        let waiting = Waiting::new(&tee(1, 2));
        let offer = || Offer::of(&push(1, &[("{a=\"1\"}", 1, "x y")]));
        assert!(waiting.add(tenant(), offer()) && waiting.add(tenant(), offer()));
        assert!(!waiting.add(tenant(), offer()));
        assert!(waiting.take().is_some());
        let long = "x".repeat(MOST_BYTES - 2 * ROW_BYTES - 3);
        assert!(waiting.add(tenant(), Offer::of(&push(1, &[("{a=\"1\"}", 1, &long)]))));
        assert!(waiting.take().is_some());
        assert!(!waiting.add(tenant(), Offer::of(&push(1, &[("{a=\"1\"}", 1, &long)]))));
    }
}
