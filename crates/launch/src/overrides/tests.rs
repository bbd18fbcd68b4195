//! What overrides files may say, and how they are read again.

use larch_config::{Node, Origin, parse_yaml, read_node};
use larch_telemetry::Format;
use larch_types::{ByteSize, Span};

use super::document::{Base, Document, read_documents};
use super::*;

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

/// Limits of all as `limits_config` gives them.
fn base(limits_config: &str) -> Base {
    let limits_node = parse_yaml("larch.yaml", limits_config).unwrap();
    Base {
        limits: read_node(&limits_node, "limits_config").unwrap().0,
        operational: OperationalSettings::default(),
        limits_node,
        operational_node: Node::empty_map(Origin::Default),
    }
}

fn read_over(limits_config: &str, files: &[&str]) -> Result<Document, Problems> {
    let mut named = Vec::new();
    for (index, text) in files.iter().enumerate() {
        named.push((format!("o{index}.yaml"), (*text).to_owned()));
    }
    read_documents(&base(limits_config), &named)
}

fn reload(files: Vec<String>, metrics: &Registry, limits: TenantLimits) -> Reload {
    Reload {
        source: Source { files, base: base("{}") },
        limits,
        metrics: ReloadMetrics { successful: metrics.gauge(SUCCESSFUL).with([]), hash: metrics.gauge(HASH) },
        hash: String::new(),
        told: HashSet::new(),
    }
}

#[track_caller]
fn accepted(limits_config: &str, text: &str) -> Overrides {
    let document = read_over(limits_config, &[text]).unwrap();
    assert_eq!(document.ignored, []);
    document.overrides
}

#[test]
fn a_tenant_starts_from_the_limits_of_all() {
    let all = "{max_query_series: 7, query_timeout: 1.000000001s, blocked_queries: [{pattern: 'a,b', types: [metric]}]}";
    let overrides = accepted(all, "overrides:\n  a: {ingestion_rate_mb: 10}\n  b:\n");
    let of_all = base(all).limits;
    let own = LimitsSettings { ingestion_rate_mb: 10.0, ..of_all.clone() };
    assert_eq!(**overrides.limits(&tenant("a")), own);
    assert_eq!(**overrides.limits(&tenant("b")), of_all);
    assert_eq!(overrides.tenants().count(), 1);
}

#[test]
fn blocks_are_merged_and_the_rest_is_replaced() {
    let all = "
shard_streams: {logging_enabled: true}
policy_enforced_labels: {'*': [team]}
retention_stream: [{selector: '{a=\"b\"}', priority: 1, period: 24h}]
";
    let text = "
overrides:
  a:
    shard_streams: {desired_rate: 5MB}
    policy_enforced_labels: {ops: [app]}
    retention_stream: [{selector: '{c=\"d\"}', priority: '2', period: 48h}]
    discover_service_name: []
    max_query_series:
";
    let overrides = accepted(all, text);
    let limits = overrides.limits(&tenant("a"));
    assert!(limits.shard_streams.logging_enabled, "a block keeps what is not overridden");
    assert_eq!(limits.shard_streams.desired_rate, ByteSize::mib(5));
    assert_eq!(limits.policy_enforced_labels.keys().collect::<Vec<_>>(), ["ops"]);
    assert_eq!(limits.retention_stream.len(), 1);
    assert_eq!(limits.retention_stream[0].priority, 2);
    assert!(limits.discover_service_name.is_empty());
    assert_eq!(limits.max_query_series, LimitsSettings::default().max_query_series);
}

#[test]
fn secrets_of_all_reach_a_tenant() {
    let all = "ruler_alertmanager_config: {alertmanager_client: {basic_auth_password: alert}}";
    let overrides = accepted(all, "overrides: {a: {max_query_series: 1}}");
    let client = &overrides.limits(&tenant("a")).ruler_alertmanager_config.alertmanager_client;
    assert_eq!(client.basic_auth_password.reveal(), "alert");
}

#[test]
fn files_are_merged_from_left_to_right() {
    let files = [
        "overrides: {a: {max_query_series: 1, query_timeout: 2m}, b: {}}",
        "",
        "overrides: {a: {max_query_series: 2, query_timeout: }}\nconfigs:",
        "overrides: {c: {max_query_series: 3}}",
    ];
    let overrides = read_over("{}", &files).unwrap().overrides;
    assert_eq!(overrides.limits(&tenant("a")).max_query_series, 2);
    assert_eq!(overrides.limits(&tenant("a")).query_timeout, Span::from_mins(2));
    assert_eq!(overrides.limits(&tenant("c")).max_query_series, 3);
    assert_eq!(overrides.tenants().count(), 3);
}

#[test]
fn logging_has_overrides_too() {
    let overrides = accepted("{}", "configs: {a: {log_push_request: true}}");
    assert!(overrides.operational(&tenant("a")).log_push_request);
    assert!(overrides.operational(&tenant("a")).limited_log_push_errors);
    assert!(!overrides.operational(&tenant("b")).log_push_request);
}

#[test]
fn the_overrides_of_an_existing_installation() {
    let text = "
overrides:
  audit:
    ingestion_rate_mb: 50
    ingestion_burst_size_mb: 100
    max_global_streams_per_user: 50000
    max_query_length: 12h
    max_query_parallelism: 32
    retention_period: 360h
  \"29\": {max_streams_per_user: 1e+06, max_chunks_per_query: 1000000}
";
    let overrides = accepted("{}", text);
    assert_eq!(overrides.limits(&tenant("audit")).retention_period, Span::from_days(15));
    assert_eq!(overrides.limits(&tenant("29")).max_streams_per_user, 1_000_000);
}

#[test]
fn what_means_nothing_is_told_with_its_line() {
    let text = "
multi_kv_config: {primary: consul}
overrides:
  a:
    max_querry_series: 1
    unordered_writes: true
    shard_streams: {speed: 1}
  team/b: {max_query_series: 1}
  c:d: {}
configs: {a: {log_everything: true}}
";
    let document = read_over("{}", &[text]).unwrap();
    let lines: Vec<String> = document.ignored.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "o0.yaml:2: multi_kv_config: ignored: the members of a ring are shared through memberlist",
            "o0.yaml:8: overrides.team/b: ignored: no request can come from a tenant of this name",
            "o0.yaml:9: overrides.c:d: ignored: no request can come from a tenant of this name",
            "o0.yaml:6: overrides.a.unordered_writes: ignored: has no meaning for a single tenant",
            "o0.yaml:5: overrides.a.max_querry_series: ignored: unknown key; the nearest valid key is max_query_series",
            "o0.yaml:7: overrides.a.shard_streams.speed: ignored: unknown key",
            "o0.yaml:10: configs.a.log_everything: ignored: unknown key",
        ]
    );
}

#[test]
fn what_changes_nothing_is_told_of_each_tenant_once() {
    let idle = |text: &str| {
        let document = read_over("{cardinality_limit: 7}", &[text]).unwrap();
        assert_eq!(document.ignored, []);
        document.idle
    };
    let first = idle(
        "overrides:\n  a: {cardinality_limit: 8, max_query_series: 1}\n  b: {max_query_series: 1}\n\
         \x20 c: {cardinality_limit: 100000}\nconfigs: {b: {log_duplicate_metrics: true, log_push_request: true}}",
    );
    let said: Vec<String> = first.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "o0.yaml:2: overrides.a.cardinality_limit: has no effect: max_query_series and memory bound what a \
             query may find",
            "o0.yaml:5: configs.b.log_duplicate_metrics: has no effect: \
             loki_ingester_duplicate_log_bytes_total always counts them",
        ]
    );
    let mut reload = reload(
        Vec::new(),
        &Registry::default(),
        TenantLimits::new(base("{}").limits, OperationalSettings::default()),
    );
    let mut told = |text| {
        let paths = reload.not_told(idle(text)).into_iter().map(|problem| problem.path);
        paths.collect::<Vec<_>>()
    };
    let (a, b) = ("overrides.a.cardinality_limit", "overrides.b.cardinality_limit");
    assert_eq!(told("overrides: {a: {cardinality_limit: 8}}"), [a]);
    assert_eq!(told("overrides: {a: {cardinality_limit: 9}, b: {cardinality_limit: 9}}"), [b]);
    assert_eq!(told("overrides: {b: {cardinality_limit: 9}}"), Vec::<String>::new());
    assert_eq!(told("overrides: {a: {cardinality_limit: 9}}"), [a], "it was gone");
}

#[test]
fn one_wrong_tenant_refuses_all() {
    for (text, want) in [
        ("[]", "o0.yaml:1: expected a mapping with the keys overrides and configs, found a list"),
        (
            "override: {}",
            "o0.yaml:1: override: unknown key; there can be overrides, configs and multi_kv_config",
        ),
        ("overrides: [a]", "o0.yaml:1: overrides: expected a mapping of tenants, found a list"),
        ("configs: 1", "o0.yaml:1: configs: expected a mapping of tenants, found \"1\""),
        ("overrides: {a: 5}", "o0.yaml:1: overrides.a: expected a mapping of keys, found \"5\""),
        (
            "overrides:\n  good: {max_query_series: 1}\n  bad: {max_query_series: many}",
            "o0.yaml:3: overrides.bad.max_query_series: expected a whole number, found \"many\"",
        ),
        (
            "overrides: {a: {max_query_series: -1}}",
            "o0.yaml:1: overrides.a.max_query_series: -1 is not between 0 and 4294967295",
        ),
        (
            "overrides: {a: {query_timeout: soon}}",
            "o0.yaml:1: overrides.a.query_timeout: not a valid duration string: \"soon\"",
        ),
        (
            "overrides: {a: {retention_stream: [{selector: '{a=\"b\"}', period: x}]}}",
            "o0.yaml:1: overrides.a.retention_stream.0.period: not a valid duration string: \"x\"",
        ),
        ("overrides: {a: {query_timeout: 0}}", "o0.yaml:1: overrides.a.query_timeout: must be above 0"),
        (
            "configs: {a: {log_push_request: maybe}}",
            "o0.yaml:1: configs.a.log_push_request: expected true or false, found \"maybe\"",
        ),
        ("overrides: {a: {}, a: {}}", "o0.yaml:1: overrides.a: duplicate key, first set in line 1"),
    ] {
        assert_eq!(read_over("{}", &[text]).unwrap_err().to_string(), want, "{text}");
    }
}

#[tokio::test]
async fn a_broken_new_file_keeps_the_old_one_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("overrides.yaml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("overrides: {a: {max_query_series: 1}}");
    let metrics = Registry::default();
    let limits = TenantLimits::new(LimitsSettings::default(), OperationalSettings::default());
    limits.register(&metrics);
    let mut reload = reload(vec![file.display().to_string()], &metrics, limits.clone());
    let series = || limits.limits(&tenant("a")).max_query_series;
    assert_eq!(reload.run_once(Timestamp::EPOCH).await, Next::Wait);
    assert_eq!(series(), 1);
    let first = reload.hash.clone();

    write("overrides: {a: {max_query_series: x}}");
    reload.run_once(Timestamp::EPOCH).await;
    assert_eq!((series(), &reload.hash), (1, &first));
    assert!(metrics.encode(Format::Prometheus).contains("loki_runtime_config_last_reload_successful 0"));

    std::fs::remove_file(&file).unwrap();
    reload.run_once(Timestamp::EPOCH).await;
    assert_eq!(series(), 1, "a file that is gone changes nothing");

    write("overrides: {a: {max_query_series: 2}}");
    reload.run_once(Timestamp::EPOCH).await;
    assert_eq!(series(), 2);
    let text = metrics.encode(Format::Prometheus);
    for line in [
        "loki_runtime_config_last_reload_successful 1".to_owned(),
        format!("loki_runtime_config_hash{{sha256=\"{}\"}} 1", reload.hash),
        "loki_overrides{limit_name=\"max_query_series\",user=\"a\"} 2".to_owned(),
        "loki_overrides_defaults{limit_name=\"max_query_series\"} 500".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains(&first), "the hash of the old file is gone");
}
