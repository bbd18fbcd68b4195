//! The recorded queries over the recorded rows: what comes back from the worker, in pieces and over the
//! traits, is what the evaluator says when it is handed all rows at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use larch_logql::{
    Direction as Order, EntryLabels, EvalError, EvalLimits, Expr, LabelMatcher, LabelSet, LogEvaluation,
    LogExpr, LogParams, LogRow, MetricAnswer, MetricEvaluation, Sample, Series, Steps, parse,
};
use larch_proto::{Direction, Pair, PieceId, Question, ResultPart, TieOrder};
use larch_types::{ByteSize, Labels, PushStamp, Span, Timestamp};
use serde_json::Value;

use super::fakes::{FakeIngester, Reported, Stored, StoredStream, batch_of};
use super::setting::{Setting, piece};
use crate::rows::{Budget, InputRows, Streams, rows_of_batch};

const DATASET: &str = include_str!("../../../../tests/conformance/dataset.jsonl");
const CASES: &str = include_str!("../../../../tests/conformance/cases.jsonl");

const LIMITS: EvalLimits = EvalLimits { max_series: 500, max_range: None, max_memory: ByteSize::mib(256) };

/// Every line of the file is one push of one stream.
fn dataset() -> Vec<Stored> {
    let mut rows = Vec::new();
    for (push, line) in DATASET.lines().enumerate() {
        let batch: Value = serde_json::from_str(line).expect(line);
        let stream = StoredStream::new(Labels::from_pairs(pairs(&batch["stream"])).expect(line));
        let tenant: Arc<str> = batch["tenant"].as_str().expect(line).into();
        for (index, value) in batch["values"].as_array().expect(line).iter().enumerate() {
            let nanos = value[0].as_str().expect(line).parse().expect(line);
            rows.push(Stored {
                tenant: tenant.clone(),
                stream: stream.clone(),
                timestamp: Timestamp::from_nanos(nanos),
                line: value[1].as_str().expect(line).to_owned().into(),
                metadata: pairs(&value[2]),
                // Of the line alone, as a level is: copies of a row have the same.
                level: ["info", "error"].get(value[1].as_str().expect(line).len() % 3).copied(),
                tie: TieOrder { stamp: PushStamp(push as u128), index: index as u32 },
            });
        }
    }
    rows
}

fn pairs(object: &Value) -> Vec<(String, String)> {
    let pair = |(name, value): (&String, &Value)| (name.clone(), value.as_str().expect("a text").to_owned());
    object.as_object().into_iter().flatten().map(pair).collect()
}

struct Case {
    id: String,
    tenant: String,
    query: Expr,
    question: Question,
    params: LogParams,
    steps: Steps,
    range: (Timestamp, Timestamp),
}

/// None: it is no query, or one whose parameters make no sense, or one that only the frontend answers.
fn case(line: &str) -> Option<Case> {
    let case: Value = serde_json::from_str(line).expect(line);
    let param = |name: &str| case["params"].get(name).and_then(Value::as_str);
    let path = case["path"].as_str()?.strip_prefix("/loki/api/v1/")?;
    let query = parse(param("query")?).ok()?;
    let limit = param("limit").unwrap_or("100").parse().ok()?;
    let tenant = case["tenant"].as_str()?;
    if param("interval").is_some() || !matches!(path, "query" | "query_range") || tenant.contains('|') {
        return None;
    }
    let is_forward = param("direction").is_some_and(|direction| direction == "forward");
    let (start, end, steps, question_step) = if path == "query" {
        let time = timestamp(param("time")?)?;
        (time.minus(Span::from_hours(1)), time, Steps::at(time), Span::ZERO)
    } else {
        let (start, end) = (timestamp(param("start")?)?, timestamp(param("end")?)?);
        let seconds = param("step").map_or(Some(60.0), |step| step.parse().ok())?;
        let step = Span::from_nanos((seconds * 1e9) as i64);
        (start, end, Steps::range(start, end, step)?.aligned(), step)
    };
    let params = LogParams {
        start,
        end,
        direction: if is_forward { Order::Forward } else { Order::Backward },
        limit,
        interval: Span::ZERO,
        now: end,
    };
    let direction = if is_forward { Direction::Forward } else { Direction::Backward };
    let (question, range) = match &query {
        Expr::Log(log) => {
            let query = log.to_string();
            (Question::Logs { query, direction, limit: limit as u64 }, (start, end))
        }
        Expr::Metric(metric) => {
            let query = metric.to_string();
            let question =
                Question::Metric { query, start: steps.start(), end: steps.end(), step: question_step };
            // Wide enough for all that windows reach.
            (question, (Timestamp::EPOCH, Timestamp::from_secs(10_000_000_000)))
        }
    };
    let (id, tenant) = (case["id"].as_str()?.to_owned(), tenant.to_owned());
    Some(Case { id, tenant, query, question, params, steps, range })
}

fn timestamp(text: &str) -> Option<Timestamp> {
    match text.parse::<i64>() {
        Ok(number) if text.len() <= 10 => Some(Timestamp::from_secs(number)),
        Ok(number) => Some(Timestamp::from_nanos(number)),
        Err(_) => None,
    }
}

#[derive(Debug, PartialEq)]
enum Answer {
    Rows(Vec<LogRow>),
    Numbers(MetricAnswer),
}

/// All rows at once, in the order in which they were pushed.
fn direct(case: &Case, rows: &[Stored]) -> Result<Answer, String> {
    let tenant = case.tenant.parse().expect("a tenant");
    let of_tenant: Vec<Stored> = rows.iter().filter(|row| *row.tenant == *case.tenant).cloned().collect();
    let mut budget = Budget::new(ByteSize::gib(1));
    let held = rows_of_batch(batch_of(&of_tenant), &tenant, &mut Streams::new(false), &mut budget);
    let held = held.expect("rows");
    let input = InputRows::new(&held);
    let text = |error: larch_logql::EvalError| error.to_string();
    match &case.query {
        Expr::Log(log) => {
            let mut evaluation = match LogEvaluation::new(log, case.params, &LIMITS) {
                // Stages that cannot be built are a mistake only where there are rows.
                Err(EvalError::Build(_)) if !selects_any(log, &of_tenant) => {
                    return Ok(Answer::Rows(Vec::new()));
                }
                built => built.map_err(text)?,
            };
            evaluation.add(input.iter()).map_err(text)?;
            Ok(Answer::Rows(evaluation.finish()))
        }
        Expr::Metric(metric) => {
            let now = case.params.now;
            let mut evaluation = MetricEvaluation::new(metric, case.steps, now, &LIMITS).map_err(text)?;
            evaluation.add(input.iter()).map_err(text)?;
            evaluation.finish().map(Answer::Numbers).map_err(text)
        }
    }
}

fn selects_any(log: &LogExpr, rows: &[Stored]) -> bool {
    let matchers = log.matchers.iter().map(|matcher| LabelMatcher::new(matcher).expect("a matcher"));
    let matchers: Vec<LabelMatcher> = matchers.collect();
    let value = |row: &Stored, name: &str| row.stream.labels.get(name).unwrap_or_default().to_owned();
    let holds = |row: &Stored, one: &LabelMatcher| one.matches(value(row, one.name()).as_bytes());
    rows.iter().any(|row| matchers.iter().all(|one| holds(row, one)))
}

fn set(pairs: &[Pair]) -> LabelSet {
    LabelSet::from_pairs(pairs.iter().map(|pair| (pair.name.as_str(), pair.value.as_str())))
}

/// The parts put together again.
fn joined(case: &Case, (parts, end): Reported) -> Result<Answer, String> {
    end.map_err(|error| error.text().to_owned())?;
    let (mut rows, mut samples) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            ResultPart::Entries(batch) => {
                for entry in batch.entries {
                    let labels = &batch.labels[entry.labels as usize];
                    rows.push(LogRow {
                        timestamp: entry.timestamp,
                        line: entry.line.to_vec().into(),
                        labels: EntryLabels {
                            stream: Arc::new(set(&labels.stream)),
                            metadata: set(&labels.metadata),
                            parsed: set(&labels.parsed),
                        },
                    });
                }
            }
            ResultPart::Samples(series) => samples.extend(series),
            other => panic!("{}: {other:?}", case.id),
        }
    }
    if matches!(case.query, Expr::Log(_)) {
        return Ok(Answer::Rows(rows));
    }
    if case.steps.is_instant() {
        let sample = |series: larch_proto::SampleSeries| Sample {
            labels: Arc::new(set(&series.labels)),
            value: series.values[0],
        };
        return Ok(Answer::Numbers(MetricAnswer::Vector(samples.into_iter().map(sample).collect())));
    }
    let times: Vec<Timestamp> = case.steps.iter().collect();
    let mut joined: BTreeMap<LabelSet, Vec<(Timestamp, f64)>> = BTreeMap::new();
    for series in samples {
        let points = joined.entry(set(&series.labels)).or_default();
        points.extend(series.steps.iter().map(|step| times[*step as usize]).zip(series.values));
        points.sort_by_key(|(time, _)| *time);
    }
    let series = |(labels, points)| Series { labels: Arc::new(labels), points };
    Ok(Answer::Numbers(MetricAnswer::Matrix(joined.into_iter().map(series).collect())))
}

/// Scalars come as the one series without labels that they are over a range.
fn as_vector(answer: Answer) -> Answer {
    match answer {
        Answer::Numbers(MetricAnswer::Scalar(value)) => {
            Answer::Numbers(MetricAnswer::Vector(vec![Sample { labels: Arc::default(), value }]))
        }
        other => other,
    }
}

#[tokio::test]
async fn the_worker_answers_as_the_evaluator_does() {
    let rows = dataset();
    // The rows are shared out by chance, some to both.
    let mut halves = [Vec::new(), Vec::new()];
    for (index, row) in rows.iter().enumerate() {
        let choice = (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62;
        if choice != 0 {
            halves[0].push(row.clone());
        }
        if choice != 1 {
            halves[1].push(row.clone());
        }
    }
    let [one, other] = halves;
    let mut ingesters = vec![FakeIngester::new(1, one), FakeIngester::new(2, other)];
    ingesters[0].batch = 1000;
    let setting = Setting::new(ingesters);
    setting.start();
    let (mut asked, mut differences) = (0, Vec::new());
    for line in CASES.lines() {
        let Some(case) = case(line) else { continue };
        asked += 1;
        let mut piece = piece(asked, &[&case.tenant], case.question.clone());
        (piece.start, piece.end) = case.range;
        piece.max_series = LIMITS.max_series as u64;
        assert_eq!(piece.id, PieceId(asked));
        let found = joined(&case, setting.ask(piece).await);
        let want = direct(&case, &rows).map(as_vector);
        if !agree(&found, &want) {
            differences.push(format!("{}: {found:?}\n  wanted {want:?}", case.id));
        }
    }
    assert!(differences.is_empty(), "{} of {asked} differ\n{}", differences.len(), differences.join("\n"));
    assert!(asked > 300, "only {asked} cases were found");
    setting.stop().await;
}

/// A pipeline error may name any of the bad series. NaN is not itself, but prints so.
fn agree(found: &Result<Answer, String>, want: &Result<Answer, String>) -> bool {
    match (found, want) {
        (Err(found), Err(want)) => found.split("for series").next() == want.split("for series").next(),
        _ => format!("{found:?}") == format!("{want:?}"),
    }
}
