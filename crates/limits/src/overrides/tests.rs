use expect_test::{Expect, expect};
use larch_types::{ByteSize, Secret, Span};
use serde_json::json;

use super::*;
use crate::{AlertmanagerSettings, RemoteWriteSettings};

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn read_json(documents: &[Json]) -> Result<(Overrides, Vec<Ignored>), InvalidSetting> {
    Overrides::read(LimitsSettings::default(), OperationalSettings::default(), documents)
}

#[track_caller]
fn accepted(document: Json) -> Overrides {
    let (overrides, ignored) = read_json(&[document]).unwrap();
    assert_eq!(ignored, []);
    overrides
}

/// Why a document is refused.
#[track_caller]
fn check_refused(document: &Json, want: &str) {
    let refused = read_json(std::slice::from_ref(document)).expect_err("must be refused");
    assert_eq!(refused.to_string(), want, "{document}");
}

/// What of a document is ignored.
#[track_caller]
fn check_ignored(document: Json, want: Expect) {
    let (_, ignored) = read_json(&[document]).unwrap();
    let lines: Vec<String> = ignored.iter().map(|i| format!("{}: {}\n", i.path, i.reason)).collect();
    want.assert_eq(&lines.concat());
}

#[test]
fn a_tenant_starts_from_the_limits_of_all() {
    let all = LimitsSettings { max_query_series: 7, ..Default::default() };
    let document = json!({"overrides": {"a": {"ingestion_rate_mb": 10}, "b": null}});
    let (overrides, ignored) =
        Overrides::read(all.clone(), OperationalSettings::default(), &[document]).unwrap();
    assert_eq!(ignored, []);
    let own = LimitsSettings { ingestion_rate_mb: 10.0, ..all.clone() };
    assert_eq!(**overrides.limits(&tenant("a")), own);
    assert_eq!(**overrides.limits(&tenant("b")), all);
    assert_eq!(**overrides.limits(&tenant("c")), all);
    let names: Vec<&str> = overrides.tenants().map(|(tenant, _)| tenant.as_str()).collect();
    assert_eq!(names, ["a"]);
}

#[test]
fn any_limits_of_all_reach_a_tenant_unchanged() {
    let all = json!({
        "ingestion_rate_strategy": "local", "ingestion_rate_mb": 0.1, "query_timeout": "1.000000001s",
        "max_line_size": "12345B", "max_querier_bytes_read": "15EB", "block_ingestion_until": "2026-01-02T03:04:05.6Z",
        "otlp_config": {"resource_attributes": {"attributes_config":
            [{"action": "index_label", "attributes": ["a.b"]}]}},
        "discover_generic_fields": {"fields": {"trace": ["trace_id", "traceID"]}},
        "policy_stream_mapping": {"ops": [{"selector": "{a=\"b\"}", "priority": -2}]},
        "policy_override_limits": {"ops": {"ingestion_rate_mb": 1.5, "shard_streams": {"enabled": false}}},
        "blocked_queries": [{"pattern": "a,b", "hash": 4294967295_u32, "types": ["metric"], "query_tags": {"a": "b"}}],
        "ruler_alertmanager_config": {"alertmanager_url": ["http://a"], "alert_relabel_configs":
            [{"source_labels": ["x"], "action": "labeldrop"}]},
        "s3_sse_type": "SSE-S3", "shard_aggregations": ["quantile_over_time"]});
    let all: LimitsSettings = serde_json::from_value(all).unwrap();
    let document = json!({"overrides": {"a": {}}});
    let (overrides, _) = Overrides::read(all.clone(), OperationalSettings::default(), &[document]).unwrap();
    assert_eq!(**overrides.limits(&tenant("a")), all);
}

#[test]
fn scalars_may_be_typed_or_text() {
    let typed = json!({"overrides": {"a": {
        "ingestion_rate_mb": 10, "max_streams_per_user": 1000000, "max_line_size": 1048576,
        "retention_period": 0, "reject_old_samples": false, "log_level_from_json_max_depth": -1,
        "enforced_labels": ["app", "env"], "max_line_size_truncate_identifier": 7,
        "shard_streams": {"enabled": false}, "deletion_mode": "disabled"}}});
    let text = json!({"overrides": {"a": {
        "ingestion_rate_mb": "10.0", "max_streams_per_user": "1e+06", "max_line_size": "1MB",
        "retention_period": "0s", "reject_old_samples": "no", "log_level_from_json_max_depth": "-1",
        "enforced_labels": "app, env", "max_line_size_truncate_identifier": "7",
        "shard_streams": {"enabled": "false"}, "deletion_mode": "disabled"}}});
    let typed = accepted(typed);
    assert_eq!(typed, accepted(text));
    let limits = typed.limits(&tenant("a"));
    assert_eq!(limits.max_streams_per_user, 1_000_000);
    assert_eq!(limits.max_line_size, ByteSize::mib(1));
    assert_eq!(limits.enforced_labels, ["app", "env"]);
}

#[test]
fn blocks_are_merged_and_the_rest_is_replaced() {
    let mut all = LimitsSettings::default();
    all.shard_streams.logging_enabled = true;
    all.policy_enforced_labels.insert("*".to_owned(), vec!["team".to_owned()]);
    all.retention_stream = vec![crate::StreamRetention {
        period: Span::from_days(1),
        priority: 1,
        selector: "{a=\"b\"}".to_owned(),
    }];
    let document = json!({"overrides": {"a": {
        "shard_streams": {"desired_rate": "5MB"},
        "policy_enforced_labels": {"ops": ["app"]},
        "retention_stream": [{"selector": "{c=\"d\"}", "priority": "2", "period": "48h"}],
        "discover_service_name": [],
    }}});
    let (overrides, _) = Overrides::read(all, OperationalSettings::default(), &[document]).unwrap();
    let limits = overrides.limits(&tenant("a"));
    assert!(limits.shard_streams.logging_enabled, "a block keeps what is not overridden");
    assert_eq!(limits.shard_streams.desired_rate, ByteSize::mib(5));
    assert_eq!(limits.policy_enforced_labels.keys().collect::<Vec<_>>(), ["ops"]);
    assert_eq!(limits.retention_stream.len(), 1);
    assert_eq!(limits.retention_stream[0].priority, 2);
    assert!(limits.discover_service_name.is_empty());
}

#[test]
fn secrets_survive() {
    let mut all = LimitsSettings::default();
    all.ruler_alertmanager_config.alertmanager_client.basic_auth_password = Secret::new("alert");
    let mut target = RemoteWriteSettings { url: "http://mimir".to_owned(), ..Default::default() };
    target.basic_auth.password = Secret::new("write");
    all.ruler_remote_write_config.insert("mimir".to_owned(), target);
    let document = json!({"overrides": {
        "inherits": {"max_query_series": 1},
        "own": {"ruler_alertmanager_config": {"alertmanager_url": "http://a:1,http://b:2"},
                "ruler_remote_write_config": {"other": {"url": "http://o", "basic_auth": {"password": "o"}}}},
        "none": {"ruler_alertmanager_config": null, "ruler_remote_write_config": {}},
    }});
    let (overrides, _) = Overrides::read(all.clone(), OperationalSettings::default(), &[document]).unwrap();
    let inherits = overrides.limits(&tenant("inherits"));
    assert_eq!(inherits.ruler_alertmanager_config, all.ruler_alertmanager_config);
    assert_eq!(inherits.ruler_remote_write_config, all.ruler_remote_write_config);
    let own = overrides.limits(&tenant("own"));
    let urls = vec!["http://a:1".to_owned(), "http://b:2".to_owned()];
    let alone = AlertmanagerSettings { alertmanager_url: urls, ..Default::default() };
    assert_eq!(own.ruler_alertmanager_config, alone, "it stands alone");
    assert_eq!(own.ruler_remote_write_config["other"].basic_auth.password.reveal(), "o");
    let none = overrides.limits(&tenant("none"));
    assert_eq!(none.ruler_alertmanager_config, all.ruler_alertmanager_config);
    assert!(none.ruler_remote_write_config.is_empty());
}

#[test]
fn documents_are_merged_from_left_to_right() {
    let first = json!({"overrides": {"a": {"max_query_series": 1, "query_timeout": "2m"}, "b": {}}});
    let second = json!({"overrides": {"a": {"max_query_series": 2, "query_timeout": null}}, "configs": null});
    let third = json!({"overrides": {"c": {"max_query_series": 3}}});
    let (overrides, _) = read_json(&[first, Json::Null, second, third]).unwrap();
    assert_eq!(overrides.limits(&tenant("a")).max_query_series, 2);
    assert_eq!(overrides.limits(&tenant("a")).query_timeout, Span::from_mins(2));
    assert_eq!(overrides.limits(&tenant("c")).max_query_series, 3);
    assert_eq!(overrides.tenants().count(), 3);
    assert_eq!(
        read_json(&[]).unwrap().0,
        Overrides::none(LimitsSettings::default(), OperationalSettings::default())
    );
}

#[test]
fn logging_has_overrides_too() {
    let overrides = accepted(json!({"configs": {"a": {"log_push_request": true}}}));
    assert!(overrides.operational(&tenant("a")).log_push_request);
    assert!(overrides.operational(&tenant("a")).limited_log_push_errors);
    assert!(!overrides.operational(&tenant("b")).log_push_request);
}

#[test]
fn the_overrides_of_an_existing_installation() {
    let overrides = accepted(json!({"overrides": {
        "audit": {"ingestion_rate_mb": 50, "ingestion_burst_size_mb": 100,
                  "max_global_streams_per_user": 50000, "max_query_length": "12h",
                  "max_query_parallelism": 32, "retention_period": "360h"},
        "29": {"max_streams_per_user": 1000000, "max_chunks_per_query": 1000000}}}));
    assert_eq!(overrides.limits(&tenant("audit")).retention_period, Span::from_days(15));
    assert_eq!(overrides.limits(&tenant("29")).max_chunks_per_query, 1_000_000);
}

#[test]
fn what_means_nothing_is_told() {
    check_ignored(
        json!({"multi_kv_config": {"primary": "consul"},
               "overrides": {
                   "a": {"max_querry_series": 1, "unordered_writes": true, "bloom_creation_enabled": false,
                         "shard_streams": {"speed": 1},
                         "retention_stream": [{"selector": "{a=\"b\"}", "period": "24h", "note": "x"}],
                         "ruler_alertmanager_config": {"alertmanager_client": {"tls_min_version": "x"}}},
                   "team/b": {"max_query_series": 1}, "c:d": {}},
               "configs": {"a": {"log_everything": true}}}),
        expect![[r#"
            multi_kv_config: the members of a ring are shared through memberlist
            overrides.team/b: no request can come from a tenant of this name
            overrides.c:d: no request can come from a tenant of this name
            overrides.a.unordered_writes: rows are taken in any order
            overrides.a.ruler_alertmanager_config.alertmanager_client.tls_min_version: TLS is always spoken in version 1.2 or above, with safe cipher suites
            overrides.a.bloom_creation_enabled: filters are part of the segments
            overrides.a.max_querry_series: unknown limit
            overrides.a.shard_streams.speed: unknown limit
            overrides.a.retention_stream.0.note: unknown limit
            configs.a.log_everything: unknown limit
        "#]],
    );
}

#[test]
fn one_wrong_tenant_refuses_all() {
    let limits = |limits: Json| json!({"overrides": {"good": {"max_query_series": 1}, "bad": limits}});
    for (document, text) in [
        (json!([]), "overrides: expected a mapping with the keys overrides and configs"),
        (
            json!({"override": {}}),
            "override: unknown key; there can be overrides, configs and multi_kv_config",
        ),
        (json!({"overrides": ["a"]}), "overrides: expected a mapping of tenants"),
        (json!({"configs": 1}), "configs: expected a mapping of tenants"),
        (limits(json!(5)), "overrides.bad: expected a mapping of limits"),
        (
            limits(json!({"max_query_series": "many"})),
            "overrides.bad.max_query_series: expected a whole number, found \"many\"",
        ),
        (
            limits(json!({"max_query_series": -1})),
            "overrides.bad.max_query_series: invalid value: integer `-1`, expected u32",
        ),
        (
            limits(json!({"ingestion_rate_mb": [4]})),
            "overrides.bad.ingestion_rate_mb: expected a number, found a list",
        ),
        (
            limits(json!({"reject_old_samples": 2})),
            "overrides.bad.reject_old_samples: expected true or false, found 2",
        ),
        (
            limits(json!({"query_timeout": "soon"})),
            "overrides.bad.query_timeout: not a valid duration string: \"soon\"",
        ),
        (
            limits(json!({"query_timeout": {"a": 1}})),
            "overrides.bad.query_timeout: expected text, found a mapping",
        ),
        (
            limits(json!({"enforced_labels": {"a": 1}})),
            "overrides.bad.enforced_labels: expected a list, found a mapping",
        ),
        (
            limits(json!({"shard_streams": {"desired_rate": "1.5MB"}})),
            "overrides.bad.shard_streams.desired_rate: not a valid size: \"1.5MB\", expected a whole number of bytes or one with a unit such as 256KB or 3MB",
        ),
        (
            limits(json!({"shard_streams": true})),
            "overrides.bad.shard_streams: expected a mapping, found true",
        ),
        (
            limits(json!({"retention_stream": [{"selector": "{a=\"b\"}", "period": "x"}]})),
            "overrides.bad.retention_stream.0.period: not a valid duration string: \"x\"",
        ),
        (
            limits(json!({"blocked_queries": [{"types": "metric,nothing"}]})),
            "overrides.bad.blocked_queries.0.types.1: unknown variant `nothing`, expected one of `metric`, `filter`, `limited`",
        ),
        (limits(json!({"query_timeout": 0})), "overrides.bad.query_timeout: must be above 0"),
        (
            json!({"configs": {"a": {"log_push_request": "maybe"}}}),
            "configs.a.log_push_request: expected true or false, found \"maybe\"",
        ),
    ] {
        check_refused(&document, text);
    }
}
