//! Many clients of two tenants at once: every query is answered or refused by a limit, and a small tenant is
//! not held up by a large one.
//!
//! `LARCH_SOAK_SECONDS` makes it last, with fifty clients and more rows, and measures; `cargo xtask soak` does.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]
#![allow(clippy::print_stdout, reason = "what was measured is for whoever runs the soak")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use larch_testkit::http::{Client, with_query};
use larch_testkit::process::{Running, built, configured};
use larch_tests::{now, push_json};
use larch_types::{Span, Timestamp};
use serde_json::{Value, json};

const SETTINGS: &str = "
auth_enabled: true
common: {path_prefix: ./data, replication_factor: 1}
# However full the disk of the test is.
ingester: {wal: {disk_full_threshold: 0}}
limits_config: {ingestion_rate_mb: 1000, ingestion_burst_size_mb: 1000, per_stream_rate_limit: 1GB,
  per_stream_rate_limit_burst: 1GB}
";

/// What clients ask: searches, counts, numbers out of lines, labels.
const QUERIES: [(&str, &str); 8] = [
    ("/loki/api/v1/query_range", r#"{app=~".+"}"#),
    ("/loki/api/v1/query_range", r#"{app=~".+"} |= "status=500""#),
    ("/loki/api/v1/query_range", r#"{app=~".+"} |~ "took=9[0-9]+ms""#),
    ("/loki/api/v1/query_range", r#"sum by (app) (count_over_time({app=~".+"} |= "status=500" [5m]))"#),
    (
        "/loki/api/v1/query_range",
        r#"quantile_over_time(0.9, {app="a1"} | logfmt | unwrap size [5m]) by (app)"#,
    ),
    ("/loki/api/v1/query", r#"topk(3, sum by (status) (rate({app=~".+"} | logfmt [30m])))"#),
    ("/loki/api/v1/labels", r#"{app=~".+"}"#),
    ("/loki/api/v1/series", r#"{app="a2"}"#),
];

/// How much is asked, and for how long.
struct Load {
    large_clients: usize,
    small_clients: usize,
    large_rows: usize,
    lasts: Lasts,
}

#[derive(Clone, Copy)]
enum Lasts {
    Queries(usize),
    Time(Duration),
}

/// What the small tenant may be slower beside the large one.
const MOST_SLOWER: u32 = 3;
/// Below this a machine's own noise is measured.
const NOISE: Duration = Duration::from_millis(5);

#[expect(clippy::disallowed_methods, reason = "a test is told by its environment how long to go on")]
fn load() -> Load {
    let seconds = std::env::var("LARCH_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    match seconds {
        Some(seconds) => Load {
            large_clients: 45,
            small_clients: 5,
            large_rows: 200_000,
            lasts: Lasts::Time(Duration::from_secs(seconds)),
        },
        None => Load { large_clients: 6, small_clients: 2, large_rows: 2_000, lasts: Lasts::Queries(8) },
    }
}

#[test]
fn many_clients_of_two_tenants() {
    let load = load();
    let folder = tempfile::tempdir().expect("a folder");
    let larch = Running::start(configured(built("larch"), folder.path(), SETTINGS));
    larch.get_until("/ready", |answer| answer.status == 200);
    let end = now();
    push(&larch, "large", load.large_rows, end);
    push(&larch, "small", 500, end);
    let alone = run(larch.address(), &[("small", load.small_clients)], load.lasts, end);
    let both = [("large", load.large_clients), ("small", load.small_clients)];
    let together = run(larch.address(), &both, load.lasts, end);
    if matches!(load.lasts, Lasts::Time(_)) {
        let (before, beside) = (p99(&alone, "small"), p99(&together, "small"));
        println!("{} queries alone, {} together", alone.len(), together.len());
        println!("p99 of the small tenant: {before:?} alone, {beside:?} beside the large one");
        println!("p99 of the large tenant: {:?}", p99(&together, "large"));
        assert!(beside <= before.max(NOISE) * MOST_SLOWER, "{beside:?} beside, {before:?} alone");
    }
    let metrics = larch.get("/metrics").body;
    let waits = |line: &&str| line.starts_with("loki_query_frontend_queue_length{") && !line.ends_with(" 0");
    assert_eq!(metrics.lines().find(waits), None, "the queue is empty again");
    larch.stop();
}

/// Rows of the last hour in eight streams.
fn push(larch: &Running, tenant: &str, rows: usize, end: Timestamp) {
    const BATCH: usize = 5_000;
    let mut client = larch.client();
    let apart = Span::from_hours(1).nanos() / rows as i64;
    for first in (0..rows).step_by(BATCH) {
        let mut streams: Vec<Vec<Value>> = vec![Vec::new(); 8];
        for row in first..(first + BATCH).min(rows) {
            let time = end.minus(Span::from_nanos(apart * (rows - row) as i64));
            let status = if row % 50 == 0 { 500 } else { 200 };
            let (took, size) = (row * 7919 % 1000, row * 104_729 % 65_536);
            let line =
                format!("level=info status={status} took={took}ms size={size} path=/api/v1/orders/{row}");
            streams[row % 8].push(json!([time.nanos().to_string(), line]));
        }
        let stream = |(number, values): (usize, Vec<Value>)| json!({"stream": {"app": format!("a{number}")}, "values": values});
        let streams: Vec<Value> = streams.into_iter().enumerate().map(stream).collect();
        let answer = push_json(&mut client, Some(tenant), &streams).expect("an answer");
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
}

/// How long each query of each tenant took.
fn run(
    address: SocketAddr,
    tenants: &[(&'static str, usize)],
    lasts: Lasts,
    end: Timestamp,
) -> Vec<(&'static str, Duration)> {
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        let mut clients = Vec::new();
        for (tenant, count) in tenants {
            for number in 0..*count {
                clients.push(scope.spawn(move || ask(address, tenant, number, lasts, end)));
            }
        }
        for client in clients {
            times.extend(client.join().expect("a client that goes on"));
        }
    });
    times
}

#[expect(clippy::disallowed_methods, reason = "it measures how long a server takes")]
fn ask(
    address: SocketAddr,
    tenant: &'static str,
    number: usize,
    lasts: Lasts,
    end: Timestamp,
) -> Vec<(&'static str, Duration)> {
    let mut client = Client::new(address);
    let mut times = Vec::new();
    let begun = Instant::now();
    for round in number.. {
        let is_over = match lasts {
            Lasts::Queries(queries) => times.len() == queries,
            Lasts::Time(time) => begun.elapsed() >= time,
        };
        if is_over {
            break;
        }
        let (path, query) = QUERIES[round % QUERIES.len()];
        // No two clients ask for the same at the same time, or one answer would do for both.
        let start = end.minus(Span::from_mins(60)).minus(Span::from_millis((round * 64 + number) as i64));
        let (start, end) = (start.nanos().to_string(), end.nanos().to_string());
        let parameters = [
            ("query", query),
            ("match[]", query),
            ("start", &start),
            ("end", &end),
            ("time", &end),
            ("step", "60"),
        ];
        let asked = Instant::now();
        let answer = client.get(&with_query(path, parameters), &[("x-scope-orgid", tenant)]);
        let answer = answer.expect("an answer");
        let is_refused = answer.status == 429 && answer.body == "too many outstanding requests";
        assert!(answer.status == 200 || is_refused, "{tenant} {query}: {} {}", answer.status, answer.body);
        times.push((tenant, asked.elapsed()));
    }
    times
}

fn p99(times: &[(&str, Duration)], of: &str) -> Duration {
    let mut times: Vec<Duration> =
        times.iter().filter(|(tenant, _)| *tenant == of).map(|(_, took)| *took).collect();
    times.sort_unstable();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}
