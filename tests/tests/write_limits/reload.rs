//! Every limit of the write path, set for a tenant while the process runs, and taken back again.

use std::collections::BTreeMap;

use larch_testkit::http::{Client, with_query};
use larch_testkit::process::{Running, built, configured};
use larch_tests::{PUSH, expand, now, time_marks_resolved};
use larch_types::{Span, Timestamp};
use serde_json::{Value, json};

use crate::masked;

const SETTINGS: &str = "
auth_enabled: true
common: {path_prefix: ./data, replication_factor: 1}
# However full the disk of the test is.
ingester: {wal: {disk_full_threshold: 0}}
runtime_config: {file: overrides.yaml, period: 50ms}
";

const OTLP: &str = "/otlp/v1/logs";

/// What a push comes to.
enum Outcome {
    /// The labels but that of the round, the metadata, the line, and by how much it was moved, row by row.
    Stores(&'static str),
    /// The status, and the beginning of the text.
    Refused(u16, &'static str),
}
use Outcome::{Refused, Stores};

/// One limit. A push is made without it, with it, and without it again; `#` in it is the number of the
/// round, so that each has streams of its own.
struct Case {
    limits: &'static str,
    path: &'static str,
    body: String,
    without: Outcome,
    with: Outcome,
}

fn case(limits: &'static str, stream: &str, values: &str, without: Outcome, with: Outcome) -> Case {
    let body = format!(r##"{{"streams":[{{"stream":{{"round":"#"{stream}}},"values":[{values}]}}]}}"##);
    Case { limits, path: PUSH, body, without, with }
}

fn otlp(limits: &'static str, without: Outcome, with: Outcome) -> Case {
    let body = r##"{"resourceLogs":[{"resource":{"attributes":[
        {"key":"service.name","value":{"stringValue":"round#"}},{"key":"host.name","value":{"stringValue":"n7"}}]},
        "scopeLogs":[{"scope":{"name":"lib"},"logRecords":[{"timeUnixNano":"@-60","severityText":"ERROR",
        "body":{"stringValue":"x"},"attributes":[{"key":"noise","value":{"intValue":"1"}}]}]}]}]}"##;
    Case { limits, path: OTLP, body: body.to_owned(), without, with }
}

const X: &str = r#"["@-60","x"]"#;
const STORED: Outcome = Stores(r#"{"service_name":"unknown_service"} {} x"#);
const STORED_OTLP: Outcome = Stores(
    r#"{} {"detected_level":"error","host_name":"n7","noise":"1","scope_name":"lib","severity_text":"ERROR"} x"#,
);

fn of_streams() -> Vec<Case> {
    let gold = r#","tier":"gold""#;
    let stored_gold = || Stores(r#"{"service_name":"unknown_service","tier":"gold"} {} x"#);
    vec![
        case(
            "max_label_names_per_series: 1",
            r#","a":"b""#,
            X,
            Stores(r#"{"a":"b","service_name":"unknown_service"} {} x"#),
            Refused(
                400,
                "entry for stream '{a=\"b\", round=\"#\", service_name=\"unknown_service\"}' has 2 label names; limit 1",
            ),
        ),
        case(
            "max_label_name_length: 4",
            "",
            X,
            STORED,
            Refused(
                400,
                "stream '{round=\"#\", service_name=\"unknown_service\"}' has label name too long: 'round'",
            ),
        ),
        case(
            "max_label_value_length: 8",
            "",
            X,
            STORED,
            Refused(
                400,
                "stream '{round=\"#\", service_name=\"unknown_service\"}' has label value too long: 'unknown_service'",
            ),
        ),
        case(
            "enforced_labels: [team]",
            "",
            X,
            STORED,
            Refused(
                400,
                "missing required labels 'team' for user '<tenant>' for stream '{round=\"#\", service_name=\"unknown_service\"}' (policy: '')",
            ),
        ),
        case(
            "{policy_enforced_labels: {gold: [team]}, policy_stream_mapping: {gold: [{selector: '{tier=\"gold\"}', priority: 1}]}}",
            gold,
            X,
            stored_gold(),
            Refused(
                400,
                "missing required labels 'team' for user '<tenant>' for stream '{round=\"#\", service_name=\"unknown_service\", tier=\"gold\"}' (policy: 'gold')",
            ),
        ),
        case(
            "block_ingestion_until: '2100-01-01T00:00:00Z'",
            "",
            X,
            STORED,
            Refused(260, "ingestion blocked for user '<tenant>' until '<time>' with status code '260'"),
        ),
        case(
            "{block_ingestion_until: '2100-01-01T00:00:00Z', block_ingestion_status_code: 456}",
            "",
            X,
            STORED,
            Refused(456, "ingestion blocked for user '<tenant>' until '<time>' with status code '456'"),
        ),
        case(
            "block_ingestion_policy_until: {'*': '2100-01-01T00:00:00Z'}",
            "",
            X,
            STORED,
            Refused(
                260,
                "ingestion blocked for user '<tenant>' (policy: '*') until '<time>' with status code '260'",
            ),
        ),
        case(
            "discover_service_name: [tier]",
            gold,
            X,
            stored_gold(),
            Stores(r#"{"service_name":"gold","tier":"gold"} {} x"#),
        ),
        case("discover_service_name: []", "", X, STORED, Stores("{} {} x")),
    ]
}

fn of_entries() -> Vec<Case> {
    let of_stream = |text: &'static str| Refused(400, text);
    let metadata = r#"["@-60","x",{"k":"12345678","l":"m"}]"#;
    let with_metadata = || Stores(r#"{"service_name":"unknown_service"} {"k":"12345678","l":"m"} x"#);
    let too_old = "entry for stream '{round=\"#\", service_name=\"unknown_service\"}' has timestamp too old: <time>, oldest acceptable timestamp is: <time>";
    let too_new =
        "entry for stream '{round=\"#\", service_name=\"unknown_service\"}' has timestamp too new: <time>";
    vec![
        case("reject_old_samples: false", "", r#"["@-700000","x"]"#, of_stream(too_old), STORED),
        case("reject_old_samples_max_age: 30s", "", X, STORED, of_stream(too_old)),
        case("creation_grace_period: 1m", "", r#"["@+300","x"]"#, STORED, of_stream(too_new)),
        case("creation_grace_period: 30m", "", r#"["@+900","x"]"#, of_stream(too_new), STORED),
        case(
            "max_line_size: 4",
            "",
            r#"["@-60","12345"]"#,
            Stores(r#"{"service_name":"unknown_service"} {} 12345"#),
            of_stream(
                "max entry size '4' bytes exceeded for stream '{round=\"#\", service_name=\"unknown_service\"}' while adding an entry with length '5' bytes",
            ),
        ),
        case(
            "{max_line_size: 4, max_line_size_truncate: true}",
            "",
            r#"["@-60","12345"]"#,
            Stores(r#"{"service_name":"unknown_service"} {} 12345"#),
            Stores(r#"{"service_name":"unknown_service"} {} 1234"#),
        ),
        case(
            "{max_line_size: 4, max_line_size_truncate: true, max_line_size_truncate_identifier: '<>'}",
            "",
            r#"["@-60","12345"]"#,
            Stores(r#"{"service_name":"unknown_service"} {} 12345"#),
            Stores(r#"{"service_name":"unknown_service"} {} 12<>"#),
        ),
        case(
            "allow_structured_metadata: false",
            "",
            metadata,
            with_metadata(),
            of_stream(
                "stream '{round=\"#\", service_name=\"unknown_service\"}' includes structured metadata, but this feature is disallowed.",
            ),
        ),
        case(
            "max_structured_metadata_size: 10",
            "",
            metadata,
            with_metadata(),
            of_stream(
                "stream '{round=\"#\", service_name=\"unknown_service\"}' has structured metadata too large: '11' bytes, limit: '10' bytes.",
            ),
        ),
        case(
            "max_structured_metadata_entries_count: 1",
            "",
            metadata,
            with_metadata(),
            of_stream(
                "stream '{round=\"#\", service_name=\"unknown_service\"}' has too many structured metadata labels: '2', limit: '1'.",
            ),
        ),
        case(
            "increment_duplicate_timestamp: true",
            "",
            r#"["@-60","2"],["@-60","1"]"#,
            Stores(
                "{\"service_name\":\"unknown_service\"} {} 2\n{\"service_name\":\"unknown_service\"} {} 1",
            ),
            Stores(
                "{\"service_name\":\"unknown_service\"} {} 2\n{\"service_name\":\"unknown_service\"} {} 1 +1ns",
            ),
        ),
    ]
}

fn of_discovery() -> Vec<Case> {
    let warn = || {
        Stores(
            r#"{"service_name":"unknown_service"} {"detected_level":"warn"} level=warn importance=fatal id=7"#,
        )
    };
    let line = r#"["@-60","level=warn importance=fatal id=7"]"#;
    let json_line = r#"["@-60","{\"a\":{\"level\":\"wrn\"}}"]"#;
    vec![
        case(
            "discover_log_levels: false",
            "",
            line,
            warn(),
            Stores(r#"{"service_name":"unknown_service"} {} level=warn importance=fatal id=7"#),
        ),
        case(
            "log_level_fields: [importance]",
            "",
            line,
            warn(),
            Stores(
                r#"{"service_name":"unknown_service"} {"detected_level":"fatal"} level=warn importance=fatal id=7"#,
            ),
        ),
        case(
            "log_level_from_json_max_depth: 1",
            "",
            json_line,
            Stores(r#"{"service_name":"unknown_service"} {"detected_level":"warn"} {"a":{"level":"wrn"}}"#),
            Stores(r#"{"service_name":"unknown_service"} {} {"a":{"level":"wrn"}}"#),
        ),
        case(
            "discover_generic_fields: {fields: {order: [id]}}",
            "",
            line,
            warn(),
            Stores(
                r#"{"service_name":"unknown_service"} {"detected_level":"warn","order":"7"} level=warn importance=fatal id=7"#,
            ),
        ),
        otlp(
            "otlp_config: {resource_attributes: {attributes_config: [{action: index_label, attributes: [host.name]}]}}",
            STORED_OTLP,
            Stores(
                r#"{"host_name":"n7"} {"detected_level":"error","noise":"1","scope_name":"lib","severity_text":"ERROR"} x"#,
            ),
        ),
        otlp(
            "otlp_config: {log_attributes: [{action: drop, regex: 'no.*'}]}",
            STORED_OTLP,
            Stores(
                r#"{} {"detected_level":"error","host_name":"n7","scope_name":"lib","severity_text":"ERROR"} x"#,
            ),
        ),
        otlp(
            "otlp_config: {severity_text_as_label: true}",
            STORED_OTLP,
            Stores(
                r#"{"severity_text":"ERROR"} {"detected_level":"error","host_name":"n7","noise":"1","scope_name":"lib","severity_text_extracted":"ERROR"} x"#,
            ),
        ),
    ]
}

fn of_rates() -> Vec<Case> {
    let line = r#"["@-60","12345678901234567890"]"#;
    let stored = || Stores(r#"{"service_name":"unknown_service"} {} 12345678901234567890"#);
    let stored_gold =
        || Stores(r#"{"service_name":"unknown_service","tier":"gold"} {} 12345678901234567890"#);
    let too_many = "maximum active stream limit exceeded when trying to create stream {round=\"#\", service_name=\"unknown_service\"}, reduce";
    vec![
        case(
            "{ingestion_rate_mb: 0.00001, ingestion_burst_size_mb: 0.00001}",
            "",
            line,
            stored(),
            Refused(
                429,
                "ingestion rate limit exceeded for user <tenant> (limit: 10 bytes/sec) while attempting to ingest '1' lines totaling '20' bytes, reduce",
            ),
        ),
        case(
            "{policy_stream_mapping: {gold: [{selector: '{tier=\"gold\"}', priority: 1}]}, policy_override_limits: {gold: {ingestion_rate_mb: 0.00001, ingestion_burst_size_mb: 0.00001}}}",
            r#","tier":"gold""#,
            line,
            stored_gold(),
            Refused(
                429,
                "ingestion rate limit exceeded for user <tenant>, policy gold (limit: 10 bytes/sec) while attempting to ingest '1' lines totaling '20' bytes, reduce",
            ),
        ),
        case("max_global_streams_per_user: 1", "", line, stored(), Refused(429, too_many)),
        case("max_streams_per_user: 1", "", line, stored(), Refused(429, too_many)),
        case(
            "{per_stream_rate_limit: 10, per_stream_rate_limit_burst: 10}",
            "",
            line,
            stored(),
            Refused(
                429,
                "entry with timestamp <go time> ignored, reason: 'Per stream rate limit exceeded (limit: 10B/sec) while attempting to ingest for stream '{round=\"#\", service_name=\"unknown_service\"}' totaling 20B,",
            ),
        ),
    ]
}

#[test]
fn limits_change_while_the_process_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("overrides.yaml");
    let write = |overrides: &str| {
        // Whole or not at all, as configuration management does it.
        let next = folder.path().join("overrides.next");
        std::fs::write(&next, overrides).expect("write the overrides");
        std::fs::rename(&next, &file).expect("put the overrides in place");
    };
    write("overrides: {marker: {max_line_size: 1}}");
    let larch = Running::start(configured(built("larch"), folder.path(), SETTINGS));
    larch.get_until("/ready", |answer| answer.status == 200);
    let cases: Vec<Case> =
        of_streams().into_iter().chain(of_entries()).chain(of_discovery()).chain(of_rates()).collect();
    let now = now();
    let mut client = larch.client();
    for round in 1..=3 {
        let mut overrides = format!("overrides:\n  marker: {{max_line_size: {round}}}\n");
        if round == 2 {
            for (number, case) in cases.iter().enumerate() {
                let limits = case.limits;
                let limits =
                    if limits.starts_with('{') { limits.to_owned() } else { format!("{{{limits}}}") };
                overrides.push_str(&format!("  tenant-{number}: {limits}\n"));
            }
        }
        write(&overrides);
        wait_for_round(&mut client, round);
        for (number, case) in cases.iter().enumerate() {
            let wanted = if round == 2 { &case.with } else { &case.without };
            check(&mut client, &format!("tenant-{number}"), case, wanted, round, now);
        }
    }
    larch.stop();
}

/// The limits of all tenants are read together, so that those of one tell of the others.
fn wait_for_round(client: &mut Client, round: u32) {
    let body = json!({"streams": [{"stream": {}, "values": [[now().nanos().to_string(), "x".repeat(9)]]}]});
    let limit = format!("max entry size '{round}' bytes");
    let headers = [("X-Scope-OrgID", "marker"), ("Content-Type", "application/json")];
    // Each takes a part of a millisecond, and the file is looked at every fifty.
    for _ in 0..50_000 {
        let answer = client.post(PUSH, &headers, body.to_string().as_bytes()).expect("an answer");
        if answer.body.starts_with(&limit) {
            return;
        }
    }
    panic!("the limits stay as they were before round {round}");
}

#[track_caller]
fn check(client: &mut Client, tenant: &str, case: &Case, wanted: &Outcome, round: u32, now: Timestamp) {
    let number = round.to_string();
    let what = format!("round {round} of {}", case.limits);
    let body = expand(&time_marks_resolved(&case.body.replace('#', &number), now));
    let headers = [("X-Scope-OrgID", tenant), ("Content-Type", "application/json")];
    let mut push = || client.post(case.path, &headers, body.as_bytes()).expect("an answer");
    let mut answer = push();
    if round == 3 && answer.body.starts_with("ingestion rate limit exceeded") {
        // A bucket that was made larger fills from the first push on that sees it, at megabytes a second.
        answer = push();
    }
    match wanted {
        Stores(rows) => {
            assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{what}");
            assert_eq!(stored(client, tenant, case, &number, now), *rows, "{what}");
        }
        Refused(status, text) => {
            let text = text.replace('#', &number);
            let found = masked(&answer.body).replace(tenant, "<tenant>");
            assert_eq!(answer.status, *status, "{what}: {found}");
            assert!(found.starts_with(&text), "{what}: {found}, wanted {text}");
            assert_eq!(stored(client, tenant, case, &number, now), "", "{what}");
        }
    }
}

/// The rows of one round as [`Outcome::Stores`] has them, in their order.
fn stored(client: &mut Client, tenant: &str, case: &Case, round: &str, now: Timestamp) -> String {
    let selector = if case.path == OTLP {
        format!("{{service_name=\"round{round}\"}}")
    } else {
        format!("{{round=\"{round}\"}}")
    };
    let start = now.minus(Span::from_days(20)).nanos().to_string();
    let end = now.plus(Span::from_hours(1)).nanos().to_string();
    let query = [("query", selector.as_str()), ("start", &start), ("end", &end), ("direction", "forward")];
    let headers = [("X-Scope-OrgID", tenant), ("X-Loki-Response-Encoding-Flags", "categorize-labels")];
    let answer = client.get(&with_query("/loki/api/v1/query_range", query), &headers).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer: Value = serde_json::from_str(&answer.body).expect("JSON");
    let mut rows = Vec::new();
    for stream in answer["data"]["result"].as_array().expect("a result") {
        let own = if case.path == OTLP { "service_name" } else { "round" };
        let labels = sorted(&stream["stream"], |name, _| name != own);
        for row in stream["values"].as_array().expect("rows") {
            // What every row has says nothing.
            let metadata = sorted(&row[2]["structuredMetadata"], |name, value| {
                (name, value) != ("detected_level", &json!("unknown"))
            });
            let text = |index: usize| row[index].as_str().expect("a text");
            let time: i64 = text(0).parse().expect("a time");
            let moved = match (time - now.nanos()).rem_euclid(1_000_000_000) {
                0 => String::new(),
                nanos => format!(" +{nanos}ns"),
            };
            rows.push(format!("{labels} {metadata} {}{moved}", text(1)));
        }
    }
    rows.join("\n")
}

/// The members of an object that are wanted, by name.
fn sorted(object: &Value, is_wanted: impl Fn(&str, &Value) -> bool) -> Value {
    let members = object.as_object().into_iter().flatten();
    let wanted: BTreeMap<_, _> = members.filter(|(name, value)| is_wanted(name, value)).collect();
    json!(wanted)
}
