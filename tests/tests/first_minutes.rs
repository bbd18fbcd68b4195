//! What README.md promises for the first five minutes, done as it says.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

use larch_testkit::http::with_query;
use larch_testkit::process::{Running, built};
use larch_tests::{PUSH, now, push_json};
use rustix::process::Signal;
use serde_json::{Value, json};

const README: &str = include_str!("../../README.md");

/// The queries as they stand there.
const LINES: &str = r#"{app="shop"} |= "accepted""#;
const NUMBERS: &str = r#"sum by (app) (count_over_time({app="shop"}[1h]))"#;

#[test]
fn a_line_is_pushed_found_counted_and_still_there_after_a_restart() {
    for written in
        [PUSH, "/loki/api/v1/query_range", "/loki/api/v1/query ", "/loki/api/v1/labels", LINES, NUMBERS]
    {
        assert!(README.contains(written), "README.md does not say {written}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let start = || {
        let mut command = built("larch");
        // A free port, so that tests do not meet, and however full the disk is; everything else is as without
        // arguments.
        command.current_dir(folder.path()).env_clear();
        command.args(["-server.http-listen-port=0", "-ingester.wal.disk-full-threshold=0"]);
        let larch = Running::start(command);
        larch.get_until("/ready", |answer| answer.status == 200);
        larch
    };
    let time = now().nanos().to_string();

    let mut larch = start();
    let mut client = larch.client();
    let stream = json!({"stream": {"app": "shop"}, "values": [[time, "order 17 accepted"]]});
    let pushed = push_json(&mut client, None, &[stream]).expect("an answer");
    assert_eq!((pushed.status, pushed.body.as_str()), (204, ""));
    let labels = larch.get("/loki/api/v1/labels");
    assert_eq!(labels.status, 200, "{}", labels.body);
    assert_eq!(json_of(&labels.body), json!({"status": "success", "data": ["app", "service_name"]}));
    check_line(&larch, &time);
    let numbers = larch.get(&with_query("/loki/api/v1/query", [("query", NUMBERS)]));
    assert_eq!(numbers.status, 200, "{}", numbers.body);
    let result = &json_of(&numbers.body)["data"]["result"];
    assert_eq!((&result[0]["metric"], &result[0]["value"][1]), (&json!({"app": "shop"}), &json!("1")));

    drop(client);
    larch.signal(Signal::INT);
    let (status, log) = larch.wait();
    assert!(status.success(), "{log:#?}");
    let entries = std::fs::read_dir(folder.path()).expect("the folder");
    let names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(names, ["larch-data"], "it writes below one directory");

    let larch = start();
    check_line(&larch, &time);
    larch.stop();
}

#[track_caller]
fn check_line(larch: &Running, time: &str) {
    let answer = larch.get(&with_query("/loki/api/v1/query_range", [("query", LINES)]));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let labels = json!({"app": "shop", "detected_level": "unknown", "service_name": "shop"});
    let stream = json!([{"stream": labels, "values": [[time, "order 17 accepted"]]}]);
    assert_eq!(json_of(&answer.body)["data"]["result"], stream, "{}", answer.body);
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect(text)
}
