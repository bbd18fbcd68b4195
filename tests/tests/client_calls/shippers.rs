//! What sends logs, as it sends them: each push is answered as the sender takes for success, and stored.

use larch_testkit::http::Answer;
use larch_tests::{PUSH, gzip, now, push_protobuf, push_request, snappy_literals};
use larch_types::Timestamp;
use serde_json::{Value, json};

use super::{House, SETTINGS, before};

pub(crate) const TENANT: (&str, &str) = ("X-Scope-OrgID", "acme");

pub(crate) fn house() -> House {
    House::start(&SETTINGS.replace("auth_enabled: false", "auth_enabled: true"), &[TENANT])
}

pub(crate) fn post(house: &House, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    house.larch.client().post(path, headers, body).expect("an answer")
}

/// The stream and the lines, with their metadata, of what was pushed last.
#[track_caller]
pub(crate) fn check_stored(house: &House, selector: &str, labels: &Value, rows: &Value) {
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
    for agent in ["promtail/3.5.0", "Alloy/v1.10.0 (linux; docker)", "docker-driver", "lambda-promtail/"] {
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
fn fluent_bit() {
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
    for is_compressed in [false, true] {
        let answer = post_json(&house, "Fluent-Bit", &body, is_compressed);
        assert_eq!(answer.status, 204, "{}", answer.body);
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

/// JSON of the newer form, as most send it that speak no protobuf.
fn post_json(house: &House, agent: &str, body: &str, is_compressed: bool) -> Answer {
    let mut headers = vec![("User-Agent", agent), ("Content-Type", "application/json"), TENANT];
    if !is_compressed {
        return post(house, PUSH, &headers, body.as_bytes());
    }
    headers.push(("Content-Encoding", "gzip"));
    post(house, PUSH, &headers, &gzip(body.as_bytes()))
}

#[test]
fn fluentd_and_logstash() {
    let house = house();
    let time = before(now(), 10);
    // A chunk of records with labels of the record and of the plugin, lines as pairs or as JSON.
    let body = json!({"streams": [
        {
            "stream": {"env": "prod", "fluentd_worker": "0", "tag": "app.web"},
            "values": [
                [time.to_string(), "method=\"GET\" path=\"/\" level=\"warn\""],
                [(time + 1).to_string(), "method=\"GET\" path=\"/a b\""],
            ],
        },
        {"stream": {"env": "prod", "tag": "app.json"}, "values": [[time.to_string(), "{\"severity\":\"ERROR\"}"]]},
    ]})
    .to_string();
    for (agent, is_compressed) in [("Ruby", false), ("Ruby", true), ("logstash-output-loki/1.1.0", false)] {
        let answer = post_json(&house, agent, &body, is_compressed);
        assert!((200..300).contains(&answer.status), "{agent}: {}", answer.body);
        let labels = json!({"env": "prod", "fluentd_worker": "0", "service_name": "unknown_service", "tag": "app.web"});
        let rows = json!([
            [time.to_string(), "method=\"GET\" path=\"/\" level=\"warn\"", level("warn")],
            [(time + 1).to_string(), "method=\"GET\" path=\"/a b\"", level("unknown")],
        ]);
        check_stored(&house, r#"{tag="app.web"}"#, &labels, &rows);
        let labels = json!({"env": "prod", "service_name": "unknown_service", "tag": "app.json"});
        let rows = json!([[time.to_string(), "{\"severity\":\"ERROR\"}", level("error")]]);
        check_stored(&house, r#"{tag="app.json"}"#, &labels, &rows);
    }
    // They drop what is refused but for 429 and 5xx; names with dots are the usual mistake.
    let dotted =
        json!({"streams": [{"stream": {"kubernetes.host": "n"}, "values": [[time.to_string(), "x"]]}]});
    let answer = post_json(&house, "Ruby", &dotted.to_string(), true);
    let text = "couldn't parse labels: 1:12: parse error: unexpected character inside braces: '.'\n";
    assert_eq!((answer.status, answer.body.as_str()), (400, text));
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
    let rows = json!([[time.to_string(), "one", level("unknown")]]);
    check_stored(&house, r#"{agent="vector"}"#, &stored, &rows);
    // Its other form, and metadata of the event.
    let metadata = json!({"trace.id": "4bf9", "empty": ""});
    let body =
        json!({"streams": [{"stream": {"agent": "json"}, "values": [[time.to_string(), "two", metadata]]}]});
    let metadata = json!({"structuredMetadata": {"detected_level": "unknown", "trace_id": "4bf9"}});
    for is_compressed in [false, true] {
        let answer = post_json(&house, "Vector/0.48.0", &body.to_string(), is_compressed);
        assert_eq!(answer.status, 204, "{}", answer.body);
        let labels = json!({"agent": "json", "service_name": "unknown_service"});
        check_stored(&house, r#"{agent="json"}"#, &labels, &json!([[time.to_string(), "two", metadata]]));
    }
    // Each event may be of another tenant.
    let headers = [("X-Scope-OrgID", "other"), ("User-Agent", "Vector/0.48.0")];
    let answer = push_protobuf(&mut house.larch.client(), &headers, &streams).expect("an answer");
    assert_eq!(answer.status, 204);
    check_stored(&house, r#"{agent="vector"}"#, &stored, &rows);
    house.stop();
}

#[test]
fn winston_loki_in_both_forms() {
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
    // Without a native snappy it sends JSON: milliseconds times a million, labels of any type, and half of a
    // character where a line was cut.
    let body = format!(
        r#"{{"streams":[{{"stream":{{"app":"json","level":"info","pid":17}},"values":[["{seconds}123000000","cut \ud83d"]]}}]}}"#
    );
    assert_eq!(post_json(&house, "node", &body, false).status, 204);
    let stored = json!({"app": "json", "level": "info", "pid": "17", "service_name": "json"});
    let rows = json!([[format!("{seconds}123000000"), "cut \u{fffd}\u{fffd}\u{fffd}", level("info")]]);
    check_stored(&house, r#"{app="json"}"#, &stored, &rows);
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
