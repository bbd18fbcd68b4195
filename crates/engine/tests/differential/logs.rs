//! Log queries of all kinds.

use std::cell::Cell;

use larch_engine::{LogQuery, ReadFailure};
use larch_logql::{Direction, EvalError, LogEvaluation, LogParams, LogRow, Origin, parse_log};
use larch_types::{Span, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;

use crate::layout::Layout;
use crate::metrics::{FILTERS, LIMITS, STAGES};
use crate::rows::{HeldRow, rows, selected};

/// What is put behind a filter and the stages of metric queries.
const ENDS: [&str; 8] = [
    "",
    "",
    "|= \"1\"",
    "!= \"2\" | detected_level=\"info\"",
    "| line_format \"{{.app}} {{.status}} {{__line__}}\"",
    "| line_format \"{{.user}}\" |= \"1\"",
    "| label_format app=user | keep app, user",
    "| status=\"meta\" or app=\"a\"",
];

fn query() -> impl Strategy<Value = String> {
    let selectors = select(vec![r#"{app=~".+"}"#, r#"{app="a"}"#, r#"{app=~"b|c"}"#]);
    (selectors, select(FILTERS.to_vec()), select(STAGES.to_vec()), select(ENDS.to_vec()))
        .prop_map(|(selector, filter, stages, end)| format!("{selector} {filter} {stages} {end}"))
}

type Answer = Result<(Vec<(Origin, LogRow)>, u64), String>;

/// What the reference says of the rows, all copies among them.
fn reference(text: &str, params: LogParams, rows: &[HeldRow]) -> Answer {
    let log = parse_log(text).expect("a query");
    let mut evaluation = LogEvaluation::new(&log, params, &LIMITS).map_err(|error| error.to_string())?;
    for row in rows {
        let pairs = row.pairs();
        let copies = row.copies.iter().map(|copy| row.input(&pairs, copy.stamp));
        evaluation.add(copies).map_err(|error| error.to_string())?;
    }
    Ok((evaluation.finish_with_origins(), 0))
}

fn engine(text: &str, params: LogParams, rows: &[HeldRow], threads: usize) -> Result<Answer, TestCaseError> {
    let log = parse_log(text).expect("a query");
    let query = match LogQuery::new(&log, params, &LIMITS) {
        Err(error) => return Ok(Err(error.to_string())),
        Ok(query) => query,
    };
    match Layout::new(rows, (params.start, params.end)).entries(&query, params.direction, threads) {
        Ok((evaluation, unread)) => Ok(Ok((evaluation.finish_with_origins(), unread as u64))),
        Err(ReadFailure::Query(error)) => Ok(Err(error.to_string())),
        Err(other) => Err(TestCaseError::fail(format!("{text}: {other}"))),
    }
}

thread_local! {
    /// Answers that were compared, chunks that were left unread, answers with a copy of a row in them.
    static MET: Cell<(u64, u64, u64)> = const { Cell::new((0, 0, 0)) };
}

fn check(text: &str, params: LogParams, rows: &[HeldRow], threads: usize) -> Result<(), TestCaseError> {
    let Ok(log) = parse_log(text) else { return Ok(()) };
    // Whoever reads has selected the streams.
    let rows = &selected(&log.matchers, rows);
    let (found, want) = (engine(text, params, rows, threads)?, reference(text, params, rows));
    let (answers, unread, copies) = MET.get();
    let left = found.as_ref().map_or(0, |(_, unread)| *unread);
    let has_copies = u64::from(rows.iter().any(|row| row.copies.len() > 1));
    MET.set((answers + 1, unread + left, copies + has_copies));
    let rows_of = |answer: Answer| answer.map(|(rows, _)| rows);
    prop_assert_eq!(rows_of(found), rows_of(want), "{} {:?}", text, params);
    Ok(())
}

#[test]
fn the_engine_shows_what_the_reference_shows() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(800));
    let given =
        (rows(), query(), (0..20_i64, 40..70_i64), any::<bool>(), (0..5_usize, 1..30_usize), 1..3_usize);
    let run = runner.run(&given, |(rows, text, (from, to), is_forward, (kind, some), threads)| {
        let params = LogParams {
            start: Timestamp::from_secs(from),
            end: Timestamp::from_secs(to),
            direction: if is_forward { Direction::Forward } else { Direction::Backward },
            limit: [some, some, 1, 0, 1000][kind],
            interval: Span::ZERO,
            now: Timestamp::EPOCH,
        };
        check(&text, params, &rows, threads)
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    let (answers, unread, copies) = MET.get();
    // The test bites only if it comes by what it is for.
    assert!(
        answers > 400 && unread > 100 && copies > 400,
        "{answers} answers, {unread} unread, {copies} copies"
    );
}

/// What is kept is bounded by the query's memory, over all threads together.
#[test]
fn memory_is_bounded() {
    let log = parse_log(r#"{app="a"}"#).expect("a query");
    let limits = larch_logql::EvalLimits { max_memory: larch_types::ByteSize::kib(64), ..LIMITS };
    let params = LogParams {
        start: Timestamp::EPOCH,
        end: Timestamp::from_secs(100_000),
        direction: Direction::Forward,
        limit: 100_000,
        interval: Span::ZERO,
        now: Timestamp::EPOCH,
    };
    let query = LogQuery::new(&log, params, &limits).expect("it can be run");
    let memory = query.memory();
    let mut threads = [query.entries(), query.entries()];
    let labels: larch_types::Labels = r#"{app="a"}"#.parse().expect("labels");
    let mut failure = None;
    for second in 0..10_000_usize {
        let order = larch_types::RowOrder {
            timestamp: Timestamp::from_secs(second as i64),
            stamp: larch_types::PushStamp(0),
            index: 0,
        };
        let row = larch_logql::InputRow {
            stream: larch_types::StreamId::of(&labels),
            labels: &labels,
            order,
            line: b"a line",
            metadata: &[],
            level: None,
        };
        if let Err(error) = query.read_rows([row], &mut threads[second % 2], &memory) {
            failure = Some((second, error));
            break;
        }
    }
    let (rows, error) = failure.expect("it is too much");
    assert!(matches!(error, EvalError::TooMuchMemory(_)), "{error}");
    assert!((100..2000).contains(&rows), "{rows}");
}
