use expect_test::expect;
use larch_testkit::settings::{comes_back, defaults, files, refusal};
use larch_types::Section;

use super::*;

#[test]
fn query_range_defaults_are_those_of_loki() {
    let text = defaults::<QueryRangeSettings>();
    // All six caches have the same keys, so that one is enough to look at.
    let (others, rest): (Vec<&str>, Vec<&str>) =
        text.split_inclusive('\n').partition(|line| line.contains("_cache.") && !line.starts_with("results"));
    let first = text.lines().filter(|line| line.starts_with("results_cache.")).count();
    assert_eq!(others.len(), 5 * first);
    expect![[r#"
        align_queries_with_step: false
        results_cache.cache.default_validity: "1h"
        results_cache.cache.background.writeback_goroutines: 1
        results_cache.cache.background.writeback_buffer: 500000
        results_cache.cache.background.writeback_size_limit: "500MB"
        results_cache.cache.memcached.expiration: "0s"
        results_cache.cache.memcached.batch_size: 4
        results_cache.cache.memcached.parallelism: 5
        results_cache.cache.memcached_client.host: ""
        results_cache.cache.memcached_client.service: "memcached"
        results_cache.cache.memcached_client.addresses: []
        results_cache.cache.memcached_client.timeout: "100ms"
        results_cache.cache.memcached_client.max_idle_conns: 16
        results_cache.cache.memcached_client.max_item_size: "0B"
        results_cache.cache.memcached_client.update_interval: "1m"
        results_cache.cache.memcached_client.consistent_hash: true
        results_cache.cache.memcached_client.circuit_breaker_consecutive_failures: 10
        results_cache.cache.memcached_client.circuit_breaker_timeout: "10s"
        results_cache.cache.memcached_client.circuit_breaker_interval: "10s"
        results_cache.cache.memcached_client.tls_enabled: false
        results_cache.cache.memcached_client.tls_cert_path: ""
        results_cache.cache.memcached_client.tls_key_path: ""
        results_cache.cache.memcached_client.tls_ca_path: ""
        results_cache.cache.memcached_client.tls_server_name: ""
        results_cache.cache.memcached_client.tls_insecure_skip_verify: false
        results_cache.cache.memcached_client.tls_min_version: ""
        results_cache.cache.redis.endpoint: []
        results_cache.cache.redis.master_name: ""
        results_cache.cache.redis.timeout: "500ms"
        results_cache.cache.redis.expiration: "0s"
        results_cache.cache.redis.db: 0
        results_cache.cache.redis.pool_size: 0
        results_cache.cache.redis.username: ""
        results_cache.cache.redis.password: ""
        results_cache.cache.redis.tls_enabled: false
        results_cache.cache.redis.tls_insecure_skip_verify: false
        results_cache.cache.redis.idle_timeout: "0s"
        results_cache.cache.redis.max_connection_age: "0s"
        results_cache.cache.redis.route_randomly: false
        results_cache.cache.embedded_cache.enabled: false
        results_cache.cache.embedded_cache.max_size_mb: 100.0
        results_cache.cache.embedded_cache.max_size_items: 0
        results_cache.cache.embedded_cache.ttl: "1h"
        results_cache.compression: ""
        cache_results: false
        max_retries: 5
        parallelise_shardable_queries: true
        shard_aggregations: []
        cache_index_stats_results: true
        cache_volume_results: true
        cache_instant_metric_results: false
        instant_metric_query_split_align: false
        cache_series_results: true
        cache_label_results: true
    "#]]
    .assert_eq(&rest.concat());
}

#[test]
fn frontend_defaults_are_those_of_loki() {
    expect![[r#"
        log_queries_longer_than: "0s"
        log_query_request_headers: []
        max_body_size: "10MB"
        query_stats_enabled: false
        max_outstanding_per_tenant: 2048
        querier_forget_delay: "0s"
        scheduler_address: ""
        scheduler_dns_lookup_period: "10s"
        grpc_client_config.max_recv_msg_size: "100MB"
        grpc_client_config.max_send_msg_size: "100MB"
        grpc_client_config.grpc_compression: ""
        grpc_client_config.backoff_config.min_period: "100ms"
        grpc_client_config.backoff_config.max_period: "10s"
        grpc_client_config.backoff_config.max_retries: 10
        grpc_client_config.initial_stream_window_size: "65535B"
        grpc_client_config.initial_connection_window_size: "65535B"
        grpc_client_config.tls_enabled: false
        grpc_client_config.tls_cert_path: ""
        grpc_client_config.tls_key_path: ""
        grpc_client_config.tls_ca_path: ""
        grpc_client_config.tls_server_name: ""
        grpc_client_config.tls_insecure_skip_verify: false
        grpc_client_config.tls_min_version: ""
        grpc_client_config.connect_timeout: "5s"
        grpc_client_config.connect_backoff_base_delay: "1s"
        grpc_client_config.connect_backoff_max_delay: "5s"
        grpc_client_config.keepalive_time: "10s"
        grpc_client_config.keepalive_timeout: "5s"
        graceful_shutdown_timeout: "5m"
        instance_interface_names: []
        instance_enable_ipv6: false
        instance_addr: ""
        instance_port: 0
        compress_responses: true
        downstream_url: ""
        tail_proxy_url: ""
        tail_tls_config.tls_cert_path: ""
        tail_tls_config.tls_key_path: ""
        tail_tls_config.tls_ca_path: ""
        tail_tls_config.tls_server_name: ""
        tail_tls_config.tls_insecure_skip_verify: false
        tail_tls_config.tls_min_version: ""
        multi_tenant_queries_enabled: false
        per_request_limits_enabled: false
        pattern_ingester_enabled: false
    "#]]
    .assert_eq(&defaults::<FrontendSettings>());
}

#[test]
fn query_scheduler_defaults_are_those_of_loki() {
    expect![[r#"
        max_outstanding_requests_per_tenant: 32000
        max_queue_hierarchy_levels: 3
        querier_forget_delay: "0s"
    "#]]
    .assert_eq(&defaults::<QuerySchedulerSettings>());
}

#[test]
fn values_come_back() {
    let range: QueryRangeSettings = comes_back(
        r#"{"align_queries_with_step": true, "cache_results": true, "max_retries": 3,
            "results_cache": {"cache": {"embedded_cache": {"enabled": true, "max_size_items": 1024,
                "ttl": "1d"}}, "compression": "snappy"},
            "shard_aggregations": ["quantile_over_time"], "cache_label_results": false,
            "label_results_cache": {"cache": {"redis": {"endpoint": ["r:6379"], "password": "p"}}}}"#,
    );
    assert_eq!(range.check(), Ok(()));
    let frontend: FrontendSettings = comes_back(
        r#"{"log_queries_longer_than": "5s", "log_query_request_headers": ["X-Grafana-User"],
            "max_body_size": "1MB", "max_outstanding_per_tenant": 4096, "scheduler_address": "s:9095",
            "compress_responses": false, "tail_proxy_url": "https://querier:3100",
            "tail_tls_config": {"tls_ca_path": "ca.pem", "tls_insecure_skip_verify": true}}"#,
    );
    assert_eq!(frontend.check(), Ok(()));
    let scheduler: QuerySchedulerSettings = comes_back(
        r#"{"max_outstanding_requests_per_tenant": 10, "max_queue_hierarchy_levels": 0,
            "querier_forget_delay": "1m"}"#,
    );
    assert_eq!(scheduler.check(), Ok(()));
}

#[test]
fn files_are_those_that_are_set() {
    assert_eq!(
        files::<FrontendSettings>(r#"{"tail_tls_config": {"tls_ca_path": "ca.pem"}}"#),
        ["tail_tls_config.tls_ca_path=ca.pem"]
    );
    let given = r#"{"volume_results_cache": {"cache": {"memcached_client": {"tls_ca_path": "ca.pem"}}}}"#;
    assert_eq!(
        files::<QueryRangeSettings>(given),
        ["volume_results_cache.cache.memcached_client.tls_ca_path=ca.pem"]
    );
}

#[test]
fn every_old_cache_key_names_a_cache() {
    let text = defaults::<QueryRangeSettings>();
    for old in QueryRangeSettings::OLD_KEYS {
        if let Some((cache, _)) = old.path.split_once(".cache.") {
            assert!(text.contains(&format!("{cache}.cache.default_validity")), "{}", old.path);
        }
    }
}

#[test]
fn refuses_what_cannot_be_meant() {
    for (given, text) in [
        (r#"{"results_cache": {"compression": "gzip"}}"#, "unknown variant `gzip`, expected `` or `snappy`"),
        (
            r#"{"series_results_cache": {"cache": {"default_validity": "-1s"}}}"#,
            "series_results_cache.cache.default_validity: must not be negative",
        ),
    ] {
        assert_eq!(refusal::<QueryRangeSettings>(given), text, "{given}");
    }
    for (given, text) in [
        (r#"{"max_body_size": "0"}"#, "max_body_size: must be above 0"),
        (r#"{"max_outstanding_per_tenant": 0}"#, "max_outstanding_per_tenant: must be above 0"),
        (r#"{"querier_forget_delay": "-1s"}"#, "querier_forget_delay: must not be negative"),
        (
            r#"{"tail_proxy_url": "querier:3100"}"#,
            "tail_proxy_url: must be a URL such as http://querier:3100",
        ),
        (
            r#"{"tail_tls_config": {"tls_key_path": "k"}}"#,
            "tail_tls_config.tls_key_path: must be set exactly if tls_cert_path is",
        ),
    ] {
        assert_eq!(refusal::<FrontendSettings>(given), text, "{given}");
    }
    assert_eq!(
        refusal::<QuerySchedulerSettings>(r#"{"max_outstanding_requests_per_tenant": 0}"#),
        "max_outstanding_requests_per_tenant: must be above 0"
    );
    let all: FrontendSettings = serde_json::from_str(r#"{"log_queries_longer_than": "-1s"}"#).unwrap();
    assert_eq!(all.check(), Ok(()));
}
