use expect_test::expect;
use larch_testkit::settings::{comes_back, defaults, files, refusal};
use larch_types::{Section, Timestamp};

use super::*;

#[test]
fn limits_defaults_are_those_of_loki() {
    expect![[r#"
        ingestion_rate_strategy: "global"
        ingestion_rate_mb: 4.0
        ingestion_burst_size_mb: 6.0
        max_label_name_length: 1024
        max_label_value_length: 2048
        max_label_names_per_series: 15
        reject_old_samples: true
        reject_old_samples_max_age: "1w"
        creation_grace_period: "10m"
        max_line_size: "256KB"
        max_line_size_truncate: false
        max_line_size_truncate_identifier: ""
        increment_duplicate_timestamp: false
        allow_structured_metadata: true
        max_structured_metadata_size: "64KB"
        max_structured_metadata_entries_count: 128
        otlp_config.resource_attributes.ignore_defaults: false
        otlp_config.resource_attributes.attributes_config: []
        otlp_config.scope_attributes: []
        otlp_config.log_attributes: []
        otlp_config.severity_text_as_label: false
        discover_service_name: ["service","app","application","app_name","name","app_kubernetes_io_name","container","container_name","k8s_container_name","component","workload","job","k8s_job_name"]
        discover_log_levels: true
        log_level_fields: ["level","LEVEL","Level","log.level","severity","SEVERITY","Severity","SeverityText","lvl","LVL","Lvl","severity_text","Severity_Text","SEVERITY_TEXT"]
        log_level_from_json_max_depth: 2
        discover_generic_fields.fields: {}
        label_rules.normalize_names: false
        label_rules.lowercase_names: false
        label_rules.rename: {}
        label_rules.denied: []
        label_rules.max_values: 0
        label_rules.max_values_of: {}
        label_rules.values_window: "1h"
        label_rules.denied_action: "structured_metadata"
        usage_labels: []
        shard_streams.enabled: true
        shard_streams.time_sharding_enabled: false
        shard_streams.time_sharding_ignore_recent: "40m"
        shard_streams.logging_enabled: false
        shard_streams.desired_rate: "1536KB"
        enforced_labels: []
        policy_enforced_labels: {}
        block_ingestion_until: "0"
        block_ingestion_policy_until: {}
        block_ingestion_status_code: 260
        policy_stream_mapping: {}
        policy_override_limits: {}
        simulated_push_latency: "0s"
        max_streams_per_user: 0
        max_global_streams_per_user: 5000
        per_stream_rate_limit: "3MB"
        per_stream_rate_limit_burst: "15MB"
        max_query_length: "30d1h"
        max_query_lookback: "0s"
        max_query_range: "0s"
        max_query_parallelism: 32
        tsdb_max_query_parallelism: 128
        tsdb_max_bytes_per_shard: "600MB"
        tsdb_sharding_strategy: "power_of_two"
        split_queries_by_interval: "1h"
        split_metadata_queries_by_interval: "1d"
        split_recent_metadata_queries_by_interval: "1h"
        recent_metadata_query_window: "0s"
        split_instant_metric_queries_by_interval: "1h"
        split_ingester_queries_by_interval: "0s"
        min_sharding_lookback: "0s"
        max_query_bytes_read: "0B"
        max_querier_bytes_read: "150GB"
        max_query_series: 500
        max_entries_limit_per_query: 5000
        max_streams_matchers_per_query: 1000
        max_chunks_per_query: 2000000
        cardinality_limit: 100000
        max_concurrent_tail_requests: 10
        query_timeout: "1m"
        max_queriers_per_tenant: 0
        max_query_capacity: 0.0
        max_cache_freshness_per_query: "10m"
        max_metadata_cache_freshness: "1d"
        max_stats_cache_freshness: "10m"
        engine_results_cache_time_bucket_interval: "1d"
        required_labels: []
        minimum_labels_number: 0
        blocked_queries: []
        query_ready_index_num_days: 0
        index_gateway_shard_size: 0
        index_gateway_max_capacity: 1.0
        volume_enabled: true
        volume_max_series: 1000
        retention_period: "0s"
        retention_stream: []
        deletion_mode: "filter-and-delete"
        ruler_max_rules_per_rule_group: 0
        ruler_max_rule_groups_per_tenant: 0
        ruler_alertmanager_config.alertmanager_url: []
        ruler_alertmanager_config.enable_alertmanager_discovery: false
        ruler_alertmanager_config.alertmanager_refresh_interval: "1m"
        ruler_alertmanager_config.enable_alertmanager_v2: true
        ruler_alertmanager_config.alert_relabel_configs: []
        ruler_alertmanager_config.notification_queue_capacity: 10000
        ruler_alertmanager_config.notification_timeout: "10s"
        ruler_alertmanager_config.alertmanager_client.tls_cert_path: ""
        ruler_alertmanager_config.alertmanager_client.tls_key_path: ""
        ruler_alertmanager_config.alertmanager_client.tls_ca_path: ""
        ruler_alertmanager_config.alertmanager_client.tls_server_name: ""
        ruler_alertmanager_config.alertmanager_client.tls_insecure_skip_verify: false
        ruler_alertmanager_config.alertmanager_client.basic_auth_username: ""
        ruler_alertmanager_config.alertmanager_client.basic_auth_password: ""
        ruler_alertmanager_config.alertmanager_client.type: "Bearer"
        ruler_alertmanager_config.alertmanager_client.credentials: ""
        ruler_alertmanager_config.alertmanager_client.credentials_file: ""
        ruler_tenant_shard_size: 0
        ruler_remote_write_disabled: false
        ruler_remote_write_config: {}
        ruler_remote_evaluation_timeout: "0s"
        ruler_remote_evaluation_max_response_size: "0B"
        shard_aggregations: []
        pattern_ingester_tokenizable_json_fields_default: ["log","message","msg","msg_","_msg","content"]
        pattern_ingester_tokenizable_json_fields_append: []
        pattern_ingester_tokenizable_json_fields_delete: []
        metric_aggregation_enabled: false
        pattern_persistence_enabled: false
        pattern_persistence_granularity: "0s"
        pattern_rate_threshold: 1.0
        s3_sse_type: ""
        s3_sse_kms_key_id: ""
        s3_sse_kms_encryption_context: ""
    "#]].assert_eq(&defaults::<LimitsSettings>());
}

#[test]
fn runtime_config_defaults_are_those_of_loki() {
    expect![[r#"
        period: "10s"
        file: []
    "#]]
    .assert_eq(&defaults::<RuntimeConfigSettings>());
}

#[test]
fn operational_defaults_are_those_of_loki() {
    expect![[r#"
        log_stream_creation: false
        log_push_request: false
        log_push_request_streams: false
        filter_push_request_streams_ips: []
        log_hash_of_labels: false
        log_service_name_discovery: false
        log_duplicate_metrics: false
        log_duplicate_stream_info: false
        limited_log_push_errors: true
    "#]]
    .assert_eq(&defaults::<OperationalSettings>());
}

#[test]
fn limits_values_come_back() {
    let limits: LimitsSettings = comes_back(
        r#"{"ingestion_rate_strategy": "local", "ingestion_rate_mb": 16.5, "ingestion_burst_size_mb": 32.0,
            "max_label_names_per_series": 30, "reject_old_samples": false,
            "reject_old_samples_max_age": "30d", "max_line_size": "1MB",
            "max_line_size_truncate_identifier": "[cut]",
            "otlp_config": {"resource_attributes": {"ignore_defaults": true, "attributes_config":
                [{"action": "index_label", "attributes": ["a.b"], "regex": ""}]},
                "scope_attributes": [{"action": "structured_metadata", "attributes": ["a"], "regex": ""}],
                "log_attributes": [{"action": "drop", "attributes": [], "regex": "x.*"},
                    {"action": "index_label", "attributes": ["app"], "regex": ""}]},
            "discover_service_name": [], "log_level_from_json_max_depth": -1,
            "shard_streams": {"enabled": false, "desired_rate": "3MB"}, "enforced_labels": ["app"],
            "policy_enforced_labels": {"*": ["team"]}, "block_ingestion_until": "2026-01-02T03:04:05Z",
            "block_ingestion_policy_until": {"ops": "2026-01-02T03:04:05Z"},
            "policy_stream_mapping": {"ops": [{"selector": "{a=\"b\"}", "priority": 2}]},
            "max_streams_per_user": 10000, "per_stream_rate_limit": "5MB", "max_query_length": "12h",
            "tsdb_sharding_strategy": "bounded", "split_queries_by_interval": "30m", "query_timeout": "5m",
            "max_query_capacity": 0.5, "required_labels": ["app"],
            "blocked_queries": [{"pattern": ".*prod.*", "regex": true, "hash": 2943214005,
                "types": ["filter", "limited"], "query_tags": {"source": "grafana"}}],
            "volume_enabled": false, "retention_period": "30d",
            "retention_stream": [{"period": "1d", "priority": 1, "selector": "{a=\"b\"}"}],
            "deletion_mode": "filter-only",
            "ruler_alertmanager_config": {"alertmanager_url": ["http://a:9093"],
                "alertmanager_client": {"basic_auth_password": "p", "type": "Token"}},
            "shard_aggregations": ["quantile_over_time"], "metric_aggregation_enabled": true,
            "s3_sse_type": "SSE-KMS", "s3_sse_kms_key_id": "k"}"#,
    );
    assert_eq!(limits.check(), Ok(()));
    assert_eq!(limits.ruler_alertmanager_config.alertmanager_client.basic_auth_password.reveal(), "p");
}

#[test]
fn entries_of_mappings_are_typed() {
    let given = r#"{"policy_override_limits": {"ops": {"ingestion_rate_mb": 1.0,
                        "shard_streams": {"desired_rate": "1MB"}}},
                    "ruler_remote_write_config": {"mimir": {"url": "http://mimir/push",
                        "headers": {"X-Scope-OrgID": "a"}, "basic_auth": {"username": "u", "password": "p"},
                        "tls_config": {"ca_file": "ca.pem"}, "queue_config": {"max_shards": 5}}}}"#;
    let limits: LimitsSettings = serde_json::from_str(given).unwrap();
    assert_eq!(limits.check(), Ok(()));
    assert_eq!(limits.ruler_remote_write_config["mimir"].queue_config.max_shards, 5);
    assert!(limits.policy_override_limits["ops"].shard_streams.as_ref().unwrap().enabled);
    assert_eq!(files::<LimitsSettings>(given), ["ruler_remote_write_config.mimir.tls_config.ca_file=ca.pem"]);
    assert!(!serde_json::to_string(&limits).unwrap().contains("\"p\""));
}

#[test]
fn other_values_come_back() {
    let runtime: RuntimeConfigSettings =
        comes_back(r#"{"period": "1m", "file": ["/etc/overrides.yaml", "http://host/overrides"]}"#);
    assert_eq!(runtime.check(), Ok(()));
    assert_eq!(
        files::<RuntimeConfigSettings>(r#"{"file": ["/etc/overrides.yaml", "http://host/overrides"]}"#),
        ["file=/etc/overrides.yaml"]
    );
    let operational: OperationalSettings = comes_back(
        r#"{"log_stream_creation": true, "filter_push_request_streams_ips": ["10.0.0.1"],
            "limited_log_push_errors": false}"#,
    );
    assert_eq!(operational.check(), Ok(()));
}

#[test]
fn a_block_ends_when_its_time_comes() {
    let until: BlockedUntil = "2026-01-02T03:04:05Z".parse().unwrap();
    let end: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    assert_eq!(until.at(Timestamp::from_nanos(end.nanos() - 1)), Some(end));
    assert_eq!(until.at(end), None);
    for none in ["", "0"] {
        assert_eq!(none.parse::<BlockedUntil>().unwrap().at(Timestamp::EPOCH), None);
    }
    assert_eq!(
        "tomorrow".parse::<BlockedUntil>().unwrap_err().to_string(),
        r#"not an RFC 3339 time between 1677 and 2262: "tomorrow""#
    );
}

#[test]
fn limits_refuse_what_cannot_be_meant() {
    for (given, text) in [
        (r#"{"ingestion_rate_mb": -1}"#, "ingestion_rate_mb: must be 0 or more"),
        (
            r#"{"ingestion_burst_size_mb": 0}"#,
            "ingestion_burst_size_mb: must be above 0, or nothing could be pushed at any rate",
        ),
        (
            r#"{"per_stream_rate_limit_burst": "0"}"#,
            "per_stream_rate_limit_burst: must be above 0, or nothing could be pushed at any rate",
        ),
        (r#"{"max_query_capacity": 1.5}"#, "max_query_capacity: must be between 0 and 1"),
        (
            r#"{"block_ingestion_status_code": 20}"#,
            "block_ingestion_status_code: must be an HTTP status between 200 and 599",
        ),
        (r#"{"tsdb_max_bytes_per_shard": "0"}"#, "tsdb_max_bytes_per_shard: must be above 0"),
        (r#"{"shard_streams": {"desired_rate": "0"}}"#, "shard_streams.desired_rate: must be above 0"),
        (r#"{"query_timeout": "0s"}"#, "query_timeout: must be above 0"),
        (r#"{"max_query_length": "-1h"}"#, "max_query_length: must not be negative"),
        (r#"{"max_query_length": "1 hour"}"#, r#"not a valid duration string: "1 hour""#),
        (
            r#"{"otlp_config": {"scope_attributes": [{"action": "index_label", "attributes": ["a"]}]}}"#,
            "otlp_config.scope_attributes.0.action: attributes of the scope cannot become labels",
        ),
        (
            r#"{"otlp_config": {"log_attributes": [{"action": "drop", "attributes": ["a"], "regex": "a"}]}}"#,
            "otlp_config.log_attributes.0.attributes: either attributes or regex must be set",
        ),
        (
            r#"{"otlp_config": {"log_attributes": [{"action": "drop", "regex": "a("}]}}"#,
            "otlp_config.log_attributes.0.regex: error parsing regexp: missing closing ): `a(`",
        ),
        (
            r#"{"otlp_config": {"log_attributes": [{"action": "drop"}]}}"#,
            "otlp_config.log_attributes.0.attributes: either attributes or regex must be set",
        ),
        (
            r#"{"retention_stream": [{"selector": "{a=\"b\"}", "period": "1h"}]}"#,
            "retention_stream.0.period: must be at least 24h",
        ),
        (
            r#"{"retention_stream": [{"selector": "{}", "period": "24h"}]}"#,
            r#"retention_stream.0.selector: must be a stream selector such as {app="x"}"#,
        ),
        (
            r#"{"policy_stream_mapping": {"ops": [{"selector": "a"}]}}"#,
            r#"policy_stream_mapping.ops.0.selector: must be a stream selector such as {app="x"}"#,
        ),
        (
            r#"{"ruler_alertmanager_config": {"enable_alertmanager_v2": false}}"#,
            "ruler_alertmanager_config.enable_alertmanager_v2: Alertmanager's first API is gone; set it to true",
        ),
        (
            r#"{"ruler_alertmanager_config": {"alertmanager_client": {"tls_cert_path": "c"}}}"#,
            "ruler_alertmanager_config.alertmanager_client.tls_key_path: must be set exactly if tls_cert_path is",
        ),
        (
            r#"{"ruler_remote_write_config": {"a": {"queue_config": {"min_shards": 99}}}}"#,
            "ruler_remote_write_config.a.queue_config.max_shards: must not be below min_shards",
        ),
        (r#"{"s3_sse_kms_key_id": "k"}"#, "s3_sse_kms_key_id: means something with s3_sse_type SSE-KMS only"),
        (
            r#"{"deletion_mode": "v1"}"#,
            "unknown variant `v1`, expected one of `disabled`, `filter-only`, `filter-and-delete`",
        ),
        (r#"{"ingestion_rate_strategy": "both"}"#, "unknown variant `both`, expected `global` or `local`"),
    ] {
        assert_eq!(refusal::<LimitsSettings>(given), text, "{given}");
    }
    assert_eq!(refusal::<RuntimeConfigSettings>(r#"{"period": "0s"}"#), "period: must be above 0");
    assert_eq!(refusal::<RuntimeConfigSettings>(r#"{"file": [""]}"#), "file: holds an empty name");
}
