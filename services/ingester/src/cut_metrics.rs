//! What dashboards of Loki read about chunks, said of what Larch cuts: all rows that a tenant has in memory.

use std::sync::Arc;
use std::time::Duration;

use larch_segment::Held;
use larch_telemetry::{Counter, Family, Histogram, Registry, Spec};
use larch_types::Timestamp;

use crate::cut::Written;
use crate::segment_file::SegmentFile;

/// Why a tenant's rows are cut, in the words that dashboards know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CutReason {
    /// They make a segment, or memory is short.
    Full,
    MaxAge,
    /// Somebody asked, or they keep the log from being freed.
    Forced,
}

#[derive(Clone)]
pub(crate) struct CutMetrics {
    flushed: Family<Counter, 1>,
    created: Counter,
    utilization: Histogram,
    entries: Histogram,
    age: Histogram,
    hours: Histogram,
    chunks_per_file: Histogram,
    rows_per_file: Histogram,
    streams_per_file: Histogram,
    compression: Histogram,
    encoding: Histogram,
}

impl CutReason {
    const fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::MaxAge => "max_age",
            Self::Forced => "forced",
        }
    }
}

/// Those of Loki, whose chunks hold one stream, and on to what a cut of full size holds.
const ENTRIES: [f64; 14] = [
    200.0,
    400.0,
    800.0,
    1600.0,
    3200.0,
    6400.0,
    12_800.0,
    25_600.0,
    51_200.0,
    102_400.0,
    204_800.0,
    409_600.0,
    819_200.0,
    1_638_400.0,
];
const AGES: [f64; 10] = [60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 36_000.0, 43_200.0, 57_600.0];
const HOURS: [f64; 8] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
const BLOCKS: [f64; 6] = [5.0, 10.0, 20.0, 40.0, 80.0, 160.0];
/// Those of Loki, and on to what a segment of full size holds.
const SAMPLES: [f64; 9] =
    [4096.0, 6144.0, 8192.0, 10_240.0, 12_288.0, 14_336.0, 65_536.0, 262_144.0, 1_048_576.0];
/// Those of Loki, whose chunks have one stream, and on to many thousands of streams in a segment.
const INDEX_ENTRIES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16_384.0];
const RATIOS: [f64; 10] = [0.75, 2.75, 4.75, 6.75, 8.75, 10.75, 12.75, 14.75, 16.75, 18.75];
const ENCODE_SECONDS: [f64; 6] = [0.01, 0.04, 0.16, 0.64, 2.56, 10.24];
const SHARES: [f64; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];

impl CutMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        let histogram =
            |name, help, bounds: &[f64]| registry.histogram(Spec { name, help, labels: [] }, bounds).with([]);
        Self {
            flushed: flushed(registry),
            created: registry
                .counter(Spec {
                    name: "loki_ingester_chunks_created_total",
                    help: "Segment files that cuts made.",
                    labels: [],
                })
                .with([]),
            utilization: histogram(
                "loki_ingester_chunk_utilization",
                "Bytes of cut rows as a share of those at which they are cut at the latest.",
                &SHARES,
            ),
            entries: histogram("loki_ingester_chunk_entries", "Rows of a cut.", &ENTRIES),
            age: histogram(
                "loki_ingester_chunk_age_seconds",
                "Age of the oldest row of a cut by its own time.",
                &AGES,
            ),
            hours: histogram(
                "loki_ingester_chunk_bounds_hours",
                "Hours between the oldest and the newest row of a cut.",
                &HOURS,
            ),
            chunks_per_file: histogram(
                "loki_ingester_blocks_per_chunk",
                "Column groups of a segment file that a cut made.",
                &BLOCKS,
            ),
            rows_per_file: histogram(
                "loki_ingester_samples_per_chunk",
                "Rows of a segment file that a cut made.",
                &SAMPLES,
            ),
            streams_per_file: histogram(
                "loki_chunk_store_index_entries_per_chunk",
                "Streams in the index of a segment file that a cut made.",
                &INDEX_ENTRIES,
            ),
            compression: histogram(
                "loki_ingester_chunk_compression_ratio",
                "Bytes of rows for each byte of the segments that hold them.",
                &RATIOS,
            ),
            encoding: histogram(
                "loki_ingester_chunk_encode_time_seconds",
                "Seconds in which the rows of a cut became synced segment files that the log names.",
                &ENCODE_SECONDS,
            ),
        }
    }

    /// Counts the files of a cut by what is in them.
    pub(crate) fn count_files(&self, written: Vec<Written>) -> Vec<Arc<SegmentFile>> {
        let mut files = Vec::with_capacity(written.len());
        for Written { file, totals } in written {
            self.chunks_per_file.observe(f64::from(totals.chunks));
            self.rows_per_file.observe(totals.rows as f64);
            self.streams_per_file.observe(f64::from(totals.streams));
            files.push(file);
        }
        files
    }

    /// Counts a cut that is in files. `full` is how many raw bytes make one.
    pub(crate) fn count(
        &self,
        reason: CutReason,
        held: Held,
        full: usize,
        (files, bytes): (usize, u64),
        (now, took): (Timestamp, Duration),
    ) {
        self.encoding.observe_duration(took);
        self.flushed.with([reason.label()]).inc();
        self.created.add(files as u64);
        self.utilization.observe((held.raw_bytes as f64 / full as f64).min(1.0));
        self.entries.observe(held.rows as f64);
        if let Some((first, last)) = held.times {
            self.age.observe(now.since(first).as_secs_f64().max(0.0));
            self.hours.observe(last.since(first).as_secs_f64() / 3600.0);
        }
        if bytes > 0 {
            self.compression.observe(held.raw_bytes as f64 / bytes as f64);
        }
    }
}

/// Reasons that Loki has and that never come about here: rows are cut all together, so that there is nothing
/// to close early, and streams do not change their owner.
const NEVER: [&str; 3] = ["idle", "synced", "not_owned"];

/// All reasons are shown from the start, so that the first of each is seen as an increase.
fn flushed(registry: &Registry) -> Family<Counter, 1> {
    let flushed = registry.counter(Spec {
        name: "loki_ingester_chunks_flushed_total",
        help: "Times that a tenant's rows went from memory into segment files, by the reason; idle, synced and not_owned stay 0.",
        labels: ["reason"],
    });
    let reasons = [CutReason::Full, CutReason::MaxAge, CutReason::Forced].map(CutReason::label);
    for reason in reasons.into_iter().chain(NEVER) {
        flushed.with([reason]);
    }
    flushed
}
