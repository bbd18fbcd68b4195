//! What the cache on disk counts.

use std::sync::{Arc, OnceLock};

use larch_telemetry::{Counter, Family, Registry, Spec};

use super::state::Shared;

#[derive(Clone)]
pub(super) struct CacheMetrics {
    pub(super) evicted: Counter,
    pub(super) damaged: Counter,
    writes: Family<Counter, 1>,
    failures: Family<Counter, 1>,
}

impl CacheMetrics {
    pub(super) fn new(registry: &Registry, opened: Arc<OnceLock<Arc<Shared>>>) -> Self {
        let shown = Arc::clone(&opened);
        registry.gauge_fn(BYTES, move || {
            let bytes = shown.get().map_or(0, |shared| shared.state().index.bytes());
            vec![([], bytes as f64)]
        });
        registry.gauge_fn(ENTRIES, move || {
            let entries = opened.get().map_or(0, |shared| shared.state().index.entries());
            vec![([], entries as f64)]
        });
        Self {
            evicted: registry.counter(EVICTED).with([]),
            damaged: registry.counter(DAMAGED).with([]),
            writes: registry.counter(WRITES),
            failures: registry.counter(FAILURES),
        }
    }

    pub(super) fn written(&self, entries: u64) {
        self.writes.with(["written"]).add(entries);
    }

    /// Written again, because their file had to go and they had been asked for.
    pub(super) fn carried(&self, entries: u64) {
        self.writes.with(["carried"]).add(entries);
    }

    /// Nobody had room or time for it.
    pub(super) fn dropped(&self, entries: u64) {
        self.writes.with(["dropped"]).add(entries);
    }

    pub(super) fn write_failed(&self) {
        self.failures.with(["write"]).inc();
    }

    pub(super) fn read_failed(&self) {
        self.failures.with(["read"]).inc();
    }
}

const BYTES: Spec<0> = Spec {
    name: "larch_segment_disk_cache_bytes",
    help: "What the files of the cache of segments on disk take.",
    labels: [],
};
const ENTRIES: Spec<0> = Spec {
    name: "larch_segment_disk_cache_entries",
    help: "Footers and pages in the cache of segments on disk.",
    labels: [],
};
const EVICTED: Spec<0> = Spec {
    name: "larch_segment_disk_cache_evictions_total",
    help: "Footers and pages that the cache of segments on disk let go of to make room.",
    labels: [],
};
const DAMAGED: Spec<0> = Spec {
    name: "larch_segment_disk_cache_damaged_total",
    help: "Entries and files of the cache of segments on disk that were not what they should be; each was a miss.",
    labels: [],
};
const WRITES: Spec<1> = Spec {
    name: "larch_segment_disk_cache_writes_total",
    help: "Footers and pages for the cache of segments on disk, by whether they were written, written again (carried) or dropped.",
    labels: ["result"],
};
const FAILURES: Spec<1> = Spec {
    name: "larch_segment_disk_cache_failures_total",
    help: "Reads and writes of the cache of segments on disk that failed or were late.",
    labels: ["operation"],
};
