//! What answering cost.

use larch_proto::QueryStatistics;

use crate::rows::{Found, MergedRows};
use crate::scan::{Scanned, ScannedLogs};

/// Of rows that were read, and of steps that took so many nanoseconds.
pub(super) fn of_rows(rows: &MergedRows, ingesters: usize, passed: u64, run_ns: u64) -> QueryStatistics {
    let streams = rows.streams().len() as u64;
    let mut statistics = QueryStatistics { streams, ..of_found(rows.found(), ingesters, passed, run_ns) };
    rows.add_stored(&mut statistics);
    statistics
}

/// Of pages that were read. Fetching and taking in go on side by side, and count as fetching.
pub(super) fn of_scan(scanned: &Scanned, ingesters: usize, passed: u64, run_ns: u64) -> QueryStatistics {
    let streams = scanned.streams.len() as u64;
    let mut statistics = QueryStatistics { streams, ..of_found(scanned.found, ingesters, passed, run_ns) };
    scanned.stored.add_to(&mut statistics);
    statistics
}

/// As `of_scan`, of a log query.
pub(super) fn of_scanned_logs(scanned: &ScannedLogs, ingesters: usize) -> QueryStatistics {
    let streams = scanned.streams() as u64;
    let found = of_found(scanned.found, ingesters, scanned.passed, scanned.run_ns);
    let mut statistics = QueryStatistics { streams, ..found };
    scanned.stored.add_to(&mut statistics);
    statistics
}

fn of_found(found: Found, ingesters: usize, passed: u64, run_ns: u64) -> QueryStatistics {
    let Found {
        rows: found_rows,
        line_bytes,
        metadata_bytes,
        duplicates,
        fetch_ns,
        source_batches,
        source_rows,
        source_bytes,
    } = found;
    QueryStatistics {
        line_bytes,
        metadata_bytes,
        rows: found_rows,
        rows_after_filters: passed,
        duplicate_rows: duplicates,
        ingesters_asked: ingesters as u64,
        ingester_batches: source_batches,
        ingester_rows: source_rows,
        ingester_bytes: source_bytes,
        fetch_ns,
        run_ns,
        ..QueryStatistics::default()
    }
}
