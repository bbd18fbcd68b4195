//! What the planner counts.

use larch_store::index_requests;
use larch_telemetry::{Counter, Family, Histogram, Registry, Spec};

#[derive(Clone)]
pub(crate) struct Metrics {
    pub(crate) calls: Family<Counter, 2>,
    pub(crate) chunks: Family<Counter, 1>,
    pub(crate) chunk_refs: Family<Counter, 1>,
    pub(crate) seconds: Family<Histogram, 2>,
    pub(crate) folds: Family<Counter, 1>,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            calls: registry.counter(CALLS),
            chunks: registry.counter(CHUNKS),
            chunk_refs: registry.counter(CHUNK_REFS),
            seconds: index_requests(registry),
            folds: registry.counter(FOLDS),
        }
    }
}

const CALLS: Spec<2> = Spec {
    name: "larch_planner_calls_total",
    help: "Questions about stored segments, by kind and status.",
    labels: ["call", "status_code"],
};
const CHUNKS: Spec<1> = Spec {
    name: "larch_planner_chunks_total",
    help: "Chunks in the range of plans: those that are to be read, and those that filters ruled out.",
    labels: ["fate"],
};
const CHUNK_REFS: Spec<1> = Spec {
    name: "loki_index_chunk_refs_total",
    help: "Chunks in the range of plans: those that are to be read (matched), and those that filters ruled out (discarded).",
    labels: ["status"],
};
const FOLDS: Spec<1> = Spec {
    name: "larch_planner_catalog_folds_total",
    help: "Snapshots of the catalog of a day: those that were written, not needed any more, and failed.",
    labels: ["result"],
};
