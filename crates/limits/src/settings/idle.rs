//! Limits that are accepted and change nothing, for whoever tells those that set one.

/// The key, and what is so instead.
pub type IdleKey = (&'static str, &'static str);

const ASKED_ANEW: &str = "lists of labels and series are answered from what is in memory and not kept";
const NO_RING: &str = "any index gateway answers for any tenant";
const NO_PERSISTENCE: &str = "patterns are kept in memory only";

/// Of `limits_config` and of tenants' overrides.
pub const IDLE_LIMITS: [IdleKey; 13] = [
    ("tsdb_sharding_strategy", "shards are powers of two"),
    ("split_ingester_queries_by_interval", "split_queries_by_interval holds for recent rows too"),
    ("cardinality_limit", "max_query_series and memory bound what a query may find"),
    ("max_metadata_cache_freshness", ASKED_ANEW),
    ("engine_results_cache_time_bucket_interval", "there is one engine"),
    ("query_ready_index_num_days", "the index is part of the segments and not fetched beforehand"),
    ("index_gateway_shard_size", NO_RING),
    ("index_gateway_max_capacity", NO_RING),
    ("shard_aggregations", "what can be told apart by streams always is"),
    ("metric_aggregation_enabled", "no metrics are aggregated while rows come in"),
    ("pattern_persistence_enabled", NO_PERSISTENCE),
    ("pattern_persistence_granularity", NO_PERSISTENCE),
    ("pattern_rate_threshold", NO_PERSISTENCE),
];

/// Of `operational_config` and of tenants' own.
pub const IDLE_SWITCHES: [IdleKey; 1] =
    [("log_duplicate_metrics", "loki_ingester_duplicate_log_bytes_total always counts them")];
