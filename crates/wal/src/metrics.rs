//! What a log counts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use larch_runtime::{Clock, Env};
use larch_telemetry::{Counter, Family, FloatGauge, Gauge, Histogram, Registry, Spec};
use larch_types::Monotonic;

use crate::error::Step;
use crate::settings::SyncMode;

/// From a good NVMe disk to one that hangs.
const SYNC_BUCKETS: [f64; 13] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The metrics of one log. Whoever shows the inventory of a program makes them before the log is opened.
#[derive(Debug, Clone)]
pub struct LogMetrics {
    pub(crate) records: Counter,
    pub(crate) bytes: Counter,
    pub(crate) disk_full: Counter,
    pub(crate) disk_usage: FloatGauge,
    pub(crate) syncs: Histogram,
    pub(crate) files: Gauge,
    pub(crate) size: Gauge,
    pub(crate) waiting: Gauge,
    corruptions: Family<Counter, 1>,
    failures: Family<Counter, 1>,
    sync_mode: Family<Gauge, 1>,
    running: Arc<Running>,
}

/// Since when the disk has been working on one call.
#[derive(Debug)]
struct Running {
    clock: Arc<dyn Clock>,
    since: Mutex<Option<Monotonic>>,
}

/// Kinds of damage, as the label `type` has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    /// Bytes that are no record.
    Record,
    /// A file, or the end of one, is not there.
    Missing,
}

impl Damage {
    const fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Missing => "missing",
        }
    }
}

impl LogMetrics {
    pub fn new(registry: &Registry, env: &Env) -> Self {
        let running = Arc::new(Running { clock: Arc::clone(&env.clock), since: Mutex::default() });
        let shown = Arc::clone(&running);
        registry.gauge_fn(RUNNING, move || vec![([], shown.time().unwrap_or_default().as_secs_f64())]);
        let (corruptions, failures) = (registry.counter(CORRUPTIONS), registry.counter(FAILURES));
        // Shown from the start, so that the first one is seen as an increase.
        for damage in [Damage::Record, Damage::Missing] {
            corruptions.with([damage.name()]);
        }
        for step in [Step::Begin, Step::Write, Step::Sync, Step::Remove] {
            failures.with([step.name()]);
        }
        Self {
            records: registry.counter(RECORDS).with([]),
            bytes: registry.counter(BYTES).with([]),
            disk_full: registry.counter(DISK_FULL).with([]),
            disk_usage: registry.float_gauge(DISK_USAGE).with([]),
            syncs: registry.histogram(SYNCS, &SYNC_BUCKETS).with([]),
            files: registry.gauge(FILES).with([]),
            size: registry.gauge(SIZE).with([]),
            waiting: registry.gauge(WAITING).with([]),
            corruptions,
            failures,
            sync_mode: registry.gauge(SYNC_MODE),
            running,
        }
    }

    pub(crate) fn corruption(&self, damage: Damage) {
        self.corruptions.with([damage.name()]).inc();
    }

    pub(crate) fn failure(&self, step: Step) {
        self.failures.with([step.name()]).inc();
    }

    pub(crate) fn show_sync_mode(&self, mode: SyncMode) {
        self.sync_mode.with([mode.name()]).set(1);
    }

    /// A call to the disk runs until the guard is dropped.
    pub(crate) fn running(&self) -> RunningCall {
        *self.running.lock() = Some(self.running.clock.monotonic());
        RunningCall(Arc::clone(&self.running))
    }

    pub(crate) fn running_call(&self) -> Option<Duration> {
        self.running.time()
    }
}

pub(crate) struct RunningCall(Arc<Running>);

impl Drop for RunningCall {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

impl Running {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Monotonic>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn time(&self) -> Option<Duration> {
        let since = *self.lock();
        since.map(|since| self.clock.monotonic().since(since))
    }
}

const fn plain(name: &'static str, help: &'static str) -> Spec<0> {
    Spec { name, help, labels: [] }
}

const RECORDS: Spec<0> =
    plain("loki_ingester_wal_records_logged_total", "Records written to the write-ahead log.");
const BYTES: Spec<0> = plain("loki_ingester_wal_logged_bytes_total", "Bytes written to the write-ahead log.");
const DISK_FULL: Spec<0> = plain(
    "loki_ingester_wal_disk_full_failures_total",
    "Writes to the write-ahead log that failed because the disk was full.",
);
const DISK_USAGE: Spec<0> = plain(
    "loki_ingester_wal_disk_usage_percent",
    "Share of the disk of the write-ahead log that is in use, from 0 to 1.",
);
const SYNCS: Spec<0> = plain(
    "larch_wal_sync_duration_seconds",
    "How long the disk took to keep what was written to the write-ahead log.",
);
const FILES: Spec<0> = plain("larch_wal_files", "Files of the write-ahead log.");
const SIZE: Spec<0> = plain("larch_wal_size_bytes", "Bytes in all files of the write-ahead log.");
const WAITING: Spec<0> =
    plain("larch_wal_waiting_bytes", "Bytes that wait to be written to the write-ahead log.");
const RUNNING: Spec<0> = plain(
    "larch_wal_running_call_seconds",
    "How long the call to the disk that runs now has taken; 0 if none runs.",
);
const CORRUPTIONS: Spec<1> = Spec {
    name: "loki_ingester_wal_corruptions_total",
    help: "Damaged or missing parts of the write-ahead log that were stepped over.",
    labels: ["type"],
};
const FAILURES: Spec<1> = Spec {
    name: "larch_wal_failures_total",
    help: "Calls to the disk of the write-ahead log that failed.",
    labels: ["operation"],
};
const SYNC_MODE: Spec<1> = Spec {
    name: "larch_wal_sync_mode",
    help: "1 for the way in which the write-ahead log is synced.",
    labels: ["mode"],
};
