//! One log entry.

use crate::{PushStamp, Timestamp};

/// Structured metadata in the order in which it was pushed.
pub type Metadata = Vec<(Box<str>, Box<str>)>;

/// One row of a stream. A line is bytes: what clients send need not be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub timestamp: Timestamp,
    pub line: Vec<u8>,
    pub metadata: Metadata,
}

/// Where a row stands among the rows of its stream: by time, then by the push that brought it, then by
/// its place in that push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowOrder {
    pub timestamp: Timestamp,
    pub stamp: PushStamp,
    pub index: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_first_then_push_then_place() {
        let order = |t: i64, stamp: u128, index: u32| RowOrder {
            timestamp: Timestamp::from_nanos(t),
            stamp: PushStamp(stamp),
            index,
        };
        assert!(order(1, 9, 9) < order(2, 0, 0));
        assert!(order(1, 1, 9) < order(1, 2, 0));
        assert!(order(1, 1, 0) < order(1, 1, 1));
    }
}
