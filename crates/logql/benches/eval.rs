//! How fast the evaluator goes through the recorded rows. Prints the best of several rounds in megabytes of
//! lines and in rows a second.

#![expect(clippy::print_stdout, reason = "the figures are the program's only purpose")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock that it measures with")]
#![expect(clippy::expect_used, reason = "a benchmark that cannot read its own data has failed")]

use std::hint::black_box;
use std::time::Instant;

use larch_logql::{
    Direction, EvalLimits, Expr, InputRow, LogEvaluation, LogParams, MetricEvaluation, Steps, parse,
};
use larch_types::{ByteSize, Labels, PushStamp, RowOrder, Span, StreamId, Timestamp};
use serde_json::Value;

const DATASET: &str = include_str!("../../../tests/conformance/dataset.jsonl");
const ROUNDS: u32 = 15;

const LIMITS: EvalLimits = EvalLimits { max_series: 100_000, max_range: None, max_memory: ByteSize::gib(1) };

const QUERIES: [(&str, &str); 11] = [
    ("newest rows", r#"{env=~".+"}"#),
    ("needle", r#"{env=~".+"} |= "trace_id""#),
    ("regex", r#"{env=~".+"} |~ "status\"?[:=]5\\d\\d""#),
    ("json", r#"{env=~".+"} | json | status >= 500"#),
    ("logfmt", r#"{env=~".+"} | logfmt | status >= 500"#),
    ("pattern", r#"{env=~".+"} | pattern "<ip> - <_>" | ip != """#),
    ("format", r#"{env=~".+"} | json | line_format "{{.method}} {{.path}}""#),
    ("count", r#"sum(count_over_time({env=~".+"}[5m]))"#),
    ("rate by stream", r#"rate({env=~".+"}[5m])"#),
    ("rate by json", r#"sum by (status) (rate({env=~".+"} | json | __error__="" [5m]))"#),
    (
        "quantile",
        r#"quantile_over_time(0.99, {env=~".+"} | json | unwrap duration_ms | __error__="" [5m]) by (app)"#,
    ),
];

struct Row {
    stream: StreamId,
    labels: Labels,
    order: RowOrder,
    line: String,
}

fn load() -> Vec<Row> {
    let mut rows = Vec::new();
    for (push, line) in DATASET.lines().enumerate() {
        let batch: Value = serde_json::from_str(line).expect("a push");
        let stream = batch["stream"].as_object().expect("labels");
        let pairs = stream.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("a label")));
        let labels = Labels::from_pairs(pairs).expect("labels");
        for (index, value) in batch["values"].as_array().expect("rows").iter().enumerate() {
            let nanos = value[0].as_str().and_then(|text| text.parse().ok()).expect("a time");
            let timestamp = Timestamp::from_nanos(nanos);
            rows.push(Row {
                stream: StreamId::of(&labels),
                labels: labels.clone(),
                order: RowOrder { timestamp, stamp: PushStamp(push as u128), index: index as u32 },
                line: value[1].as_str().expect("a line").to_owned(),
            });
        }
    }
    rows
}

fn run<'r>(expr: &Expr, start: Timestamp, end: Timestamp, rows: impl Iterator<Item = InputRow<'r>>) {
    match expr {
        Expr::Log(log) => {
            let direction = Direction::Backward;
            let params = LogParams { start, end, direction, limit: 1000, interval: Span::ZERO, now: end };
            let mut evaluation = LogEvaluation::new(log, params, &LIMITS).expect("a query");
            evaluation.add(rows).expect("rows");
            drop(black_box(evaluation.finish()));
        }
        Expr::Metric(metric) => {
            let steps = Steps::range(start, end, Span::from_secs(60)).expect("steps");
            let mut evaluation = MetricEvaluation::new(metric, steps, end, &LIMITS).expect("a query");
            evaluation.add(rows).expect("rows");
            drop(black_box(evaluation.finish().expect("an answer")));
        }
    }
}

fn main() {
    let rows = load();
    let bytes: usize = rows.iter().map(|row| row.line.len()).sum();
    let times = || rows.iter().map(|row| row.order.timestamp);
    let start = times().min().expect("rows");
    let end = times().max().expect("rows").plus(Span::from_nanos(1));
    println!("{} rows, {bytes} bytes of lines", rows.len());
    println!("{:<15} {:>8} {:>12}", "query", "MB/s", "rows/s");
    for (name, query) in QUERIES {
        let expr = parse(query).expect(query);
        let mut best = f64::INFINITY;
        for _ in 0..ROUNDS {
            let inputs = rows.iter().map(|row| InputRow {
                stream: row.stream,
                labels: &row.labels,
                order: row.order,
                line: row.line.as_bytes(),
                metadata: &[],
                level: None,
            });
            let began = Instant::now();
            run(&expr, start, end, inputs);
            best = best.min(began.elapsed().as_secs_f64());
        }
        println!("{name:<15} {:>8.0} {:>12.0}", bytes as f64 / 1e6 / best, rows.len() as f64 / best);
    }
}
