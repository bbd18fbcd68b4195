//! logcli, command by command.

use larch_tests::{Socket, now};
use larch_types::Timestamp;
use serde_json::{Value, json};

use super::{House, SETTINGS, before, stream};

const HEADERS: [(&str, &str); 3] = [
    ("User-Agent", "loki-logcli/3.7.0 (branch=main; revision=a1b2c3d)"),
    ("X-Query-Tags", "Source=logcli"),
    ("Cache-Control", "no-cache"),
];

const API: &str = "/loki/api/v1";
const QUERY: &str = r#"{app=~"shop|pay"}"#;

/// Rows that it is asked for at a time.
const BATCH: usize = 30;

/// Of each app a hundred rows, seven of each nanosecond.
fn with_rows() -> (House, Timestamp, Vec<String>) {
    let house = House::start(SETTINGS, &HEADERS);
    let now = now();
    let mut lines = Vec::new();
    let mut streams = Vec::new();
    for app in ["pay", "shop"] {
        let row = |n: i64| (before(now, 1000) + n / 7, format!("n={n} app={app}"));
        let rows: Vec<(i64, String)> = (0..100).map(row).collect();
        lines.extend(rows.iter().map(|(time, line)| format!("{time} {line}")));
        streams.push(stream(&json!({"app": app}), &rows));
    }
    house.push(&streams);
    lines.sort();
    (house, now, lines)
}

/// What was printed last, by which rows that come again are known.
type Printed = (i64, String, Value);

/// Asks batch after batch, each from the last row on, as `--limit` above `--batch` makes it do.
fn print_all(house: &House, now: Timestamp, direction: &str) -> Vec<String> {
    let (mut start, mut end) = (before(now, 3600), before(now, 0));
    let mut printed: Vec<Printed> = Vec::new();
    loop {
        let limit = BATCH.to_string();
        let result = house.result(
            &format!("{API}/query_range"),
            &[
                ("direction", direction),
                ("end", &end.to_string()),
                ("limit", &limit),
                ("query", QUERY),
                ("start", &start.to_string()),
            ],
        );
        let mut batch: Vec<Printed> = Vec::new();
        for stream in result.as_array().expect("streams") {
            for value in stream["values"].as_array().expect("values") {
                let time = value[0].as_str().and_then(|time| time.parse().ok()).expect("a time");
                let line = value[1].as_str().expect("a line").to_owned();
                batch.push((time, line, stream["stream"].clone()));
            }
        }
        let is_last = batch.len() < BATCH;
        batch.sort_by_key(|(time, ..)| if direction == "FORWARD" { *time } else { -*time });
        let last = batch.last().map(|(time, ..)| *time);
        let known = printed.len();
        for row in batch {
            if !printed[..known].contains(&row) {
                printed.push(row);
            }
        }
        match last {
            Some(last) if direction == "FORWARD" => start = last,
            Some(last) => end = last + 1,
            None => break,
        }
        assert!(is_last || printed.len() > known, "a batch that brings nothing new");
        if is_last {
            break;
        }
    }
    printed.into_iter().map(|(time, line, _)| format!("{time} {line}")).collect()
}

#[test]
fn batches_print_every_row_once() {
    let (house, now, want) = with_rows();
    for direction in ["FORWARD", "BACKWARD"] {
        let mut printed = print_all(&house, now, direction);
        printed.sort();
        assert_eq!(printed, want, "{direction}");
    }
    house.stop();
}

#[test]
fn each_command_gets_what_it_decodes() {
    let (house, now, _) = with_rows();
    let (start, end) = (before(now, 3600).to_string(), before(now, 0).to_string());
    let range = [("start", start.as_str()), ("end", end.as_str())];
    let with = |more: &[(&'static str, &'static str)]| [&range[..], more].concat();
    let path = |name: &str| format!("{API}/{name}");

    let labels = house.json(&path("labels"), &range);
    assert_eq!(labels["data"], json!(["app", "service_name"]));
    assert_eq!(house.json(&path("label/app/values"), &range)["data"], json!(["pay", "shop"]));
    let matches = [("match", r#"{app="shop"}"#), ("match", r#"{app="pay"}"#)];
    let series = house.json(&path("series"), &with(&matches));
    let want = json!([{"app": "pay", "service_name": "pay"}, {"app": "shop", "service_name": "shop"}]);
    assert_eq!(series["data"], want);

    let stats = house.json(&path("index/stats"), &with(&[("query", QUERY)]));
    assert_eq!((&stats["streams"], &stats["entries"]), (&json!(2), &json!(200)));
    let volume = house.json(
        &path("index/volume"),
        &with(&[("query", QUERY), ("limit", "30"), ("targetLabels", "app"), ("aggregateBy", "series")]),
    );
    assert_eq!(volume["data"]["result"][0]["metric"], json!({"app": "shop"}), "shop has a letter more");
    let volumes = house.json(
        &path("index/volume_range"),
        &with(&[("query", QUERY), ("limit", "30"), ("step", "3600.000000"), ("aggregateBy", "labels")]),
    );
    let names: Vec<&Value> =
        volumes["data"]["result"].as_array().into_iter().flatten().map(|one| &one["metric"]).collect();
    assert_eq!(names, [&json!({"app": ""})]);

    let fields = house.json(
        &path("detected_fields"),
        &with(&[("query", QUERY), ("limit", "1000"), ("line_limit", "1000"), ("step", "1h0m0s")]),
    );
    let found: Vec<&str> = fields["fields"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|field| field["label"].as_str())
        .collect();
    assert_eq!(found, ["app_extracted", "detected_level", "n"]);
    let values = house.json(
        &path("detected_field/n/values"),
        &with(&[("query", QUERY), ("limit", "5"), ("line_limit", "1000")]),
    );
    assert_eq!(values["values"].as_array().map(Vec::len), Some(5));

    let count = [("query", r#"sum(count_over_time({app="shop"}[1h]))"#), ("limit", "30"), ("time", &end)];
    let answer = house.json(&path("query"), &[&count[..], &[("direction", "BACKWARD")]].concat());
    assert_eq!(answer["data"]["result"][0]["value"][1], "100");
    let thinned = house.result(
        &path("query_range"),
        &with(&[("query", r#"{app="shop"}"#), ("interval", "3600.000000"), ("direction", "FORWARD")]),
    );
    assert_eq!(thinned[0]["values"].as_array().map(Vec::len), Some(1));
    house.stop();
}

/// It decodes the whole structure into numbers and booleans; one key of another type fails the command.
#[test]
fn statistics_are_whole() {
    let (house, now, _) = with_rows();
    let (start, end) = (before(now, 3600).to_string(), before(now, 0).to_string());
    let range = [("start", start.as_str()), ("end", end.as_str()), ("query", QUERY)];
    let answer = house.json(&format!("{API}/query_range"), &range);
    let stats = &answer["data"]["stats"];
    for path in [
        "/summary/totalLinesProcessed",
        "/summary/subqueries",
        "/summary/execTime",
        "/summary/queueTime",
        "/querier/store/totalChunksRef",
        "/querier/store/chunk/decompressedBytes",
        "/querier/store/dataobj/pageBatches",
        "/ingester/totalReached",
        "/ingester/store/chunk/headChunkLines",
        "/cache/chunk/entriesFound",
        "/cache/result/queryLengthServed",
        "/cache/taskResult/downloadTime",
        "/index/totalChunks",
        "/index/bloomFilterTime",
    ] {
        assert!(stats.pointer(path).is_some_and(Value::is_number), "{path}: {stats}");
    }
    for path in ["/index/usedBloomFilters", "/querier/store/queryUsedV2Engine"] {
        assert!(stats.pointer(path).is_some_and(Value::is_boolean), "{path}: {stats}");
    }
    assert_eq!(stats["summary"]["totalEntriesReturned"], 100, "the default limit");
    house.stop();
}

#[test]
fn query_tail() {
    let (house, now, _) = with_rows();
    let start = before(now, 3600).to_string();
    let parameters = [("query", r#"{app="shop"}"#), ("limit", "3"), ("start", &start), ("delay_for", "0")];
    let target = larch_testkit::http::with_query(&format!("{API}/tail"), parameters);
    let mut socket = Socket::open(house.larch.address(), &target, &HEADERS);
    let lines: Vec<Value> = socket.rows(3).iter().map(|row| row["values"][0][1].clone()).collect();
    assert_eq!(lines, ["n=97 app=shop", "n=98 app=shop", "n=99 app=shop"], "the last ones, ascending");
    house.push(&[stream(&json!({"app": "shop"}), &[(before(now, 0), "now".to_owned())])]);
    assert_eq!(socket.rows(1)[0]["values"][0][1], "now");
    socket.close();
    house.stop();
}
