//! What operators read of pushes where they ask for it, against the built binary: for all tenants, or for
//! single ones by the file of overrides.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

use larch_testkit::http::Client;
use larch_testkit::process::{Running, built, configured};
use larch_tests::{PUSH, now};
use serde_json::json;

const SETTINGS: &str = "
auth_enabled: true
common: {path_prefix: ./data, replication_factor: 1}
# However full the disk of the test is.
ingester: {wal: {disk_full_threshold: 0}}
runtime_config: {file: overrides.yaml}
";

const OVERRIDES: &str = "
configs:
  all:
    log_push_request: true
    log_push_request_streams: true
    log_hash_of_labels: true
    log_service_name_discovery: true
    log_stream_creation: true
    log_duplicate_stream_info: true
  hash: {log_hash_of_labels: true}
  near: {log_push_request_streams: true, filter_push_request_streams_ips: ['127.0.0.1']}
  far: {log_push_request: true, log_push_request_streams: true, filter_push_request_streams_ips: ['10.1.1.1', '10.2.2.2']}
";

struct Asked<'a> {
    tenant: &'a str,
    forwarded: &'a str,
    /// Labels, and the line of each.
    streams: &'a [(&'a str, &'a str)],
}

/// Pushes, and gives the lines that stand in the log because of it, from the message on.
fn said(larch: &mut Running, client: &mut Client, asked: &Asked<'_>) -> Vec<String> {
    let time = now().nanos().to_string();
    let stream = |(labels, line): &(&str, &str)| {
        let labels: serde_json::Value = serde_json::from_str(labels).expect(labels);
        json!({"stream": labels, "values": [[time, line]]})
    };
    let body = json!({"streams": asked.streams.iter().map(stream).collect::<Vec<_>>()}).to_string();
    let mut headers = vec![
        ("content-type", "application/json"),
        ("x-scope-orgid", asked.tenant),
        ("user-agent", "probe/1"),
    ];
    if !asked.forwarded.is_empty() {
        headers.push(("x-forwarded-for", asked.forwarded));
    }
    let answer = client.post(PUSH, &headers, body.as_bytes()).expect("an answer");
    assert_eq!(answer.status, 204, "{}", answer.body);
    // A line of the log that comes behind all of the push.
    let from = larch.log.len();
    larch.ask("POST", "/log_level?log_level=info", &[], "");
    larch.wait_for_line("log level set");
    let about = format!("tenant={}", asked.tenant);
    let lines = larch.log[from..].iter().filter(|line| line.contains(&about));
    lines.map(|line| line[line.find("msg=").unwrap_or_default()..].to_owned()).collect()
}

/// Lines in their order, each as what it holds.
#[track_caller]
fn check(larch: &mut Running, client: &mut Client, asked: &Asked<'_>, wanted: &[&[&str]]) {
    let lines = said(larch, client, asked);
    assert_eq!(lines.len(), wanted.len(), "{}: {lines:#?}", asked.tenant);
    for (line, parts) in lines.iter().zip(wanted) {
        for part in *parts {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }
}

const SHOP: (&str, &str) = (r#"{"app":"shop"}"#, "one");
const NAMED: (&str, &str) = (r#"{"service_name":"pay"}"#, "two");
const NAMELESS: (&str, &str) = (r#"{"zone":"a"}"#, "three");

#[test]
fn each_switch_has_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("overrides.yaml"), OVERRIDES).expect("the overrides");
    let mut larch = Running::start(configured(built("larch"), folder.path(), SETTINGS));
    larch.get_until("/ready", |answer| answer.status == 200);
    let client = &mut larch.client();
    let asked = |tenant, forwarded, streams| Asked { tenant, forwarded, streams };

    check(&mut larch, client, &asked("nobody-asks", "", &[SHOP, NAMED]), &[]);
    check(
        &mut larch,
        client,
        &asked("all", "", &[SHOP, NAMED, NAMELESS]),
        &[
            &["msg=\"service name discovered\"", "service_name=shop", "from=app", r#"stream="{app=\"shop\""#],
            &["msg=\"service name discovered\"", "service_name=unknown_service", "from=nothing"],
            &[
                "msg=\"push request parsed\"",
                "streams=3",
                "rows=3",
                "agent=probe/1",
                "address=127.0.0.1",
                "labels_hash=",
            ],
            &["msg=\"push request stream\"", r#"stream="{app=\"shop\""#, "rows=1", "address=127.0.0.1"],
            &["msg=\"push request stream\"", r#"stream="{service_name=\"pay\"}""#],
            &["msg=\"push request stream\"", r#"stream="{service_name=\"unknown_service\""#],
            &["msg=\"stream created\"", r#"stream="{app=\"shop\""#],
            &["msg=\"stream created\"", r#"stream="{service_name=\"pay\"}""#],
            &["msg=\"stream created\"", r#"stream="{service_name=\"unknown_service\""#],
        ],
    );
    // The streams are there, and one row comes twice in a push.
    check(
        &mut larch,
        client,
        &asked("all", "203.0.113.9, 10.0.0.1", &[NAMED, NAMED]),
        &[
            &["msg=\"push request parsed\"", "address=203.0.113.9"],
            &["msg=\"push request stream\""],
            &["msg=\"push request stream\""],
            &["msg=\"rows pushed twice\"", r#"stream="{service_name=\"pay\"}""#, "rows=1", "bytes=3"],
        ],
    );
    check(&mut larch, client, &asked("near", "", &[NAMED]), &[&["msg=\"push request stream\""]]);
    check(&mut larch, client, &asked("near", "10.2.2.2", &[NAMED]), &[]);
    check(&mut larch, client, &asked("far", "", &[NAMED]), &[&["msg=\"push request parsed\""]]);
    check(
        &mut larch,
        client,
        &asked("far", "10.2.2.2", &[NAMED]),
        &[&["msg=\"push request parsed\""], &["msg=\"push request stream\"", "address=10.2.2.2"]],
    );
    let hash = |lines: &[String]| {
        let found = lines.iter().find_map(|line| line.split("labels_hash=").nth(1)).expect("a hash");
        found.split(' ').next().unwrap_or_default().to_owned()
    };
    let one = hash(&said(&mut larch, client, &asked("hash", "", &[SHOP, NAMED])));
    assert_eq!(
        one,
        hash(&said(&mut larch, client, &asked("hash", "", &[NAMED, SHOP]))),
        "the order is the same to it"
    );
    assert_ne!(one, hash(&said(&mut larch, client, &asked("hash", "", &[SHOP]))));
    larch.stop();
}
