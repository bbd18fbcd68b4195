//! What the compactor counts.

use larch_telemetry::{Counter, Family, Gauge, Registry, Spec};

#[derive(Clone)]
pub(crate) struct Metrics {
    pub(crate) swept: Family<Counter, 1>,
    pub(crate) failures: Family<Counter, 1>,
    pub(crate) last_success: Gauge,
    pub(crate) unannounced: Gauge,
    pub(crate) tenants: Counter,
    pub(crate) partitions: Counter,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            swept: registry.counter(SWEPT),
            failures: registry.counter(FAILURES),
            last_success: registry.gauge(LAST_SUCCESS).with([]),
            unannounced: registry.gauge(UNANNOUNCED).with([]),
            tenants: registry.counter(TENANTS).with([]),
            partitions: registry.counter(PARTITIONS).with([]),
        }
    }
}

const SWEPT: Spec<1> = Spec {
    name: "larch_compactor_swept_objects_total",
    help: "Objects that were deleted because nobody can ask for them any more, by what they were.",
    labels: ["kind"],
};
const FAILURES: Spec<1> = Spec {
    name: "larch_compactor_sweep_failures_total",
    help: "Tenants and days that could not be swept, by why.",
    labels: ["reason"],
};
const TENANTS: Spec<0> = Spec {
    name: "larch_compactor_sweep_listed_tenants_total",
    help: "Tenants whose objects were listed to find what can be deleted.",
    labels: [],
};
const PARTITIONS: Spec<0> = Spec {
    name: "larch_compactor_sweep_examined_partitions_total",
    help: "Days of tenants that were looked into, because objects have come or something waited for its age.",
    labels: [],
};
const LAST_SUCCESS: Spec<0> = Spec {
    name: "larch_compactor_last_complete_sweep_timestamp_seconds",
    help: "When all tenants were last swept without a failure.",
    labels: [],
};
const UNANNOUNCED: Spec<0> = Spec {
    name: "larch_compactor_unannounced_partitions",
    help: "Days of tenants with segments that no fact names, so that parts of the catalog may be lost: in the last round.",
    labels: [],
};
