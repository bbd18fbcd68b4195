//! Every reason for which a push, or a part of it, is refused, against the built binary: the status, the
//! text, what is stored all the same, and what is counted. Each tenant has overrides of its own.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod bounds;
mod reload;

use larch_testkit::http::{Answer, Client, with_query};
use larch_testkit::process::{Running, built, configured};
use larch_tests::{expand, now, push_request, snappy_literals, time_marks_resolved};
use larch_types::{Span, Timestamp};
use regex::Regex;
use serde_json::{Value, json};

const SETTINGS: &str = "
auth_enabled: true
common: {path_prefix: ./data, replication_factor: 1}
# However full the disk of the test is.
ingester: {wal: {disk_full_threshold: 0}, max_returned_stream_errors: 2}
distributor: {max_recv_msg_size: 2MB, max_decompressed_size: 3MB}
runtime_config: {file: overrides.yaml}
";

const OVERRIDES: &str = r#"
overrides:
  names: {max_label_names_per_series: 2, max_label_name_length: 12, max_label_value_length: 15}
  unnamed: {discover_service_name: []}
  enforced: {enforced_labels: [app, env], policy_enforced_labels: {gold: [team], '*': [zone]}, policy_stream_mapping: {gold: [{selector: '{tier="gold"}', priority: 1}]}}
  blocked: {block_ingestion_until: '2100-01-01T00:00:00Z'}
  blocked-quietly: {block_ingestion_until: '2100-01-01T00:00:00Z', block_ingestion_status_code: 200}
  blocked-429: {block_ingestion_until: '2100-01-01T00:00:00Z', block_ingestion_status_code: 429}
  blocked-gold:
    block_ingestion_policy_until: {gold: '2100-01-01T00:00:00Z'}
    policy_stream_mapping: {gold: [{selector: '{tier="gold"}', priority: 1}]}
  blocked-rest:
    block_ingestion_policy_until: {'*': '2100-01-01T00:00:00Z'}
    policy_stream_mapping: {gold: [{selector: '{tier="gold"}', priority: 1}]}
  block-over: {block_ingestion_until: '2001-01-01T00:00:00Z'}
  young: {reject_old_samples_max_age: 1h, creation_grace_period: 5m}
  any-age: {reject_old_samples: false}
  lines: {max_line_size: 10}
  cut: {max_line_size: 10, max_line_size_truncate: true, max_line_size_truncate_identifier: '...'}
  plain: {allow_structured_metadata: false}
  metadata: {max_structured_metadata_size: 10, max_structured_metadata_entries_count: 2}
  slow: {ingestion_rate_mb: 0.00001, ingestion_burst_size_mb: 0.0001}
  slow-gold:
    policy_stream_mapping: {gold: [{selector: '{tier="gold"}', priority: 1}]}
    policy_override_limits: {gold: {ingestion_rate_mb: 0.00001, ingestion_burst_size_mb: 0.0001}}
  few: {max_global_streams_per_user: 2}
  few-local: {max_streams_per_user: 1}
  few-gold:
    policy_stream_mapping: {gold: [{selector: '{tier="gold"}', priority: 1}]}
    policy_override_limits: {gold: {max_global_streams_per_user: 1}}
  slow-stream: {per_stream_rate_limit: 1KB, per_stream_rate_limit_burst: 2KB}
  slow-gold-stream:
    policy_stream_mapping: {gold: [{selector: '{tier="gold"}', priority: 1}]}
    policy_override_limits: {gold: {per_stream_rate_limit: 10, per_stream_rate_limit_burst: 20}}
  twins: {increment_duplicate_timestamp: true}
  denied: {label_rules: {denied: [pod], denied_action: refuse}}
  moved: {label_rules: {denied: [pod], normalize_names: true, max_values_of: {req: 1}}}
  no-levels: {discover_log_levels: false}
  fields: {discover_generic_fields: {fields: {trace: [traceID]}}}
  otlp:
    otlp_config:
      resource_attributes: {attributes_config: [{action: index_label, attributes: [team.name]}, {action: drop, regex: 'secret.*'}]}
      log_attributes: [{action: drop, attributes: [noise]}]
      severity_text_as_label: true
"#;

/// One push in the v1 JSON form. Streams are written as in [`row`]; times in texts are masked.
struct Case {
    tenant: &'static str,
    headers: &'static [(&'static str, &'static str)],
    streams: String,
    status: u16,
    text: &'static str,
    /// Lines that are there afterwards, by time and label.
    stored: &'static [&'static str],
    /// What is counted: the reason and the number of lines.
    discarded: Option<(&'static str, u64)>,
}

/// One stream with one line a minute, of which the first is a minute ago.
fn row(labels: &str, lines: &[&str]) -> String {
    rows(labels, -60, lines)
}

fn rows(labels: &str, seconds: i32, lines: &[&str]) -> String {
    let row = |(number, line): (i32, &&str)| {
        let sign = if seconds < 0 { "" } else { "+" };
        format!(r#"["@{sign}{}", {}]"#, seconds - number, json!(line))
    };
    let rows: Vec<String> = (0..).zip(lines).map(row).collect();
    format!(r#"{{"stream":{labels},"values":[{}]}}"#, rows.join(","))
}

fn with_metadata(metadata: &str) -> String {
    format!(r#"{{"stream":{{"app":"a"}},"values":[["@-60","m",{metadata}]]}}"#)
}

const A: &str = r#"{"app":"a"}"#;

fn case(tenant: &'static str, streams: impl Into<String>, status: u16, text: &'static str) -> Case {
    Case { tenant, headers: &[], streams: streams.into(), status, text, stored: &[], discarded: None }
}

impl Case {
    fn stores(self, stored: &'static [&'static str]) -> Self {
        Self { stored, ..self }
    }

    fn discards(self, reason: &'static str, lines: u64) -> Self {
        Self { discarded: Some((reason, lines)), ..self }
    }

    fn with(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }
}

/// A good stream behind a bad one: what is good is stored whatever becomes of the rest.
fn and_good(bad: &str) -> String {
    format!("{bad},{}", row(A, &["good"]))
}

fn of_labels() -> Vec<Case> {
    let long_name = r#"{"name_of_13_by":"1"}"#;
    vec![
        case(
            "unnamed",
            and_good(&row("{}", &["x", "y"])),
            400,
            "error at least one label pair is required per stream",
        )
        .stores(&["good"])
        .discards("missing_labels", 2),
        case(
            "names",
            and_good(&row(r#"{"a":"1","b":"2","c":"1234567890123456"}"#, &["x"])),
            400,
            "entry for stream '{a=\"1\", b=\"2\", c=\"1234567890123456\", service_name=\"unknown_service\"}' \
             has 3 label names; limit 2",
        )
        .stores(&["good"])
        .discards("max_label_names_per_series", 1),
        case(
            "names",
            row(long_name, &["x"]),
            400,
            "stream '{name_of_13_by=\"1\", service_name=\"unknown_service\"}' has label name too long: \
             'name_of_13_by'",
        )
        .stores(&["good"])
        .discards("label_name_too_long", 1),
        case(
            "names",
            row(r#"{"app":"1234567890123456"}"#, &["x"]),
            400,
            "stream '{app=\"1234567890123456\", service_name=\"1234567890123456\"}' has label value too \
             long: '1234567890123456'",
        )
        .stores(&["good"])
        .discards("label_value_too_long", 1),
        case(
            "enforced",
            row(r#"{"app":"a"}"#, &["x"]),
            400,
            "missing required labels 'env,zone' for user 'enforced' for stream '{app=\"a\", \
             service_name=\"a\"}' (policy: '')",
        )
        .discards("missing_enforced_labels", 1),
        case(
            "enforced",
            row(r#"{"app":"a","env":"e","zone":"z","tier":"gold"}"#, &["x"]),
            400,
            "missing required labels 'team' for user 'enforced' for stream '{app=\"a\", env=\"e\", \
             service_name=\"a\", tier=\"gold\", zone=\"z\"}' (policy: 'gold')",
        )
        .discards("missing_enforced_labels", 2),
        case(
            "denied",
            and_good(&row(r#"{"app":"b","pod":"p"}"#, &["x"])),
            400,
            "stream '{app=\"b\", pod=\"p\", service_name=\"b\"}' has the label 'pod', which is denied by \
             limits_config.label_rules",
        )
        .stores(&["good"])
        .discards("denied_label", 1),
        case("moved", row(r#"{"app":"a","pod":"p","k8s.node":"n","req":"1"}"#, &["x"]), 204, "")
            .stores(&["x"]),
        case("moved", row(r#"{"app":"a","pod":"q","k8s.node":"n","req":"2"}"#, &["y"]), 204, "")
            .stores(&["x", "y"]),
    ]
}

fn of_blocks() -> Vec<Case> {
    vec![
        case(
            "blocked",
            row(A, &["x", "y"]),
            260,
            "ingestion blocked for user 'blocked' until '<time>' with status code '260'",
        )
        .discards("blocked_ingestion", 2),
        // Labels are looked at first.
        case(
            "blocked",
            row(r#"{"a":"1","b":"2","c":"3","d":"4","e":"5","f":"6","g":"7","h":"8","i":"9","j":"10","k":"11","l":"12","m":"13","n":"14","o":"15","app":"16"}"#, &["x"]),
            400,
            "entry for stream '{a=\"1\", app=\"16\", b=\"2\", c=\"3\", d=\"4\", e=\"5\", f=\"6\", g=\"7\", \
             h=\"8\", i=\"9\", j=\"10\", k=\"11\", l=\"12\", m=\"13\", n=\"14\", o=\"15\", \
             service_name=\"16\"}' has 16 label names; limit 15",
        )
        .discards("max_label_names_per_series", 1),
        case("blocked-quietly", row(A, &["x"]), 204, "").discards("blocked_ingestion", 1),
        case(
            "blocked-429",
            row(A, &["x"]),
            429,
            "ingestion blocked for user 'blocked-429' until '<time>' with status code '429'",
        )
        .discards("blocked_ingestion", 1),
        case(
            "blocked-gold",
            and_good(&row(r#"{"app":"a","tier":"gold"}"#, &["x"])),
            260,
            "ingestion blocked for user 'blocked-gold' (policy: 'gold') until '<time>' with status code '260'",
        )
        .stores(&["good"])
        .discards("blocked_ingestion_policy", 1),
        case(
            "blocked-rest",
            format!("{},{}", row(A, &["x"]), row(r#"{"app":"a","tier":"gold"}"#, &["gold"])),
            260,
            "ingestion blocked for user 'blocked-rest' (policy: '*') until '<time>' with status code '260'",
        )
        .stores(&["gold"])
        .discards("blocked_ingestion_policy", 1),
        // The header names the policy, whatever the labels say.
        case(
            "blocked-gold",
            row(A, &["x"]),
            260,
            "ingestion blocked for user 'blocked-gold' (policy: 'gold') until '<time>' with status code '260'",
        )
        .with(&[("X-Loki-Ingestion-Policy", "gold")])
        .stores(&["good"])
        .discards("blocked_ingestion_policy", 2),
        case("block-over", row(A, &["x"]), 204, "").stores(&["x"]),
    ]
}

fn of_entries() -> Vec<Case> {
    vec![
        case(
            "young",
            and_good(&rows(A, -3700, &["old"])),
            400,
            "entry for stream '{app=\"a\", service_name=\"a\"}' has timestamp too old: <time>, oldest \
             acceptable timestamp is: <time>",
        )
        .stores(&["good"])
        .discards("greater_than_max_sample_age", 1),
        case(
            "young",
            rows(A, 400, &["new"]),
            400,
            "entry for stream '{app=\"a\", service_name=\"a\"}' has timestamp too new: <time>",
        )
        .stores(&["good"])
        .discards("too_far_in_future", 1),
        case("any-age", r#"{"stream":{"app":"a"},"values":[["1","ancient"]]}"#, 204, ""),
        case(
            "lines",
            and_good(&row(A, &["longer than 10", "fits", "longer than 10"])),
            400,
            "2 errors like: max entry size '10' bytes exceeded for stream '{app=\"a\", \
             service_name=\"a\"}' while adding an entry with length '14' bytes",
        )
        .stores(&["fits", "good"])
        .discards("line_too_long", 2),
        // The age comes before the length.
        case(
            "lines",
            rows(A, -700_000, &["longer than 10"]),
            400,
            "entry for stream '{app=\"a\", service_name=\"a\"}' has timestamp too old: <time>, oldest \
             acceptable timestamp is: <time>",
        )
        .stores(&["fits", "good"])
        .discards("greater_than_max_sample_age", 1),
        case("cut", row(A, &["longer than 10", "fits"]), 204, "").stores(&["fits", "longer ..."]),
        case(
            "plain",
            and_good(&with_metadata(r#"{"k":"v"}"#)),
            400,
            "stream '{app=\"a\", service_name=\"a\"}' includes structured metadata, but this feature is \
             disallowed. Please see `limits_config.allow_structured_metadata` or contact your Loki \
             administrator to enable it",
        )
        .stores(&["good"])
        .discards("disallowed_structured_metadata", 1),
        case(
            "metadata",
            and_good(&with_metadata(r#"{"key":"12345678"}"#)),
            400,
            "stream '{app=\"a\", service_name=\"a\"}' has structured metadata too large: '11' bytes, limit: \
             '10' bytes. Please see `limits_config.max_structured_metadata_size` or contact your Loki \
             administrator to increase it",
        )
        .stores(&["good"])
        .discards("structured_metadata_too_large", 1),
        case(
            "metadata",
            with_metadata(r#"{"a":"1","b":"2","c":"3"}"#),
            400,
            "stream '{app=\"a\", service_name=\"a\"}' has too many structured metadata labels: '3', limit: \
             '2'. Please see `limits_config.max_structured_metadata_entries_count` or contact your Loki \
             administrator to increase it",
        )
        .stores(&["good"])
        .discards("structured_metadata_too_many", 1),
        case(
            "metadata",
            format!("{},{}", with_metadata(r#"{"key":"12345678"}"#), rows(A, 700, &["new"])),
            400,
            "1 errors like: stream '{app=\"a\", service_name=\"a\"}' has structured metadata too large: '11' \
             bytes, limit: '10' bytes. Please see `limits_config.max_structured_metadata_size` or contact \
             your Loki administrator to increase it; 1 errors like: entry for stream '{app=\"a\", \
             service_name=\"a\"}' has timestamp too new: <time>",
        )
        .stores(&["good"])
        .discards("too_far_in_future", 1),
        case(
            "metadata",
            with_metadata(r#"{"...":"1"}"#),
            400,
            "normalization for label name \"...\" resulted in invalid name \"_\"",
        )
        .stores(&["good"]),
        case(
            "twins",
            r#"{"stream":{"app":"a"},"values":[["@-60","1"],["@-60","2"],["@-60","2"],["@-60","3"]]}"#,
            204,
            "",
        )
        // The third has the line of the second, and stays at the time of the first.
        .stores(&["1", "2", "2", "3"]),
    ]
}

fn of_rates() -> Vec<Case> {
    vec![
        case("slow", row(A, &["x"]), 204, "").stores(&["x"]),
        case(
            "slow",
            row(A, &["1234567890", &"x".repeat(100)]),
            429,
            "ingestion rate limit exceeded for user slow (limit: 10 bytes/sec) while attempting to ingest '2' \
             lines totaling '110' bytes, reduce log volume or contact your Loki administrator to see if the \
             limit can be increased",
        )
        .stores(&["x"])
        .discards("rate_limited", 2),
        // A rate outranks what is wrong with single lines.
        case(
            "slow",
            format!("{},{}", rows(A, 700, &["new"]), row(A, &[&"x".repeat(105)])),
            429,
            "ingestion rate limit exceeded for user slow (limit: 10 bytes/sec) while attempting to ingest '1' \
             lines totaling '105' bytes, reduce log volume or contact your Loki administrator to see if the \
             limit can be increased",
        )
        .stores(&["x"])
        .discards("rate_limited", 3),
        case(
            "slow-gold",
            and_good(&row(r#"{"app":"a","tier":"gold"}"#, &[&"x".repeat(200)])),
            429,
            "ingestion rate limit exceeded for user slow-gold, policy gold (limit: 10 bytes/sec) while \
             attempting to ingest '1' lines totaling '200' bytes, reduce log volume or contact your Loki \
             administrator to see if the limit can be increased",
        )
        .discards("rate_limited", 2),
        case(
            "few",
            format!("{},{},{}", row(A, &["a"]), row(r#"{"app":"b"}"#, &["b"]), row(r#"{"app":"c"}"#, &["c"])),
            429,
            "maximum active stream limit exceeded when trying to create stream {app=\"c\", \
             service_name=\"c\"}, reduce the number of active streams (reduce labels or reduce label values), \
             or contact your Loki administrator to see if the limit can be increased, user: 'few'",
        )
        .stores(&["a", "b"])
        .discards("stream_limit", 1),
        case("few", row(r#"{"app":"b"}"#, &["again"]), 204, "").stores(&["a", "again", "b"]),
        case(
            "few-local",
            and_good(&row(r#"{"app":"b"}"#, &["b"])),
            429,
            "maximum active stream limit exceeded when trying to create stream {app=\"a\", \
             service_name=\"a\"}, reduce the number of active streams (reduce labels or reduce label values), \
             or contact your Loki administrator to see if the limit can be increased, user: 'few-local'",
        )
        .stores(&["b"])
        .discards("stream_limit", 1),
        case(
            "few-gold",
            format!(
                "{},{},{}",
                row(r#"{"app":"1","tier":"gold"}"#, &["1"]),
                row(r#"{"app":"2","tier":"gold"}"#, &["2"]),
                row(A, &["rest"])
            ),
            429,
            "maximum active stream limit exceeded when trying to create stream {app=\"2\", \
             service_name=\"2\", tier=\"gold\"}, reduce the number of active streams (reduce labels or reduce \
             label values), or contact your Loki administrator to see if the limit can be increased, user: \
             'few-gold'",
        )
        .stores(&["1", "rest"])
        .discards("stream_limit", 1),
        case(
            "slow-stream",
            format!("{},{}", row(A, &["$x*1000$", "$y*1500$", "z"]), row(r#"{"app":"b"}"#, &["good"])),
            429,
            "entry with timestamp <go time> ignored, reason: 'Per stream rate limit exceeded (limit: 1KB/sec) \
             while attempting to ingest for stream '{app=\"a\", service_name=\"a\"}' totaling 1000B, consider \
             splitting a stream via additional labels or contact your Loki administrator to see if the limit \
             can be increased',\nentry with timestamp <go time> ignored, reason: 'Per stream rate limit \
             exceeded (limit: 1KB/sec) while attempting to ingest for stream '{app=\"a\", \
             service_name=\"a\"}' totaling 1500B, consider splitting a stream via additional labels or \
             contact your Loki administrator to see if the limit can be increased',\nuser 'slow-stream', total \
             ignored: 3 out of 3 for stream: {app=\"a\", service_name=\"a\"}",
        )
        .stores(&["good"])
        .discards("per_stream_rate_limit", 3),
        case(
            "slow-gold-stream",
            and_good(&row(r#"{"app":"a","tier":"gold"}"#, &["longer than 20 bytes are"])),
            429,
            "entry with timestamp <go time> ignored, reason: 'Per stream rate limit exceeded (limit: 10B/sec) \
             while attempting to ingest for stream '{app=\"a\", service_name=\"a\", tier=\"gold\"}' totaling \
             24B, consider splitting a stream via additional labels or contact your Loki administrator to see \
             if the limit can be increased',\nuser 'slow-gold-stream', total ignored: 1 out of 1 for stream: \
             {app=\"a\", service_name=\"a\", tier=\"gold\"}",
        )
        .stores(&["good"])
        .discards("per_stream_rate_limit", 1),
    ]
}

#[test]
fn every_reason_to_refuse() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("overrides.yaml"), OVERRIDES).expect("write the overrides");
    let larch = Running::start(configured(built("larch"), folder.path(), SETTINGS));
    larch.get_until("/ready", |answer| answer.status == 200);
    let now = now();
    let mut client = larch.client();
    for cases in [of_labels(), of_blocks(), of_entries(), of_rates()] {
        for case in cases {
            check(&mut client, &case, now);
        }
    }
    of_whole_requests(&mut client, now);
    of_metadata(&mut client, now);
    metrics_have_moved(&larch, &mut client);
    larch.stop();
}

#[track_caller]
fn check(client: &mut Client, case: &Case, now: Timestamp) {
    let Case { tenant, headers, streams, status, text, stored, discarded } = case;
    let body = expand(&time_marks_resolved(&format!(r#"{{"streams":[{streams}]}}"#), now));
    let mut all = vec![("X-Scope-OrgID", *tenant), ("Content-Type", "application/json")];
    all.extend_from_slice(headers);
    let answer = client.post("/loki/api/v1/push", &all, body.as_bytes()).expect("an answer");
    let want = if *status == 204 { String::new() } else { format!("{text}\n") };
    assert_eq!((answer.status, masked(&answer.body)), (*status, want), "{tenant}: {streams}");
    assert_eq!(answer.header("Retry-After").is_some(), *status == 429, "{tenant}: {status}");
    assert_eq!(lines(client, tenant, now), *stored, "{tenant}: {streams}");
    if let Some((reason, lines)) = discarded {
        let labels = [format!("reason=\"{reason}\""), format!("tenant=\"{tenant}\"")];
        assert_eq!(metric(client, "loki_discarded_samples_total", &labels), *lines, "{tenant}: {reason}");
    }
}

/// A text without the times in it.
fn masked(text: &str) -> String {
    let mut masked = text.to_owned();
    for (pattern, mask) in [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? \+0000 UTC", "<go time>"),
    ] {
        masked = Regex::new(pattern).expect("a pattern").replace_all(&masked, mask).into_owned();
    }
    masked
}

/// What a tenant has, as the API answers.
fn results(client: &mut Client, tenant: &str, now: Timestamp) -> Vec<Value> {
    let (start, end) = (now.minus(Span::from_hours(3)), now.plus(Span::from_hours(1)));
    let (start, end) = (start.nanos().to_string(), end.nanos().to_string());
    let query = [("query", "{app=~\".+\"}"), ("start", &start), ("end", &end), ("direction", "forward")];
    let path = with_query("/loki/api/v1/query_range", query);
    let headers = [("X-Scope-OrgID", tenant), ("X-Loki-Response-Encoding-Flags", "categorize-labels")];
    let answer = client.get(&path, &headers).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer: Value = serde_json::from_str(&answer.body).expect("JSON");
    answer["data"]["result"].as_array().expect("a result").clone()
}

/// Lines of a tenant by time, then by themselves.
fn lines(client: &mut Client, tenant: &str, now: Timestamp) -> Vec<String> {
    let mut rows = Vec::new();
    for stream in results(client, tenant, now) {
        for row in stream["values"].as_array().expect("rows") {
            let text = |index: usize| row[index].as_str().expect("a text").to_owned();
            rows.push((text(0), text(1)));
        }
    }
    rows.sort();
    rows.into_iter().map(|(_, line)| line).collect()
}

/// The sum of a metric over the series that have all of these labels.
fn metric(client: &mut Client, name: &str, labels: &[String]) -> u64 {
    let scrape = client.get("/metrics", &[]).expect("an answer").body;
    let of_name = |line: &&str| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label.as_str()))
    };
    let value = |line: &str| line.rsplit(' ').next().expect("a value").parse::<f64>().expect("a number");
    scrape.lines().filter(of_name).map(value).sum::<f64>() as u64
}

/// Headers, body, status and text.
type WholeRequest<'r> = (Vec<(&'r str, &'r str)>, Vec<u8>, u16, String);

/// What is refused before anything in it is looked at.
fn of_whole_requests(client: &mut Client, now: Timestamp) {
    let json = ("Content-Type", "application/json");
    let tenant = ("X-Scope-OrgID", "whole");
    let good = time_marks_resolved(&format!(r#"{{"streams":[{}]}}"#, row(A, &["x"])), now);
    let large = time_marks_resolved(&format!(r#"{{"streams":[{}]}}"#, row(A, &[&"x".repeat(3 << 20)])), now);
    let squeezed = larch_tests::gzip(large.as_bytes());
    let no_streams = "error at least one valid stream is required for ingestion\n";
    let cases: Vec<WholeRequest<'_>> = vec![
        (vec![json], good.clone().into_bytes(), 401, "no org id\n".to_owned()),
        (vec![tenant], good.clone().into_bytes(), 400, "mime: no media type\n".to_owned()),
        (vec![tenant, json], b"{}".to_vec(), 422, no_streams.to_owned()),
        (vec![tenant, json], br#"{"streams":[]}"#.to_vec(), 422, no_streams.to_owned()),
        (
            vec![tenant, json],
            br#"{"streams":[{"stream":{"app":"a"},"values":[]}]}"#.to_vec(),
            204,
            String::new(),
        ),
        (
            vec![tenant, json],
            large.clone().into_bytes(),
            413,
            format!("request body too large: message size too large than max ({} vs 2097152)\n", large.len()),
        ),
        (
            vec![tenant, json, ("Content-Encoding", "gzip")],
            squeezed,
            413,
            format!(
                "request body too large: decompressed message size too large than max ({} vs 3145728)\n",
                large.len()
            ),
        ),
    ];
    for (headers, body, status, text) in cases {
        let mut all = vec![("Connection", "close")];
        all.extend_from_slice(&headers);
        match client.post("/loki/api/v1/push", &all, &body) {
            Ok(answer) => assert_eq!((answer.status, answer.body), (status, text)),
            // A body that is refused by its length is not read, which may break the connection first.
            Err(error) => assert_eq!(status, 413, "{error}"),
        }
    }
    let too_large = ["reason=\"request_body_too_large\"".to_owned(), "tenant=\"whole\"".to_owned()];
    assert_eq!(metric(client, "loki_discarded_samples_total", &too_large), 2);
    let protobuf = json!({"streams": [{"labels": "{app=\"a\", app=\"b\"}", "entries": [["@-60", "x"]]}]});
    let protobuf: Value =
        serde_json::from_str(&time_marks_resolved(&protobuf.to_string(), now)).expect("JSON");
    let body = snappy_literals(&push_request(&protobuf));
    let headers = [tenant, ("Content-Type", "application/x-protobuf")];
    let answer = client.post("/loki/api/v1/push", &headers, &body).expect("an answer");
    let text = "stream '{app=\"a\", app=\"b\", service_name=\"a\"}' has duplicate label name: 'app'\n";
    assert_eq!((answer.status, answer.body.as_str()), (400, text));
    let duplicates = ["reason=\"duplicate_label_names\"".to_owned(), "tenant=\"whole\"".to_owned()];
    assert_eq!(metric(client, "loki_discarded_samples_total", &duplicates), 1);
}

/// What pushes leave beside lines.
fn of_metadata(client: &mut Client, now: Timestamp) {
    let mut push = |tenant: &str, path: &str, body: &str| -> Answer {
        let headers = [("X-Scope-OrgID", tenant), ("Content-Type", "application/json")];
        let body = time_marks_resolved(body, now);
        client.post(path, &headers, body.as_bytes()).expect("an answer")
    };
    let v1 = "/loki/api/v1/push";
    let body = format!(r#"{{"streams":[{}]}}"#, row(A, &["level=warn traceID=t1"]));
    for tenant in ["no-levels", "fields"] {
        assert_eq!(push(tenant, v1, &body).status, 204);
    }
    let otlp = r#"{"resourceLogs":[{"resource":{"attributes":[
        {"key":"service.name","value":{"stringValue":"pay"}},{"key":"team.name","value":{"stringValue":"red"}},
        {"key":"secret.key","value":{"stringValue":"s"}},{"key":"host.name","value":{"stringValue":"n7"}},
        {"key":"app","value":{"stringValue":"a"}}]},
        "scopeLogs":[{"scope":{"name":"lib"},"logRecords":[{"timeUnixNano":"@-60","severityText":"ERROR",
        "body":{"stringValue":"boom"},"attributes":[{"key":"noise","value":{"intValue":"1"}},
        {"key":"http.status","value":{"intValue":"500"}}]}]}]}]}"#;
    let otlp = otlp.replace("\"key\":\"app\"", "\"key\":\"container.name\"");
    assert_eq!(push("otlp", "/otlp/v1/logs", &otlp).status, 204);
    let refused = push("otlp", "/otlp/v1/logs", r#"{"resourceLogs":[]}"#);
    assert_eq!(refused.status, 422);
    assert_eq!(refused.body, r#"{"message":"error at least one valid stream is required for ingestion"}"#);
    let metadata = |client: &mut Client, tenant: &str| {
        let stream = results(client, tenant, now).swap_remove(0);
        (stream["stream"].clone(), stream["values"][0][2]["structuredMetadata"].clone())
    };
    assert_eq!(metadata(client, "no-levels").1, Value::Null);
    assert_eq!(metadata(client, "fields").1, json!({ "detected_level": "warn", "trace": "t1" }));
    let (labels, moved) = metadata(client, "moved");
    assert_eq!(labels["k8s_node"], "n");
    assert_eq!(moved["pod"].as_str().map(str::len), Some(1));
    let query = with_query("/loki/api/v1/series", [("match[]", "{team_name=\"red\"}")]);
    let series = client.get(&query, &[("X-Scope-OrgID", "otlp")]).expect("an answer");
    let series: Value = serde_json::from_str(&series.body).expect("JSON");
    let labels = json!({
        "container_name": "a", "service_name": "pay", "severity_text": "ERROR", "team_name": "red",
    });
    assert_eq!(series["data"], json!([labels]));
}

/// What dashboards of the write path read.
fn metrics_have_moved(larch: &Running, client: &mut Client) {
    let of = |tenant: &str| [format!("tenant=\"{tenant}\"")];
    for (name, tenant, least) in [
        ("loki_distributor_bytes_received_total", "lines", 46),
        ("loki_distributor_lines_received_total", "lines", 5),
        ("loki_distributor_structured_metadata_bytes_received_total", "metadata", 10),
        ("loki_distributor_expanded_bytes_received_total", "lines", 100),
        ("loki_distributor_lag_ms_total", "lines", 1),
        ("loki_mutated_samples_total", "cut", 1),
        ("loki_mutated_bytes_total", "cut", 4),
        ("loki_discarded_bytes_total", "lines", 28),
        ("loki_ingester_memory_streams", "few", 2),
        ("loki_ingester_streams_created_total", "few", 2),
        ("larch_distributor_denied_labels_total", "moved", 3),
    ] {
        let found = metric(client, name, &of(tenant));
        assert!(found >= least, "{name} of {tenant}: {found}");
    }
    for (name, least) in [
        ("loki_distributor_ingester_appends_total", 10),
        ("loki_distributor_ingester_clients", 1),
        ("loki_distributor_replication_factor", 1),
        ("loki_bytes_per_line_count", 10),
        ("loki_rate_store_streams", 10),
        ("loki_ingester_wal_records_logged_total", 10),
        ("loki_ingester_wal_logged_bytes_total", 1000),
        ("loki_ingester_memory_streams_labels_bytes", 100),
        ("loki_write_failures_logged_total", 10),
        ("loki_ingester_client_request_duration_seconds_count", 10),
        ("loki_ingester_memory_chunks", 10),
    ] {
        let found = metric(client, name, &[]);
        assert!(found >= least, "{name}: {found}");
    }
    assert_eq!(client.post("/flush", &[], b"").expect("an answer").status, 204);
    larch.get_until("/metrics", |answer| {
        let forced = answer
            .body
            .lines()
            .find_map(|line| line.strip_prefix("loki_ingester_chunks_flushed_total{reason=\"forced\"} "));
        forced.is_some_and(|count| count.parse::<f64>().is_ok_and(|count| count >= 10.0))
    });
    for (name, least) in [
        ("loki_ingester_chunks_flushed_total", 10),
        ("loki_ingester_chunks_created_total", 10),
        ("loki_ingester_chunk_entries_count", 10),
        ("loki_ingester_chunk_utilization_count", 10),
        ("loki_ingester_chunk_encode_time_seconds_count", 10),
        ("loki_ingester_chunk_age_seconds_count", 10),
        ("loki_ingester_chunk_bounds_hours_count", 10),
    ] {
        let found = metric(client, name, &[]);
        assert!(found >= least, "{name}: {found}");
    }
    let headers = [("X-Scope-OrgID", "lines")];
    let usage = client.get("/larch/api/v1/usage", &headers).expect("an answer");
    let usage: Value = serde_json::from_str(&usage.body).expect("JSON");
    assert_eq!(usage["accepted"]["lines"], 2);
    assert_eq!(usage["discarded"]["line_too_long"]["lines"], 2);
}
