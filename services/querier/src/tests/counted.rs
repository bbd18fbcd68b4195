//! What is counted is what the rows come to, however they lie in ingesters and segments.

use larch_proto::{Estimate, PieceTenant, Question, ResultPart, SampleSeries};
use larch_types::{Span, StreamShard, Timestamp};
use proptest::prelude::*;

use super::fakes::{FakeIngester, Reported, Stored};
use super::setting::{Setting, piece, selector};

/// Queries that only count. With a filter that keeps every line they are answered from rows.
const QUERIES: [&str; 9] = [
    r#"sum by (app) (count_over_time({app=~".+"} FILTER [5m]))"#,
    r#"sum(rate({app=~".+"} FILTER [2m]))"#,
    r#"sum by (app) (bytes_over_time({app=~".+"} FILTER [3m] offset 1m))"#,
    r#"count_over_time({app="a"} FILTER [4m])"#,
    r#"sum by (detected_level) (count_over_time({app=~".+"} FILTER | drop __error__ [5m]))"#,
    r#"sum by (pod) (count_over_time({app=~".+"} FILTER [5m]))"#,
    r#"sum by (app) (count_over_time({app=~".+"} FILTER | detected_level="error" [5m]))"#,
    r#"sum(bytes_rate({app="a"} FILTER [2m])) / sum(bytes_rate({app=~".+"} FILTER [6m]))"#,
    r#"absent_over_time({app="a"} FILTER [1m])"#,
];

/// Stream, time in units of ten seconds, which of the lines, whether it has metadata.
type TestRow = (usize, i64, usize, bool);

fn stored((stream, time, line, has_metadata): &TestRow) -> Stored {
    let labels = [r#"{app="a"}"#, r#"{app="a", pod="p"}"#, r#"{app="b"}"#][*stream];
    // Long, so that few rows have a histogram too.
    let mut row = Stored::new("t", labels, time * 10, &format!("{line} {}", "x".repeat(15_000 + 3 * line)));
    row.level = [None, Some("info"), Some("error")][*line];
    if *has_metadata {
        row.metadata.push(("pod".to_owned(), format!("m{line}")));
    }
    row
}

fn rows() -> impl Strategy<Value = Vec<TestRow>> {
    let row = (0_usize..3, 0_i64..120, 0_usize..3, prop::bool::weighted(0.02));
    prop::collection::vec(row, 0..25)
}

fn shown((parts, end): Reported) -> (Vec<ResultPart>, u64) {
    (parts, end.expect("an answer").statistics.rows)
}

fn metric(query: &str, (start, end, step): (i64, i64, i64)) -> Question {
    let at = |tens: i64| Timestamp::from_secs(tens * 10);
    let end = if step == 0 { start } else { end };
    Question::Metric {
        query: query.to_owned(),
        start: at(start),
        end: at(end),
        step: Span::from_secs(step * 10),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn counts_are_of_rows(
        held in prop::collection::vec(rows(), 1..3),
        segments in prop::collection::vec(rows(), 0..4),
        copied in any::<bool>(),
        query in 0_usize..QUERIES.len(),
        (start, length) in (0_i64..60, 0_i64..120),
        aligned in any::<bool>(),
        step in prop_oneof![Just(0_i64), Just(6), Just(30), Just(60), Just(5)],
        (from, until) in (1_i64..60, 60_i64..130),
    ) {
        let (start, end) = if aligned { (start / 6 * 6, (start + length) / 6 * 6) } else { (start, start + length) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut segments = segments;
            if copied {
                segments.extend(segments.first().cloned());
                segments.extend(held.first().cloned());
            }
            let ingester = |(number, rows): (usize, &Vec<TestRow>)| {
                FakeIngester::new(number as u128 + 1, rows.iter().map(stored).collect())
            };
            let setting = Setting::new(held.iter().enumerate().map(ingester).collect());
            for (number, rows) in segments.iter().enumerate() {
                if !rows.is_empty() {
                    let rows: Vec<Stored> = rows.iter().map(stored).collect();
                    setting.planner.announce(number as u128 + 1, &rows).await;
                }
            }
            setting.start();
            let mut id = 0;
            let mut ask = async |question: Question, shard: Option<StreamShard>| {
                id += 1;
                let mut asked = piece(id, &["t"], question);
                asked.shard = shard;
                (asked.start, asked.end) = (Timestamp::from_secs(from * 10 - 5), Timestamp::from_secs(until * 10));
                shown(setting.ask(asked).await).0
            };
            let text = QUERIES[query];
            for shard in [None, StreamShard::new(0, 2)] {
                let counted = ask(metric(&text.replace("FILTER", ""), (start, end, step)), shard).await;
                let read = ask(metric(&text.replace("FILTER", r#"|= """#), (start, end, step)), shard).await;
                assert_eq!(counted, read, "{text}");
            }
            let (mut rows, mut bytes, mut streams) = (0, 0, std::collections::BTreeSet::new());
            let all: std::collections::BTreeSet<&TestRow> = held.iter().chain(&segments).flatten().collect();
            for row in all {
                let stored = stored(row);
                if stored.timestamp >= Timestamp::from_secs(from * 10 - 5) && row.1 < until {
                    rows += 1;
                    bytes += stored.line.len() as u64;
                    streams.insert(stored.stream.text.clone());
                }
            }
            let any_of = vec![selector(r#"{app=~".+"}"#)];
            let found = ask(Question::Stats { any_of: any_of.clone() }, None).await;
            let [ResultPart::Stats(stats)] = found.as_slice() else { panic!("{found:?}") };
            let want = Estimate { streams: streams.len() as u64, rows, bytes, ..*stats };
            assert_eq!(*stats, want);
            for step in [0, 600] {
                let (target_labels, step) = (vec!["app".to_owned()], Span::from_secs(step));
                let question = Question::Volume { any_of: any_of.clone(), target_labels, by_label_names: false, step };
                let mut sum = 0.0;
                for part in ask(question, None).await {
                    let ResultPart::Samples(series) = part else { panic!("{part:?}") };
                    sum += series.iter().flat_map(|one: &SampleSeries| &one.values).sum::<f64>();
                }
                assert_eq!(sum as u64, bytes);
            }
            setting.stop().await;
        });
    }
}

/// A day of a thousand rows a minute, of which none is read.
#[tokio::test]
async fn counts_take_the_place_of_rows() {
    let rows = |minutes: std::ops::Range<i64>| {
        let row = |n: i64| Stored::new("t", r#"{app="a"}"#, n * 30 / 50, &format!("line {n}"));
        (minutes.start * 100..minutes.end * 100).map(row).collect::<Vec<_>>()
    };
    let setting = Setting::new(vec![FakeIngester::new(1, Vec::new())]);
    setting.planner.announce(1, &rows(0..20)).await;
    setting.planner.announce(2, &rows(20..40)).await;
    setting.start();
    let query = r#"sum by (app) (count_over_time({app="a"}[5m]))"#;
    let (parts, rows) = shown(setting.ask(piece(1, &["t"], metric(query, (30, 210, 30)))).await);
    let [ResultPart::Samples(series)] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!((series[0].values.as_slice(), rows), (&[500.0; 7][..], 0));
    // The windows end in the middle of a minute.
    let (_, rows) = shown(setting.ask(piece(2, &["t"], metric(query, (33, 33, 0)))).await);
    assert_eq!(rows, 100);
    // What a policy hides is not counted.
    let mut hidden = piece(3, &["t"], metric(query, (30, 210, 30)));
    let policy = larch_proto::AccessPolicy { any_of: vec![selector(r#"{app="b"}"#)] };
    hidden.tenants = vec![PieceTenant { tenant: "t".parse().unwrap(), policy: Some(policy) }];
    assert_eq!(shown(setting.ask(hidden).await).0, []);
    setting.stop().await;
}

/// Thousands of streams with a row or two, which have no histograms: the index counts them, and none is read.
#[tokio::test]
async fn many_streams_are_counted_by_the_index() {
    const STREAMS: i64 = 3000;
    let rows = |hour: i64| {
        let row = |n: i64| {
            let labels = format!(r#"{{app="{}", pod="{n}"}}"#, n % 3);
            Stored::new("t", &labels, hour * 3600 + 100 + n % 3000, &format!("line {n}"))
        };
        (0..STREAMS).map(row).collect::<Vec<_>>()
    };
    let bytes: usize = (0..STREAMS).map(|n| 3 * format!("line {n}").len()).sum();
    let setting = Setting::new(vec![FakeIngester::new(1, rows(2))]);
    setting.planner.announce(1, &rows(0)).await;
    setting.planner.announce(2, &rows(1)).await;
    setting.start();
    let mut id = 0;
    let mut ask = async |question: Question| {
        id += 1;
        let mut asked = piece(id, &["t"], question);
        (asked.start, asked.end) = (Timestamp::EPOCH, Timestamp::from_secs(3 * 3600));
        shown(setting.ask(asked).await)
    };
    let any_of = vec![selector(r#"{app=~".+"}"#)];
    let (parts, read) = ask(Question::Stats { any_of: any_of.clone() }).await;
    let [ResultPart::Stats(stats)] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!((stats.streams, stats.rows, stats.bytes), (3000, 9000, bytes as u64));
    assert_eq!(read, 0);
    let question = Question::Volume {
        any_of,
        target_labels: vec!["app".to_owned()],
        by_label_names: false,
        step: Span::ZERO,
    };
    let (parts, read) = ask(question).await;
    let [ResultPart::Samples(series)] = parts.as_slice() else { panic!("{parts:?}") };
    let sum: f64 = series.iter().flat_map(|one| &one.values).sum();
    assert_eq!((series.len(), sum as usize, read), (3, bytes, 0));
    setting.stop().await;
}
