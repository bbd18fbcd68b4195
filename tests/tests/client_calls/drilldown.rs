//! The Logs Drilldown app: service list, labels, fields and patterns.

use larch_tests::now;
use larch_types::Timestamp;
use serde_json::{Value, json};

use super::{House, SETTINGS, before, stream};

const HEADERS: [(&str, &str); 2] =
    [("X-Query-Tags", "Source=grafana-lokiexplore-app"), ("Accept-Encoding", "gzip")];

const API: &str = "/loki/api/v1";

/// The app writes times in ISO 8601, to the millisecond.
fn iso(nanos: i64) -> String {
    let text = Timestamp::from_secs(nanos.div_euclid(1_000_000_000)).to_string();
    let millis = nanos.rem_euclid(1_000_000_000) / 1_000_000;
    text.replace('Z', &format!(".{millis:03}Z"))
}

/// A hundred orders of two services over ten minutes, as text and as an object.
fn with_rows(settings: &str) -> (House, String, String) {
    let house = House::start(settings, &HEADERS);
    let now = now();
    let rows = |line: &dyn Fn(i64) -> String| -> Vec<(i64, String)> {
        (0..100).map(|n| (before(now, 600 - n * 6), line(n))).collect()
    };
    let text = rows(&|n| format!("order {n} accepted level=info took={n}ms"));
    let object =
        rows(&|n| json!({"msg": format!("paid {n} in full"), "status": 200, "user": {"id": n}}).to_string());
    house.push(&[
        stream(&json!({"app": "shop", "pod": "shop-1"}), &text),
        stream(&json!({"app": "pay", "pod": "pay-1"}), &object),
    ]);
    (house, iso(before(now, 3600)), iso(before(now, 0)))
}

#[test]
fn first_screen() {
    let (house, start, end) = with_rows(SETTINGS);
    let limits = house.json(&format!("{API}/drilldown-limits"), &[]);
    assert_eq!(limits["pattern_ingester_enabled"], true);
    assert!(limits["version"].as_str().is_some_and(|version| version.starts_with("3.")), "{limits}");
    for (key, want) in [
        ("retention_period", json!("0s")),
        ("max_query_length", json!("30d1h")),
        ("max_query_lookback", json!("0s")),
        ("volume_enabled", json!(true)),
    ] {
        assert_eq!(limits["limits"][key], want, "{key}");
    }
    let labels =
        house.json(&format!("{API}/detected_labels"), &[("start", &start), ("end", &end), ("query", "")]);
    let want = json!([
        {"label": "app", "cardinality": 2},
        {"label": "pod", "cardinality": 2},
        {"label": "service_name", "cardinality": 2},
    ]);
    assert_eq!(labels, json!({"detectedLabels": want}));
    let volume = house.json(
        &format!("{API}/index/volume"),
        &[
            ("query", r#"{service_name=~`.+`}"#),
            ("start", &start),
            ("end", &end),
            ("limit", "5000"),
            ("targetLabels", "service_name"),
        ],
    );
    assert_eq!(volume["data"]["resultType"], "vector");
    let mut bytes = Vec::new();
    for one in volume["data"]["result"].as_array().expect("services") {
        let value: u64 = one["value"][1].as_str().and_then(|n| n.parse().ok()).expect("a whole number");
        bytes.push((one["metric"].clone(), value));
    }
    assert_eq!(bytes[0].0, json!({"service_name": "pay"}), "the largest first");
    assert_eq!(bytes[1].0, json!({"service_name": "shop"}));
    assert!(bytes[0].1 > bytes[1].1 && bytes[1].1 > 3000, "{bytes:?}");
    house.stop();
}

#[test]
fn fields_of_a_service() {
    let (house, start, end) = with_rows(SETTINGS);
    let query = r#"{service_name="pay"} | json | logfmt | drop __error__, __error_details__"#;
    let range = [("query", query), ("start", &start), ("end", &end)];
    let with = |more: &[(&'static str, &'static str)]| [&range[..], more].concat();
    let found =
        house.json(&format!("{API}/detected_fields"), &with(&[("limit", "1000"), ("line_limit", "1000")]));
    let want = json!([
        {"label": "detected_level", "type": "string", "cardinality": 1, "parsers": null},
        {"label": "msg", "type": "string", "cardinality": 100, "parsers": ["json"], "jsonPath": ["msg"]},
        {"label": "status", "type": "int", "cardinality": 1, "parsers": ["json"], "jsonPath": ["status"]},
        {"label": "user_id", "type": "int", "cardinality": 100, "parsers": ["json"], "jsonPath": ["user", "id"]},
    ]);
    assert_eq!(found, json!({"fields": want, "limit": 1000}));
    let values = house.json(&format!("{API}/detected_field/status/values"), &with(&[("limit", "1000")]));
    assert_eq!(values, json!({"values": ["200"], "limit": 1000}));
    let panel = house.result(
        &format!("{API}/query_range"),
        &[
            ("query", r#"sum by (pod) (count_over_time({service_name=~"pay|shop"} | drop __error__ [1h]))"#),
            ("start", &start),
            ("end", &end),
            ("step", "3600000ms"),
        ],
    );
    assert_eq!(panel.as_array().map(Vec::len), Some(2), "{panel}");
    house.stop();
}

#[test]
fn patterns_of_a_service() {
    let (house, start, end) = with_rows(SETTINGS);
    for (service, want) in
        [("shop", "order <_> accepted level=info took=<_>"), ("pay", "<_>paid <_> in full<_>")]
    {
        let query = format!("{{service_name=\"{service}\"}}");
        let parameters = [("query", query.as_str()), ("start", &start), ("end", &end), ("step", "10s")];
        let path = larch_testkit::http::with_query(&format!("{API}/patterns"), parameters);
        let is_mined = |answer: &larch_testkit::http::Answer| rows_of_first(&answer.body) == 100;
        let answer = house.larch.get_until(&path, is_mined);
        let body: Value = serde_json::from_str(&answer.body).expect(&answer.body);
        assert_eq!(body["status"], "success");
        assert_eq!(body["data"].as_array().map(Vec::len), Some(1), "{body}");
        let pattern = &body["data"][0];
        assert_eq!(pattern["pattern"], want);
        assert_eq!(pattern["level"], if service == "shop" { "info" } else { "unknown" });
        let samples = pattern["samples"].as_array().expect("samples");
        assert!(samples.len() >= 60, "a row each six seconds: {pattern}");
        assert!(samples.iter().all(|sample| sample[0].as_i64().is_some_and(|time| time % 10 == 0)));
        // What it shows is found by it.
        let filter = format!("{query} |> {want:?}");
        let count = format!("sum(count_over_time({filter}[1h]))");
        let found = house.result(&format!("{API}/query"), &[("query", &count), ("time", &end)]);
        assert_eq!(found[0]["value"][1], "100", "{found}");
    }
    let nobody = [("query", r#"{service_name="nobody"}"#), ("start", &start), ("end", &end)];
    assert_eq!(house.json(&format!("{API}/patterns"), &nobody), json!({"status": "success", "data": []}));
    house.stop();
}

fn rows_of_first(body: &str) -> u64 {
    let body: Value = serde_json::from_str(body).expect(body);
    let samples = body["data"][0]["samples"].as_array().into_iter().flatten();
    samples.map(|sample| sample[1].as_u64().expect("a count")).sum()
}

#[test]
fn without_patterns_the_tab_is_hidden() {
    let settings = SETTINGS.replace("enabled: true", "enabled: false");
    let (house, start, end) = with_rows(&settings);
    assert_eq!(house.json(&format!("{API}/drilldown-limits"), &[])["pattern_ingester_enabled"], false);
    let query = [("query", r#"{service_name="shop"}"#), ("start", start.as_str()), ("end", end.as_str())];
    let answer = house.get(&format!("{API}/patterns"), &query);
    assert_eq!((answer.status, answer.body.as_str()), (404, ""));
    house.stop();
}

#[test]
fn too_many_series_are_shown_in_part_with_a_warning() {
    let (house, start, end) = with_rows(&format!("{SETTINGS}\nlimits_config: {{max_query_series: 3}}\n"));
    let query = r#"sum by (took) (count_over_time({service_name="shop"} | logfmt [1h]))"#;
    let parameters = [("query", query), ("start", &start), ("end", &end), ("step", "3600000ms")];
    let answer = house.json(&format!("{API}/query_range"), &parameters);
    let text = "maximum number of series (3) reached for a single query; returning partial results";
    assert_eq!(answer["warnings"], json!([text]));
    assert_eq!(answer["data"]["result"].as_array().map(Vec::len), Some(3));
    house.stop();
}
