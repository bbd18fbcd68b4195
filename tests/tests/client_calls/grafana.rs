//! Grafana's Loki data source: what its health check, Explore, dashboards and live view ask.

use larch_tests::{Socket, now};
use larch_types::Timestamp;
use serde_json::{Value, json};

use super::{House, SETTINGS, before, stream, text_of};

/// Set by its backend on every query.
const HEADERS: [(&str, &str); 4] = [
    ("User-Agent", "Grafana/12.1.0"),
    ("X-Query-Tags", "Source=grafana"),
    ("X-Loki-Response-Encoding-Flags", "categorize-labels"),
    ("Accept-Encoding", "gzip"),
];

const QUERY: &str = "/loki/api/v1/query";
const QUERY_RANGE: &str = "/loki/api/v1/query_range";
const SHOP: &str = r#"{app="shop"}"#;

/// An hour of two apps: a row each ten seconds, and some of one nanosecond.
fn with_rows() -> (House, Timestamp) {
    let house = House::start(SETTINGS, &HEADERS);
    let now = now();
    let row = |seconds: i64, text: &str| (before(now, seconds), text.to_owned());
    let rows: Vec<(i64, String)> =
        (1..=60).rev().map(|n| row(n * 10, &format!("level={} order={n}", level(n)))).collect();
    let tied: Vec<(i64, String)> = (0..5).map(|n| row(5, &format!("level=warn tied={n}"))).collect();
    let labels = json!({"app": "shop", "env": "prod"});
    house.push(&[
        stream(&labels, &rows),
        stream(&labels, &tied),
        stream(&json!({"app": "pay", "env": "dev"}), &[row(30, r#"{"status":500,"path":"/pay"}"#)]),
        json!({"stream": {"app": "pay", "env": "dev"}, "values": [
            [before(now, 20).to_string(), "with metadata", {"trace_id": "4bf92f35"}],
        ]}),
    ]);
    (house, now)
}

fn level(number: i64) -> &'static str {
    if number % 3 == 0 { "error" } else { "info" }
}

/// As the data source makes them: milliseconds times a million.
fn range(now: Timestamp, seconds: i64) -> (String, String) {
    let millis = |nanos: i64| format!("{}000000", nanos / 1_000_000);
    (millis(before(now, seconds)), millis(before(now, 0) + 1_000_000))
}

#[test]
fn save_and_test_works_for_a_tenant_without_data() {
    let house = House::start(SETTINGS, &HEADERS);
    let parameters = [("direction", "backward"), ("query", "vector(1)+vector(1)"), ("time", "4000000000")];
    let answer = house.json(QUERY, &parameters);
    assert_eq!(answer["status"], "success");
    assert_eq!(answer["data"]["resultType"], "vector");
    assert_eq!(answer["data"]["result"], json!([{"metric": {}, "value": [4_000_000_000_i64, "2"]}]));
    assert!(answer["data"]["encodingFlags"].is_null(), "numbers have no categories");
    let refused = house.get(QUERY, &[("query", "vector("), ("time", "4000000000")]);
    assert_eq!(refused.status, 400);
    assert!(refused.body.starts_with("parse error at line 1, col 8: "), "{}", refused.body);
    house.stop();
}

#[test]
fn explore_shows_logs_with_their_categories() {
    let (house, now) = with_rows();
    let (start, end) = range(now, 3600);
    let answer = house.get(
        QUERY_RANGE,
        &[
            ("direction", "backward"),
            ("end", &end),
            ("limit", "1000"),
            ("query", r#"{app="pay"} | json"#),
            ("start", &start),
            ("step", "15000ms"),
        ],
    );
    assert_eq!((answer.status, answer.header("content-encoding")), (200, Some("gzip")), "{}", answer.head);
    assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
    let text = text_of(&answer);
    // Its parser passes over the text once.
    let place = |key: &str| text.find(&format!("\"{key}\"")).expect(key);
    assert!(
        place("resultType") < place("encodingFlags") && place("encodingFlags") < place("result"),
        "{text}"
    );
    let answer: Value = serde_json::from_str(&text).expect(&text);
    let data = &answer["data"];
    assert_eq!(data["encodingFlags"], json!(["categorize-labels"]));
    let failed = json!({"__error__": "JSONParserErr", "__error_details__": "Value looks like object, but can't find closing '}' symbol"});
    let rows = &data["result"][0]["values"];
    assert_eq!(data["result"][0]["stream"], json!({"app": "pay", "env": "dev", "service_name": "pay"}));
    assert_eq!(data["result"].as_array().map(Vec::len), Some(1), "one object for a stream: {data}");
    assert_eq!(rows[0][1], "with metadata");
    assert_eq!(
        rows[0][2]["structuredMetadata"],
        json!({"detected_level": "unknown", "trace_id": "4bf92f35"})
    );
    assert_eq!(rows[0][2]["parsed"]["__error__"], failed["__error__"]);
    assert_eq!(rows[1][2]["parsed"], json!({"path": "/pay", "status": "500"}));
    for key in ["bytesProcessedPerSecond", "linesProcessedPerSecond", "totalBytesProcessed", "execTime"] {
        assert!(data["stats"]["summary"][key].is_number(), "{key}: {data}");
    }
    house.stop();
}

#[test]
fn panels_and_the_volume_of_logs() {
    let (house, now) = with_rows();
    let (start, end) = range(now, 3600);
    let by_level = r#"sum by (level, detected_level) (count_over_time({app="shop"} | drop __error__[1h]))"#;
    let series = house.result(
        QUERY_RANGE,
        &[
            ("query", by_level),
            ("start", &start),
            ("end", &end),
            ("step", "3600000ms"),
            ("direction", "backward"),
        ],
    );
    let mut counts: Vec<(String, i64)> = Vec::new();
    for one in series.as_array().expect("series") {
        let level = one["metric"]["detected_level"].as_str().expect("a level").to_owned();
        let values = one["values"].as_array().expect("values");
        let sum = values.iter().map(|value| value[1].as_str().and_then(|n| n.parse::<i64>().ok()));
        for value in values {
            assert_eq!(value[0].as_i64().map(|time| time % 3600), Some(0), "steps are those of the clock");
        }
        counts.push((level, sum.map(|n| n.expect("a number")).sum()));
    }
    let want = [("error", 20), ("info", 40), ("warn", 5)].map(|(level, count)| (level.to_owned(), count));
    assert_eq!(counts, want);
    let instant = house.result(
        QUERY,
        &[
            ("query", r#"sum(count_over_time({app="shop"}[1h]))"#),
            ("limit", "1000"),
            ("time", &end),
            ("direction", "backward"),
        ],
    );
    assert_eq!(instant[0]["value"][1], "65");
    let stats = house.json("/loki/api/v1/index/stats", &[("query", SHOP), ("start", &start), ("end", &end)]);
    assert_eq!((&stats["streams"], &stats["entries"]), (&json!(1), &json!(65)));
    assert!(stats["bytes"].as_u64() > Some(0) && stats["chunks"].as_u64() > Some(0), "{stats}");
    house.stop();
}

#[test]
fn labels_values_and_series_for_the_query_builder() {
    let (house, now) = with_rows();
    let (start, end) = range(now, 3600);
    let range = [("start", start.as_str()), ("end", end.as_str())];
    let with = |name: &'static str, value: &'static str| [range[0], range[1], (name, value)];
    for (path, parameters, want) in [
        ("/loki/api/v1/labels", range.to_vec(), json!(["app", "env", "service_name"])),
        ("/loki/api/v1/label/app/values", range.to_vec(), json!(["pay", "shop"])),
        ("/loki/api/v1/label/env/values", with("query", SHOP).to_vec(), json!(["prod"])),
        // What is not there has no key: no shards then.
        ("/loki/api/v1/label/__stream_shard__/values", with("query", SHOP).to_vec(), Value::Null),
        (
            "/loki/api/v1/series",
            with("match[]", SHOP).to_vec(),
            json!([{"app": "shop", "env": "prod", "service_name": "shop"}]),
        ),
    ] {
        let answer = house.json(path, &parameters);
        assert_eq!((&answer["status"], &answer["data"]), (&json!("success"), &want), "{path}");
    }
    house.stop();
}

#[test]
fn the_context_of_a_row_loses_and_repeats_none() {
    let (house, now) = with_rows();
    // The labels of the stream and the time of the row, to the nanosecond.
    let at = before(now, 5);
    let selector = r#"{app="shop", env="prod", service_name="shop"}"#;
    let (two_hours, row) = (7200 * 1_000_000_000, at.to_string());
    let (earliest, latest) = ((at - two_hours).to_string(), (at + two_hours).to_string());
    let lines = |parameters: &[(&str, &str)]| {
        let result = house.result(QUERY_RANGE, parameters);
        let mut lines = Vec::new();
        for value in result[0]["values"].as_array().into_iter().flatten() {
            lines.push(value[1].as_str().expect("a line").to_owned());
        }
        lines
    };
    let up = [
        ("query", selector),
        ("limit", "50"),
        ("direction", "backward"),
        ("start", &earliest),
        ("end", &row),
    ];
    let above = lines(&up);
    assert_eq!(
        (above.len(), above[0].as_str()),
        (50, "level=info order=1"),
        "before the row, the newest first"
    );
    let down =
        [("query", selector), ("limit", "50"), ("direction", "forward"), ("start", &row), ("end", &latest)];
    let want: Vec<String> = (0..5).map(|n| format!("level=warn tied={n}")).collect();
    assert_eq!(lines(&down), want, "the row, and all of its time");
    house.stop();
}

#[test]
fn live_view() {
    let (house, now) = with_rows();
    let target = "/loki/api/v1/tail?query=%7Bapp%3D%22pay%22%7D";
    // As its server passes it on; the browser can set none.
    let headers = [("X-Loki-Response-Encoding-Flags", "categorize-labels")];
    let mut socket = Socket::open(house.larch.address(), target, &headers);
    let before_it = socket.rows(2);
    assert_eq!(before_it[1]["stream"], json!({"app": "pay", "env": "dev", "service_name": "pay"}));
    let metadata = json!({"structuredMetadata": {"detected_level": "unknown", "trace_id": "4bf92f35"}});
    let want = json!([[before(now, 20).to_string(), "with metadata", metadata]]);
    assert_eq!(before_it[1]["values"], want);
    let time = before(now, 0);
    house.push(&[stream(&json!({"app": "pay", "env": "dev"}), &[(time, "live <now>".to_owned())])]);
    let frame = socket.next_frame();
    assert_eq!(frame["encodingFlags"], json!(["categorize-labels"]), "{frame}");
    assert!(frame.get("dropped_entries").is_none(), "{frame}");
    assert_eq!(frame["streams"][0]["values"][0][1], "live <now>");
    socket.close();
    house.stop();
}
