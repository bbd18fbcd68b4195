//! The ways in which an operator ends an ingester, and what is where afterwards.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

use std::path::Path;

use larch_testkit::http::with_query;
use larch_testkit::process::{Running, built, configured};
use larch_tests::{now, push_json};
use serde_json::{Value, json};

const SETTINGS: &str = "
auth_enabled: false
common: {path_prefix: ./data, replication_factor: 1}
# However full the disk of the test is.
ingester: {wal: {disk_full_threshold: 0}}
";

fn start(folder: &Path) -> Running {
    let larch = Running::start(configured(built("larch"), folder, SETTINGS));
    larch.get_until("/ready", |answer| answer.status == 200);
    larch
}

fn push(larch: &Running, line: &str) -> u16 {
    let stream = json!({"stream": {"app": "a"}, "values": [[now().nanos().to_string(), line]]});
    push_json(&mut larch.client(), None, &[stream]).expect("an answer").status
}

fn lines(larch: &Running) -> Vec<String> {
    let path = with_query("/loki/api/v1/query_range", [("query", r#"{app="a"}"#)]);
    let answer = larch.get(&path);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let body: Value = serde_json::from_str(&answer.body).expect("JSON");
    let mut lines = Vec::new();
    for stream in body["data"]["result"].as_array().expect("streams") {
        for value in stream["values"].as_array().expect("values") {
            lines.push(value[1].as_str().expect("a line").to_owned());
        }
    }
    lines
}

/// Ends a process in some way, and starts it again: with its disk, or with what is in the store alone.
fn check(end: impl FnOnce(Running), store_has_it: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let larch = start(folder.path());
    assert_eq!(push(&larch, "line"), 204);
    end(larch);
    if store_has_it {
        std::fs::remove_dir_all(folder.path().join("data/wal")).expect("remove the log");
    }
    let larch = start(folder.path());
    assert_eq!(lines(&larch), ["line"]);
    assert_eq!(larch.get("/ingester/prepare_shutdown").body, "unset");
    larch.stop();
}

fn ask(larch: &Running, path: &str) {
    let answer = larch.ask("POST", path, &[], "");
    assert_eq!(answer.status, 204, "{path}: {}", answer.body);
}

#[test]
fn a_shutdown_leaves_all_rows_in_the_store_and_ends_the_process() {
    let end = |mut larch: Running| {
        ask(&larch, "/ingester/shutdown");
        assert!(larch.wait().0.success());
    };
    check(end, true);
}

#[test]
fn a_shutdown_without_flush_leaves_rows_in_the_log() {
    let end = |mut larch: Running| {
        ask(&larch, "/ingester/shutdown?flush=false&delete_ring_tokens=true");
        assert!(larch.wait().0.success());
    };
    check(end, false);
}

#[test]
fn a_shutdown_may_leave_the_process() {
    let end = |larch: Running| {
        let refused = larch.ask("POST", "/ingester/shutdown?terminate=perhaps", &[], "");
        assert_eq!(refused.status, 400, "{}", refused.body);
        ask(&larch, "/ingester/shutdown?terminate=false");
        let again = larch.ask("GET", "/ingester/shutdown", &[], "");
        assert_eq!((again.status, &*again.body), (503, "Ingester is stopping or already stopped.\n"));
        assert_eq!(push(&larch, "too late"), 503);
        let metric = |answer: &str| {
            let value = answer.lines().find(|line| line.starts_with("loki_ingester_chunks_stored_total{"));
            value.is_some_and(|line| line.ends_with(" 1"))
        };
        larch.get_until("/metrics", |answer| metric(&answer.body));
        larch.stop();
    };
    check(end, true);
}

#[test]
fn a_prepared_stop_leaves_all_rows_in_the_store() {
    let end = |larch: Running| {
        ask(&larch, "/ingester/prepare_shutdown");
        assert_eq!(larch.get("/ingester/prepare_shutdown").body, "set");
        let forgotten = larch.ask("DELETE", "/ingester/prepare_shutdown", &[], "");
        assert_eq!(forgotten.status, 204);
        ask(&larch, "/ingester/prepare_shutdown");
        larch.stop();
    };
    check(end, true);
}
