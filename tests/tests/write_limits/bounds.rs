//! The bounds that all tenants share: pushes at a time, and the size of one, which may be above what the
//! port lets through elsewhere.

use std::io::{BufReader, Write};

use larch_testkit::http::{Client, DEADLINE, open, read_answer};
use larch_testkit::process::{Running, built, configured};
use larch_tests::{PUSH, now};
use serde_json::json;

use crate::metric;

const SETTINGS: &str = "
auth_enabled: true
common: {path_prefix: ./data, replication_factor: 1}
# However full the disk of the test is.
ingester: {wal: {disk_full_threshold: 0}}
distributor: {max_inflight_pushes: 1, max_recv_msg_size: 150MB}
";

const HEADERS: [(&str, &str); 2] = [("X-Scope-OrgID", "acme"), ("Content-Type", "application/json")];

#[test]
fn of_all_tenants_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let larch = Running::start(configured(built("larch"), folder.path(), SETTINGS));
    larch.get_until("/ready", |answer| answer.status == 200);
    let mut client = larch.client();
    one_push_at_a_time(&larch, &mut client);
    larger_than_elsewhere(&larch, &mut client);
    larch.stop();
}

fn one_push_at_a_time(larch: &Running, client: &mut Client) {
    let line = json!({"streams": [{"stream": {"app": "a"}, "values": [[now().nanos().to_string(), "x"]]}]});
    let body = line.to_string();
    let (begin, end) = body.split_at(10);
    let mut first = open(larch.address(), DEADLINE).expect("connect");
    let head = head_of(PUSH, body.len());
    first.write_all(format!("{head}{begin}").as_bytes()).expect("send a part");
    wait_for_pushes(larch, 1);
    let busy = "The server cannot accept more requests at this time.";
    let refused = client.post(PUSH, &HEADERS, body.as_bytes()).expect("an answer");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!((refused.body.as_str(), refused.header("Retry-After")), (&*format!("{busy}\n"), Some("1")));
    let refused = client.post("/otlp/v1/logs", &HEADERS, b"{}").expect("an answer");
    assert_eq!((refused.status, refused.body), (503, json!({"message": busy}).to_string()));
    first.write_all(end.as_bytes()).expect("send the rest");
    let (answer, _) = read_answer(&mut BufReader::new(first)).expect("an answer");
    assert_eq!(answer.status, 204, "{}", answer.body);
    wait_for_pushes(larch, 0);
    let taken = client.post(PUSH, &HEADERS, body.as_bytes()).expect("an answer");
    assert_eq!(taken.status, 204, "{taken:?}");
}

fn wait_for_pushes(larch: &Running, count: usize) {
    let line = format!("larch_distributor_inflight_pushes {count}");
    larch.get_until("/metrics", |answer| answer.body.lines().any(|shown| shown == line));
}

/// A length is enough to be refused for it.
fn larger_than_elsewhere(larch: &Running, client: &mut Client) {
    const MAX: usize = 150 << 20;
    let text = format!("request body too large: message size too large than max ({} vs {MAX})", MAX + 1);
    let as_status = json!({"message": text}).to_string();
    for (path, body) in
        [(PUSH, format!("{text}\n")), ("/api/prom/push", format!("{text}\n")), ("/otlp/v1/logs", as_status)]
    {
        let mut stream = open(larch.address(), DEADLINE).expect("connect");
        stream.write_all(head_of(path, MAX + 1).as_bytes()).expect("send a head");
        let (answer, _) = read_answer(&mut BufReader::new(stream)).expect("an answer");
        assert_eq!((answer.status, &answer.body), (413, &body), "{path}");
        assert_eq!(answer.header("connection"), Some("close"), "what follows is not read");
    }
    let labels = ["reason=\"request_body_too_large\"".to_owned(), "tenant=\"acme\"".to_owned()];
    assert_eq!(metric(client, "loki_discarded_samples_total", &labels), 3);
    assert_eq!(metric(client, "loki_discarded_bytes_total", &labels), 3 * (MAX as u64 + 1));
}

fn head_of(path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nx-scope-orgid: acme\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    )
}
