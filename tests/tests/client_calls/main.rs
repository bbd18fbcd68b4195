//! The calls of real clients, with the parameters and headers that they send, against the built binary.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod canary;
mod collector;
mod drilldown;
mod grafana;
mod logcli;
mod lokitool;
mod shippers;
mod tail;

use larch_testkit::http::{Answer, with_query};
use larch_testkit::process::{Running, built, configured};
use larch_tests::{gunzip, push_json};
use larch_types::Timestamp;
use serde_json::{Value, json};

/// Patterns are mined at once, so that the test need not wait for a batch to be old enough.
const SETTINGS: &str = "
auth_enabled: false
common: {path_prefix: ./data, replication_factor: 1}
# However full the disk of the test is.
ingester: {wal: {disk_full_threshold: 0}}
pattern_ingester: {enabled: true, tee_config: {batch_size: 1}}
";

/// A server with one kind of client.
struct House {
    _folder: tempfile::TempDir,
    larch: Running,
    /// What the client sends with every request.
    headers: Vec<(&'static str, &'static str)>,
}

impl House {
    fn start(settings: &str, headers: &[(&'static str, &'static str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let larch = Running::start(configured(built("larch"), folder.path(), settings));
        larch.get_until("/ready", |answer| answer.status == 200);
        Self { _folder: folder, larch, headers: headers.to_vec() }
    }

    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Answer {
        self.larch.ask("GET", &with_query(path, parameters.iter().copied()), &self.headers, "")
    }

    /// The body of a success, unpacked and parsed.
    #[track_caller]
    fn json(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let answer = self.get(path, parameters);
        assert_eq!(answer.status, 200, "{path} {parameters:?}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json; charset=UTF-8"), "{answer:?}");
        let text = text_of(&answer);
        serde_json::from_str(&text).expect(&text)
    }

    /// What stands under `data.result`.
    #[track_caller]
    fn result(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        self.json(path, parameters)["data"]["result"].take()
    }

    /// Pushes streams, each an object of `stream` and `values`.
    fn push(&self, streams: &[Value]) {
        let answer = push_json(&mut self.larch.client(), None, streams).expect("an answer");
        assert_eq!(answer.status, 204, "{}", answer.body);
    }

    fn stop(self) {
        self.larch.stop();
    }
}

fn text_of(answer: &Answer) -> String {
    if answer.header("content-encoding") == Some("gzip") {
        return String::from_utf8(gunzip(&answer.bytes)).expect("UTF-8");
    }
    answer.body.clone()
}

/// A time so many seconds before another, in nanoseconds.
fn before(time: Timestamp, seconds: i64) -> i64 {
    time.nanos() - seconds * 1_000_000_000
}

/// A stream with rows of one line each.
fn stream(labels: &Value, rows: &[(i64, String)]) -> Value {
    let values: Vec<Value> = rows.iter().map(|(time, line)| json!([time.to_string(), line])).collect();
    json!({"stream": labels, "values": values})
}
