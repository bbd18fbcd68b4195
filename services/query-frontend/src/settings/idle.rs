//! Settings that are accepted and change nothing, so that whoever sets one is told when the process starts.

use larch_limits::LimitsSettings;
use serde::Serialize;
use serde_json::Value;

use crate::role::Config;

const BY_MEMBERSHIP: &str = "queriers and frontends find each other through membership";
const ASKED_ANEW: &str = "lists of labels and series are answered from what is in memory and not kept";
const IN_MEMORY: &str = "answers are kept in memory only, see embedded_cache";
const NO_RING: &str = "any index gateway answers for any tenant";

/// Below its block, with the reason.
type Idle = (&'static str, &'static str);

const OF_FRONTEND: [Idle; 5] = [
    ("/scheduler_address", BY_MEMBERSHIP),
    ("/scheduler_dns_lookup_period", BY_MEMBERSHIP),
    ("/downstream_url", "queries are answered here and not passed to another server"),
    ("/tail_proxy_url", "every process that reads serves tails"),
    ("/tail_tls_config", "every process that reads serves tails"),
];

const OF_SCHEDULER: [Idle; 2] = [
    (
        "/max_outstanding_requests_per_tenant",
        "the queue is part of the frontend, see frontend.max_outstanding_per_tenant",
    ),
    ("/max_queue_hierarchy_levels", "tenants take turns, and the actors of a tenant do not"),
];

const OF_QUERY_RANGE: [Idle; 17] = [
    ("/shard_aggregations", "what can be told apart by streams always is"),
    (
        "/instant_metric_query_split_align",
        "pieces of instant queries are always cut at multiples of the interval",
    ),
    ("/cache_series_results", ASKED_ANEW),
    ("/series_results_cache", ASKED_ANEW),
    ("/cache_label_results", ASKED_ANEW),
    ("/label_results_cache", ASKED_ANEW),
    ("/results_cache/compression", IN_MEMORY),
    ("/results_cache/cache/memcached_client", IN_MEMORY),
    ("/results_cache/cache/redis", IN_MEMORY),
    ("/index_stats_results_cache/compression", IN_MEMORY),
    ("/index_stats_results_cache/cache/memcached_client", IN_MEMORY),
    ("/index_stats_results_cache/cache/redis", IN_MEMORY),
    ("/volume_results_cache/compression", IN_MEMORY),
    ("/volume_results_cache/cache/memcached_client", IN_MEMORY),
    ("/volume_results_cache/cache/redis", IN_MEMORY),
    ("/instant_metric_results_cache/cache/memcached_client", IN_MEMORY),
    ("/instant_metric_results_cache/cache/redis", IN_MEMORY),
];

const OF_LIMITS: [Idle; 9] = [
    ("/tsdb_sharding_strategy", "shards are powers of two"),
    ("/split_ingester_queries_by_interval", "split_queries_by_interval holds for recent rows too"),
    ("/cardinality_limit", "max_query_series and memory bound what a query may find"),
    ("/max_metadata_cache_freshness", ASKED_ANEW),
    ("/engine_results_cache_time_bucket_interval", "there is one engine"),
    ("/query_ready_index_num_days", "the index is part of the segments and not fetched beforehand"),
    ("/index_gateway_shard_size", NO_RING),
    ("/index_gateway_max_capacity", NO_RING),
    ("/shard_aggregations", "what can be told apart by streams always is"),
];

/// What is set although it changes nothing, each as a sentence for the log.
pub(crate) fn without_effect(config: &Config, limits: &LimitsSettings) -> Vec<String> {
    let mut found = Vec::new();
    look(&mut found, "frontend", &config.frontend, &OF_FRONTEND);
    look(&mut found, "query_scheduler", &config.scheduler, &OF_SCHEDULER);
    look(&mut found, "query_range", &config.query_range, &OF_QUERY_RANGE);
    look(&mut found, "limits_config", limits, &OF_LIMITS);
    found
}

/// Whatever is not as it is by default was set by somebody.
fn look<S: Serialize + Default>(found: &mut Vec<String>, block: &str, settings: &S, idle: &[Idle]) {
    let (now, default) = (tree(settings), tree(&S::default()));
    for (path, why) in idle {
        if now.pointer(path) != default.pointer(path) {
            found.push(format!("{block}{} has no effect: {why}", path.replace('/', ".")));
        }
    }
}

/// Settings are maps of plain values, which always become a tree.
fn tree<S: Serialize>(settings: &S) -> Value {
    serde_json::to_value(settings).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_them_are_there() {
        let config = Config::default();
        let blocks = [
            (tree(&config.frontend), &OF_FRONTEND[..]),
            (tree(&config.scheduler), &OF_SCHEDULER[..]),
            (tree(&config.query_range), &OF_QUERY_RANGE[..]),
            (tree(&LimitsSettings::default()), &OF_LIMITS[..]),
        ];
        for (tree, idle) in blocks {
            for (path, _) in idle {
                assert!(tree.pointer(path).is_some(), "{path}");
            }
        }
    }

    #[test]
    fn only_what_is_set_is_told() {
        let (mut config, mut limits) = (Config::default(), LimitsSettings::default());
        assert_eq!(without_effect(&config, &limits), Vec::<String>::new());
        config.query_range.results_cache.cache.memcached_client.host = "memcached:11211".to_owned();
        config.query_range.cache_label_results = false;
        limits.cardinality_limit = 7;
        assert_eq!(
            without_effect(&config, &limits),
            [
                "query_range.cache_label_results has no effect: lists of labels and series are answered from \
                 what is in memory and not kept",
                "query_range.results_cache.cache.memcached_client has no effect: answers are kept in memory \
                 only, see embedded_cache",
                "limits_config.cardinality_limit has no effect: max_query_series and memory bound what a \
                 query may find",
            ]
        );
    }
}
