//! The recorded pushes, in every encoding, against the built binary: the answer, and what is stored.
//!
//! Each case has a tenant of its own, so that none disturbs another. `conformance/push_not_yet.txt` holds
//! what Larch does not do yet; the list may only become shorter. `conformance/push_rules.jsonl` holds what
//! was not recorded and follows from the rules all the same: other forms, other mistakes, several at once.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

use larch_testkit::http::{Answer, Client, with_query};
use larch_testkit::process::{Running, built, configured};
use larch_tests::{
    check_against_list, deflate, expand, from_hex, gzip, ids_listed, now, push_request, read_cases,
    snappy_literals, text, time_marks_resolved,
};
use larch_types::{Span, Timestamp};
use regex::Regex;
use serde_json::{Map, Value, json};

const CASES: &str = include_str!("../conformance/push.jsonl");
const RULES: &str = include_str!("../conformance/push_rules.jsonl");
const NOT_YET: &str = include_str!("../conformance/push_not_yet.txt");

const SETTINGS: &str = "
auth_enabled: true
common: {path_prefix: ./conformance-data, replication_factor: 1}
# However full the disk of the test is.
ingester: {wal: {disk_full_threshold: 0}}
querier: {multi_tenant_queries_enabled: true}
";

/// What the recording was made with names a body so unless the case does.
const DEFAULT_TYPE: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

const OTLP: &str = "/otlp/v1/logs";
const TEXT: &str = "text/plain; charset=utf-8";

/// Longer lines are compared by their beginning, which keeps the file of cases small.
const COMPARED_CHARS: usize = 200;

#[test]
fn recorded_pushes_are_answered_and_stored_as_recorded() {
    check_cases("recorded pushes", CASES, 140, NOT_YET);
}

#[test]
fn pushes_are_answered_and_stored_by_the_rules() {
    check_cases("pushes by the rules", RULES, 300, "");
}

#[track_caller]
fn check_cases(what: &str, cases: &str, at_least: usize, not_yet: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let larch = Running::start(configured(built("larch"), folder.path(), SETTINGS));
    larch.get_until("/ready", |answer| answer.status == 200);
    let cases = read_cases(cases);
    assert!(cases.len() > at_least, "{} cases", cases.len());
    // Whole seconds, as the recording had them.
    let now = Timestamp::from_secs(now().nanos() / 1_000_000_000);
    let mut client = larch.client();
    let mut outcomes = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let difference = difference(&mut client, case, &format!("push-{number}"), now);
        outcomes.push((text(case, "id").to_owned(), difference));
    }
    larch.stop();
    check_against_list(what, &outcomes, &ids_listed(not_yet));
}

fn difference(client: &mut Client, case: &Value, own_tenant: &str, now: Timestamp) -> Option<String> {
    let headers = headers(case, own_tenant);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let path = text(case, "path");
    let answer = match client.post(path, &headers, &body(case, now)) {
        Ok(answer) => answer,
        Err(error) => return Some(format!("no answer: {error}")),
    };
    let wanted = &case["expect"];
    if let Some(difference) = odd_head(&answer, path) {
        return Some(difference);
    }
    let found = masked(&answer.body, own_tenant);
    if wanted["status"].as_u64() != Some(u64::from(answer.status)) {
        return Some(format!("status {}, wanted {}: {found}", answer.status, wanted["status"]));
    }
    if found != text(wanted, "text") && case["any_text"] != true {
        return Some(format!("text {found:?}, wanted {}", wanted["text"]));
    }
    let stored = match case["read"] == false {
        true => Value::Null,
        false => stored(client, case, own_tenant, now),
    };
    (stored != case["stored"]).then(|| format!("stored {stored}, wanted {}", case["stored"]))
}

/// What is wrong with the head of an answer, or with a body that should not be there.
fn odd_head(answer: &Answer, path: &str) -> Option<String> {
    let (content_type, sniffing) = (answer.header("content-type"), answer.header("x-content-type-options"));
    let is_fine = match answer.status {
        204 => content_type.is_none() && answer.body.is_empty(),
        401 => content_type == Some(TEXT) && sniffing == Some("nosniff"),
        _ if path == OTLP => {
            let is_status = matches!(content_type, Some("application/json" | "application/x-protobuf"));
            is_status && sniffing == Some("nosniff")
        }
        _ => content_type == Some(TEXT) && sniffing == Some("nosniff") && answer.body.ends_with('\n'),
    };
    (!is_fine).then(|| format!("head {} of {:?}", answer.head, answer.body))
}

fn headers<'a>(case: &'a Value, own_tenant: &str) -> Vec<(&'a str, String)> {
    let given = case["headers"].as_object().expect("headers");
    // A push that is refused by its head is not read, and its connection not kept.
    let mut headers = vec![("Connection", "close".to_owned())];
    for (name, value) in given {
        // Null stands for a header that is not sent.
        if let Some(value) = value.as_str() {
            headers.push((name.as_str(), value.to_owned()));
        }
    }
    if !given.contains_key("X-Scope-OrgID") {
        headers.push(("X-Scope-OrgID", own_tenant.to_owned()));
    }
    if !given.contains_key(DEFAULT_TYPE.0) {
        headers.push((DEFAULT_TYPE.0, DEFAULT_TYPE.1.to_owned()));
    }
    headers
}

fn body(case: &Value, now: Timestamp) -> Vec<u8> {
    let encoding = text(case, "encoding");
    if encoding == "hex" {
        return from_hex(text(case, "body"));
    }
    let written = case["body"].as_str().map_or_else(|| case["body"].to_string(), str::to_owned);
    let written = expand(&time_marks_resolved(&written, now));
    let message = || push_request(&serde_json::from_str(&written).expect(&written));
    match encoding {
        "json" | "text" => written.into_bytes(),
        "gzip" => gzip(written.as_bytes()),
        "deflate" => deflate(written.as_bytes()),
        "proto" => snappy_literals(&message()),
        "rawproto" => message(),
        other => panic!("no such encoding: {other}"),
    }
}

/// A text without the tenant and the times in it.
fn masked(text: &str, tenant: &str) -> String {
    let written = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)";
    let counted = r"\b1[789]\d{8}(\d{9})?\b";
    let mut masked = text.replace(tenant, "<tenant>");
    for time in [written, counted] {
        masked = Regex::new(time).expect("a pattern").replace_all(&masked, "<time>").into_owned();
    }
    masked.trim().to_owned()
}

/// The rows of a tenant as labels, metadata and line, or why they could not be read.
fn stored(client: &mut Client, case: &Value, tenant: &str, now: Timestamp) -> Value {
    let query = case["query"].as_str().unwrap_or(r#"{service_name=~".+"}"#);
    let start = now.minus(Span::from_hours(3)).nanos().to_string();
    let end = now.plus(Span::from_hours(1)).nanos().to_string();
    let parameters =
        [("query", query), ("start", &start), ("end", &end), ("limit", "100"), ("direction", "forward")];
    let headers = [("X-Scope-OrgID", tenant), ("X-Loki-Response-Encoding-Flags", "categorize-labels")];
    let answer = match client.get(&with_query("/loki/api/v1/query_range", parameters), &headers) {
        Ok(answer) if answer.status == 200 => answer,
        Ok(answer) => return json!(format!("status {}: {}", answer.status, answer.body)),
        Err(error) => return json!(format!("no answer: {error}")),
    };
    let answer: Value = serde_json::from_str(&answer.body).expect(&answer.body);
    let mut rows = Vec::new();
    for stream in answer["data"]["result"].as_array().expect("a result") {
        for row in stream["values"].as_array().expect("rows") {
            let time: i64 = text_at(row, 0).parse().expect("a time");
            let line: String = text_at(row, 1).chars().take(COMPARED_CHARS).collect();
            let labels: std::collections::BTreeMap<_, _> =
                stream["stream"].as_object().into_iter().flatten().collect();
            let order = (time, json!(labels).to_string(), line.clone());
            rows.push((order, json!([stream["stream"], metadata(&row[2]), line])));
        }
    }
    rows.sort_by(|(left, _), (right, _)| left.cmp(right));
    rows.into_iter().map(|(_, row)| row).collect()
}

fn text_at(row: &Value, index: usize) -> &str {
    row[index].as_str().expect("a text")
}

/// Structured metadata with times masked.
fn metadata(categories: &Value) -> Value {
    let mut masked = Map::new();
    for (name, value) in categories["structuredMetadata"].as_object().into_iter().flatten() {
        let text = value.as_str().expect("a value");
        let is_time = text.len() == 19 && text.bytes().all(|byte| byte.is_ascii_digit());
        masked.insert(name.clone(), if is_time { json!("<time>") } else { value.clone() });
    }
    masked.into()
}
