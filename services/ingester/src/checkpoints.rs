//! What dashboards of Loki read about checkpoints.
//!
//! A checkpoint of Loki is a copy of what is in memory, for the sake of which parts of the log can go. Here
//! that is a cut: its segment files are the durable copy of the rows from then on, and the log lets go of
//! them. A checkpoint is deleted when its files are removed, because the store has them and readers have
//! been told.

use std::time::Duration;

use larch_telemetry::{Counter, Registry, Spec, Summary};

#[derive(Clone)]
pub(crate) struct CheckpointMetrics {
    /// That were begun.
    pub(crate) creations: Counter,
    pub(crate) failed_creations: Counter,
    pub(crate) deletions: Counter,
    pub(crate) failed_deletions: Counter,
    logged_bytes: Counter,
    duration: Summary,
}

/// Those of Loki.
const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];
/// A busy node makes so many cuts in some minutes; Loki's quantiles are of the last ten.
const WINDOW: usize = 256;

impl CheckpointMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        let counter = |name, help| registry.counter(Spec { name, help, labels: [] }).with([]);
        let duration = Spec {
            name: "loki_ingester_checkpoint_duration_seconds",
            help: "Seconds in which a tenant's rows in memory became synced segment files; quantiles are of the latest 256.",
            labels: [],
        };
        Self {
            creations: counter(
                "loki_ingester_checkpoint_creations_total",
                "Times that it was begun to put a tenant's rows into segment files, for which the log can let go of them.",
            ),
            failed_creations: counter(
                "loki_ingester_checkpoint_creations_failed_total",
                "Times that this failed; the rows stay in memory and in the log, and it is tried again.",
            ),
            deletions: counter(
                "loki_ingester_checkpoint_deletions_total",
                "Times that segment files were to be removed because the store has what is in them.",
            ),
            failed_deletions: counter(
                "loki_ingester_checkpoint_deletions_failed_total",
                "Times that they could not be; it is tried again.",
            ),
            logged_bytes: counter(
                "loki_ingester_checkpoint_logged_bytes_total",
                "Bytes of segment files that cuts wrote.",
            ),
            duration: registry.summary(duration, &QUANTILES, WINDOW),
        }
    }

    pub(crate) fn made(&self, bytes: u64, took: Duration) {
        self.logged_bytes.add(bytes);
        self.duration.observe(took.as_secs_f64());
    }
}
