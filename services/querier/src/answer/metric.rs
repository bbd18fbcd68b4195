//! Samples of a metric query.

use std::collections::BTreeMap;

use larch_engine::{Gathered, MetricQuery};
use larch_logql::{Expr, LabelSet, MetricAnswer, Steps, parse};
use larch_proto::{AnswerPath, ResultPart, SampleSeries};
use larch_rpc::CallError;
use larch_types::{ErrorKind, Span, Timestamp};

use super::feed::nodes;
use super::logs::pairs;
use super::output::{Output, PART_ITEMS};
use super::{Answered, Task, counted, statistics, unbuilt};
use crate::rows::{Read, failed, metric_reads, turn_selector};
use crate::scan::scan;

pub(super) async fn answer(
    task: &Task,
    query: &str,
    (start, end, step): (Timestamp, Timestamp, Span),
    output: &Output,
) -> Result<Answered, CallError> {
    let invalid = |text: String| CallError::new(ErrorKind::Invalid, text);
    let expr = parse(query).map_err(|error| invalid(error.to_string()))?;
    let Expr::Metric(metric) = &expr else {
        return Err(invalid("a question about samples needs a metric query".to_owned()));
    };
    let steps = if step.is_zero() { Some(Steps::at(start)) } else { Steps::range(start, end, step) };
    let steps = steps.ok_or_else(|| invalid("the steps of the query lead nowhere".to_owned()))?;
    let uncounted = match counted::answer(task, metric, (steps, step), output).await? {
        Ok(done) => return Ok(Answered::by(AnswerPath::Histograms, done)),
        Err(reason) => reason,
    };
    let (mut metric, now, limits) = (metric.clone(), task.now, task.limits);
    if task.asker.has_several_tenants() {
        metric.selectors_mut().into_iter().for_each(|matchers| turn_selector(matchers));
    }
    let built = task.cpu.run(move |_| MetricQuery::new(&metric, steps, now, &limits)).await?;
    let reads = metric_reads(&expr, steps, task.range);
    let engine = match built {
        Ok(engine) => engine,
        Err(error) => {
            let reads: Vec<Read> = reads.into_iter().map(|one| one.read).collect();
            let done = unbuilt::answer(task, &reads, &error).await?;
            let answered = Answered::by(AnswerPath::Rows, done).without("histograms", uncounted);
            return Ok(answered.without("columns", error));
        }
    };
    // A query that reads nothing, such as `vector(1)`, asks nobody.
    let mut scanned = scan(task, engine, reads).await?;
    let clock = &*task.asker.deps.env.clock;
    let begun = clock.monotonic();
    let passed = scanned.gathered.iter().map(Gathered::passed).sum();
    let gathered = std::mem::take(&mut scanned.gathered);
    let (finished, scanned) = task
        .cpu
        .run(move |stop| {
            let goes_on = || !stop.is_asked();
            let answer = scanned.query.finish(gathered, &scanned.streams, scanned.memory(), goes_on);
            (answer, scanned)
        })
        .await?;
    let finish_ns = u64::try_from(clock.monotonic().since(begun).as_nanos()).unwrap_or(u64::MAX);
    let answer = finished
        .map_err(|error| failed(&error))?
        .ok_or_else(|| CallError::new(ErrorKind::Cancelled, "nobody waits for the answer"))?;
    send(series(answer, steps, step), output).await?;
    let done = statistics::of_scan(&scanned, nodes(&scanned.heads), passed, finish_ns);
    Ok(Answered::by(AnswerPath::Columns, done).without("histograms", uncounted))
}

/// In the order of the answer, which a query may have asked for.
pub(super) fn series(answer: MetricAnswer, steps: Steps, step: Span) -> Vec<SampleSeries> {
    let single = |labels: &LabelSet, value: f64| SampleSeries {
        labels: pairs(labels),
        steps: vec![0],
        values: vec![value],
        remainders: Vec::new(),
    };
    match answer {
        MetricAnswer::Scalar(value) => vec![single(&LabelSet::default(), value)],
        MetricAnswer::Vector(samples) => {
            samples.iter().map(|sample| single(&sample.labels, sample.value)).collect()
        }
        MetricAnswer::Matrix(found) => {
            let mut out = Vec::with_capacity(found.len());
            for series in found {
                out.extend(numbered(&series.labels, &series.points, steps.start(), step));
            }
            out
        }
    }
}

/// Points by the numbers of their steps. Where series have come to have equal labels, one may have several
/// points at a step: the second ones make a series of their own, and so on.
fn numbered(
    labels: &LabelSet,
    points: &[(Timestamp, f64)],
    start: Timestamp,
    step: Span,
) -> Vec<SampleSeries> {
    let mut layers: BTreeMap<usize, SampleSeries> = BTreeMap::new();
    let (mut layer, mut last) = (0, None);
    for (time, value) in points {
        layer = if last == Some(*time) { layer + 1 } else { 0 };
        last = Some(*time);
        // There are at most 100,000 steps.
        let number = (time.since(start).nanos() / step.nanos().max(1)) as u32;
        let series = layers.entry(layer).or_default();
        series.steps.push(number);
        series.values.push(*value);
    }
    let mut out: Vec<SampleSeries> = layers.into_values().collect();
    for series in &mut out {
        series.labels = pairs(labels);
    }
    out
}

/// A series is never cut: one has at most 100,000 points, far less than a message may hold.
pub(super) async fn send(series: Vec<SampleSeries>, output: &Output) -> Result<(), CallError> {
    let (mut part, mut items) = (Vec::new(), 0);
    for one in series {
        items += 1 + one.steps.len();
        part.push(one);
        if items >= PART_ITEMS {
            output.send(ResultPart::Samples(std::mem::take(&mut part))).await?;
            items = 0;
        }
    }
    if !part.is_empty() {
        output.send(ResultPart::Samples(part)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_points_of_a_step_make_a_series_of_their_own() {
        let at = Timestamp::from_secs;
        let points =
            [(at(10), 1.0), (at(10), 2.0), (at(30), 3.0), (at(40), 4.0), (at(40), 5.0), (at(40), 6.0)];
        let labels = LabelSet::from_pairs([("a", "1")]);
        let found = numbered(&labels, &points, at(10), Span::from_secs(10));
        let found: Vec<_> =
            found.iter().map(|series| (series.steps.clone(), series.values.clone())).collect();
        assert_eq!(
            found,
            [(vec![0, 2, 3], vec![1.0, 3.0, 4.0]), (vec![0, 3], vec![2.0, 5.0]), (vec![3], vec![6.0])]
        );
    }
}
