//! Metrics under the names that dashboards of Loki read. Queues carry both names that Loki has for them,
//! because dashboards differ in where they expect the queue.

use std::sync::Arc;
use std::time::Duration;

use larch_api::Statistics;
use larch_telemetry::{Counter, DURATION_BUCKETS, Family, Gauge, Histogram, Registry, Sample, Spec};

use crate::queue::Queue;

/// Of queries.
#[derive(Clone)]
pub(crate) struct Metrics {
    /// By operation, tenant and status.
    pub(crate) queries: Family<Counter, 3>,
    /// By status, kind and range.
    pub(crate) latency: Family<Histogram, 3>,
    /// By status, kind, range, fast or slow, and whether it was cut by streams.
    pub(crate) bytes_per_second: Family<Histogram, 5>,
    /// By tenant.
    pub(crate) bytes: Family<Counter, 1>,
    /// By tenant.
    pub(crate) blocked: Family<Counter, 1>,
    pub(crate) in_progress: Gauge,
    /// How often pieces had to be tried again.
    pub(crate) retries: Histogram,
    partitions: Histogram,
    shard_factor: Histogram,
    shards: Family<Counter, 1>,
    /// By what was asked and by whether it was there.
    results: Family<Counter, 2>,
}

const QUERIES: Spec<3> = Spec {
    name: "loki_query_frontend_queries_total",
    help: "Queries that were answered, by operation.",
    labels: ["op", "user", "status_code"],
};
const LATENCY: Spec<3> = Spec {
    name: "loki_logql_querystats_latency_seconds",
    help: "Time from a query to its answer.",
    labels: ["status_code", "type", "range"],
};
const BYTES_PER_SECOND: Spec<5> = Spec {
    name: "loki_logql_querystats_bytes_processed_per_seconds",
    help: "Bytes that a query looked at in a second.",
    labels: ["status_code", "type", "range", "latency_type", "sharded"],
};
const BYTES: Spec<1> = Spec {
    name: "loki_logql_querystats_bytes_processed_total",
    help: "Bytes that queries looked at.",
    labels: ["tenant"],
};
const BLOCKED: Spec<1> = Spec {
    name: "loki_blocked_queries",
    help: "Queries that were refused because a rule blocks them.",
    labels: ["user"],
};
const IN_PROGRESS: Spec<0> = Spec {
    name: "loki_query_frontend_queries_in_progress",
    help: "Queries that are being worked on.",
    labels: [],
};
const RETRIES: Spec<0> = Spec {
    name: "loki_query_frontend_retries",
    help: "How often a piece of a query was tried again.",
    labels: [],
};

const PARTITIONS: Spec<0> = Spec {
    name: "loki_query_frontend_partitions",
    help: "Into how many pieces of time a query was cut.",
    labels: [],
};
const SHARD_FACTOR: Spec<0> = Spec {
    name: "loki_query_frontend_shard_factor",
    help: "Into how many pieces a query was cut whose streams were told apart.",
    labels: [],
};
const SHARDS: Spec<1> = Spec {
    name: "loki_query_frontend_shards_total",
    help: "Pieces of queries whose streams were told apart.",
    labels: ["type"],
};
const RESULTS: Spec<2> = Spec {
    name: "larch_query_frontend_results_cache_requests_total",
    help: "Answers to pieces of queries that were looked for in a cache, by whether one was right.",
    labels: ["type", "result"],
};

/// From one piece to more than a month in hours.
const PIECE_BUCKETS: [f64; 6] = [1.0, 4.0, 16.0, 64.0, 256.0, 1024.0];

/// Up to two minutes, twice as long as a query may take by default.
const LATENCY_BUCKETS: [f64; 10] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
/// From 50 MB/s, which one slow worker reaches, to 25 GB/s.
const SPEED_BUCKETS: [f64; 10] = [50e6, 100e6, 200e6, 400e6, 800e6, 1.6e9, 3.2e9, 6.4e9, 12.8e9, 25.6e9];
/// A piece is tried five times by default.
const RETRY_BUCKETS: [f64; 6] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            queries: registry.counter(QUERIES),
            latency: registry.histogram(LATENCY, &LATENCY_BUCKETS),
            bytes_per_second: registry.histogram(BYTES_PER_SECOND, &SPEED_BUCKETS),
            bytes: registry.counter(BYTES),
            blocked: registry.counter(BLOCKED),
            in_progress: registry.gauge(IN_PROGRESS).with([]),
            retries: registry.histogram(RETRIES, &RETRY_BUCKETS).with([]),
            partitions: registry.histogram(PARTITIONS, &PIECE_BUCKETS).with([]),
            shard_factor: registry.histogram(SHARD_FACTOR, &PIECE_BUCKETS).with([]),
            shards: registry.counter(SHARDS),
            results: registry.counter(RESULTS),
        }
    }

    /// Into how many pieces of time a query was cut, and into how many of time and streams.
    pub(crate) fn cut(&self, splits: usize, shards: usize) {
        self.partitions.observe(splits as f64);
        if shards > 0 {
            self.shard_factor.observe(shards as f64);
        }
    }

    /// What became of the pieces of a query of this kind.
    pub(crate) fn pieces(&self, kind: &str, stats: &Statistics) {
        if stats.shards > 0 {
            self.shards.with([kind]).add(stats.shards);
        }
        self.results.with([kind, "hit"]).add(stats.results_found);
        self.results.with([kind, "miss"]).add(stats.results_asked - stats.results_found);
    }
}

/// Of the queue.
#[derive(Clone)]
pub(crate) struct QueueMetrics {
    registry: Registry,
    waits: [Histogram; 2],
    enqueued: [Family<Counter, 2>; 2],
    discarded: [Family<Counter, 1>; 2],
}

const LENGTHS: [Spec<1>; 2] = [
    Spec {
        name: "loki_query_frontend_queue_length",
        help: "Pieces of queries that wait for a worker.",
        labels: ["user"],
    },
    Spec {
        name: "loki_query_scheduler_queue_length",
        help: "Pieces of queries that wait for a worker.",
        labels: ["user"],
    },
];
const WAITS: [Spec<0>; 2] = [
    Spec {
        name: "loki_query_frontend_queue_duration_seconds",
        help: "How long pieces of queries waited for a worker.",
        labels: [],
    },
    Spec {
        name: "loki_query_scheduler_queue_duration_seconds",
        help: "How long pieces of queries waited for a worker.",
        labels: [],
    },
];
const ENQUEUED: [Spec<2>; 2] = [
    Spec {
        name: "loki_query_frontend_enqueue_count",
        help: "Pieces of queries that were put into the queue.",
        labels: ["user", "level"],
    },
    Spec {
        name: "loki_query_scheduler_enqueue_count",
        help: "Pieces of queries that were put into the queue.",
        labels: ["user", "level"],
    },
];
const DISCARDED: [Spec<1>; 2] = [
    Spec {
        name: "loki_query_frontend_discarded_requests_total",
        help: "Pieces of queries for which there was no room in the queue.",
        labels: ["user"],
    },
    Spec {
        name: "loki_query_scheduler_discarded_requests_total",
        help: "Pieces of queries for which there was no room in the queue.",
        labels: ["user"],
    },
];
const WORKERS: [Spec<0>; 2] = [
    Spec { name: "loki_query_frontend_connected_clients", help: "Workers that pull.", labels: [] },
    Spec { name: "loki_query_scheduler_connected_querier_clients", help: "Workers that pull.", labels: [] },
];

impl QueueMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            registry: registry.clone(),
            waits: WAITS.map(|spec| registry.histogram(spec, &DURATION_BUCKETS).with([])),
            enqueued: ENQUEUED.map(|spec| registry.counter(spec)),
            discarded: DISCARDED.map(|spec| registry.counter(spec)),
        }
    }

    /// Lengths and workers are counted when they are asked for.
    pub(crate) fn show(&self, queue: &Arc<Queue>) {
        for spec in LENGTHS {
            let queue = Arc::downgrade(queue);
            self.registry.gauge_fn(spec, move || {
                let lengths = queue.upgrade().map(|queue| queue.lengths()).unwrap_or_default();
                lengths.into_iter().map(|(owner, length)| ([owner.to_string()], length as f64)).collect()
            });
        }
        for spec in WORKERS {
            let queue = Arc::downgrade(queue);
            let workers = move || -> Vec<Sample<0>> {
                vec![([], queue.upgrade().map_or(0, |queue| queue.workers()) as f64)]
            };
            self.registry.gauge_fn(spec, workers);
        }
    }

    pub(crate) fn enqueued(&self, owner: &str) {
        self.enqueued.iter().for_each(|family| family.with([owner, ""]).inc());
    }

    pub(crate) fn discarded(&self, owner: &str) {
        self.discarded.iter().for_each(|family| family.with([owner]).inc());
    }

    pub(crate) fn begun(&self, waited: Duration) {
        self.waits.iter().for_each(|histogram| histogram.observe_duration(waited));
    }
}
