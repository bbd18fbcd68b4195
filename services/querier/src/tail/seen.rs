//! Rows that were shown a short while ago, so that copies of them are not.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use larch_logql::Identity;
use larch_types::{Monotonic, Timestamp};

/// How long a copy may come behind.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Three thousand rows a second for as long; of faster tails, fewer seconds are remembered.
const MOST: usize = 200_000;

/// Rows of one time with the same identity are one row.
pub(super) type RowKey = (Timestamp, Identity);

#[derive(Debug, Default)]
pub(super) struct Seen {
    keys: HashSet<RowKey>,
    /// The oldest first.
    by_age: VecDeque<(Monotonic, RowKey)>,
}

impl Seen {
    /// Whether the row is not a copy. From now on, it is.
    pub(super) fn is_new(&mut self, key: RowKey, now: Monotonic) -> bool {
        while let Some((since, oldest)) = self.by_age.front()
            && (now.since(*since) >= REMEMBERED || self.by_age.len() >= MOST)
        {
            self.keys.remove(oldest);
            self.by_age.pop_front();
        }
        let is_new = self.keys.insert(key);
        if is_new {
            self.by_age.push_back((now, key));
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use larch_logql::InputRow;
    use larch_types::{Labels, PushStamp, RowOrder, StreamId};

    use super::*;

    fn key(second: i64, line: &str) -> RowKey {
        let timestamp = Timestamp::from_secs(second);
        let labels = Labels::default();
        let order = RowOrder { timestamp, stamp: PushStamp(0), index: 0 };
        let stream = StreamId::of(&labels);
        let row =
            InputRow { stream, labels: &labels, order, line: line.as_bytes(), metadata: &[], level: None };
        (timestamp, row.identity())
    }

    #[test]
    fn copies_are_known_for_a_minute() {
        let at = |second| Monotonic::from_start(Duration::from_secs(second));
        let mut seen = Seen::default();
        assert!(seen.is_new(key(1, "a"), at(0)));
        assert!(seen.is_new(key(2, "a"), at(1)), "another time is another row");
        assert!(!seen.is_new(key(1, "a"), at(59)));
        assert!(seen.is_new(key(1, "a"), at(60)));
        assert!(!seen.is_new(key(2, "a"), at(60)));
        assert!(seen.is_new(key(2, "a"), at(61)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut seen = Seen::default();
        for second in 0..MOST as i64 + 10 {
            assert!(seen.is_new(key(second, ""), Monotonic::from_start(Duration::ZERO)));
        }
        assert_eq!((seen.keys.len(), seen.by_age.len()), (MOST, MOST));
    }
}
