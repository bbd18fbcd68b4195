use expect_test::expect;
use larch_testkit::settings::{comes_back, defaults, refusal};

use super::*;

#[test]
fn ingester_defaults_are_those_of_loki() {
    expect![[r#"
        lifecycler.ring.kvstore.store: "memberlist"
        lifecycler.ring.heartbeat_timeout: "1m"
        lifecycler.ring.replication_factor: 3
        lifecycler.ring.zone_awareness_enabled: false
        lifecycler.ring.excluded_zones: []
        lifecycler.num_tokens: 128
        lifecycler.heartbeat_period: "5s"
        lifecycler.heartbeat_timeout: "1m"
        lifecycler.min_ready_duration: "0s"
        lifecycler.interface_names: []
        lifecycler.enable_inet6: false
        lifecycler.final_sleep: "0s"
        lifecycler.tokens_file_path: ""
        lifecycler.availability_zone: ""
        lifecycler.unregister_on_shutdown: true
        lifecycler.readiness_check_ring_health: true
        lifecycler.address: ""
        lifecycler.port: 0
        lifecycler.id: ""
        concurrent_flushes: 32
        flush_check_period: "30s"
        flush_op_backoff.min_period: "10s"
        flush_op_backoff.max_period: "1m"
        flush_op_backoff.max_retries: 10
        flush_op_timeout: "10m"
        keep_handed_over: "30m"
        max_chunk_age: "2h"
        autoforget_unhealthy: false
        max_returned_stream_errors: 10
        max_dropped_streams: 10
        shutdown_marker_path: ""
        owned_streams_check_interval: "30s"
        wal.enabled: true
        wal.dir: "wal"
        wal.sync: "always"
        wal.sync_interval: "1s"
        wal.flush_on_shutdown: false
        wal.replay_memory_ceiling: "4GB"
        wal.disk_budget: "0B"
        wal.set_aside_budget: "512MB"
        wal.disk_full_threshold: 0.85
    "#]]
    .assert_eq(&defaults::<IngesterSettings>());
}

#[test]
fn pattern_ingester_defaults_are_those_of_loki() {
    expect![[r#"
        enabled: false
        max_clusters: 300
        max_eviction_ratio: 0.25
        retain_for: "3h"
        max_chunk_age: "1h"
        pattern_sample_interval: "10s"
        max_allowed_line_length: 3000
        volume_threshold: 0.99
        tee_config.batch_size: 5000
        tee_config.batch_flush_interval: "1s"
        tee_config.flush_queue_size: 1000
        tee_config.flush_worker_count: 100
        metric_aggregation.sample_period: "10s"
        metric_aggregation.loki_address: ""
        metric_aggregation.timeout: "10s"
        metric_aggregation.push_period: "30s"
        metric_aggregation.use_tls: false
        metric_aggregation.basic_auth.username: ""
        metric_aggregation.basic_auth.password: ""
        metric_aggregation.backoff_config.min_period: "100ms"
        metric_aggregation.backoff_config.max_period: "10s"
        metric_aggregation.backoff_config.max_retries: 10
        pattern_persistence.loki_address: ""
        pattern_persistence.timeout: "10s"
        pattern_persistence.push_period: "1m"
        pattern_persistence.batch_size: 1000
        pattern_persistence.use_tls: false
        pattern_persistence.basic_auth.username: ""
        pattern_persistence.basic_auth.password: ""
        pattern_persistence.backoff_config.min_period: "100ms"
        pattern_persistence.backoff_config.max_period: "10s"
        pattern_persistence.backoff_config.max_retries: 10
    "#]]
    .assert_eq(&defaults::<PatternIngesterSettings>());
}

#[test]
fn values_come_back() {
    let ingester: IngesterSettings = comes_back(
        r#"{"lifecycler": {"ring": {"kvstore": {"store": "inmemory"}, "replication_factor": 1,
                "excluded_zones": ["c"]}, "num_tokens": 512, "min_ready_duration": "15s",
                "availability_zone": "a", "unregister_on_shutdown": false, "address": "10.0.0.7",
                "port": 9096},
            "concurrent_flushes": 4, "flush_op_backoff": {"max_retries": 3}, "max_chunk_age": "30m",
            "autoforget_unhealthy": true, "shutdown_marker_path": "/data",
            "wal": {"enabled": false, "dir": "/data/wal", "sync": "interval", "sync_interval": "100ms",
                "flush_on_shutdown": true, "replay_memory_ceiling": "1GB", "disk_full_threshold": 0.9}}"#,
    );
    assert_eq!(ingester.check(), Ok(()));
    assert_eq!(ingester.wal.sync, WalSync::Interval);
    let patterns: PatternIngesterSettings = comes_back(
        r#"{"enabled": true, "max_clusters": 100, "max_eviction_ratio": 0.5, "retain_for": "1d",
            "tee_config": {"flush_worker_count": 2},
            "metric_aggregation": {"loki_address": "loki:3100", "use_tls": true,
                "basic_auth": {"username": "u", "password": "p"}, "backoff_config": {"max_retries": 1}},
            "pattern_persistence": {"push_period": "5m", "batch_size": 10}}"#,
    );
    assert_eq!(patterns.check(), Ok(()));
}

#[test]
fn ingester_refuses_what_cannot_be_meant() {
    for (given, text) in [
        (
            r#"{"lifecycler": {"ring": {"kvstore": {"store": "etcd"}}}}"#,
            "lifecycler.ring.kvstore.store: consul, etcd and multi are not supported; set memberlist, and list the first members in memberlist.join_members",
        ),
        (
            r#"{"lifecycler": {"ring": {"replication_factor": 0}}}"#,
            "lifecycler.ring.replication_factor: must be above 0",
        ),
        (
            r#"{"lifecycler": {"ring": {"heartbeat_timeout": "5s"}}}"#,
            "lifecycler.ring.heartbeat_timeout: must be 0 or above heartbeat_period, or every member would look dead",
        ),
        (r#"{"lifecycler": {"num_tokens": 0}}"#, "lifecycler.num_tokens: must be between 1 and 4096"),
        (r#"{"lifecycler": {"final_sleep": "-1s"}}"#, "lifecycler.final_sleep: must not be negative"),
        (r#"{"concurrent_flushes": 0}"#, "concurrent_flushes: must be above 0"),
        (r#"{"max_chunk_age": "0s"}"#, "max_chunk_age: must be above 0"),
        (
            r#"{"flush_op_backoff": {"max_period": "1s"}}"#,
            "flush_op_backoff.max_period: must not be below min_period",
        ),
        (r#"{"wal": {"dir": ""}}"#, "wal.dir: is missing"),
        (r#"{"wal": {"sync_interval": "0s"}}"#, "wal.sync_interval: must be above 0"),
        (r#"{"wal": {"replay_memory_ceiling": "0"}}"#, "wal.replay_memory_ceiling: must be above 0"),
        (r#"{"wal": {"disk_full_threshold": 85}}"#, "wal.disk_full_threshold: must be between 0 and 1"),
        (
            r#"{"wal": {"sync": "sometimes"}}"#,
            "unknown variant `sometimes`, expected one of `always`, `interval`, `never`",
        ),
    ] {
        assert_eq!(refusal::<IngesterSettings>(given), text, "{given}");
    }
}

#[test]
fn pattern_ingester_refuses_what_cannot_be_meant() {
    for (given, text) in [
        (r#"{"max_clusters": 0}"#, "max_clusters: must be above 0"),
        (r#"{"volume_threshold": 99}"#, "volume_threshold: must be between 0 and 1"),
        (r#"{"retain_for": "0s"}"#, "retain_for: must be above 0"),
        (r#"{"max_chunk_age": "1s"}"#, "max_chunk_age: must not be below pattern_sample_interval"),
        (r#"{"tee_config": {"batch_size": 0}}"#, "tee_config.batch_size: must be above 0"),
        (
            r#"{"pattern_persistence": {"backoff_config": {"min_period": "0s"}}}"#,
            "pattern_persistence.backoff_config.min_period: must be above 0",
        ),
    ] {
        assert_eq!(refusal::<PatternIngesterSettings>(given), text, "{given}");
    }
}

#[test]
fn settings_without_effect_are_there() {
    let all = defaults::<IngesterSettings>();
    for (key, _) in IDLE {
        assert!(all.lines().any(|line| line.starts_with(key)), "{key}");
    }
}
