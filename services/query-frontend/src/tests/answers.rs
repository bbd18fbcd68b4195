//! Every endpoint with an answer from a worker.

use larch_logql::MAX_QUERY_BYTES;
use larch_proto::{
    EntryBatch, Estimate, LabelsQuery, Pair, PatternSeries, Piece, QueryStatistics, Question, ResultEntry,
    ResultLabels, ResultPart, SampleSeries, TextBatch,
};
use larch_rpc::CallError;
use larch_types::{ErrorKind, Timestamp};
use serde_json::{Value, json};

use super::house::{House, Reply, Wanted, done, done_with, in_house, in_plain_house, nothing};

const RANGE: &str = "/loki/api/v1/query_range";
const INSTANT: &str = "/loki/api/v1/query";
const LOGS: &str = r#"{app="x"}"#;
const RATE: &str = r#"rate({app="x"}[1m])"#;

pub(super) fn pairs(labels: &[(&str, &str)]) -> Vec<Pair> {
    labels.iter().map(|(name, value)| Pair { name: (*name).into(), value: (*value).into() }).collect()
}

/// Rows with one stream label, one of metadata and one parsed one.
pub(super) fn entries(rows: &[(i64, &str)]) -> ResultPart {
    let labels = ResultLabels {
        stream: pairs(&[("app", "x")]),
        metadata: pairs(&[("detected_level", "info")]),
        parsed: pairs(&[("status", "200")]),
    };
    let entry = |(seconds, line): &(i64, &str)| ResultEntry {
        stream: 0,
        labels: 0,
        timestamp: Timestamp::from_secs(*seconds),
        line: bytes::Bytes::copy_from_slice(line.as_bytes()),
    };
    let entries = rows.iter().map(entry).collect();
    ResultPart::Entries(EntryBatch { streams: Vec::new(), labels: vec![labels], entries })
}

fn samples(series: &[(&str, &[(u32, f64)])]) -> ResultPart {
    let one = |(app, points): &(&str, &[(u32, f64)])| SampleSeries {
        labels: pairs(&[("app", app)]),
        steps: points.iter().map(|(step, _)| *step).collect(),
        values: points.iter().map(|(_, value)| *value).collect(),
        remainders: Vec::new(),
    };
    ResultPart::Samples(series.iter().map(one).collect())
}

fn texts(texts: &[&str]) -> ResultPart {
    ResultPart::Texts(TextBatch { texts: texts.iter().map(|text| (*text).to_owned()).collect() })
}

/// Asks a frontend whose worker brings these parts for every piece.
#[track_caller]
fn answered(
    parts: Vec<ResultPart>,
    path: &str,
    parameters: &[(&str, &str)],
    check: impl AsyncFnOnce(Value, String),
) {
    in_plain_house(async |house| {
        house.worker(1, 1, move |_: &Piece| Reply::Parts(parts.clone()));
        let answer = house.get(path, parameters).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        check(answer.json(), answer.text().to_owned()).await;
    });
}

fn two_batches() -> Vec<ResultPart> {
    let statistics = QueryStatistics { rows: 9, line_bytes: 100, ..QueryStatistics::default() };
    vec![entries(&[(30, "c"), (20, "b")]), entries(&[(10, "a")]), done_with(statistics, &["careful"])]
}

#[test]
fn rows() {
    answered(two_batches(), RANGE, &[("query", LOGS)], async |answer, text| {
        assert_eq!(answer["data"]["resultType"], "streams");
        let stream = &answer["data"]["result"][0];
        assert_eq!(stream["stream"], json!({"app": "x", "detected_level": "info", "status": "200"}));
        let values = json!([["30000000000", "c"], ["20000000000", "b"], ["10000000000", "a"]]);
        assert_eq!(stream["values"], values);
        let summary = &answer["data"]["stats"]["summary"];
        assert_eq!(
            (&summary["totalLinesProcessed"], &summary["totalEntriesReturned"]),
            (&json!(9), &json!(3))
        );
        assert_eq!(answer["warnings"], json!(["careful"]));
        assert!(answer["data"].get("encodingFlags").is_none());
        assert!(text.ends_with("}}\n"));
    });
    // No worker brings more than it was asked for; if one did, the client would not see it.
    answered(two_batches(), RANGE, &[("query", LOGS), ("limit", "2")], async |answer, _| {
        assert_eq!(answer["data"]["result"][0]["values"].as_array().unwrap().len(), 2);
    });
}

#[test]
fn rows_by_category() {
    in_plain_house(async |house| {
        house.worker(1, 1, |_: &Piece| Reply::Parts(two_batches()));
        let headers = [("x-loki-response-encoding-flags", "foo,categorize-labels")];
        for path in [RANGE, INSTANT] {
            let answer = house.get_as("acme", path, &[("query", LOGS)], &headers).await.json();
            assert_eq!(answer["data"]["encodingFlags"], json!(["foo", "categorize-labels"]));
            let stream = &answer["data"]["result"][0];
            assert_eq!(stream["stream"], json!({"app": "x"}));
            let own = json!({"structuredMetadata": {"detected_level": "info"}, "parsed": {"status": "200"}});
            assert_eq!(stream["values"][0], json!(["30000000000", "c", own]));
        }
        let answer = house.get_as("acme", INSTANT, &[("query", "vector(1)")], &headers).await.json();
        assert!(answer["data"].get("encodingFlags").is_none(), "not for metrics");
    });
}

#[test]
fn intervals_thin_rows_out() {
    let rows = [(100, "g"), (95, "f"), (91, "e"), (90, "d"), (80, "c"), (75, "b"), (70, "a")];
    let parts = vec![entries(&rows[..3]), entries(&rows[3..]), done()];
    let parameters = [("query", LOGS), ("interval", "10s")];
    answered(parts.clone(), RANGE, &parameters, async |answer, _| {
        let values = answer["data"]["result"][0]["values"].as_array().unwrap();
        let lines: Vec<&str> = values.iter().map(|value| value[1].as_str().unwrap()).collect();
        assert_eq!(lines, ["g", "d", "c", "a"]);
    });
    let parameters = [("query", LOGS), ("interval", "10s"), ("limit", "2")];
    answered(parts, RANGE, &parameters, async |answer, _| {
        assert_eq!(answer["data"]["result"][0]["values"].as_array().unwrap().len(), 2);
    });
}

#[test]
fn series_over_a_range() {
    let parts = vec![samples(&[("b", &[(0, 1.0), (2, 0.5)])]), samples(&[("a", &[(1, f64::NAN)])]), done()];
    let parameters = [("query", RATE), ("start", "1000.5"), ("end", "1100"), ("step", "60")];
    answered(parts, RANGE, &parameters, async |answer, text| {
        assert_eq!(answer["data"]["resultType"], "matrix");
        let result = json!([
            {"metric": {"app": "a"}, "values": [[1020, "NaN"]]},
            {"metric": {"app": "b"}, "values": [[960, "1"], [1080, "0.5"]]},
        ]);
        assert_eq!(answer["data"]["result"], result);
        assert_eq!(answer["data"]["stats"]["summary"]["totalEntriesReturned"], 3);
        assert!(text.ends_with("}}"), "no line feed");
    });
}

#[test]
fn samples_at_an_instant() {
    let parts = || vec![samples(&[("b", &[(0, 1.0)]), ("a", &[(0, 2.0)])]), done()];
    let ordered = |answer: &Value| -> Vec<Value> {
        assert_eq!(answer["data"]["resultType"], "vector");
        let result = answer["data"]["result"].as_array().unwrap();
        assert!(result.iter().all(|sample| sample["value"][0] == json!(1000.5)));
        result.iter().map(|sample| sample["metric"]["app"].clone()).collect()
    };
    answered(parts(), INSTANT, &[("query", RATE), ("time", "1000.5")], async |answer, _| {
        assert_eq!(ordered(&answer), ["a", "b"]);
    });
    let sorted = format!("sort({RATE})");
    answered(parts(), INSTANT, &[("query", &sorted), ("time", "1000.5")], async |answer, _| {
        assert_eq!(ordered(&answer), ["b", "a"]);
    });
}

/// Without any worker, for a tenant without data, at a time that is far away.
#[test]
fn constants_need_nobody() {
    in_plain_house(async |house| {
        let check = [("query", "vector(1)+vector(1)"), ("time", "4000000000"), ("direction", "backward")];
        let answer = house.get(INSTANT, &check).await.json();
        assert_eq!(answer["data"]["resultType"], "vector");
        assert_eq!(answer["data"]["result"], json!([{"metric": {}, "value": [4_000_000_000_u64, "2"]}]));
        let scalar = house.get(INSTANT, &[("query", "1+1"), ("time", "7")]).await.json();
        assert_eq!(scalar["data"]["resultType"], "scalar");
        assert_eq!(scalar["data"]["result"], json!([7, "2"]));
        let parameters = [("query", "1+1"), ("start", "0"), ("end", "20"), ("step", "10")];
        let matrix = house.get(RANGE, &parameters).await.json();
        let result = json!([{"metric": {}, "values": [[0, "2"], [10, "2"], [20, "2"]]}]);
        assert_eq!((&matrix["data"]["resultType"], &matrix["data"]["result"]), (&json!("matrix"), &result));
    });
}

#[test]
fn legacy_queries() {
    in_plain_house(async |house| {
        let worker = house.worker(1, 1, |_: &Piece| Reply::Parts(two_batches()));
        let answer = house.get("/api/prom/query", &[("query", LOGS), ("regexp", "a\"b")]).await.json();
        let stream = &answer["streams"][0];
        assert_eq!(stream["labels"], r#"{app="x", detected_level="info", status="200"}"#);
        assert_eq!(stream["entries"][0], json!({"ts": "1970-01-01T00:00:30Z", "line": "c"}));
        assert_eq!(answer["stats"]["summary"]["totalLinesProcessed"], 9);
        let Question::Logs { query, .. } = worker.pieces()[0].question.clone() else {
            panic!("no log question")
        };
        assert_eq!(query, r#"{app="x"} |~ "a\"b""#);
        for (parameters, text) in [
            ([("query", RATE), ("regexp", "")], "legacy endpoints only support streams result type"),
            ([("query", RATE), ("regexp", "a")], "only log selector is supported"),
            (
                [("query", LOGS), ("regexp", "(")],
                "parse error : stage '|~ \"(\"' : error parsing regexp: \
                                                   missing closing ): `(`",
            ),
        ] {
            let answer = house.get("/api/prom/query", &parameters).await;
            assert_eq!((answer.status, answer.text()), (400, text));
        }
    });
}

#[test]
fn names_values_and_series() {
    let stored = r#"{a="1", b="x\"y"}"#;
    for (path, parts, want) in [
        (
            "/loki/api/v1/labels",
            vec![texts(&["b", "c"]), texts(&["a"])],
            json!({"status": "success", "data": ["a", "b", "c"]}),
        ),
        ("/loki/api/v1/labels", vec![], json!({"status": "success"})),
        ("/loki/api/v1/label/a/values", vec![texts(&["1"])], json!({"status": "success", "data": ["1"]})),
        ("/api/prom/label", vec![texts(&["a"])], json!({"values": ["a"]})),
        ("/api/prom/label/a/values", vec![], json!({})),
        (
            "/loki/api/v1/series",
            vec![texts(&[stored])],
            json!({"status": "success", "data": [{"a": "1", "b": "x\"y"}]}),
        ),
        ("/api/prom/series", vec![], json!({"status": "success", "data": []})),
    ] {
        let parts: Vec<ResultPart> = parts.into_iter().chain([done()]).collect();
        answered(parts, path, &[], async |answer, text| {
            assert_eq!(answer, want, "{path}");
            assert!(text.ends_with('\n'), "{path}");
        });
    }
    in_plain_house(async |house| {
        house.worker(1, 1, |_: &Piece| Reply::Parts(vec![texts(&["{broken"]), done()]));
        let answer = house.get("/loki/api/v1/series", &[]).await;
        assert_eq!(answer.status, 500);
        assert!(
            answer.text().starts_with("a querier sent an answer that cannot be read"),
            "{}",
            answer.text()
        );
    });
}

#[test]
fn only_selectors_select_labels() {
    in_plain_house(async |house| {
        for path in ["/loki/api/v1/labels", "/loki/api/v1/index/stats", "/loki/api/v1/patterns"] {
            for (query, text) in [
                (r#"{a="1"} |= "x""#, "only label matchers are supported"),
                (RATE, "only label matchers are supported"),
                (
                    "{",
                    "parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }",
                ),
            ] {
                let answer = house.get(path, &[("query", query)]).await;
                assert_eq!((answer.status, answer.text()), (400, text), "{path}");
            }
            let answer = house.get(path, &[("query", "{}")]).await;
            assert!(answer.text().starts_with("parse error : queries require at least one"), "{path}");
        }
        let both = house.get("/loki/api/v1/series", &[("match[]", "{}"), ("match", r#"{a="1"}"#)]).await;
        assert!(both.text().starts_with("parse error : queries require at least one"));
        let form = format!("query={}", "x".repeat(MAX_QUERY_BYTES));
        let request = http::Request::post(RANGE)
            .header("x-scope-orgid", "acme")
            .header("content-type", "application/x-www-form-urlencoded");
        let long = house.ask(request.body(form.into()).unwrap()).await;
        assert_eq!(long.text(), "parse error : input size too long (131072 > 131072)");
    });
}

#[test]
fn statistics_and_volumes() {
    let stats = |rows| ResultPart::Stats(Estimate { streams: 1, chunks: 2, rows, bytes: 4 });
    answered(vec![stats(3), done()], "/loki/api/v1/index/stats", &[("query", LOGS)], async |_, text| {
        assert_eq!(text, "{\"streams\":1,\"chunks\":2,\"bytes\":4,\"entries\":3}\n");
    });
    let parameters = [("query", LOGS), ("targetBytesPerShard", "600MB")];
    answered(vec![stats(3), done()], "/loki/api/v1/index/shards", &parameters, async |answer, _| {
        assert_eq!(answer["shards"][0]["stats"]["entries"], 3);
    });
    let bounds = [("query", "{}"), ("start", "7200"), ("end", "14400"), ("step", "3600"), ("limit", "1")];
    let parts = vec![samples(&[("a", &[(0, 5.0), (1, 7.0)]), ("b", &[(0, 1.0)])]), done()];
    answered(parts.clone(), "/loki/api/v1/index/volume_range", &bounds, async |answer, _| {
        let result = json!([{"metric": {"app": "a"}, "values": [[10_799.999, "5"], [14_400, "7"]]}]);
        assert_eq!((&answer["data"]["resultType"], &answer["data"]["result"]), (&json!("matrix"), &result));
    });
    let parts = vec![samples(&[("a", &[(0, 12.0)])]), done()];
    answered(parts, "/loki/api/v1/index/volume", &bounds[..3], async |answer, text| {
        let result = json!([{"metric": {"app": "a"}, "value": [14_400, "12"]}]);
        assert_eq!((&answer["data"]["resultType"], &answer["data"]["result"]), (&json!("vector"), &result));
        assert!(text.ends_with("}}"), "no line feed");
    });
}

#[test]
fn what_is_switched_off_is_not_found() {
    let mut wanted = Wanted::default();
    wanted.limits.volume_enabled = false;
    wanted.config.frontend.pattern_ingester_enabled = false;
    in_house(wanted, async |house| {
        for path in ["/loki/api/v1/index/volume", "/loki/api/v1/index/volume_range"] {
            let answer = house.get(path, &[("query", LOGS)]).await;
            assert_eq!((answer.status, answer.text()), (404, "not found"));
        }
        let answer = house.get("/loki/api/v1/patterns", &[("query", LOGS)]).await;
        assert_eq!((answer.status, answer.text()), (404, ""));
        let limits = house.get("/loki/api/v1/drilldown-limits", &[]).await.json();
        assert_eq!(limits["pattern_ingester_enabled"], false);
        assert_eq!(limits["limits"]["volume_enabled"], false);
        assert_eq!(limits["limits"]["max_query_length"], "30d1h");
        assert!(limits["version"].as_str().unwrap().starts_with("3."));
    });
}

#[test]
fn patterns() {
    let pattern = PatternSeries {
        text: "order <_>".to_owned(),
        level: "info".to_owned(),
        counts: vec![(Timestamp::from_secs(10), 40)],
    };
    let parts = vec![ResultPart::Patterns(vec![pattern]), done()];
    answered(parts, "/loki/api/v1/patterns", &[("query", LOGS)], async |answer, _| {
        let data = json!([{"pattern": "order <_>", "level": "info", "samples": [[10, 40]]}]);
        assert_eq!(answer, json!({"status": "success", "data": data}));
    });
}

#[test]
fn detected() {
    let parts = vec![texts(&[r#"{app="a", pod="1"}"#, r#"{app="b", pod="1"}"#]), done()];
    answered(parts, "/loki/api/v1/detected_labels", &[], async |answer, _| {
        let labels = json!([{"label": "pod", "cardinality": 1}, {"label": "app", "cardinality": 2}]);
        assert_eq!(answer, json!({"detectedLabels": labels}));
    });
    answered(vec![done()], "/loki/api/v1/detected_labels", &[], async |answer, _| {
        assert_eq!(answer, json!({}))
    });
    let rows = || vec![entries(&[(2, r#"{"id": 7}"#), (1, "took=5s")]), done()];
    answered(rows(), "/loki/api/v1/detected_fields", &[("query", LOGS)], async |answer, _| {
        let labels: Vec<&Value> = answer["fields"].as_array().unwrap().iter().map(|f| &f["label"]).collect();
        assert_eq!(labels, ["detected_level", "id", "status", "took"]);
        assert_eq!((&answer["fields"][0]["parsers"], &answer["limit"]), (&Value::Null, &json!(1000)));
        assert_eq!(answer["fields"][1]["jsonPath"], json!(["id"]));
    });
    let parameters = [("query", LOGS), ("limit", "1")];
    answered(rows(), "/loki/api/v1/detected_field/id/values", &parameters, async |answer, _| {
        assert_eq!(answer, json!({"values": ["7"], "limit": 1}));
    });
    in_plain_house(async |house| {
        house.worker(1, 1, nothing);
        for (query, text) in
            [("", "parse error : syntax error: unexpected $end"), (RATE, "only log selector is supported")]
        {
            let answer = house.get("/loki/api/v1/detected_fields", &[("query", query)]).await;
            assert_eq!((answer.status, answer.text()), (400, text));
        }
        let many = [("query", LOGS), ("line_limit", "5001")];
        let answer = house.get("/loki/api/v1/detected_fields", &many).await;
        assert!(answer.text().contains("(5001 > 5000)"), "{}", answer.text());
    });
}

async fn failed(house: &House, error: CallError) -> (u16, String) {
    house.worker(1, 1, move |_: &Piece| Reply::Failure(error.clone()));
    let answer = house.get(RANGE, &[("query", RATE)]).await;
    (answer.status, answer.text().to_owned())
}

#[test]
fn failures_of_pieces_keep_kind_and_text() {
    let pipeline = "pipeline error: 'JSONParserErr' for series: '{a=\"1\"}'.\nUse a label filter…\n";
    for (kind, text, status) in [
        (ErrorKind::Invalid, pipeline, 400),
        (ErrorKind::TooMany, "slow down", 429),
        (ErrorKind::Internal, "a segment is gone", 500),
        (ErrorKind::Corrupt, "a page fails its checksum", 500),
        (ErrorKind::Unavailable, "no ingester is there", 503),
    ] {
        in_plain_house(async |house| {
            assert_eq!(failed(&house, CallError::new(kind, text)).await, (status, text.to_owned()));
        });
    }
}

#[test]
fn labels_of_a_question() {
    in_plain_house(async |house| {
        let worker = house.worker(1, 1, nothing);
        house.get("/loki/api/v1/series", &[("match[]", r#"{a="1"}"#), ("match", r#"{b!="2", c="3"}"#)]).await;
        let Question::Labels { query, any_of } = worker.pieces()[0].question.clone() else {
            panic!("labels")
        };
        assert_eq!((query, any_of.len(), any_of[0].matchers.len()), (LabelsQuery::Series, 2, 2));
    });
}
