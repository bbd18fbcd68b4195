//! loki-canary: writes lines with their time, follows them live, reads them back, and counts them.

use std::collections::BTreeMap;

use larch_testkit::http::with_query;
use larch_tests::{Said, Socket, now, push_protobuf};
use serde_json::json;

use super::{House, SETTINGS};

const TENANT: (&str, &str) = ("X-Scope-OrgID", "canary");
const SELECTOR: &str = r#"{name="canary-1",stream="stdout"}"#;

/// The server pings once a second, so that the canary runs for as many seconds.
const PINGS: usize = 10;
const LINES_BETWEEN: usize = 20;
/// As it pads its lines.
const SIZE: usize = 100;

fn house() -> House {
    House::start(&SETTINGS.replace("auth_enabled: false", "auth_enabled: true"), &[TENANT])
}

/// Writes a line and gives its time.
fn write(house: &House) -> i64 {
    let time = now().nanos();
    let line = format!("{time} {}", "p".repeat(SIZE));
    let streams = [json!({"labels": SELECTOR, "entries": [[time.to_string(), line]]})];
    let headers = [TENANT, ("User-Agent", "canary-push/3.7.0")];
    let answer = push_protobuf(&mut house.larch.client(), &headers, &streams).expect("an answer");
    assert_eq!(answer.status, 204, "{}", answer.body);
    time
}

/// The times at the beginnings of lines, how often each.
fn count_times<'l>(lines: impl Iterator<Item = &'l str>, times: &mut BTreeMap<i64, u32>) {
    for line in lines {
        let time = line.split(' ').next().and_then(|time| time.parse().ok()).expect(line);
        *times.entry(time).or_default() += 1;
    }
}

#[test]
fn ten_seconds_without_a_missing_line() {
    let house = house();
    let target = with_query("/loki/api/v1/tail", [("query", SELECTOR)]);
    let mut socket = Socket::open(house.larch.address(), &target, &[TENANT]);
    let (mut written, mut followed, mut in_order) = (Vec::new(), BTreeMap::new(), Vec::new());
    let mut pings = 0;
    while pings < PINGS || followed.len() < written.len() {
        if pings < PINGS {
            written.extend((0..LINES_BETWEEN).map(|_| write(&house)));
        }
        loop {
            match socket.hear() {
                Said::Ping => {
                    pings += 1;
                    break;
                }
                Said::Frame(frame) => {
                    assert!(frame.get("dropped_entries").is_none(), "{frame}");
                    let rows = frame["streams"].as_array().expect("streams");
                    let lines: Vec<&str> =
                        rows.iter().map(|row| row["values"][0][1].as_str().expect("a line")).collect();
                    in_order.extend(lines.iter().map(|line| (*line).to_owned()));
                    count_times(lines.into_iter(), &mut followed);
                }
                end => panic!("{end:?}"),
            }
        }
    }
    let once: BTreeMap<i64, u32> = written.iter().map(|time| (*time, 1)).collect();
    assert_eq!(once.len(), PINGS * LINES_BETWEEN);
    assert_eq!(followed, once, "over the websocket");
    assert!(in_order.is_sorted(), "{in_order:?}");

    // Confirm: the lines are looked for in the store, in RFC 3339.
    let (start, end) = (written[0], written[written.len() - 1] + 1);
    let [first, last] = [start, end].map(|nanos| larch_types::Timestamp::from_nanos(nanos).to_string());
    let parameters = [("start", first.as_str()), ("end", &last), ("query", SELECTOR), ("limit", "1000")];
    let mut found = BTreeMap::new();
    for stream in house.result("/loki/api/v1/query_range", &parameters).as_array().expect("streams") {
        let values = stream["values"].as_array().expect("values");
        count_times(values.iter().map(|value| value[1].as_str().expect("a line")), &mut found);
    }
    assert_eq!(found, once, "by query");

    // Metric test: exactly one sample.
    let count = format!("count_over_time({SELECTOR}[1h])");
    let time = end.to_string();
    let result = house.result("/loki/api/v1/query", &[("query", &count), ("time", &time), ("limit", "1000")]);
    assert_eq!(result.as_array().map(Vec::len), Some(1), "{result}");
    assert_eq!(result[0]["value"][1], written.len().to_string());

    // Spot check: one old line.
    let (spot, until) = (written[7].to_string(), (written[7] + 1).to_string());
    let parameters = [("start", spot.as_str()), ("end", &until), ("query", SELECTOR), ("limit", "1000")];
    let result = house.result("/loki/api/v1/query_range", &parameters);
    assert_eq!(result[0]["values"].as_array().map(Vec::len), Some(1), "{result}");
    assert_eq!(result[0]["values"][0][0], spot);
    socket.close();
    house.stop();
}
