//! What sends logs, as it sends them: each push is answered as the sender takes for success, and stored.

use larch_testkit::http::Answer;
use larch_tests::{PUSH, gzip, now, protobuf_field, push_protobuf, push_request, snappy_literals, varint};
use larch_types::Timestamp;
use serde_json::{Value, json};

use super::{House, SETTINGS, before};

const TENANT: (&str, &str) = ("X-Scope-OrgID", "acme");

fn house() -> House {
    House::start(&SETTINGS.replace("auth_enabled: false", "auth_enabled: true"), &[TENANT])
}

fn post(house: &House, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    house.larch.client().post(path, headers, body).expect("an answer")
}

/// The stream and the lines, with their metadata, of what was pushed last.
#[track_caller]
fn check_stored(house: &House, selector: &str, labels: &Value, rows: &Value) {
    let mut headers = house.headers.clone();
    headers.push(("X-Loki-Response-Encoding-Flags", "categorize-labels"));
    let path = larch_testkit::http::with_query(
        "/loki/api/v1/query_range",
        [("query", selector), ("direction", "forward")],
    );
    let answer = house.larch.ask("GET", &path, &headers, "");
    let body: Value = serde_json::from_str(&answer.body).expect(&answer.body);
    assert_eq!(&body["data"]["result"], &json!([{"stream": labels, "values": rows}]), "{selector}");
}

fn level(level: &str) -> Value {
    json!({"structuredMetadata": {"detected_level": level}})
}

#[test]
fn promtail_and_alloy() {
    let house = house();
    let time = before(now(), 10);
    let labels = r#"{filename="/var/log/app.log", host="n7", job="varlogs"}"#;
    let entries =
        json!([[time.to_string(), "level=info started"], [(time + 1).to_string(), "level=error failed"]]);
    for agent in ["promtail/3.5.0", "Alloy/v1.10.0 (linux; docker)"] {
        let headers = [("User-Agent", agent), TENANT];
        let streams = [json!({"labels": labels, "entries": entries})];
        let answer = push_protobuf(&mut house.larch.client(), &headers, &streams).expect("an answer");
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{agent}");
    }
    // Sent twice, as after an answer that was lost, and there once.
    let stored =
        json!({"filename": "/var/log/app.log", "host": "n7", "job": "varlogs", "service_name": "varlogs"});
    let rows = json!([
        [time.to_string(), "level=info started", level("info")],
        [(time + 1).to_string(), "level=error failed", level("error")],
    ]);
    check_stored(&house, r#"{job="varlogs"}"#, &stored, &rows);
    // A batch with a row that is too old is not sent again: 400, and its good rows are in.
    let mixed = json!({"labels": r#"{job="mixed"}"#, "entries": [["1000000000", "from 1970"], [time.to_string(), "good"]]});
    let answer = push_protobuf(&mut house.larch.client(), &[TENANT], &[mixed]).expect("an answer");
    assert_eq!(answer.status, 400);
    assert!(
        answer.body.lines().count() == 1 && answer.body.len() <= 1024,
        "it logs one line: {}",
        answer.body
    );
    let stored = json!({"job": "mixed", "service_name": "mixed"});
    check_stored(&house, r#"{job="mixed"}"#, &stored, &json!([[time.to_string(), "good", level("unknown")]]));
    house.stop();
}

#[test]
fn fluent_bit_and_fluentd() {
    let house = house();
    let time = before(now(), 10);
    let body = json!({"streams": [{
        "stream": {"job": "fluent-bit", "container": "web"},
        "values": [[time.to_string(), "{\"log\":\"hello\"}", {"trace_id": "4bf92f35"}]],
    }]})
    .to_string();
    let stored = json!({"container": "web", "job": "fluent-bit", "service_name": "web"});
    let metadata = json!({"structuredMetadata": {"detected_level": "unknown", "trace_id": "4bf92f35"}});
    let rows = json!([[time.to_string(), "{\"log\":\"hello\"}", metadata]]);
    for (agent, encoding) in
        [("Fluent-Bit", None), ("Fluent-Bit", Some("gzip")), ("fluentd-plugin", Some("gzip"))]
    {
        let mut headers = vec![("User-Agent", agent), ("Content-Type", "application/json"), TENANT];
        headers.extend(encoding.map(|encoding| ("Content-Encoding", encoding)));
        let bytes = if encoding.is_some() { gzip(body.as_bytes()) } else { body.clone().into_bytes() };
        let answer = post(&house, PUSH, &headers, &bytes);
        assert_eq!(answer.status, 204, "{agent}: {}", answer.body);
        check_stored(&house, r#"{job="fluent-bit"}"#, &stored, &rows);
    }
    // It sends everything but 400 again and again.
    let long = "x".repeat(300 << 10);
    let now = time.to_string();
    for (what, values) in [
        ("a line that is too long", json!([[now, long]])),
        ("metadata that is none", json!([[now, "a", {"n": 1}]])),
        ("a time that is a number", json!([[1, "a"]])),
        ("a time long ago", json!([["1", "a"]])),
    ] {
        let body = json!({"streams": [{"stream": {"job": "bad"}, "values": values}]}).to_string();
        let headers = [("User-Agent", "Fluent-Bit"), ("Content-Type", "application/json"), TENANT];
        assert_eq!(post(&house, PUSH, &headers, body.as_bytes()).status, 400, "{what}");
    }
    house.stop();
}

#[test]
fn vector() {
    let house = house();
    let ready = house.larch.get("/ready");
    assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"), "its check of health");
    let time = before(now(), 10);
    let streams =
        [json!({"labels": r#"{agent="vector",forwarder="v1"}"#, "entries": [[time.to_string(), "one"]]})];
    let headers = [TENANT, ("User-Agent", "Vector/0.48.0")];
    let answer = push_protobuf(&mut house.larch.client(), &headers, &streams).expect("an answer");
    assert_eq!(answer.status, 204, "nothing else is success");
    let stored = json!({"agent": "vector", "forwarder": "v1", "service_name": "unknown_service"});
    check_stored(
        &house,
        r#"{agent="vector"}"#,
        &stored,
        &json!([[time.to_string(), "one", level("unknown")]]),
    );
    house.stop();
}

#[test]
fn winston_loki_has_nanoseconds_of_its_own() {
    let house = house();
    let seconds = before(now(), 10) / 1_000_000_000;
    // Milliseconds times a thousand, where nanoseconds belong.
    let time = seconds * 1_000_000_000 + 123_000;
    let request =
        json!({"streams": [{"labels": r#"{app="winston"}"#, "entries": [[time.to_string(), "hi"]]}]});
    let body = snappy_literals(&push_request(&request));
    let answer = post(&house, PUSH, &[("content-type", "application/x-protobuf"), TENANT], &body);
    assert_eq!(answer.status, 204, "{}", answer.body);
    let stored = json!({"app": "winston", "service_name": "winston"});
    check_stored(&house, r#"{app="winston"}"#, &stored, &json!([[time.to_string(), "hi", level("unknown")]]));
    house.stop();
}

#[test]
fn python_logging_loki_in_both_versions() {
    let house = house();
    let time = before(now(), 10);
    let json_type = ("Content-type", "application/json");
    let v1 = json!({"streams": [{
        "stream": {"application": "api", "severity": "info", "line": 17},
        "values": [[time.to_string(), "from version 1"]],
    }]});
    assert_eq!(post(&house, PUSH, &[json_type, TENANT], v1.to_string().as_bytes()).status, 204);
    let stored = json!({"application": "api", "line": "17", "service_name": "api", "severity": "info"});
    check_stored(
        &house,
        r#"{application="api", line="17"}"#,
        &stored,
        &json!([[time.to_string(), "from version 1", level("info")]]),
    );
    let millis = time / 1_000_000 * 1_000_000;
    let ts = Timestamp::from_nanos(millis).to_string().replace('Z', "+00:00");
    let v0 = json!({"streams": [{
        "labels": r#"{application="old",severity="error"}"#,
        "entries": [{"ts": ts, "line": "from version 0"}],
    }]});
    let answer = post(&house, "/api/prom/push", &[json_type, TENANT], v0.to_string().as_bytes());
    assert_eq!(answer.status, 204, "{}", answer.body);
    let stored = json!({"application": "old", "service_name": "old", "severity": "error"});
    check_stored(
        &house,
        r#"{application="old"}"#,
        &stored,
        &json!([[millis.to_string(), "from version 0", level("error")]]),
    );
    house.stop();
}

fn attribute(key: &str, value: &str) -> Vec<u8> {
    let mut pair = protobuf_field(1, key.as_bytes());
    pair.extend(protobuf_field(2, &protobuf_field(1, value.as_bytes())));
    pair
}

fn fixed64(number: u64, value: u64) -> Vec<u8> {
    let mut field = varint(number << 3 | 1);
    field.extend(value.to_le_bytes());
    field
}

/// One record of one scope of one resource, as the collector's exporter writes it.
fn otlp_request(time: i64) -> Vec<u8> {
    let mut record = fixed64(1, time as u64);
    record.extend(varint(2 << 3));
    record.extend(varint(17));
    record.extend(protobuf_field(3, b"ERROR"));
    record.extend(protobuf_field(5, &protobuf_field(1, b"boom")));
    record.extend(protobuf_field(6, &attribute("http.status", "500")));
    record.extend(protobuf_field(9, &[0x4b; 16]));
    let mut scope = protobuf_field(1, b"lib");
    scope.extend(protobuf_field(2, b"1.2"));
    let mut scope_logs = protobuf_field(1, &scope);
    scope_logs.extend(protobuf_field(2, &record));
    let mut resource = protobuf_field(1, &attribute("service.name", "pay"));
    resource.extend(protobuf_field(1, &attribute("k8s.pod.name", "pay-1")));
    resource.extend(protobuf_field(1, &attribute("host.name", "n7")));
    let mut resource_logs = protobuf_field(1, &resource);
    resource_logs.extend(protobuf_field(2, &scope_logs));
    protobuf_field(1, &resource_logs)
}

#[test]
fn opentelemetry_collector() {
    let house = house();
    let time = before(now(), 10);
    let headers = [
        ("User-Agent", "OpenTelemetry Collector Contrib/0.130.0 (linux/amd64)"),
        ("Content-Type", "application/x-protobuf"),
        ("Content-Encoding", "gzip"),
        TENANT,
    ];
    let answer = post(&house, "/otlp/v1/logs", &headers, &gzip(&otlp_request(time)));
    assert!((200..300).contains(&answer.status), "{answer:?}");
    let stored = json!({"k8s_pod_name": "pay-1", "service_name": "pay"});
    let metadata = json!({"structuredMetadata": {
        "detected_level": "error",
        "host_name": "n7",
        "http_status": "500",
        "scope_name": "lib",
        "scope_version": "1.2",
        "severity_number": "17",
        "severity_text": "ERROR",
        "trace_id": "4b".repeat(16),
    }});
    check_stored(&house, r#"{service_name="pay"}"#, &stored, &json!([[time.to_string(), "boom", metadata]]));
    let refused = post(&house, "/otlp/v1/logs", &headers, &gzip(b"\xff\xff not a message"));
    assert_eq!(refused.status, 400, "it does not try again");
    house.stop();
}
