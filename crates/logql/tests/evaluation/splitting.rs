//! An answer does not depend on the order in which rows come, how often they come, or how the work was cut.

use std::collections::BTreeMap;

use larch_logql::{
    Direction, Expr, LabelSet, LogParams, LogRow, Merge, MetricAnswer, MetricExpr, ShardSplit, Steps, parse,
    parse_metric, scans, shard_split, window_split,
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

const METRIC_QUERIES: [&str; 18] = [
    r#"count_over_time({app=~".+"}[20s])"#,
    r#"rate({app=~".+"} | logfmt [7s])"#,
    r#"bytes_over_time({app=~".+"} | drop pod [20s])"#,
    r#"bytes_rate({app=~".+"}[30s] offset 10s)"#,
    r#"sum by (app) (count_over_time({app=~".+"}[20s]))"#,
    r#"sum(rate({app=~".+"} | logfmt | w="x" [20s]))"#,
    r#"sum without (pod) (sum_over_time({app=~".+"} | logfmt | unwrap v [20s]))"#,
    r#"sum_over_time({app=~".+"} | logfmt | keep app, v | unwrap v [20s])"#,
    r#"max_over_time({app=~".+"} | logfmt | unwrap v [20s]) by (app)"#,
    r#"min_over_time({app=~".+"} | logfmt | unwrap v [20s]) by (w)"#,
    r#"max by (app) (count_over_time({app=~".+"} | logfmt [20s]))"#,
    r#"min(rate({app=~".+"}[20s]))"#,
    r#"count by (w) (count_over_time({app=~".+"} | logfmt [20s]))"#,
    r#"avg by (app) (count_over_time({app=~".+"}[20s]))"#,
    r#"avg_over_time({app=~".+"} | logfmt | unwrap v [20s]) by (app)"#,
    r#"max(max_over_time({app=~".+"} | logfmt | unwrap v [20s]))"#,
    r#"topk(2, count_over_time({app=~".+"}[20s]))"#,
    r#"quantile_over_time(0.5, {app=~".+"} | logfmt | unwrap v [20s]) by (app)"#,
];

fn row() -> BoxedStrategy<OwnedRow> {
    let labels = (select(vec!["a", "b", "c"]), select(vec!["", "p1", "p2"]));
    (labels, 0..SECONDS, 0u128..4, 0..9u32, select(vec!["x", "y"]), any::<bool>())
        .prop_map(|((app, pod), second, stamp, v, w, has_user)| {
            let labels = Labels::from_pairs([("app", app), ("pod", pod)]).expect("labels");
            let line = format!("v={v} w={w}");
            let mut row = OwnedRow::new(labels, Timestamp::from_secs(second), stamp, line.as_bytes());
            if has_user {
                row.metadata.push(("user".to_owned(), "bob".to_owned()));
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
type Points = BTreeMap<(LabelSet, Timestamp), f64>;

fn points(metric: &MetricExpr, steps: Steps, rows: &[OwnedRow]) -> Points {
    let params = log_params(Direction::Forward, 1);
    let answer = evaluate(&Expr::Metric(metric.clone()), params, steps, &LIMITS, rows).expect("an answer");
    let mut points = Points::new();
    match answer {
        Answer::Numbers(MetricAnswer::Matrix(series)) => {
            for series in series {
                for (time, value) in series.points {
                    points.insert(((*series.labels).clone(), time), value);
                }
            }
        }
        Answer::Numbers(MetricAnswer::Vector(samples)) => {
            for sample in samples {
                points.insert(((*sample.labels).clone(), steps.start()), sample.value);
            }
        }
        other => panic!("{metric} gave {other:?}"),
    }
    points
}

fn merge(into: &mut Points, part: Points, merge: Merge) {
    for (key, value) in part {
        into.entry(key)
            .and_modify(|known| {
                *known = match merge {
                    Merge::Sum => *known + value,
                    Merge::Min => known.min(value),
                    Merge::Max => known.max(value),
                }
            })
            .or_insert(value);
    }
}

fn sharded(metric: &MetricExpr, how: Merge, rows: &[OwnedRow]) -> Points {
    let mut merged = Points::new();
    for index in 0..4 {
        let shard = StreamShard::new(index, 4).expect("a shard");
        let rows: Vec<OwnedRow> = rows.iter().filter(|row| shard.contains(row.stream)).cloned().collect();
        merge(&mut merged, points(metric, steps(), &rows), how);
    }
    merged
}

/// None if the shards cannot be merged at this place of the expression.
fn by_shards(metric: &MetricExpr, rows: &[OwnedRow]) -> Option<Points> {
    match shard_split(metric) {
        ShardSplit::Merged(how) => Some(sharded(metric, how, rows)),
        ShardSplit::Average { sum, count } => {
            let counts = sharded(&count, Merge::Sum, rows);
            let mut quotients = sharded(&sum, Merge::Sum, rows);
            for (key, value) in &mut quotients {
                *value /= counts[key];
            }
            Some(quotients)
        }
        ShardSplit::Whole | ShardSplit::Operands => None,
    }
}

/// Sums may be added up in another order.
fn assert_alike(query: &str, whole: &Points, parts: &Points) {
    assert_eq!(whole.keys().collect::<Vec<_>>(), parts.keys().collect::<Vec<_>>(), "{query}");
    for (key, value) in whole {
        let other = parts[key];
        assert!(
            (value - other).abs() <= 1e-12 * value.abs().max(1.0),
            "{query} at {key:?}: {value} and {other}"
        );
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
        prop_assert_eq!(points(&expr, steps(), &rows), points(&expr, steps(), &others));
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
    fn metrics_in_shards(rows in rows(), query in select(METRIC_QUERIES.to_vec())) {
        let metric = parse_metric(query).expect(query);
        if let Some(parts) = by_shards(&metric, &rows) {
            assert_alike(query, &points(&metric, steps(), &rows), &parts);
        }
    }

    #[test]
    fn metrics_in_pieces_of_their_window(
        rows in rows(),
        query in select(METRIC_QUERIES.to_vec()),
        piece in 1i64..20,
    ) {
        let metric = parse_metric(query).expect(query);
        let at = Steps::at(Timestamp::from_secs(50));
        if let Some(split) = window_split(&metric, Span::from_secs(piece)) {
            let mut merged = Points::new();
            for window in &split.windows {
                merge(&mut merged, points(&split.part(*window), at, &rows), split.merge);
            }
            merged.values_mut().for_each(|value| *value /= split.divisor);
            assert_alike(query, &points(&metric, at, &rows), &merged);
        }
    }

    #[test]
    fn metrics_in_pieces_of_time(rows in rows(), query in select(METRIC_QUERIES.to_vec()), cut in 0i64..6) {
        let metric = parse_metric(query).expect(query);
        let at = |tens: i64| Timestamp::from_secs(10 * tens);
        let range = |from, to| Steps::range(at(from), at(to), Span::from_secs(10)).expect("steps");
        let mut joined = points(&metric, range(0, cut), &rows);
        joined.extend(points(&metric, range(cut + 1, 6), &rows));
        prop_assert_eq!(points(&metric, range(0, 6), &rows), joined);
    }
}

/// The table above must hold queries of every kind, or the properties say nothing.
#[test]
fn the_queries_are_split() {
    let of = |query: &&str| parse_metric(query).expect(query);
    let metrics: Vec<MetricExpr> = METRIC_QUERIES.iter().map(of).collect();
    let merged = metrics.iter().filter(|metric| matches!(shard_split(metric), ShardSplit::Merged(_)));
    assert!(merged.count() >= 10);
    assert!(metrics.iter().any(|metric| matches!(shard_split(metric), ShardSplit::Average { .. })));
    let windows = metrics.iter().filter(|metric| window_split(metric, Span::from_secs(3)).is_some());
    assert!(windows.count() >= 8);
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
