//! What answering cost.

use larch_proto::QueryStatistics;

use crate::rows::{Found, MergedRows};

/// Of rows that were read, and of steps that took so many nanoseconds.
pub(super) fn of_rows(rows: &MergedRows, ingesters: usize, passed: u64, run_ns: u64) -> QueryStatistics {
    let Found {
        rows: found,
        line_bytes,
        metadata_bytes,
        duplicates,
        fetch_ns,
        source_batches,
        source_rows,
        source_bytes,
    } = rows.found();
    let mut statistics = QueryStatistics {
        streams: rows.streams().len() as u64,
        line_bytes,
        metadata_bytes,
        rows: found,
        rows_after_filters: passed,
        duplicate_rows: duplicates,
        ingesters_asked: ingesters as u64,
        ingester_batches: source_batches,
        ingester_rows: source_rows,
        ingester_bytes: source_bytes,
        fetch_ns,
        run_ns,
        ..QueryStatistics::default()
    };
    rows.add_stored(&mut statistics);
    statistics
}
