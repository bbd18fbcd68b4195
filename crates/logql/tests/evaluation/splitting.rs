//! An answer does not depend on the order in which rows come, how often they come, or how the work was cut.

use std::collections::BTreeMap;

use larch_logql::{
    Direction, EvalError, Expr, LabelSet, LogParams, LogRow, MetricAnswer, MetricEvaluation, MetricExpr,
    Steps, divide, parse, parse_metric, scans,
};
use larch_types::{Labels, Span, StreamShard, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::rows::{Answer, LIMITS, OwnedRow, evaluate};

/// Rows are in this many seconds.
const SECONDS: i64 = 60;

const LOG_QUERIES: [&str; 5] = [
    r#"{app=~".+"}"#,
    r#"{app=~".+"} |= "v=1""#,
    r#"{app="a"} | logfmt | v > 3"#,
    r#"{app=~".+"} | logfmt | line_format "{{.w}}""#,
    r#"{app=~".+"} | drop pod"#,
];

const METRIC_QUERIES: [&str; 34] = [
    r#"count_over_time({app=~".+"}[20s])"#,
    r#"rate({app=~".+"} | logfmt [7s])"#,
    r#"bytes_over_time({app=~".+"} | drop pod [20s])"#,
    r#"bytes_rate({app=~".+"}[30s] offset 10s)"#,
    r#"sum by (app) (count_over_time({app=~".+"}[20s]))"#,
    r#"sum(rate({app=~".+"} | logfmt | w="x" [20s]))"#,
    r#"sum by (pod) (rate({app=~".+"} | logfmt [21s]))"#,
    r#"sum without (pod) (bytes_rate({app=~".+"}[7s]))"#,
    r#"sum without (w) (rate({app=~".+"} | logfmt pod, z [7s]))"#,
    r#"sum without (w) (count_over_time({app=~".+"} | logfmt pod, z [7s]))"#,
    r#"sum by (app) (rate({app=~".+"} | json | __error__="" [7s]))"#,
    r#"sum by (app) (rate({app=~".+"} | json | __error__!="" [7s]))"#,
    r#"sum by (app) (rate({app=~".+"} | logfmt | w > 1 [7s]))"#,
    r#"sum without (pod) (sum_over_time({app=~".+"} | logfmt | unwrap v [20s]))"#,
    r#"sum_over_time({app=~".+"} | logfmt | keep app, v | unwrap v [20s])"#,
    r#"max_over_time({app=~".+"} | logfmt | unwrap v [20s]) by (app)"#,
    r#"min_over_time({app=~".+"} | logfmt | unwrap v [20s]) by (w)"#,
    r#"max by (app) (count_over_time({app=~".+"} | logfmt [20s]))"#,
    r#"max(count_over_time({app=~".+"}[20s]))"#,
    r#"min(rate({app=~".+"}[20s]))"#,
    r#"count by (w) (count_over_time({app=~".+"} | logfmt [20s]))"#,
    r#"count(rate({app=~".+"}[20s]))"#,
    r#"avg by (app) (count_over_time({app=~".+"}[20s]))"#,
    r#"stddev(rate({app=~".+"}[7s]))"#,
    r#"avg_over_time({app=~".+"} | logfmt | unwrap v [20s]) by (app)"#,
    r#"max(max_over_time({app=~".+"} | logfmt | unwrap v [20s]))"#,
    r#"topk(2, count_over_time({app=~".+"}[20s]))"#,
    r#"sort_desc(bottomk by (app) (1, rate({app=~".+"}[7s])))"#,
    r#"quantile_over_time(0.5, {app=~".+"} | logfmt | unwrap v [20s]) by (app)"#,
    r#"sum by (app) (rate({app=~".+"}[7s])) / avg by (app) (avg_over_time({app=~".+"} | logfmt | unwrap v [20s]))"#,
    r#"sum(rate({app="a"}[7s]) or rate({app=~".+"}[20s]))"#,
    r#"label_replace(rate({app=~".+"}[7s]), "pod", "$1", "app", "(.*)") * 3"#,
    r#"absent_over_time({app="a"} | logfmt | w="y" [7s]) or vector(2)"#,
    r#"count_over_time({app=~".+"} | logfmt | keep app, pod [45s])"#,
];

/// Labels that one stream has and another has not may be found in lines and metadata too.
fn row() -> BoxedStrategy<OwnedRow> {
    let labels = (select(vec!["a", "b", "c"]), select(vec!["", "p1", "p2"]));
    let line = (0..9u32, select(vec!["x", "y"]), select(vec!["", " pod=p1", " pod="]));
    let metadata = select(vec!["", "user=bob", "pod=p1"]);
    (labels, 0..SECONDS, 0u128..4, line, metadata)
        .prop_map(|((app, pod), second, stamp, (v, w, more), metadata)| {
            let labels = Labels::from_pairs([("app", app), ("pod", pod)]).expect("labels");
            let line = format!("v=0.{v} w={w}{more}");
            let mut row = OwnedRow::new(labels, Timestamp::from_secs(second), stamp, line.as_bytes());
            if let Some((name, value)) = metadata.split_once('=') {
                row.metadata.push((name.to_owned(), value.to_owned()));
            }
            row
        })
        .boxed()
}

fn rows() -> BoxedStrategy<Vec<OwnedRow>> {
    vec(row(), 0..60).boxed()
}

fn steps() -> Steps {
    let (start, end) = (Timestamp::EPOCH, Timestamp::from_secs(SECONDS));
    Steps::range(start, end, Span::from_secs(10)).expect("steps")
}

fn log_params(direction: Direction, limit: usize) -> LogParams {
    let end = Timestamp::from_secs(SECONDS);
    LogParams { start: Timestamp::EPOCH, end, direction, limit, interval: Span::ZERO, now: end }
}

fn logs(query: &str, params: LogParams, rows: &[OwnedRow]) -> Vec<LogRow> {
    let expr = parse(query).expect(query);
    match evaluate(&expr, params, steps(), &LIMITS, rows).expect(query) {
        Answer::Rows(rows) => rows,
        Answer::Numbers(_) => panic!("{query} is a log query"),
    }
}

/// Values by labels and time.
type Points = BTreeMap<(LabelSet, Timestamp), Vec<f64>>;

fn answer(metric: &MetricExpr, steps: Steps, rows: &[OwnedRow]) -> Result<MetricAnswer, EvalError> {
    let params = log_params(Direction::Forward, 1);
    match evaluate(&Expr::Metric(metric.clone()), params, steps, &LIMITS, rows)? {
        Answer::Numbers(answer) => Ok(answer),
        Answer::Rows(_) => panic!("{metric} is no log query"),
    }
}

fn points_of(answer: MetricAnswer, steps: Steps) -> Points {
    let mut points = Points::new();
    match answer {
        MetricAnswer::Matrix(series) => {
            for series in series {
                for (time, value) in series.points {
                    points.entry(((*series.labels).clone(), time)).or_default().push(value);
                }
            }
        }
        MetricAnswer::Vector(samples) => {
            for sample in samples {
                let key = ((*sample.labels).clone(), steps.start());
                points.entry(key).or_default().push(sample.value);
            }
        }
        MetricAnswer::Scalar(value) => {
            points.insert((LabelSet::default(), steps.start()), vec![value]);
        }
    }
    points
}

fn points(metric: &MetricExpr, steps: Steps, rows: &[OwnedRow]) -> Result<Points, EvalError> {
    Ok(points_of(answer(metric, steps, rows)?, steps))
}

/// Evaluates the legs of a query in parts, each over shards of the streams, and puts them together. None if
/// it has none.
fn in_parts(
    metric: &MetricExpr,
    steps: Steps,
    piece: Option<Span>,
    shards: u32,
    rows: &[OwnedRow],
) -> Option<Result<MetricAnswer, EvalError>> {
    let division = divide(metric, piece)?;
    let join = || {
        let mut whole = MetricEvaluation::of_division(&division, steps, steps.end(), &LIMITS)?;
        for (number, leg) in division.legs.iter().enumerate() {
            for part in &leg.parts {
                // As it is sent.
                let part = parse_metric(&part.to_string()).expect("a query");
                let shards = if leg.merge.is_some() { shards } else { 1 };
                for index in 0..shards {
                    let shard = StreamShard::new(index, shards).expect("a shard");
                    let is_in = |row: &&OwnedRow| shard.contains(row.stream);
                    let rows: Vec<OwnedRow> = rows.iter().filter(is_in).cloned().collect();
                    for ((labels, time), values) in points(&part, steps, &rows)? {
                        whole.give(number, labels, values.into_iter().map(|value| (time, value)))?;
                    }
                }
            }
        }
        whole.finish()
    };
    Some(join())
}

/// To the last bit, and in the same order; or both fail.
#[track_caller]
fn assert_same(query: &str, whole: Result<MetricAnswer, EvalError>, parts: Result<MetricAnswer, EvalError>) {
    match (whole, parts) {
        // As texts, in which NaN is NaN.
        (Ok(whole), Ok(parts)) => assert_eq!(format!("{whole:?}"), format!("{parts:?}"), "{query}"),
        (Err(_), Err(_)) => {}
        (whole, parts) => panic!("{query}: {whole:?} and {parts:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn neither_order_nor_repetition_matters(
        rows in rows(),
        query in select(LOG_QUERIES.to_vec()),
        metric in select(METRIC_QUERIES.to_vec()),
        limit in 1usize..20,
        backward in any::<bool>(),
    ) {
        let mut others: Vec<OwnedRow> = rows.iter().rev().chain(&rows).cloned().collect();
        others.sort_by_key(|row| row.line.clone());
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        let params = log_params(direction, limit);
        prop_assert_eq!(logs(query, params, &rows), logs(query, params, &others));
        let expr = parse_metric(metric).expect(metric);
        let text = |rows: &[OwnedRow]| format!("{:?}", points(&expr, steps(), rows).ok());
        prop_assert_eq!(text(&rows), text(&others));
    }

    #[test]
    fn a_limit_cuts_the_whole(rows in rows(), query in select(LOG_QUERIES.to_vec()), limit in 1usize..20) {
        for direction in [Direction::Forward, Direction::Backward] {
            let mut whole = logs(query, log_params(direction, usize::MAX), &rows);
            whole.truncate(limit);
            prop_assert_eq!(whole, logs(query, log_params(direction, limit), &rows));
        }
    }

    #[test]
    fn backward_mirrors_forward_within_a_stream(rows in rows(), query in select(LOG_QUERIES.to_vec())) {
        let streams: std::collections::BTreeSet<_> = rows.iter().map(|row| row.stream).collect();
        for stream in streams {
            let rows: Vec<OwnedRow> = rows.iter().filter(|row| row.stream == stream).cloned().collect();
            let mut backward = logs(query, log_params(Direction::Backward, usize::MAX), &rows);
            backward.reverse();
            prop_assert_eq!(backward, logs(query, log_params(Direction::Forward, usize::MAX), &rows));
        }
    }

    #[test]
    fn logs_in_pieces_of_time(
        rows in rows(),
        query in select(LOG_QUERIES.to_vec()),
        cut in 0..SECONDS,
        limit in 1usize..30,
    ) {
        let cut = Timestamp::from_secs(cut);
        for direction in [Direction::Forward, Direction::Backward] {
            let whole = log_params(direction, limit);
            let early = LogParams { end: cut, ..whole };
            let late = LogParams { start: cut, ..whole };
            let pieces = if direction == Direction::Forward { [early, late] } else { [late, early] };
            let mut joined: Vec<LogRow> = Vec::new();
            for piece in pieces {
                let left = LogParams { limit: limit - joined.len(), ..piece };
                joined.extend(logs(query, left, &rows));
            }
            prop_assert_eq!(logs(query, whole, &rows), joined);
        }
    }

    #[test]
    fn metrics_in_shards(rows in rows(), query in select(METRIC_QUERIES.to_vec()), log2_shards in 0u32..4) {
        let metric = parse_metric(query).expect(query);
        if let Some(parts) = in_parts(&metric, steps(), None, 1 << log2_shards, &rows) {
            assert_same(query, answer(&metric, steps(), &rows), parts);
        }
    }

    #[test]
    fn metrics_in_pieces_of_their_window(
        rows in rows(),
        query in select(METRIC_QUERIES.to_vec()),
        piece in 1i64..20,
        log2_shards in 0u32..3,
    ) {
        let metric = parse_metric(query).expect(query);
        let at = Steps::at(Timestamp::from_secs(50));
        if let Some(parts) = in_parts(&metric, at, Some(Span::from_secs(piece)), 1 << log2_shards, &rows) {
            assert_same(query, answer(&metric, at, &rows), parts);
        }
    }

    #[test]
    fn metrics_in_pieces_of_time(rows in rows(), query in select(METRIC_QUERIES.to_vec()), cut in 0i64..6) {
        let metric = parse_metric(query).expect(query);
        let at = |tens: i64| Timestamp::from_secs(10 * tens);
        let range = |from, to| Steps::range(at(from), at(to), Span::from_secs(10)).expect("steps");
        let whole = points(&metric, range(0, 6), &rows);
        match (points(&metric, range(0, cut), &rows), points(&metric, range(cut + 1, 6), &rows)) {
            (Ok(mut joined), Ok(late)) => {
                joined.extend(late);
                prop_assert_eq!(format!("{whole:?}"), format!("{:?}", Ok::<_, EvalError>(joined)));
            }
            _ => prop_assert!(whole.is_err()),
        }
    }
}

/// The table above must hold queries of every kind, or the properties say nothing.
#[test]
fn the_queries_are_divided() {
    let of = |query: &&str| parse_metric(query).expect(query);
    let metrics: Vec<MetricExpr> = METRIC_QUERIES.iter().map(of).collect();
    let second = Some(Span::from_secs(1));
    let divided = |piece| metrics.iter().filter(|metric| divide(metric, piece).is_some()).count();
    assert!(divided(None) >= 20, "{}", divided(None));
    let cut = |metric: &&MetricExpr| {
        divide(metric, second).is_some_and(|found| found.legs.iter().any(|leg| leg.parts.len() > 1))
    };
    assert!(metrics.iter().filter(cut).count() >= 20);
    let mixed = |metric: &&MetricExpr| {
        divide(metric, None).is_some_and(|found| found.legs.iter().any(|leg| leg.merge.is_none()))
    };
    assert!(metrics.iter().any(|metric| mixed(&metric)));
}

proptest! {
    /// A scan may leave out lines that lack a needle.
    #[test]
    fn every_line_that_passes_has_the_needles(
        filters in vec(select(LINE_FILTERS.to_vec()), 1..3),
        lines in vec("[abAB= ]{0,8}|a+ b=(a|b)*", 1..8),
    ) {
        let labels = Labels::from_pairs([("app", "a")]).expect("labels");
        let at = |second: usize| Timestamp::from_secs(second as i64);
        let rows: Vec<OwnedRow> = lines.iter().enumerate()
            .map(|(index, line)| OwnedRow::new(labels.clone(), at(index), 0, line.as_bytes()))
            .collect();
        let query = format!(r#"{{app="a"}} {}"#, filters.join(" "));
        let expr = parse(&query).expect("a query");
        let scans = scans(&expr);
        for row in logs(&query, log_params(Direction::Forward, 100), &rows) {
            prop_assert!(scans[0].needles.may_match(&row.line), "{query} passes {:?}", row.line);
        }
    }
}

const LINE_FILTERS: [&str; 12] = [
    r#"|= "a""#,
    r#"|= "a" or "b=""#,
    r#"|= "" or "ab""#,
    r#"!= "ab""#,
    r#"|~ "a.*b""#,
    r#"|~ "(?i)ab|b=""#,
    r#"|~ "a+" or "(b|=)A""#,
    r#"|~ "a|.*""#,
    r#"!~ "b+""#,
    r#"|> "<_>b=<_>""#,
    r#"|> "a<_>" or "<_> b""#,
    r#"|= ip("1.2.3.4") or "a""#,
];
