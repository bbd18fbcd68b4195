//! Queries in pieces of time and streams, and their answers put together.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use larch_limits::LimitsSettings;
use larch_proto::{
    EntryBatch, Piece, Question, ResultEntry, ResultLabels, ResultPart, ResultStream, SampleSeries,
};
use larch_types::{ByteSize, Labels, Span, StreamId, StreamOrder, Timestamp};
use serde_json::{Value, json};

use super::answers::pairs;
use super::house::{House, Reply, Wanted, done, in_house, in_plain_house, nothing};

const RANGE: &str = "/loki/api/v1/query_range";
const INSTANT: &str = "/loki/api/v1/query";
const HOUR: i64 = 3600;

/// One row a minute in each of four streams, from the first to the last minute of the piece.
fn rows_of(piece: &Piece) -> Reply {
    let Question::Logs { direction, limit, .. } = &piece.question else { panic!("no log question") };
    let mut streams: Vec<Labels> = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let labels = Labels::from_pairs([("app", name)]).unwrap();
        if piece.shard.is_none_or(|shard| shard.contains(StreamId::of(&labels))) {
            streams.push(labels);
        }
    }
    streams.sort_by_key(StreamOrder::of);
    let second = |time: Timestamp| time.nanos().div_euclid(1_000_000_000);
    let mut minutes: Vec<i64> = (second(piece.start)..second(piece.end)).filter(|at| at % 60 == 0).collect();
    if *direction == larch_proto::Direction::Backward {
        minutes.reverse();
    }
    let mut batch = EntryBatch::default();
    for labels in &streams {
        let text = labels.canonical();
        batch.streams.push(ResultStream { tenant: "acme".parse().unwrap(), labels: text.clone() });
        let stream = pairs(&[("app", labels.get("app").unwrap())]);
        batch.labels.push(ResultLabels { stream, metadata: Vec::new(), parsed: Vec::new() });
    }
    for minute in minutes {
        for place in 0..streams.len() as u32 {
            let (timestamp, line) = (Timestamp::from_secs(minute), bytes::Bytes::from(minute.to_string()));
            batch.entries.push(ResultEntry { stream: place, labels: place, timestamp, line });
        }
    }
    batch.entries.truncate(usize::try_from(*limit).unwrap());
    Reply::Parts(vec![ResultPart::Entries(batch), done()])
}

/// The hours that pieces cover, with their limits and shards.
fn shape(pieces: &[Piece]) -> Vec<(i64, i64, u64, u32)> {
    let hours = |time: Timestamp| time.nanos() / (HOUR * 1_000_000_000);
    let of = |piece: &Piece| {
        let limit = match piece.question {
            Question::Logs { limit, .. } => limit,
            _ => 0,
        };
        let shards = piece.shard.map_or(1, |shard| shard.count());
        (hours(piece.start), hours(piece.end), limit, shards)
    };
    pieces.iter().map(of).collect()
}

async fn ask(house: &House, query: &str, limit: &str, direction: &str) -> Value {
    let end = (8 * HOUR).to_string();
    let parameters =
        [("query", query), ("start", "0"), ("end", &end), ("limit", limit), ("direction", direction)];
    let answer = house.get(RANGE, &parameters).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[test]
fn log_queries_end_when_they_have_enough() {
    in_plain_house(async |house| {
        let worker = house.worker(1, 4, rows_of);
        let query = r#"{app=~".+"}"#;
        for (limit, direction, want) in [
            ("100", "backward", vec![(7, 8, 100, 1)]),
            ("300", "backward", vec![(7, 8, 300, 1), (5, 7, 60, 1)]),
            ("5000", "forward", vec![(0, 1, 5000, 1), (1, 3, 4760, 1), (3, 7, 4280, 1), (7, 8, 3320, 1)]),
        ] {
            worker.seen(|seen| seen.pieces.clear());
            let answer = ask(&house, query, limit, direction).await;
            assert_eq!(shape(&worker.pieces()), want);
            let summary = &answer["data"]["stats"]["summary"];
            assert_eq!((&summary["splits"], &summary["shards"]), (&json!(want.len()), &json!(0)));
        }
    });
}

#[test]
fn shards_of_log_queries_are_merged() {
    let shown = |answer: &Value| answer["data"]["result"].clone();
    in_plain_house(async |house| {
        let worker = house.worker(1, 4, rows_of);
        let query = r#"{app=~".+"} != "x""#;
        let mut whole: BTreeMap<(String, String), Value> = BTreeMap::new();
        for (bytes, pieces) in [(0, 1), (ByteSize::mib(1200).as_u64(), 2), (ByteSize::gib(20).as_u64(), 5)] {
            house.estimate.store(bytes, Ordering::Relaxed);
            for limit in ["7", "242", "5000"] {
                for direction in ["forward", "backward"] {
                    worker.seen(|seen| seen.pieces.clear());
                    let answer = ask(&house, query, limit, direction).await;
                    assert!(limit != "5000" || worker.pieces().len() >= pieces);
                    let key = (limit.to_owned(), direction.to_owned());
                    let known = whole.entry(key).or_insert_with(|| shown(&answer));
                    assert_eq!(shown(&answer), *known, "{bytes} bytes, {limit} rows {direction}");
                }
            }
        }
    });
}

#[test]
fn rows_are_thinned_out_across_pieces() {
    in_plain_house(async |house| {
        let worker = house.worker(1, 4, rows_of);
        let end = (3 * HOUR).to_string();
        let parameters =
            [("query", r#"{app="a"}"#), ("end", &end), ("start", "0"), ("interval", "50m"), ("limit", "9")];
        let answer = house.get(RANGE, &parameters).await.json();
        let mut times: Vec<i64> = Vec::new();
        for stream in answer["data"]["result"].as_array().unwrap() {
            for value in stream["values"].as_array().unwrap() {
                times.push(value[1].as_str().unwrap().parse().unwrap());
            }
        }
        times.sort_unstable_by_key(|time| -time);
        assert_eq!(times, [10740, 7740, 4740, 1740]);
        assert_eq!(worker.pieces().len(), 2);
    });
}

/// Counts, at each instant, the number of the hour plus one in the series of each shard, and one series of all.
fn samples_of(piece: &Piece) -> Reply {
    let Question::Metric { query, start, end, step } = &piece.question else { panic!("no metric question") };
    assert!(!query.contains("rate"), "{query}");
    let (mut steps, mut values) = (Vec::new(), Vec::new());
    let mut time = *start;
    while time <= *end {
        steps.push(steps.len() as u32);
        values.push((time.nanos() / (HOUR * 1_000_000_000) + 1) as f64);
        time = if step.is_zero() { end.plus(Span::from_nanos(1)) } else { time.plus(*step) };
    }
    let series = |app: &str| SampleSeries {
        labels: pairs(&[("app", app)]),
        steps: steps.clone(),
        values: values.clone(),
        remainders: Vec::new(),
    };
    let own = piece.shard.map_or(0, |shard| shard.index()).to_string();
    Reply::Parts(vec![ResultPart::Samples(vec![series("all"), series(&own)]), done()])
}

#[test]
fn range_queries_are_put_together() {
    in_plain_house(async |house| {
        house.estimate.store(ByteSize::mib(9600).as_u64(), Ordering::Relaxed);
        let worker = house.worker(1, 4, samples_of);
        let query = r#"topk(1, sum by (app) (rate({app=~".+"}[30m])))"#;
        let end = (8 * HOUR).to_string();
        let parameters = [("query", query), ("start", "0"), ("end", &end), ("step", "1h")];
        let answer = house.get(RANGE, &parameters).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json();
        let pieces = worker.pieces();
        // Two hours each, and the instant at which they begin; four shards of at most 600 MB in each.
        assert_eq!(pieces.len(), 20);
        assert!(pieces.iter().all(|piece| piece.shard.is_some_and(|shard| shard.count() == 4)));
        let mut asked: Vec<(i64, i64)> = Vec::new();
        for piece in &pieces {
            let Question::Metric { query, start, end, .. } = &piece.question else { panic!("no metric") };
            assert_eq!(query, r#"sum by (app)(count_over_time({app=~".+"}[30m]))"#);
            asked.push((start.nanos() / (HOUR * 1_000_000_000), end.nanos() / (HOUR * 1_000_000_000)));
        }
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(asked, [(0, 0), (1, 2), (3, 4), (5, 6), (7, 8)]);
        // The four shards of the common series add up, and the rate is of half an hour.
        let rate = |hour: i64| json!([hour * HOUR, (4.0 * (hour + 1) as f64 / 1800.0).to_string()]);
        let values: Vec<Value> = (0..=8).map(rate).collect();
        let want = json!([{"metric": {"app": "all"}, "values": values}]);
        assert_eq!(answer["data"]["result"], want);
        let summary = &answer["data"]["stats"]["summary"];
        assert_eq!((&summary["splits"], &summary["shards"]), (&json!(5), &json!(20)));
    });
}

#[test]
fn long_ranges_of_instants_are_cut() {
    in_plain_house(async |house| {
        house.estimate.store(ByteSize::gib(6).as_u64(), Ordering::Relaxed);
        let worker = house.worker(1, 4, samples_of);
        let query = r#"sum by (app) (rate({app=~".+"}[12h]))"#;
        let answer = house.get(INSTANT, &[("query", query), ("time", "86400")]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let pieces = worker.pieces();
        assert_eq!(pieces.len(), 12, "three windows of four shards");
        let mut hours: Vec<(i64, i64)> =
            shape(&pieces).into_iter().map(|(start, end, ..)| (start, end)).collect();
        hours.sort_unstable();
        hours.dedup();
        assert_eq!(hours, [(12, 16), (16, 20), (20, 24)]);
        let result = &answer.json()["data"]["result"];
        let all = result.as_array().unwrap().iter().find(|sample| sample["metric"]["app"] == "all").unwrap();
        assert_eq!(all["value"], json!([86400, (12.0 * 25.0 / 43200.0).to_string()]));
    });
}

#[test]
fn what_cannot_be_divided_is_cut_by_time_only() {
    in_plain_house(async |house| {
        house.estimate.store(ByteSize::mib(2400).as_u64(), Ordering::Relaxed);
        let worker = house.worker(1, 4, nothing);
        let query = r#"quantile_over_time(0.9, {app="x"} | unwrap y [3h])"#;
        let end = (8 * HOUR).to_string();
        house.get(RANGE, &[("query", query), ("start", "0"), ("end", &end), ("step", "1h")]).await;
        let pieces = worker.pieces();
        assert!(pieces.iter().all(|piece| piece.shard.is_none()));
        // Two hours would do for the bytes, but every row would be read twice.
        let instants: Vec<(i64, i64)> = pieces
            .iter()
            .map(|piece| match &piece.question {
                Question::Metric { start, end, .. } => {
                    (start.nanos() / (HOUR * 1_000_000_000), end.nanos() / (HOUR * 1_000_000_000))
                }
                _ => panic!("no metric question"),
            })
            .collect();
        assert_eq!(instants, [(0, 0), (1, 3), (4, 6), (7, 8)]);
        worker.seen(|seen| seen.pieces.clear());
        house.get(INSTANT, &[("query", query)]).await;
        assert_eq!(worker.pieces().len(), 1);
    });
}

#[test]
fn how_streams_are_cut_is_a_setting() {
    let mut unsharded = Wanted::default();
    unsharded.config.query_range.parallelise_shardable_queries = false;
    let recent = LimitsSettings { min_sharding_lookback: Span::from_hours(2), ..LimitsSettings::default() };
    for wanted in [unsharded, Wanted { limits: recent, ..Wanted::default() }] {
        in_house(wanted, async |house| {
            house.estimate.store(ByteSize::gib(2).as_u64(), Ordering::Relaxed);
            let worker = house.worker(1, 4, nothing);
            house.get(INSTANT, &[("query", r#"count_over_time({app="x"}[30m])"#)]).await;
            let shards: Vec<bool> = worker.pieces().iter().map(|piece| piece.shard.is_some()).collect();
            assert_eq!(shards, [false]);
        });
    }
}

#[test]
fn bytes_are_limited_before_they_are_read() {
    let query_bytes = LimitsSettings { max_query_bytes_read: ByteSize::gib(1), ..LimitsSettings::default() };
    let piece_bytes =
        LimitsSettings { max_querier_bytes_read: ByteSize::mib(100), ..LimitsSettings::default() };
    for (limits, query, text) in [
        (
            query_bytes.clone(),
            r#"{app="x"} |= "y""#,
            "the query would read too many bytes (query: 2.0 GiB, limit: 1.0 GiB); consider adding more \
             specific stream selectors or reduce the time range of the query",
        ),
        (
            query_bytes,
            r#"rate({app="x"}[1m])"#,
            "the query would read too many bytes (query: 2.0 GiB, limit: 1.0 GiB); consider adding more \
             specific stream selectors or reduce the time range of the query",
        ),
        (
            piece_bytes.clone(),
            r#"rate({app="x"}[1m])"#,
            "shard query is too large to execute on a single querier: (query: 512 MiB, limit: 100 MiB); consider \
             adding more specific stream selectors or reduce the time range of the query",
        ),
        (
            piece_bytes,
            r#"quantile_over_time(0.9, {app="x"} | unwrap y [1m])"#,
            "un-shardable query too large to execute on a single querier: (query: 2.0 GiB, limit: 100 MiB); \
             consider adding more specific stream selectors or reduce the time range of the query",
        ),
    ] {
        in_house(Wanted { limits, ..Wanted::default() }, async |house| {
            house.estimate.store(ByteSize::gib(2).as_u64(), Ordering::Relaxed);
            let worker = house.worker(1, 4, nothing);
            let parameters = [("query", query), ("start", "3600"), ("end", "3660"), ("step", "60")];
            let answer = house.get(RANGE, &parameters).await;
            assert_eq!((answer.status, answer.text()), (400, text));
            assert!(worker.pieces().is_empty());
        });
    }
}

#[test]
fn labels_are_cut_by_intervals_of_their_own() {
    let limits =
        LimitsSettings { recent_metadata_query_window: Span::from_hours(3), ..LimitsSettings::default() };
    in_house(Wanted { limits, ..Wanted::default() }, async |house| {
        let worker = house.worker(1, 9, nothing);
        let now = house.world.env.clock.now().nanos() / 1_000_000_000;
        let start = (now - 5 * 24 * HOUR).to_string();
        house.get("/loki/api/v1/labels", &[("start", &start), ("end", &now.to_string())]).await;
        let lengths: Vec<i64> = worker
            .pieces()
            .iter()
            .map(|piece| piece.end.since(piece.start).nanos() / (HOUR * 1_000_000_000))
            .collect();
        assert!(lengths.len() >= 8, "{lengths:?}");
        let total: i64 = worker.pieces().iter().map(|piece| piece.end.since(piece.start).nanos()).sum();
        assert_eq!(total, 5 * 24 * HOUR * 1_000_000_000);
        assert!(lengths.iter().all(|hours| *hours <= 24));
        assert!(lengths.iter().rev().take(3).all(|hours| *hours <= 1), "{lengths:?}");
    });
}

#[test]
fn limits_of_a_request_count_where_they_are_allowed() {
    let headers = [("x-loki-query-limits", r#"{"maxEntriesLimitPerQuery": 3}"#)];
    for (allowed, status) in [(true, 400), (false, 200)] {
        let mut wanted = Wanted::default();
        wanted.config.frontend.per_request_limits_enabled = allowed;
        in_house(wanted, async |house| {
            house.worker(1, 1, nothing);
            let parameters = [("query", r#"{app="x"}"#), ("limit", "4")];
            assert_eq!(house.get_as("acme", RANGE, &parameters, &headers).await.status, status);
        });
    }
}
