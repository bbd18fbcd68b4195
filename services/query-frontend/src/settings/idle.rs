//! Settings that are accepted and change nothing, so that whoever sets one is told when the process starts.

use larch_launch::without_effect;
use larch_limits::IdleKey;

use crate::role::Config;

const BY_MEMBERSHIP: &str = "queriers and frontends find each other through membership";
const ASKED_ANEW: &str = "lists of labels and series are answered from what is in memory and not kept";
const IN_MEMORY: &str = "answers are kept in memory only, see embedded_cache";

const OF_FRONTEND: [IdleKey; 5] = [
    ("scheduler_address", BY_MEMBERSHIP),
    ("scheduler_dns_lookup_period", BY_MEMBERSHIP),
    ("downstream_url", "queries are answered here and not passed to another server"),
    ("tail_proxy_url", "every process that reads serves tails"),
    ("tail_tls_config", "every process that reads serves tails"),
];

const OF_SCHEDULER: [IdleKey; 2] = [
    (
        "max_outstanding_requests_per_tenant",
        "the queue is part of the frontend, see frontend.max_outstanding_per_tenant",
    ),
    ("max_queue_hierarchy_levels", "tenants take turns, and the actors of a tenant do not"),
];

const OF_QUERY_RANGE: [IdleKey; 17] = [
    ("shard_aggregations", "what can be told apart by streams always is"),
    (
        "instant_metric_query_split_align",
        "pieces of instant queries are always cut at multiples of the interval",
    ),
    ("cache_series_results", ASKED_ANEW),
    ("series_results_cache", ASKED_ANEW),
    ("cache_label_results", ASKED_ANEW),
    ("label_results_cache", ASKED_ANEW),
    ("results_cache.compression", IN_MEMORY),
    ("results_cache.cache.memcached_client", IN_MEMORY),
    ("results_cache.cache.redis", IN_MEMORY),
    ("index_stats_results_cache.compression", IN_MEMORY),
    ("index_stats_results_cache.cache.memcached_client", IN_MEMORY),
    ("index_stats_results_cache.cache.redis", IN_MEMORY),
    ("volume_results_cache.compression", IN_MEMORY),
    ("volume_results_cache.cache.memcached_client", IN_MEMORY),
    ("volume_results_cache.cache.redis", IN_MEMORY),
    ("instant_metric_results_cache.cache.memcached_client", IN_MEMORY),
    ("instant_metric_results_cache.cache.redis", IN_MEMORY),
];

/// What is set although it changes nothing, each as a sentence for the log.
pub(crate) fn all_without_effect(config: &Config) -> Vec<String> {
    let mut found = without_effect("frontend", &config.frontend, &OF_FRONTEND);
    found.extend(without_effect("query_scheduler", &config.scheduler, &OF_SCHEDULER));
    found.extend(without_effect("query_range", &config.query_range, &OF_QUERY_RANGE));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_them_are_there() {
        let config = Config::default();
        let blocks = [
            (serde_json::to_value(&config.frontend).unwrap(), &OF_FRONTEND[..]),
            (serde_json::to_value(&config.scheduler).unwrap(), &OF_SCHEDULER[..]),
            (serde_json::to_value(&config.query_range).unwrap(), &OF_QUERY_RANGE[..]),
        ];
        for (tree, idle) in blocks {
            for (path, _) in idle {
                assert!(tree.pointer(&format!("/{}", path.replace('.', "/"))).is_some(), "{path}");
            }
        }
    }

    #[test]
    fn only_what_is_set_is_told() {
        let mut config = Config::default();
        assert_eq!(all_without_effect(&config), Vec::<String>::new());
        config.query_range.results_cache.cache.memcached_client.host = "memcached:11211".to_owned();
        config.query_range.cache_label_results = false;
        assert_eq!(
            all_without_effect(&config),
            [
                "query_range.cache_label_results has no effect: lists of labels and series are answered from \
                 what is in memory and not kept",
                "query_range.results_cache.cache.memcached_client has no effect: answers are kept in memory \
                 only, see embedded_cache",
            ]
        );
    }
}
