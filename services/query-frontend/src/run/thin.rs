//! Thins rows out: the parameter `interval`.
//!
//! It is done here and not by workers, because the rows that stay depend on all rows before them, in
//! whichever piece those are.

use larch_proto::EntryBatch;
use larch_types::{Span, Timestamp};

/// Leaves out rows that are nearer to the last one shown than the interval, and stops when there are enough.
#[derive(Debug, Clone)]
pub(crate) struct Thinning {
    interval: Span,
    /// How many rows are still wanted.
    wanted: u32,
    last: Option<Timestamp>,
}

impl Thinning {
    pub(crate) fn new(interval: Span, limit: u32) -> Self {
        Self { interval, wanted: limit, last: None }
    }

    /// Whether no more rows are wanted.
    pub(crate) fn has_enough(&self) -> bool {
        self.wanted == 0
    }

    /// Whether there are enough rows now. Batches come in the order of the answer.
    pub(super) fn thin(&mut self, batch: &mut EntryBatch) -> bool {
        batch.entries.retain(|entry| {
            let apart = |last: Timestamp| last.since(entry.timestamp).nanos().saturating_abs();
            let is_near = self.last.is_some_and(|last| apart(last) < self.interval.nanos());
            if is_near || self.wanted == 0 {
                return false;
            }
            self.last = Some(entry.timestamp);
            self.wanted -= 1;
            true
        });
        self.wanted == 0
    }
}

#[cfg(test)]
mod tests {
    use larch_proto::ResultEntry;

    use super::*;

    #[test]
    fn over_all_batches() {
        for times in [[0, 9, 10, 19, 21, 30], [30, 22, 20, 15, 11, 10]] {
            let mut thinning = Thinning::new(Span::from_nanos(10), 3);
            let mut kept = Vec::new();
            for part in times.chunks(2) {
                let entry = |nanos: &i64| ResultEntry {
                    stream: 0,
                    labels: 0,
                    timestamp: Timestamp::from_nanos(*nanos),
                    line: bytes::Bytes::new(),
                };
                let mut batch =
                    EntryBatch { entries: part.iter().map(entry).collect(), ..EntryBatch::default() };
                let is_enough = thinning.thin(&mut batch);
                kept.extend(batch.entries.iter().map(|entry| entry.timestamp.nanos()));
                assert_eq!(is_enough, kept.len() == 3);
            }
            let want = if times[0] == 0 { [0, 10, 21] } else { [30, 20, 10] };
            assert_eq!(kept, want);
        }
    }
}
