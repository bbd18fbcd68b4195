//! What whoever feeds an evaluation learns on the way, and rows that never end.

use larch_logql::{
    Direction, LivePipeline, LogEvaluation, LogParams, MetricEvaluation, Steps, parse_log, parse_metric,
};
use larch_types::{Labels, Span, Timestamp};

use crate::rows::{LIMITS, OwnedRow, with_rows};

const NOW: Timestamp = Timestamp::from_secs(100);

fn rows(lines: &[(i64, &str)]) -> Vec<OwnedRow> {
    let labels = Labels::from_pairs([("app", "a")]).expect("labels");
    let row = |(second, line): &(i64, &str)| {
        OwnedRow::new(labels.clone(), Timestamp::from_secs(*second), 0, line.as_bytes())
    };
    lines.iter().map(row).collect()
}

#[test]
fn a_full_answer_wants_no_later_rows() {
    for (direction, first, last) in [(Direction::Forward, 1, 2), (Direction::Backward, 9, 8)] {
        let params = LogParams {
            start: Timestamp::EPOCH,
            end: Timestamp::from_secs(10),
            direction,
            limit: 2,
            interval: Span::ZERO,
            now: NOW,
        };
        let log = parse_log(r#"{app="a"} |= "yes""#).expect("a query");
        let mut evaluation = LogEvaluation::new(&log, params, &LIMITS).expect("an evaluation");
        let rows = rows(&[(first, "yes"), (first, "no"), (last, "yes 2")]);
        with_rows(&rows, |rows| {
            evaluation.add(rows[..2].iter().copied()).expect("rows");
            assert!(evaluation.wants_behind(Timestamp::from_secs(last)), "one row is missing");
            evaluation.add(rows[2..].iter().copied()).expect("rows");
        });
        assert!(evaluation.wants_behind(Timestamp::from_secs(first)), "one could come before the last");
        assert!(!evaluation.wants_behind(Timestamp::from_secs(last)));
        assert_eq!(evaluation.passed(), 2);
        let ids: Vec<_> = evaluation.finish_with_origins();
        assert_eq!(ids.len(), 2);
        with_rows(&rows, |rows| {
            let origins: Vec<_> = [rows[0], rows[2]].map(|row| (row.stream, row.identity())).to_vec();
            let found: Vec<_> = ids.iter().map(|(origin, _)| (origin.stream, origin.identity)).collect();
            assert_eq!(found, origins);
        });
    }
}

#[test]
fn a_metric_answer_can_be_stopped_between_steps() {
    let steps = Steps::range(Timestamp::EPOCH, Timestamp::from_secs(9), Span::from_secs(1)).expect("steps");
    let metric = parse_metric(r#"count_over_time({app="a"} |= "yes"[5s])"#).expect("a query");
    let begin = || {
        let mut evaluation = MetricEvaluation::new(&metric, steps, NOW, &LIMITS).expect("an evaluation");
        let rows = rows(&[(1, "yes"), (2, "no"), (99, "yes")]);
        with_rows(&rows, |rows| evaluation.add(rows.iter().copied())).expect("rows");
        assert_eq!(evaluation.passed(), 1);
        evaluation
    };
    let mut asked = 0;
    let stopped = begin().finish_while(|| {
        asked += 1;
        asked < 4
    });
    assert_eq!((stopped, asked), (Ok(None), 4));
    assert_eq!(begin().finish_while(|| true), begin().finish().map(Some));
}

#[test]
fn live_rows_keep_their_places() {
    let log = parse_log(r#"{app="a"} |= "yes" | logfmt"#).expect("a query");
    let mut pipeline = LivePipeline::new(&log).expect("a pipeline");
    let mut rows = rows(&[(1, "no"), (5, "yes k=v"), (2, "yes")]);
    rows.push(OwnedRow::new(Labels::from_pairs([("app", "b")]).expect("labels"), NOW, 0, b"yes"));
    let shown = with_rows(&rows, |rows| pipeline.run(rows.iter().copied(), NOW)).expect("rows");
    let places: Vec<usize> = shown.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [1, 2], "no order is made, no limit kept");
    assert_eq!(shown[0].1.labels.parsed.get("k"), Some("v"));
}

/// Streams that come and go for ever do not fill the memory nor stop the tail.
#[test]
fn live_streams_may_be_any_number() {
    let log = parse_log(r#"{app=~"a.*"}"#).expect("a query");
    let mut pipeline = LivePipeline::new(&log).expect("a pipeline");
    for round in 0..200 {
        let mut rows = Vec::new();
        for stream in 0..100 {
            let name = format!("a{round}-{stream}-{}", "x".repeat(200));
            rows.push(OwnedRow::new(Labels::from_pairs([("app", name)]).expect("labels"), NOW, 0, b"line"));
        }
        let shown = with_rows(&rows, |rows| pipeline.run(rows.iter().copied(), NOW)).expect("rows");
        assert_eq!(shown.len(), 100);
    }
}

#[test]
fn every_selector_of_a_metric_query_can_be_changed() {
    let query = r#"sum(rate({a="1"}[1m])) / label_replace(rate({b="2"}[1m]), "x", "y", "z", "") + vector(1)"#;
    let mut metric = parse_metric(query).expect("a query");
    for matchers in metric.selectors_mut() {
        matchers[0].value.push('!');
    }
    let text = metric.to_string();
    assert!(text.contains(r#"{a="1!"}"#) && text.contains(r#"{b="2!"}"#), "{text}");
}
