//! Bounds on what one query may take.

use larch_logql::{
    Direction, EvalError, EvalLimits, LogParams, MAX_DEPTH, MAX_NESTING, MetricAnswer, Steps, parse,
};
use larch_types::{ByteSize, ErrorKind, Labels, Span, Timestamp};

use crate::rows::{Answer, LIMITS, OwnedRow, evaluate};

fn rows(count: i64) -> Vec<OwnedRow> {
    let labels = Labels::from_pairs([("app", "a")]).expect("labels");
    let row =
        |n: i64| OwnedRow::new(labels.clone(), Timestamp::from_nanos(n), 0, format!("n={n}").as_bytes());
    (0..count).map(row).collect()
}

fn run(query: &str, limit: usize, limits: &EvalLimits, rows: &[OwnedRow]) -> Result<Answer, EvalError> {
    let end = Timestamp::from_secs(10);
    let logs = LogParams {
        start: Timestamp::EPOCH,
        end,
        direction: Direction::Backward,
        limit,
        interval: Span::ZERO,
        now: end,
    };
    evaluate(&parse(query).expect("a query"), logs, Steps::at(end), limits, rows)
}

#[test]
fn memory() {
    let rows = rows(10_000);
    let little = EvalLimits { max_memory: ByteSize::kib(64), ..LIMITS };
    for query in
        [r#"count_over_time({app="a"}[1m])"#, r#"sum(rate({app="a"} | logfmt [1m]))"#, r#"{app="a"}"#]
    {
        assert!(run(query, 1_000_000, &LIMITS, &rows).is_ok(), "{query}");
        let error = run(query, 1_000_000, &little, &rows).expect_err(query);
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("(limit: 64"), "{error}");
    }
    // What is not shown is not held.
    assert!(run(r#"{app="a"}"#, 100, &little, &rows).is_ok());
    let other = run(r#"count_over_time({app="b"}[1m])"#, 100, &little, &rows);
    assert_eq!(other, Ok(Answer::Numbers(MetricAnswer::Vector(Vec::new()))));
}

/// Also streams that give no row are known by name.
#[test]
fn memory_of_streams() {
    let mut rows = Vec::new();
    for n in 0..2000_i64 {
        let labels = Labels::from_pairs([("app", "a".to_owned()), ("n", n.to_string())]).expect("labels");
        rows.push(OwnedRow::new(labels, Timestamp::from_nanos(n), 0, b"x"));
    }
    let little = EvalLimits { max_memory: ByteSize::kib(64), ..LIMITS };
    for query in [r#"{app="b"}"#, r#"{app="a"} |= "y""#, r#"sum(rate({app="b"}[1m]))"#] {
        assert!(run(query, 10, &LIMITS, &rows).is_ok(), "{query}");
        let error = run(query, 10, &little, &rows).expect_err(query);
        assert!(matches!(error, EvalError::TooMuchMemory(_)), "{error}");
    }
}

/// More steps than memory has room for.
#[test]
fn points() {
    let steps =
        Steps::range(Timestamp::EPOCH, Timestamp::from_secs(90_000), Span::from_secs(1)).expect("steps");
    let little = EvalLimits { max_memory: ByteSize::kib(64), ..LIMITS };
    let logs = LogParams::at(Timestamp::EPOCH, 1, Timestamp::EPOCH);
    for query in ["1", "vector(1)"] {
        let expr = parse(query).expect(query);
        let error = evaluate(&expr, logs, steps, &little, &[]).expect_err(query);
        assert!(matches!(error, EvalError::TooMuchMemory(_)), "{error}");
    }
}

#[test]
fn long_values_of_label_replace() {
    let rows = rows(1);
    let query = |groups: usize| {
        let replacement = "$1".repeat(groups);
        format!(r#"label_replace(count_over_time({{app="a"}}[1m]), "x", "{replacement}", "app", "(.*)")"#)
    };
    assert!(run(&query(10), 1, &LIMITS, &rows).is_ok());
    let query = format!(
        r#"label_replace(label_replace({}, "y", "{}", "x", "(.*)"), "z", "{}", "y", "(.*)")"#,
        query(1000),
        "$1".repeat(1000),
        "$1".repeat(1000)
    );
    assert!(matches!(run(&query, 1, &LIMITS, &rows), Err(EvalError::LabelTooLong(_))));
}

/// As deep and as long as the parser lets them be.
#[test]
fn deep_expressions() {
    let rows = rows(3);
    let range = r#"count_over_time({app="a"}[1m])"#;
    let chain = format!("{range}{}", format!(" + {range}").repeat(MAX_DEPTH - MAX_NESTING));
    let nested = format!("{}{chain}{}", "sum(".repeat(MAX_NESTING - 1), ")".repeat(MAX_NESTING - 1));
    for query in [chain, nested] {
        let answer = run(&query, 1, &LIMITS, &rows).expect("an answer");
        let Answer::Numbers(MetricAnswer::Vector(samples)) = answer else { panic!("{answer:?}") };
        assert_eq!(samples[0].value, 3.0 * (MAX_DEPTH - MAX_NESTING + 1) as f64);
    }
    let filters = format!(r#"{{app="a"}} | app="a"{}"#, r#" or app="b""#.repeat(MAX_DEPTH / 2 - 1));
    let Ok(Answer::Rows(shown)) = run(&filters, 10, &LIMITS, &rows) else { panic!("rows") };
    assert_eq!(shown.len(), 3);
}

/// Rows at the ends of time, and windows that reach beyond them.
#[test]
fn the_ends_of_time() {
    let labels = Labels::from_pairs([("app", "a")]).expect("labels");
    let at = |time: Timestamp| OwnedRow::new(labels.clone(), time, 0, b"x");
    let rows = [at(Timestamp::MIN), at(Timestamp::EPOCH), at(Timestamp::MAX)];
    let logs = LogParams {
        start: Timestamp::MIN,
        end: Timestamp::MAX,
        direction: Direction::Backward,
        limit: 10,
        interval: Span::ZERO,
        now: Timestamp::EPOCH,
    };
    let expr = parse(r#"{app="a"}"#).expect("a query");
    let Ok(Answer::Rows(shown)) = evaluate(&expr, logs, Steps::at(Timestamp::MAX), &LIMITS, &rows) else {
        panic!("rows")
    };
    assert_eq!(shown.len(), 2);
    for (query, time, want) in [
        (r#"sum(count_over_time({app="a"}[1s]))"#, Timestamp::MAX, 1.0),
        (r#"sum(count_over_time({app="a"}[250y]))"#, Timestamp::EPOCH, 1.0),
        (r#"sum(count_over_time({app="a"}[2s] offset -1s))"#, Timestamp::MAX, 1.0),
    ] {
        let expr = parse(query).expect(query);
        let answer = evaluate(&expr, logs, Steps::at(time), &LIMITS, &rows).expect(query);
        let Answer::Numbers(MetricAnswer::Vector(samples)) = answer else { panic!("{query}: {answer:?}") };
        assert_eq!(samples.first().map(|sample| sample.value), Some(want), "{query}");
    }
}
