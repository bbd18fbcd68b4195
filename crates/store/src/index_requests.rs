//! How long the index takes, whoever asks it: dashboards of Loki read one metric for writes and for reads.

use larch_telemetry::{DURATION_BUCKETS, Family, Histogram, Registry, Spec};

const INDEX_SECONDS: Spec<2> = Spec {
    name: "loki_index_request_duration_seconds",
    help: "How long it took to announce a segment in the catalog (index_chunk), or to answer a question from catalog and footers.",
    labels: ["operation", "status_code"],
};

/// By operation and status.
pub fn index_requests(registry: &Registry) -> Family<Histogram, 2> {
    registry.histogram(INDEX_SECONDS, &DURATION_BUCKETS)
}
