//! Metric queries of all kinds.

use larch_engine::{MetricQuery, ReadFailure};
use larch_logql::{
    EvalError, EvalLimits, Expr, LabelSet, MetricAnswer, MetricEvaluation, MetricExpr, Steps, parse_metric,
    scans,
};
use larch_types::{ByteSize, Span, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;

use crate::layout::Layout;
use crate::rows::{HeldRow, SECONDS, rows, selected};

pub(crate) const LIMITS: EvalLimits =
    EvalLimits { max_series: 500, max_range: None, max_memory: ByteSize::mib(64) };

pub(crate) const FILTERS: [&str; 16] = [
    "",
    "",
    r#"|= "status""#,
    r#"|= "1" or "GET""#,
    r#"!= "3""#,
    r#"!= "error" or "status""#,
    r#"|~ "(?i)error""#,
    r#"|~ "(?i)task|K""#,
    r#"|~ "status\"?[:=]\\d+""#,
    r#"!~ "user=\\d""#,
    r#"|~ "GET|POST" != "PUT""#,
    r#"|> "<_>status=<_>""#,
    r#"!> "<_>status<_>""#,
    r#"|= ip("10.0.0.0/16")"#,
    r#"|= "" |= "e""#,
    r#"|~ "level.*,\"status\":1" |= "9""#,
];

pub(crate) const STAGES: [&str; 34] = [
    "",
    "",
    "| json",
    "| json | status >= 400",
    "| json | status=\"5\" or user=\"2\"",
    "| json | __error__=\"\"",
    "| json | took > 2",
    "| json | took > 100ms",
    "| json | size > 100KB",
    "| json | a_b > 3 | keep a_b, app",
    "| json status=\"a.b\", user=\"user\"",
    "| json | keep user",
    "| json | drop status",
    "| json | drop __error__",
    "| logfmt",
    "| logfmt | status < 300",
    "| logfmt --strict",
    "| logfmt --keep-empty | user=~\"u.*\"",
    "| logfmt status=\"took\", user",
    "| logfmt | user=\"\" | __error__=\"\"",
    "| pattern \"[<method>] [<user>] <_>\"",
    "| pattern \"<ip> - \\\"<method> <_>\\\" <status> <user>\"",
    "| pattern \"<_>status<_>=<status> <_>\"",
    "| regexp \"(?P<status>\\\\d+) of (?P<user>\\\\d+)\"",
    "| unpack",
    "| unpack | status=\"1\"",
    "| json | label_format user=status, status=user",
    "| logfmt | label_format user=\"{{.method}}-{{.status}}\"",
    "| json | line_format \"{{.status}}\" | logfmt",
    "| label_format user=app",
    "| detected_level=\"error\"",
    "| trace != \"\"",
    "| json | json | status=~\"4..\"",
    "| decolorize | logfmt | user != \"1\" or status > 7",
];

/// `{}` is the selector with its pipeline.
pub(crate) const SHAPES: [&str; 26] = [
    "count_over_time({}[20s])",
    "rate({}[7s])",
    "rate({}[10s] offset 15s)",
    "bytes_over_time({}[13s])",
    "bytes_rate({}[10s])",
    "absent_over_time({}[9s])",
    "sum(count_over_time({}[10s]))",
    "sum by (app) (count_over_time({}[25s]))",
    "sum by (status) (count_over_time({}[10s]))",
    "sum by (user, method, app) (rate({}[10s]))",
    "sum by (user_extracted, status_extracted) (count_over_time({}[10s]))",
    "sum by (detected_level) (count_over_time({}[10s]))",
    "sum by (__error__) (count_over_time({}[10s]))",
    "sum by (__error_details__, status) (count_over_time({}[10s]))",
    "sum without (user) (bytes_over_time({}[10s]))",
    "sum by (level) (bytes_over_time({}[10s]))",
    "topk(3, sum by (user) (count_over_time({}[30s])))",
    "count_over_time({}[10s]) / on (app) group_left sum by (app) (count_over_time({}[20s]))",
    "sum(sum_over_time({} | unwrap status [10s]))",
    "avg_over_time({} | unwrap status | __error__=\"\" [20s]) by (app)",
    "quantile_over_time(0.9, {} | unwrap took [20s]) by (app, user)",
    "max_over_time({} | unwrap duration(took) | __error__=\"\" [20s]) by (user)",
    "first_over_time({} | unwrap status | __error__=\"\" [20s]) by (app)",
    "last_over_time({} | unwrap user | __error__=\"\" [7s])",
    "rate_counter({} | unwrap status | __error__=\"\" [20s]) by (app)",
    "stddev_over_time({} | unwrap bytes(size) | __error__=\"\" [20s]) by (app)",
];

fn query() -> impl Strategy<Value = String> {
    let selectors = select(vec![r#"{app=~".+"}"#, r#"{app="a"}"#, r#"{app=~"b|c"}"#]);
    (selectors, select(FILTERS.to_vec()), select(STAGES.to_vec()), select(SHAPES.to_vec())).prop_map(
        |(selector, filter, stages, shape)| {
            let log = format!("{selector} {filter} {stages} ");
            let log = if stages.contains("detected") { format!("{log}{filter} ") } else { log };
            shape.replace("{}", &log)
        },
    )
}

pub(crate) fn steps() -> impl Strategy<Value = Steps> {
    let start = Timestamp::from_secs(5);
    prop_oneof![
        Just(Steps::at(Timestamp::from_secs(40))),
        (3_i64..30).prop_map(move |step| {
            let end = start.plus(Span::from_secs(SECONDS));
            Steps::range(start, end, Span::from_secs(step)).expect("steps")
        }),
    ]
}

/// What the reference says of the selected rows in the range.
fn reference(
    metric: &MetricExpr,
    steps: Steps,
    rows: &[HeldRow],
    range: (Timestamp, Timestamp),
) -> Result<MetricAnswer, EvalError> {
    let mut evaluation = MetricEvaluation::new(metric, steps, Timestamp::EPOCH, &LIMITS)?;
    for row in rows.iter().filter(|row| row.is_in(range)) {
        let pairs = row.pairs();
        let copies = row.copies.iter().map(|copy| row.input(&pairs, copy.stamp));
        evaluation.add(copies)?;
    }
    evaluation.finish()
}

/// Numbers are compared as they print, for NaN is not equal to itself.
fn shown(answer: Result<MetricAnswer, String>) -> Vec<(LabelSet, String)> {
    match answer {
        Err(error) => vec![(LabelSet::default(), error)],
        Ok(MetricAnswer::Scalar(value)) => vec![(LabelSet::default(), value.to_string())],
        Ok(MetricAnswer::Vector(samples)) => {
            samples.iter().map(|sample| ((*sample.labels).clone(), sample.value.to_string())).collect()
        }
        Ok(MetricAnswer::Matrix(series)) => {
            let show = |points: &[(Timestamp, f64)]| {
                points.iter().map(|(time, value)| format!("{}:{value} ", time.nanos())).collect()
            };
            series.iter().map(|series| ((*series.labels).clone(), show(&series.points))).collect()
        }
    }
}

/// How many rows were told by their forms.
pub(crate) fn check(
    text: &str,
    steps: Steps,
    rows: &[HeldRow],
    range: (Timestamp, Timestamp),
    threads: usize,
) -> Result<u64, TestCaseError> {
    let Ok(metric) = parse_metric(text) else { return Ok(0) };
    let mut told = 0;
    // Whoever reads has selected the streams.
    let expr = Expr::Metric(metric.clone());
    let selectors = scans(&expr);
    let selected = selected(selectors[0].matchers, rows);
    let want = reference(&metric, steps, &selected, range).map_err(|error| error.to_string());
    let found = match MetricQuery::new(&metric, steps, Timestamp::EPOCH, &LIMITS) {
        Err(error) => Err(error.to_string()),
        Ok(query) => {
            let ranges: Vec<usize> = (0..selectors.len()).collect();
            let answer = Layout::new(&selected, range).answer(&query, &ranges, threads);
            let answer = answer.map(|(answer, by_form)| {
                told = by_form;
                answer
            });
            answer.map_err(|failure| match failure {
                ReadFailure::Query(error) => error.to_string(),
                other => panic!("{text}: {other}"),
            })
        }
    };
    prop_assert_eq!(shown(found), shown(want), "{}", text);
    Ok(told)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn the_engine_says_what_the_reference_says(
        rows in rows(),
        text in query(),
        steps in steps(),
        from in 0..20_i64,
        to in 40..70_i64,
        threads in 1..3_usize,
    ) {
        let range = (Timestamp::from_secs(from), Timestamp::from_secs(to));
        check(&text, steps, &rows, range, threads)?;
    }
}
