//! Facts and entries for tests.

use larch_proto::{LabelSummary, Partition, SegmentEntry};
use larch_types::{FactId, NodeId, SegmentId, Timestamp, TombstoneId};

use super::format::{Fact, FactBody};

pub(crate) const DAY: &str = "20260701";

pub(crate) fn partition() -> Partition {
    DAY.parse().unwrap()
}

/// Entries of one id and different versions differ.
pub(crate) fn entry(id: u128, version: u64) -> SegmentEntry {
    let first: Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
    SegmentEntry {
        id: SegmentId::from_u128(id),
        partition: partition(),
        first,
        last: "2026-07-01T23:59:59.999999999Z".parse().unwrap(),
        rows: 1000 + version,
        raw_bytes: 123_456,
        uploader: NodeId::from_u128(77),
        object_bytes: 5000,
        footer_offset: 4000,
        footer_bytes: 900,
        embedded: None,
        label_summaries: vec![
            LabelSummary { name: "app".to_owned(), values: vec!["a".to_owned(), "b\u{e4}".to_owned()] },
            LabelSummary { name: "env".to_owned(), values: vec![String::new()] },
        ],
        tombstones_applied: vec![TombstoneId::from_u128(5)],
    }
}

pub(crate) fn fact(id: u128, body: FactBody) -> Fact {
    Fact { id: FactId::from_u128(id), partition: partition(), body }
}
