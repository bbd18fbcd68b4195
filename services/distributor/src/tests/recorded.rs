//! What Loki answers to recorded pushes, and what it stores of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use larch_types::Labels;
use prost::Message;
use regex::{Captures, Regex};
use serde_json::{Value, json};

use super::house::{House, Wanted, in_house};
use super::wire::{WireEntry, WirePair, WirePush, WireStream, WireTime, snappy_block};

const CASES: &str = include_str!("../../../../tests/conformance/push.jsonl");

/// How much of a line the record holds.
const SHOWN_CHARS: usize = 200;

#[test]
fn recorded_pushes() {
    let mut checked = 0;
    for line in CASES.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        in_house(Wanted::default(), async move |house| check(&house, &case).await);
        checked += 1;
    }
    assert_eq!(checked, 145);
}

async fn check(house: &House, case: &Value) {
    let tenant = "push-1";
    let mut headers = BTreeMap::from([("x-scope-orgid".to_owned(), tenant.to_owned())]);
    // The client that recorded these sends a type of its own with every body.
    headers.insert("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
    for (name, value) in case["headers"].as_object().unwrap() {
        match value.as_str() {
            Some(value) => headers.insert(name.to_ascii_lowercase(), value.to_owned()),
            None => headers.insert(name.to_ascii_lowercase(), String::new()),
        };
    }
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = house.push(case["path"].as_str().unwrap(), &headers, body(house, case)).await;
    let id = &case["id"];
    assert_eq!(json!(answer.status), case["expect"]["status"], "{id}: {}", answer.text);
    if case["any_text"] != json!(true) {
        assert_eq!(json!(masked(&answer.text, tenant)), case["expect"]["text"], "{id}");
    }
    if case["read"] != json!(false) {
        assert_eq!(stored(house), case["stored"], "{id}");
    }
}

fn body(house: &House, case: &Value) -> Vec<u8> {
    let body = &case["body"];
    let text = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
    let text = repeated(&stamped(house, &text));
    match case["encoding"].as_str().unwrap() {
        "hex" => unhex(body.as_str().unwrap()),
        "proto" => snappy_block(&protobuf(&text)),
        "rawproto" => protobuf(&text),
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        }
        "json" | "text" => text.into_bytes(),
        other => panic!("unknown encoding {other}"),
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// `@-600` is ten minutes ago in nanoseconds, `@-600r` the same in RFC 3339.
fn stamped(house: &House, text: &str) -> String {
    let times = Regex::new(r"@([+-]\d+)(r?)").unwrap();
    let now = house.now();
    let replace = |found: &Captures<'_>| {
        let seconds: i64 = found[1].parse().unwrap();
        let time = larch_types::Timestamp::from_nanos(now.nanos() + seconds * 1_000_000_000);
        if &found[2] == "r" { time.to_string() } else { time.nanos().to_string() }
    };
    times.replace_all(text, replace).into_owned()
}

/// `$x*3$` is `xxx`.
fn repeated(text: &str) -> String {
    let runs = Regex::new(r"\$(.)\*(\d+)\$").unwrap();
    runs.replace_all(text, |found: &Captures<'_>| found[1].repeat(found[2].parse().unwrap())).into_owned()
}

fn protobuf(text: &str) -> Vec<u8> {
    let body: Value = serde_json::from_str(text).unwrap();
    let mut push = WirePush::default();
    for stream in body["streams"].as_array().unwrap() {
        let labels = stream["labels"].as_str().unwrap().as_bytes().to_vec();
        let mut entries = Vec::new();
        for entry in stream["entries"].as_array().unwrap() {
            let nanos = entry[0].as_str().unwrap().parse().unwrap();
            let metadata = entry.get(2).and_then(Value::as_object).into_iter().flatten();
            let pair = |(name, value): (&String, &Value)| WirePair {
                name: name.as_bytes().to_vec(),
                value: value.as_str().unwrap().as_bytes().to_vec(),
            };
            entries.push(WireEntry {
                timestamp: Some(WireTime::from_nanos(nanos)),
                line: entry[1].as_str().unwrap().as_bytes().to_vec(),
                metadata: metadata.map(pair).collect(),
                parsed: Vec::new(),
            });
        }
        push.streams.push(WireStream { labels, entries, hash: 0 });
    }
    push.encode_to_vec()
}

/// Times and the tenant are not those of the record.
fn masked(text: &str, tenant: &str) -> String {
    let text = text.replace(tenant, "<tenant>");
    let dates = Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)").unwrap();
    let numbers = Regex::new(r"\b1[789]\d{8}(\d{9})?\b").unwrap();
    let text = dates.replace_all(&text, "<time>");
    numbers.replace_all(&text, "<time>").trim().to_owned()
}

/// Rows as a query shows them: labels, metadata with the level, line; equal rows once.
fn stored(house: &House) -> Value {
    let mut rows = BTreeSet::new();
    for request in house.kept() {
        for stream in &request.streams {
            let labels: Labels = stream.labels.parse().unwrap();
            let shown: BTreeMap<&str, &str> =
                labels.iter().map(|label| (&*label.name, &*label.value)).collect();
            for entry in &stream.entries {
                let mut metadata = BTreeMap::new();
                for pair in &entry.metadata {
                    // What a label hides is shown under another name.
                    let hidden = labels.get(pair.name.as_str()).is_some();
                    let name = format!("{}{}", pair.name, if hidden { "_extracted" } else { "" });
                    metadata.insert(name, masked(pair.value.as_str(), "push-1"));
                }
                if let Some(level) = entry.level {
                    metadata.insert("detected_level".to_owned(), request.levels[level as usize].clone());
                }
                let line = String::from_utf8_lossy(&entry.line);
                let line: String = line.chars().take(SHOWN_CHARS).collect();
                let labels = json!(shown).to_string();
                rows.insert((entry.timestamp, labels, line, json!(metadata).to_string()));
            }
        }
    }
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    rows.iter().map(|(_, labels, line, metadata)| json!([parsed(labels), parsed(metadata), line])).collect()
}
