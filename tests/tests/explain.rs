//! A query that is explained says which way it took and what it left out, in the API and on the command line.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

use larch_testkit::http::with_query;
use larch_testkit::process::{Running, built};
use larch_tests::{now, push_json};
use serde_json::{Value, json};

const LINES: &str = r#"{app="shop"} |= "order""#;
const NOWHERE: &str = r#"{app="shop"} |= "zzqqxx-not-there""#;
const COUNT: &str = r#"sum(count_over_time({app="shop"} |= "order" [5m]))"#;

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect(text)
}

/// The pieces of a query's answer, but for those that only ask how much there is.
#[track_caller]
fn pieces(explain: &Value) -> Vec<Value> {
    let pieces = explain["pieces"].as_array().expect("pieces");
    pieces.iter().filter(|piece| piece["question"] != "estimate").cloned().collect()
}

#[track_caller]
fn explained(larch: &Running, query: &str) -> (Value, Vec<Value>) {
    let answer = larch.get(&with_query("/loki/api/v1/query_range", [("query", query), ("explain", "true")]));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let data = json_of(&answer.body)["data"].clone();
    let pieces = pieces(&data["explain"]);
    (data, pieces)
}

/// The sum of a figure over all pieces.
fn sum(pieces: &[Value], group: &str, name: &str) -> u64 {
    let figure = |piece: &Value| piece[group][name].as_u64().expect("a figure");
    pieces.iter().map(figure).sum()
}

fn larchctl(arguments: &[&str]) -> (bool, String, String) {
    let output = built("larchctl").args(arguments).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn queries_are_explained_and_asked_from_the_command_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = built("larch");
    command.current_dir(folder.path()).env_clear();
    command.args(["-server.http-listen-port=0", "-ingester.wal.disk-full-threshold=0"]);
    let larch = Running::start(command);
    larch.get_until("/ready", |answer| answer.status == 200);
    let time = now().nanos() - 1_000_000_000;
    let values: Vec<Value> =
        (0..20).map(|n| json!([(time + n).to_string(), format!("order {n} accepted")])).collect();
    let pushed =
        push_json(&mut larch.client(), None, &[json!({"stream": {"app": "shop"}, "values": values})]);
    assert_eq!(pushed.expect("an answer").status, 204);

    // While an ingester has the rows.
    let (data, of_rows) = explained(&larch, LINES);
    assert_eq!(data["result"][0]["values"].as_array().map(Vec::len), Some(20));
    assert!(of_rows.iter().all(|piece| piece["path"] == "columns"), "{of_rows:?}");
    assert_eq!((sum(&of_rows, "ingesters", "rows"), sum(&of_rows, "plan", "planned")), (20, 0));
    assert!(sum(&of_rows, "ingesters", "asked") > 0);

    // And once they are stored.
    assert_eq!(larch.ask("POST", "/flush/tenant", &[], "").status, 204);
    let (_, stored) = explained(&larch, LINES);
    assert_eq!((sum(&stored, "ingesters", "rows"), sum(&stored, "rows", "after_filters")), (0, 20));
    assert_eq!((sum(&stored, "plan", "planned"), sum(&stored, "read", "chunks")), (1, 1));
    assert!(sum(&stored, "read", "pages") >= 2 && sum(&stored, "read", "bytes") > 0);
    let (_, nowhere) = explained(&larch, NOWHERE);
    assert_eq!((sum(&nowhere, "plan", "skipped_by_filters"), sum(&nowhere, "plan", "planned")), (1, 0));
    let (_, others) = explained(&larch, r#"{app="nobody"}"#);
    assert_eq!((sum(&others, "plan", "segments"), sum(&others, "plan", "planned")), (0, 0), "by its labels");
    let (_, counted) = explained(&larch, COUNT);
    assert!(counted.iter().all(|piece| piece["path"] == "columns"), "{counted:?}");
    let why = counted[0]["why_not_faster"].to_string();
    assert!(why.contains("histograms: the query needs more of rows"), "{why}");

    // Whoever does not ask is not told.
    let plain = larch.get(&with_query("/loki/api/v1/query_range", [("query", LINES)]));
    assert!(json_of(&plain.body)["data"].get("explain").is_none());

    let address = larch.address().to_string();
    let (is_good, text, errors) = larchctl(&["explain", &address, LINES]);
    assert!(is_good && text.contains("path: columns") && text.contains("planned 1"), "{text} {errors}");
    let (is_good, text, _) = larchctl(&["explain", &address, NOWHERE, "--json"]);
    assert!(is_good);
    assert_eq!(sum(&pieces(&json_of(&text)), "plan", "skipped_by_filters"), 1);
    let (is_good, text, _) = larchctl(&["query", &address, LINES, "--limit", "2"]);
    assert!(is_good && text.lines().count() == 2 && text.contains("order 19 accepted"), "{text}");
    let (_, text, _) = larchctl(&["instant", &address, COUNT]);
    assert!(text.starts_with("{} ") && text.ends_with(" 20\n"), "{text}");
    assert_eq!(larchctl(&["labels", &address]).1, "app\nservice_name\n");
    assert_eq!(larchctl(&["labels", &address, "app"]).1, "shop\n");
    let (_, text, _) = larchctl(&["series", &address, r#"{app="shop"}"#]);
    assert_eq!(json_of(&text), json!({"app": "shop", "service_name": "shop"}));
    let (is_good, _, errors) = larchctl(&["query", &address, "{"]);
    assert!(!is_good && errors.contains("400") && errors.contains("parse error"), "{errors}");
    larch.stop();
}
