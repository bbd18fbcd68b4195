//! The rules of a live tail that clients live by: what comes first, what ends it, and what is refused.

use larch_testkit::http::with_query;
use larch_tests::{Said, Socket, now};
use larch_types::Timestamp;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{House, SETTINGS, before, stream};

const TAIL: &str = "/loki/api/v1/tail";
const APP: &str = r#"{app="a"}"#;

fn row(time: Timestamp, seconds: i64, line: &str) -> Value {
    stream(&json!({"app": "a"}), &[(before(time, seconds), line.to_owned())])
}

fn open(house: &House, parameters: &[(&str, &str)]) -> Socket {
    Socket::open(house.larch.address(), &with_query(TAIL, parameters.iter().copied()), &[])
}

fn lines(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["values"][0][1].as_str().expect("a line")).collect()
}

/// What ends it, after pings.
fn end_of(socket: &mut Socket) -> Said {
    loop {
        match socket.hear() {
            Said::Ping => {}
            said => return said,
        }
    }
}

fn closed(reason: &str) -> Said {
    Said::Closed { code: 1011, reason: reason.to_owned() }
}

#[test]
fn rows_from_before_come_first_and_none_twice() {
    let house = House::start(SETTINGS, &[]);
    let now = now();
    for (seconds, line) in [(7200, "too old"), (300, "b"), (400, "a"), (200, "c"), (100, "d")] {
        house.push(&[row(now, seconds, line)]);
    }
    let mut all = open(&house, &[("query", APP)]);
    assert_eq!(lines(&all.rows(4)), ["a", "b", "c", "d"], "of the last hour, ascending");
    let mut few = open(&house, &[("query", APP), ("limit", "2")]);
    assert_eq!(lines(&few.rows(2)), ["c", "d"], "the newest ones");
    let from = before(now, 10_000).to_string();
    let mut older = open(&house, &[("query", APP), ("start", &from), ("limit", "5")]);
    assert_eq!(lines(&older.rows(5))[0], "too old");
    let mut filtered = open(&house, &[("query", r#"{app="a"} |~ "[bd]" | line_format "<{{.app}}>""#)]);
    assert_eq!(lines(&filtered.rows(2)), ["<a>", "<a>"]);
    house.push(&[row(now, 50, "late"), row(now, 0, "d again")]);
    assert_eq!(lines(&all.rows(2)), ["late", "d again"]);
    assert_eq!(lines(&few.rows(2)), ["late", "d again"], "the limit is for rows from before");
    assert_eq!(lines(&filtered.rows(1)), ["<a>"], "the pipeline is for all");
    house.stop();
}

#[test]
fn delayed_rows_are_in_order() {
    let house = House::start(SETTINGS, &[]);
    let now = now();
    house.push(&[row(now, 60, "before")]);
    let mut socket = open(&house, &[("query", APP), ("delay_for", "1")]);
    // What comes from here on is live.
    assert_eq!(lines(&socket.rows(1)), ["before"]);
    for (seconds, line) in [(1, "b"), (2, "a"), (0, "c")] {
        house.push(&[row(now, seconds, line)]);
    }
    assert_eq!(lines(&socket.rows(3)), ["a", "b", "c"]);
    socket.close();
    house.stop();
}

#[test]
fn old_clients_get_old_frames() {
    let house = House::start(SETTINGS, &[]);
    let now = now();
    house.push(&[row(now, 60, "before <it>")]);
    let target = with_query("/api/prom/tail", [("query", APP), ("regexp", "it")]);
    let mut socket = Socket::open(house.larch.address(), &target, &[]);
    let time = Timestamp::from_nanos(before(now, 60)).to_string();
    let labels = r#"{app="a", detected_level="unknown", service_name="a"}"#;
    let entry = json!({"ts": time, "line": "before <it>"});
    let want = json!({"streams": [{"labels": labels, "entries": [entry]}], "dropped_entries": null});
    assert_eq!(socket.next_frame(), want);
    socket.close();
    house.stop();
}

#[test]
fn ends_have_their_words() {
    let settings = format!(
        "{SETTINGS}\nquerier: {{tail_max_duration: 2s}}\nlimits_config: {{max_concurrent_tail_requests: 1}}\n"
    );
    let house = House::start(&settings, &[]);
    let mut first = open(&house, &[("query", APP)]);
    // It is open once it says something.
    assert_eq!(first.hear(), Said::Ping);
    let mut second = open(&house, &[("query", APP)]);
    let reason = "max concurrent tail requests limit exceeded, count > limit (2 > 1)";
    assert_eq!(end_of(&mut second), closed(reason));
    assert_eq!(end_of(&mut first), closed("reached tail max duration limit"));
    let mut third = open(&house, &[("query", APP), ("start", "1")]);
    let Said::Closed { code: 1011, reason } = end_of(&mut third) else { panic!("not closed") };
    assert!(reason.starts_with("the query time range exceeds the limit (query length: "), "{reason}");
    house.stop();
}

#[test]
fn a_server_that_stops_says_goodbye() {
    let mut house = House::start(SETTINGS, &[]);
    let mut socket = open(&house, &[("query", APP)]);
    // It follows once it has said what was there before.
    house.push(&[row(now(), 0, "a")]);
    assert_eq!(lines(&socket.rows(1)), ["a"]);
    house.larch.signal(Signal::TERM);
    let end = end_of(&mut socket);
    let is_goodbye = matches!(&end, Said::Closed { code: 1001, .. } | Said::Gone);
    assert!(is_goodbye, "{end:?}");
    let (status, log) = house.larch.wait();
    assert!(status.success(), "{log:#?}");
}

#[test]
fn refusals_come_before_the_upgrade() {
    let settings = SETTINGS.replace("auth_enabled: false", "auth_enabled: true");
    let house = House::start(&settings, &[]);
    let upgrade = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let tenant = ("x-scope-orgid", "acme");
    for (headers, parameters, status, text) in [
        (vec![], vec![("query", APP)], 401, "no org id\n"),
        (vec![("x-scope-orgid", "a|b")], vec![("query", APP)], 400, "multiple org IDs present"),
        (vec![tenant], vec![], 400, "parse error : syntax error: unexpected $end"),
        (vec![tenant], vec![("query", "{}")], 400, "parse error : queries require at least one regexp"),
        (vec![tenant], vec![("query", r#"rate({app="a"}[1m])"#)], 400, "only log selector is supported"),
        (vec![tenant], vec![("query", APP), ("delay_for", "6")], 400, "delay_for can't be greater than 5"),
        (vec![tenant], vec![("query", APP), ("limit", "0")], 400, "limit must be a positive value"),
        (vec![tenant], vec![("query", APP), ("start", "x")], 400, "could not parse 'start' parameter: "),
    ] {
        let headers = [&upgrade[..], &headers].concat();
        let answer = house.larch.ask("GET", &with_query(TAIL, parameters.iter().copied()), &headers, "");
        assert_eq!(answer.status, status, "{parameters:?}: {answer:?}");
        assert!(answer.body.starts_with(text), "{parameters:?}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    let plain = house.larch.ask("GET", &with_query(TAIL, [("query", APP)]), &[tenant], "");
    assert_eq!((plain.status, plain.body.as_str()), (400, "Bad Request\n"));
    house.stop();
}
