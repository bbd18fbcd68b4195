use bytes::Bytes;
use larch_logql::{LabelSet, MetricAnswer, Sample, Series};
use larch_proto::{EntryBatch, Pair, PatternSeries, QueryStatistics, ResultEntry, ResultLabels, Text};
use larch_types::{Labels, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::EncodingFlags;

fn pairs(labels: &[(&str, &str)]) -> Vec<Pair> {
    labels.iter().map(|(name, value)| Pair { name: Text::from(*name), value: Text::from(*value) }).collect()
}

fn entry(labels: u32, nanos: i64, line: &[u8]) -> ResultEntry {
    let line = Bytes::copy_from_slice(line);
    ResultEntry { stream: 0, labels, timestamp: Timestamp::from_nanos(nanos), line }
}

/// Three rows of two kinds.
fn batch() -> EntryBatch {
    let labels = |metadata: &[(&str, &str)], parsed: &[(&str, &str)]| ResultLabels {
        stream: pairs(&[("service_name", "checkout"), ("app", "checkout")]),
        metadata: pairs(metadata),
        parsed: pairs(parsed),
    };
    EntryBatch {
        streams: Vec::new(),
        labels: vec![
            labels(&[("trace_id", "4bf92f35"), ("detected_level", "error")], &[("code", "500")]),
            labels(&[("detected_level", "info")], &[]),
            labels(&[], &[]),
        ],
        entries: vec![
            entry(0, 1_790_812_822_494_853_001, b"code=500 order 18 <failed>"),
            entry(1, 1_790_812_822_494_853_000, b"order 17 accepted"),
            entry(2, 1_790_812_822_494_852_000, b"plain"),
            entry(1, 1_790_812_822_494_851_000, b"order 16 accepted"),
        ],
    }
}

fn rows(categorized: bool) -> LogRows {
    let mut rows = LogRows::new(categorized);
    rows.add(batch());
    rows
}

fn flags(text: &str) -> EncodingFlags {
    let mut headers = http::HeaderMap::new();
    headers.insert("x-loki-response-encoding-flags", text.parse().unwrap());
    EncodingFlags::read(&headers)
}

/// All of an answer that comes in pieces.
fn all(pieces: Pieces) -> Vec<u8> {
    pieces.flatten().collect()
}

/// The answer with its statistics cut out, and those by themselves.
fn without_stats(answer: impl AsRef<[u8]>) -> (String, Value) {
    let text = std::str::from_utf8(answer.as_ref()).unwrap();
    let begin = text.find("\"stats\":").unwrap() + "\"stats\":".len();
    let mut values = serde_json::Deserializer::from_str(&text[begin..]).into_iter::<Value>();
    let stats = values.next().unwrap().unwrap();
    let end = begin + values.byte_offset();
    (format!("{}{{}}{}", &text[..begin], &text[end..]), stats)
}

#[test]
fn plain_streams() {
    let (text, _) = without_stats(all(logs(rows(false), &flags(""), &Statistics::default(), &[])));
    let want = concat!(
        r#"{"status":"success","data":{"resultType":"streams","result":["#,
        r#"{"stream":{"app":"checkout","code":"500","detected_level":"error","service_name":"checkout","#,
        r#""trace_id":"4bf92f35"},"values":[["1790812822494853001","code=500 order 18 \u003cfailed\u003e"]]},"#,
        r#"{"stream":{"app":"checkout","detected_level":"info","service_name":"checkout"},"values":["#,
        r#"["1790812822494853000","order 17 accepted"],["1790812822494851000","order 16 accepted"]]},"#,
        r#"{"stream":{"app":"checkout","service_name":"checkout"},"values":[["1790812822494852000","plain"]]}"#,
        "],\"stats\":{}}}\n"
    );
    assert_eq!(text, want);
}

#[test]
fn categorized_streams() {
    let flags = flags("foo,categorize-labels");
    let warnings = ["careful".to_owned()];
    let answer = all(logs(rows(flags.categorizes()), &flags, &Statistics::default(), &warnings));
    let want = concat!(
        r#"{"status":"success","warnings":["careful"],"data":{"resultType":"streams","#,
        r#""encodingFlags":["foo","categorize-labels"],"result":["#,
        r#"{"stream":{"app":"checkout","service_name":"checkout"},"values":["#,
        r#"["1790812822494853001","code=500 order 18 \u003cfailed\u003e","#,
        r#"{"structuredMetadata":{"detected_level":"error","trace_id":"4bf92f35"},"parsed":{"code":"500"}}],"#,
        r#"["1790812822494853000","order 17 accepted",{"structuredMetadata":{"detected_level":"info"}}],"#,
        r#"["1790812822494852000","plain",{}],"#,
        r#"["1790812822494851000","order 16 accepted",{"structuredMetadata":{"detected_level":"info"}}]]}"#,
        "],\"stats\":{}}}\n"
    );
    assert_eq!(without_stats(answer).0, want);
}

#[test]
fn nothing_is_an_empty_list() {
    let (text, _) = without_stats(all(logs(LogRows::new(true), &flags(""), &Statistics::default(), &[])));
    assert_eq!(
        text,
        "{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"result\":[],\"stats\":{}}}\n"
    );
    for (answer, kind) in
        [(MetricAnswer::Matrix(Vec::new()), "matrix"), (MetricAnswer::Vector(Vec::new()), "vector")]
    {
        let (text, _) = without_stats(all(metric(answer, Timestamp::EPOCH, &Statistics::default(), &[])));
        let want = format!(
            "{{\"status\":\"success\",\"data\":{{\"resultType\":\"{kind}\",\"result\":[],\"stats\":{{}}}}}}"
        );
        assert_eq!(text, want);
    }
}

#[test]
fn streams_are_ordered_by_the_text_of_their_labels() {
    let mut rows = LogRows::new(false);
    let values = ["b", "a\n", "a!", "a", "a\"", "é"];
    let labels = values.map(|value| ResultLabels { stream: pairs(&[("a", value)]), ..Default::default() });
    let entries = (0..6).map(|place| entry(place, 1, b"x")).collect();
    rows.add(EntryBatch { streams: Vec::new(), labels: labels.into(), entries });
    let answer: Value =
        serde_json::from_slice(&all(logs(rows, &flags(""), &Statistics::default(), &[]))).unwrap();
    let shown: Vec<_> =
        answer["data"]["result"].as_array().unwrap().iter().map(|s| &s["stream"]["a"]).collect();
    // `{a="a!"}` before `{a="a"}`, because a quote comes after an exclamation mark.
    assert_eq!(shown, ["a!", "a", "a\"", "a\n", "b", "é"]);
}

#[test]
fn batches_are_put_together() {
    let mut rows = rows(false);
    rows.add(batch());
    assert_eq!(rows.rows(), 8);
    let answer: Value =
        serde_json::from_slice(&all(logs(rows, &flags(""), &Statistics::default(), &[]))).unwrap();
    let lengths: Vec<_> = answer["data"]["result"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["values"].as_array().unwrap().len())
        .collect();
    assert_eq!(lengths, [2, 4, 2]);
}

#[test]
fn bad_bytes_of_stream_labels_are_blanks() {
    let mut rows = LogRows::new(false);
    let labels = ResultLabels {
        stream: pairs(&[("a", "x\u{fffd}y")]),
        metadata: pairs(&[("m", "\u{fffd}")]),
        ..Default::default()
    };
    rows.add(EntryBatch { streams: Vec::new(), labels: vec![labels], entries: vec![entry(0, 1, b"")] });
    let answer: Value =
        serde_json::from_slice(&all(logs(rows, &flags(""), &Statistics::default(), &[]))).unwrap();
    assert_eq!(answer["data"]["result"][0]["stream"], json!({"a": "x y", "m": "\u{fffd}"}));
}

#[test]
fn legacy_streams() {
    let (text, stats) = without_stats(all(legacy_logs(rows(false), &Statistics::default())));
    let want = concat!(
        r#"{"streams":[{"labels":"{app=\"checkout\", code=\"500\", detected_level=\"error\", "#,
        r#"service_name=\"checkout\", trace_id=\"4bf92f35\"}","entries":["#,
        r#"{"ts":"2026-10-01T00:00:22.494853001Z","line":"code=500 order 18 \u003cfailed\u003e"}]},"#,
    );
    assert!(text.starts_with(want), "{text}");
    assert!(text.contains(r#"{"ts":"2026-10-01T00:00:22.494853Z","line":"order 17 accepted"}"#), "{text}");
    assert!(stats["summary"]["subqueries"] == 0);
}

fn labels(pairs: &[(&str, &str)]) -> std::sync::Arc<LabelSet> {
    std::sync::Arc::new(LabelSet::from_pairs(pairs.iter().copied()))
}

#[test]
fn metric_answers() {
    let at = Timestamp::from_secs;
    let matrix = MetricAnswer::Matrix(vec![
        Series { labels: labels(&[]), points: vec![(at(0), 1.0)] },
        Series {
            labels: labels(&[("app", "<x>")]),
            points: vec![(at(1_790_812_800), 12.0), (Timestamp::from_millis(1_790_812_860_500), 0.5)],
        },
    ]);
    let (text, _) = without_stats(all(metric(matrix, at(0), &Statistics::default(), &["w".to_owned()])));
    let want = concat!(
        r#"{"status":"success","data":{"resultType":"matrix","result":["#,
        r#"{"metric":{},"values":[[0,"1"]]},"#,
        r#"{"metric":{"app":"\u003cx\u003e"},"values":[[1790812800,"12"],[1790812860.5,"0.5"]]}"#,
        r#"],"stats":{}},"warnings":["w"]}"#
    );
    assert_eq!(text, want);
    let vector = MetricAnswer::Vector(vec![Sample { labels: labels(&[("a", "b")]), value: f64::INFINITY }]);
    let time = Timestamp::from_millis(1_790_812_860_500);
    let (text, _) = without_stats(all(metric(vector, time, &Statistics::default(), &[])));
    let want = concat!(
        r#"{"status":"success","data":{"resultType":"vector","result":["#,
        r#"{"metric":{"a":"b"},"value":[1790812860.5,"+Inf"]}],"stats":{}}}"#
    );
    assert_eq!(text, want);
    let (text, _) = without_stats(all(metric(MetricAnswer::Scalar(2.0), at(7), &Statistics::default(), &[])));
    assert_eq!(text, r#"{"status":"success","data":{"resultType":"scalar","result":[7,"2"],"stats":{}}}"#);
}

/// Every key that clients decode, and nothing that is not a number where they want one.
#[test]
fn statistics_have_all_keys() {
    let cost = QueryStatistics {
        line_bytes: 1000,
        metadata_bytes: 10,
        rows: 20,
        rows_after_filters: 5,
        ingester_rows: 8,
        ingester_bytes: 400,
        ..QueryStatistics::default()
    };
    let stats = Statistics {
        cost,
        exec: std::time::Duration::from_nanos(500_000_123),
        queue: std::time::Duration::from_micros(3),
        entries: 5,
        splits: 1,
        shards: 0,
        results_asked: 3,
        results_found: 2,
        results_bytes: 90,
        explained: None,
    };
    let (_, shown) = without_stats(all(logs(LogRows::new(false), &flags(""), &stats, &[])));
    let summary = &shown["summary"];
    assert_eq!(summary["execTime"], json!(0.5), "six digits");
    assert_eq!(summary["queueTime"], json!(0.000003));
    assert_eq!(summary["totalBytesProcessed"], 1010);
    assert_eq!(summary["bytesProcessedPerSecond"], 2019);
    assert_eq!(summary["linesProcessedPerSecond"], 39);
    assert_eq!(summary["totalLinesProcessed"], 20);
    assert_eq!(summary["totalEntriesReturned"], 5);
    assert_eq!(shown["ingester"]["store"]["chunk"]["headChunkLines"], 8);
    assert_eq!(shown["querier"]["store"]["chunk"]["decompressedBytes"], 610);
    let result = &shown["cache"]["result"];
    assert_eq!((&result["entriesRequested"], &result["entriesFound"]), (&json!(3), &json!(2)));
    assert_eq!(result["bytesReceived"], 90);
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&shown), ["summary", "querier", "ingester", "cache", "index"]);
    assert_eq!(keys(summary).len(), 12);
    assert_eq!(keys(&shown["cache"]).len(), 10);
    assert_eq!(keys(&shown["cache"]["taskResult"]).len(), 8);
    assert_eq!(keys(&shown["index"]).len(), 7);
    assert_eq!(keys(&shown["querier"]), ["store", "querierExecTime"]);
    assert_eq!(keys(&shown["ingester"]).len(), 5);
    for store in [&shown["querier"]["store"], &shown["ingester"]["store"]] {
        assert_eq!(keys(store).len(), 10);
        assert_eq!(keys(&store["chunk"]).len(), 9);
        assert_eq!(keys(&store["dataobj"]).len(), 14);
    }
    let (_, shown) = without_stats(all(metric(MetricAnswer::Scalar(0.0), Timestamp::EPOCH, &stats, &[])));
    assert_eq!(shown["summary"]["execTime"], json!(0.500000123), "in full");
}

fn text(answer: Vec<u8>) -> String {
    String::from_utf8(answer).unwrap()
}

#[test]
fn lists() {
    let names = ["app".to_owned(), "env".to_owned()];
    assert_eq!(text(all(name_list(names.to_vec()))), "{\"status\":\"success\",\"data\":[\"app\",\"env\"]}\n");
    assert_eq!(text(all(name_list(Vec::new()))), "{\"status\":\"success\"}\n");
    assert_eq!(text(all(legacy_list(names.to_vec()))), "{\"values\":[\"app\",\"env\"]}\n");
    assert_eq!(text(all(legacy_list(Vec::new()))), "{}\n");
    let sets = [Labels::from_pairs([("b", "2"), ("a", "1")]).unwrap(), Labels::default()];
    assert_eq!(
        text(all(series(sets.to_vec()))),
        "{\"status\":\"success\",\"data\":[{\"a\":\"1\",\"b\":\"2\"},{}]}\n"
    );
    assert_eq!(text(all(series(Vec::new()))), "{\"status\":\"success\",\"data\":[]}\n");
    assert_eq!(text(format_answer(Ok("{a=\"b\"}"))), "{\"status\":\"success\",\"data\":\"{a=\\\"b\\\"}\"}\n");
    assert_eq!(text(format_answer(Err("no"))), "{\"status\":\"invalid-query\",\"error\":\"no\"}\n");
}

#[test]
fn statistics_and_volumes() {
    let estimate = larch_proto::Estimate { streams: 1, chunks: 2, rows: 3, bytes: 4 };
    assert_eq!(text(index_statistics(&estimate)), "{\"streams\":1,\"chunks\":2,\"bytes\":4,\"entries\":3}\n");
    let shards: Value = serde_json::from_slice(&shards(&estimate)).unwrap();
    assert_eq!(shards["shards"][0]["bounds"]["max"], json!(u64::MAX));
    assert_eq!(shards["chunkGroups"], Value::Null);
    let at = Timestamp::from_millis;
    let volume = |app: &str, bytes: &[(i64, u64)]| Volume {
        labels: LabelSet::from_pairs([("app", app)]),
        bytes: bytes.iter().map(|(millis, bytes)| (at(*millis), *bytes)).collect(),
    };
    let (vector, _) = without_stats(volumes(&[volume("a", &[(1000, 5)]), volume("b", &[(2000, 4)])]));
    let want = concat!(
        r#"{"status":"success","data":{"resultType":"vector","result":["#,
        r#"{"metric":{"app":"a"},"value":[1,"5"]},{"metric":{"app":"b"},"value":[2,"4"]}],"stats":{}}}"#
    );
    assert_eq!(vector, want);
    let (matrix, _) =
        without_stats(volumes(&[volume("a", &[(999, 5), (2000, 6)]), volume("b", &[(2000, 4)])]));
    let want = concat!(
        r#"{"status":"success","data":{"resultType":"matrix","result":["#,
        r#"{"metric":{"app":"a"},"values":[[0.999,"5"],[2,"6"]]},{"metric":{"app":"b"},"values":[[2,"4"]]}"#,
        r#"],"stats":{}}}"#
    );
    assert_eq!(matrix, want);
    assert!(text(volumes(&[])).contains("\"vector\",\"result\":[]"));
}

#[test]
fn patterns_and_detected() {
    let pattern = PatternSeries {
        text: "order <_> accepted".to_owned(),
        level: "info".to_owned(),
        counts: vec![(Timestamp::from_secs(10), 120), (Timestamp::from_secs(20), 117)],
    };
    let want = concat!(
        r#"{"status":"success","data":[{"pattern":"order \u003c_\u003e accepted","level":"info","#,
        r#""samples":[[10,120],[20,117]]}]}"#
    );
    assert_eq!(text(patterns(&[pattern])), format!("{want}\n"));
    assert_eq!(text(patterns(&[])), "{\"status\":\"success\",\"data\":[]}\n");
    let label = |label: &str, cardinality| DetectedLabel { label: label.to_owned(), cardinality };
    let want = r#"{"detectedLabels":[{"label":"a","cardinality":4},{"label":"b","cardinality":23}]}"#;
    assert_eq!(text(detected_labels(&[label("a", 4), label("b", 23)])), format!("{want}\n"));
    assert_eq!(text(detected_labels(&[])), "{}\n");
    let fields = [
        DetectedField {
            label: "user_id".to_owned(),
            kind: "int",
            cardinality: 9,
            parsers: vec!["json"],
            json_path: vec!["user".to_owned(), "id".to_owned()],
        },
        DetectedField {
            label: "detected_level".to_owned(),
            kind: "string",
            cardinality: 3,
            parsers: Vec::new(),
            json_path: Vec::new(),
        },
    ];
    let want = concat!(
        r#"{"fields":[{"label":"user_id","type":"int","cardinality":9,"parsers":["json"],"jsonPath":["user","id"]},"#,
        r#"{"label":"detected_level","type":"string","cardinality":3,"parsers":null}],"limit":1000}"#
    );
    assert_eq!(text(detected_fields(&fields, 1000)), format!("{want}\n"));
    assert_eq!(text(detected_fields(&[], 1000)), "{}\n");
    assert_eq!(text(detected_values(&["GET".to_owned()], 7)), "{\"values\":[\"GET\"],\"limit\":7}\n");
    assert_eq!(text(detected_values(&[], 7)), "{}\n");
    let limits = serde_json::Map::from_iter([("query_timeout".to_owned(), json!("1m"))]);
    let want = r#"{"limits":{"query_timeout":"1m"},"pattern_ingester_enabled":false,"version":"3.7.0"}"#;
    assert_eq!(text(drilldown_limits(limits, false, "3.7.0")), format!("{want}\n"));
}

proptest! {
    /// Whatever lines and labels hold, the answer is JSON and holds them.
    #[test]
    fn hostile_rows_come_back(
        stored in prop::collection::vec(("[a-z\"\\\\<\n]{0,3}", any::<String>(), prop::collection::vec(any::<u8>(), 0..40), any::<i64>()), 0..12),
        categorized in any::<bool>(),
    ) {
        let mut rows = LogRows::new(categorized);
        let mut batch = EntryBatch::default();
        for (index, (name, value, line, nanos)) in stored.iter().enumerate() {
            batch.labels.push(ResultLabels {
                stream: pairs(&[("s", value)]),
                metadata: pairs(&[(&format!("m{name}"), value)]),
                parsed: pairs(&[(&format!("p{name}"), value)]),
            });
            batch.entries.push(entry(index as u32, *nanos, line));
        }
        rows.add(batch);
        let answer = all(logs(rows, &flags(""), &Statistics::default(), &[]));
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let mut found = Vec::new();
        for stream in answer["data"]["result"].as_array().unwrap() {
            for value in stream["values"].as_array().unwrap() {
                let own = if categorized { &value[2] } else { &stream["stream"] };
                found.push((value[0].as_str().unwrap().to_owned(), value[1].as_str().unwrap().to_owned(), own.clone()));
            }
        }
        let mut want = Vec::new();
        for (name, value, line, nanos) in &stored {
            let line: String = line.utf8_chunks().map(|chunk| {
                format!("{}{}", chunk.valid(), "\u{fffd}".repeat(chunk.invalid().len()))
            }).collect();
            let (metadata, parsed) = (format!("m{name}"), format!("p{name}"));
            let own = if categorized {
                json!({"structuredMetadata": {metadata: value}, "parsed": {parsed: value}})
            } else {
                json!({"s": value.replace('\u{fffd}', " "), metadata: value, parsed: value})
            };
            want.push((nanos.to_string(), line, own));
        }
        let text = |rows: &mut Vec<(String, String, Value)>| {
            let mut texts: Vec<String> = rows.drain(..).map(|(nanos, line, mut own)| {
                own.sort_all_objects();
                format!("{nanos} {line:?} {own}")
            }).collect();
            texts.sort();
            texts
        };
        prop_assert_eq!(text(&mut found), text(&mut want));
    }
}
