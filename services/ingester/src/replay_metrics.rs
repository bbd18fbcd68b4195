//! What is counted while the log is read back.

use larch_telemetry::{Counter, Family, FloatGauge, Gauge, Registry, Spec};

#[derive(Clone)]
pub(crate) struct ReplayMetrics {
    pub(crate) active: Gauge,
    pub(crate) flushing: Gauge,
    pub(crate) memory: Gauge,
    pub(crate) seconds: FloatGauge,
    pub(crate) streams: Counter,
    pub(crate) rows: Counter,
    pub(crate) bytes: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) files: Counter,
    pub(crate) unreadable_records: Counter,
    discarded: Family<Counter, 1>,
}

/// Why rows of the log are not brought back. Limits are no reason: they held when the rows were taken.
const INVALID_LABELS: &str = "invalid_labels";

impl ReplayMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        let gauge = |name, help| registry.gauge(Spec { name, help, labels: [] }).with([]);
        let counter = |name, help| registry.counter(Spec { name, help, labels: [] }).with([]);
        let seconds = Spec {
            name: "loki_ingester_wal_replay_duration_seconds",
            help: "How long the log was read back when the process started.",
            labels: [],
        };
        Self {
            active: gauge("loki_ingester_wal_replay_active", "Whether the log is being read back."),
            flushing: gauge(
                "loki_ingester_wal_replay_flushing",
                "Whether rows are cut because those read back take more memory than they may.",
            ),
            memory: gauge(
                "loki_ingester_wal_bytes_in_use",
                "What rows take in memory that are being read back from the log; 0 when all are.",
            ),
            seconds: registry.float_gauge(seconds).with([]),
            streams: counter("loki_ingester_wal_recovered_streams_total", "Streams read back from the log."),
            rows: counter("loki_ingester_wal_recovered_entries_total", "Rows read back from the log."),
            bytes: counter("loki_ingester_wal_recovered_bytes_total", "Bytes read back from the log."),
            duplicates: counter(
                "loki_ingester_wal_duplicate_entries_total",
                "Rows read back from the log that were there already.",
            ),
            files: counter(
                "loki_ingester_wal_recovered_chunks_total",
                "Segment files that an earlier life made and that are read again.",
            ),
            unreadable_records: counter(
                "larch_ingester_unreadable_records_total",
                "Records of the log that are whole, and mean nothing or have rows that no segment can hold.",
            ),
            discarded: discarded(registry),
        }
    }

    /// Rows of the log whose stream has labels that mean nothing.
    pub(crate) fn count_discarded(&self, rows: u64) {
        self.discarded.with([INVALID_LABELS]).add(rows);
    }
}

fn discarded(registry: &Registry) -> Family<Counter, 1> {
    let discarded = registry.counter(Spec {
        name: "loki_ingester_wal_discarded_samples_total",
        help: "Rows of the log that could not be read back; of records that mean nothing the rows are not known.",
        labels: ["reason"],
    });
    // Shown from the start, so that the first one is seen as an increase.
    discarded.with([INVALID_LABELS]);
    discarded
}
