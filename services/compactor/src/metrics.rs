//! What the compactor counts.

use larch_telemetry::{Counter, Family, Gauge, Registry, Spec};

#[derive(Clone)]
pub(crate) struct Metrics {
    pub(crate) swept: Family<Counter, 1>,
    pub(crate) failures: Family<Counter, 1>,
    pub(crate) last_success: Gauge,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            swept: registry.counter(SWEPT),
            failures: registry.counter(FAILURES),
            last_success: registry.gauge(LAST_SUCCESS).with([]),
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
const LAST_SUCCESS: Spec<0> = Spec {
    name: "larch_compactor_last_complete_sweep_timestamp_seconds",
    help: "When all tenants were last swept without a failure.",
    labels: [],
};
