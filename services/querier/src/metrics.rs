//! What the querier counts.

use larch_telemetry::{Counter, DURATION_BUCKETS, Family, Gauge, Histogram, Registry, Spec, panics};

#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) concurrency: Gauge,
    pub(crate) inflight: Gauge,
    pub(crate) queues: Gauge,
    /// From when a piece is taken to when its answer is taken.
    pub(crate) piece_duration: Family<Histogram, 2>,
    pub(crate) query_latency: Family<Histogram, 2>,
    pub(crate) tails: Gauge,
    pub(crate) tailed_ingesters: Gauge,
    pub(crate) tail_bytes: Counter,
    pub(crate) panics: Counter,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            concurrency: registry.gauge(CONCURRENCY).with([]),
            inflight: registry.gauge(INFLIGHT).with([]),
            queues: registry.gauge(QUEUES).with([]),
            piece_duration: registry.histogram(PIECE_DURATION, &DURATION_BUCKETS),
            query_latency: registry.histogram(QUERY_LATENCY, &DURATION_BUCKETS),
            tails: registry.gauge(TAILS).with([]),
            tailed_ingesters: registry.gauge(TAILED_INGESTERS).with([]),
            tail_bytes: registry.counter(TAIL_BYTES).with([]),
            panics: panics(registry),
        }
    }
}

const CONCURRENCY: Spec<0> = Spec {
    name: "loki_querier_worker_concurrency",
    help: "The most pieces of queries that are worked on at a time.",
    labels: [],
};
const INFLIGHT: Spec<0> = Spec {
    name: "loki_querier_worker_inflight_queries",
    help: "Pieces of queries that are worked on now.",
    labels: [],
};
const QUEUES: Spec<0> = Spec {
    name: "loki_querier_query_frontend_clients",
    help: "Queues that pieces are pulled from now.",
    labels: [],
};
const PIECE_DURATION: Spec<2> = Spec {
    name: "loki_querier_query_frontend_request_duration_seconds",
    help: "Time from taking a piece of a query to the end of its report.",
    labels: ["operation", "status_code"],
};
const QUERY_LATENCY: Spec<2> = Spec {
    name: "loki_querier_query_latency_seconds",
    help: "Time that answering a piece of a query took.",
    labels: ["type", "status_code"],
};
const TAILS: Spec<0> =
    Spec { name: "loki_querier_tail_active", help: "Live tails that are open now.", labels: [] };
const TAILED_INGESTERS: Spec<0> = Spec {
    name: "loki_querier_tail_active_streams",
    help: "Streams of rows from ingesters to live tails that are open now.",
    labels: [],
};
const TAIL_BYTES: Spec<0> = Spec {
    name: "loki_querier_tail_bytes_total",
    help: "Bytes of lines that were sent to clients of live tails.",
    labels: [],
};
