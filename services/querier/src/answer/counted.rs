//! Samples of a metric query that only counts: from counts where they are, from rows for what is left.

use std::sync::Arc;

use larch_logql::{CountedRows, EvalError, LabelNeed, MetricEvaluation, MetricExpr, Steps, countable};
use larch_proto::{CountedLabels, QueryStatistics, Selector};
use larch_rpc::CallError;
use larch_types::{ErrorKind, Span, Timestamp};

use super::feed::{Evaluation, feed, nodes};
use super::metric::{send, series};
use super::output::Output;
use super::{Task, statistics};
use crate::counted::{Borders, Counted, CountedStream, Counts, Left, Uncounted, Wanted, count};
use crate::rows::{InputRows, failed, shown_labels, turn_selector};

/// Why it is to be answered from rows, if it is.
pub(super) async fn answer(
    task: &Task,
    metric: &MetricExpr,
    (steps, step): (Steps, Span),
    output: &Output,
) -> Result<Result<QueryStatistics, Uncounted>, CallError> {
    let Some(wanted) = wanted(metric, steps, task.range) else { return Ok(Err(Uncounted::Query)) };
    let (mut shown, now, limits) = (metric.clone(), task.now, task.limits);
    if task.asker.has_several_tenants() {
        shown.selectors_mut().into_iter().for_each(|matchers| turn_selector(matchers));
    }
    let built = task.cpu.run(move |_| MetricEvaluation::new(&shown, steps, now, &limits)).await?;
    // Whoever reads rows says what is wrong with the query.
    let Ok(evaluation) = built else { return Ok(Err(Uncounted::Query)) };
    let counted = match count(&task.asker, &wanted).await? {
        Ok(counted) => counted,
        Err(reason) => return Ok(Err(reason)),
    };
    let Counted { counts, mut rows, left, heads } = counted;
    let clock = &*task.asker.deps.env.clock;
    let begun = clock.monotonic();
    let found = counts.streams() as u64;
    let has_several_tenants = task.asker.has_several_tenants();
    let evaluation = task.cpu.run(move |_| add_all(evaluation, &counts, has_several_tenants)).await??;
    let (rest, _) = feed(&task.cpu, clock, &mut rows, Rest { evaluation, left }).await?;
    let evaluation = rest.evaluation;
    let passed = evaluation.passed();
    let finished = task.cpu.run(move |stop| evaluation.finish_while(|| !stop.is_asked())).await?;
    let run_ns = u64::try_from(clock.monotonic().since(begun).as_nanos()).unwrap_or(u64::MAX);
    let answer = finished
        .map_err(|error| failed(&error))?
        .ok_or_else(|| CallError::new(ErrorKind::Cancelled, "nobody waits for the answer"))?;
    send(series(answer, steps, step), output).await?;
    let mut done = statistics::of_rows(&rows, nodes(&heads), passed, run_ns);
    done.streams = done.streams.max(found);
    Ok(Ok(done))
}

fn wanted(metric: &MetricExpr, steps: Steps, range: (Timestamp, Timestamp)) -> Option<Wanted> {
    let countable = countable(metric)?;
    let windows = countable.ranges.iter().map(|range| (range.range, range.offset));
    let borders = Borders::of_windows(windows, steps, range);
    let mut any_of: Vec<Selector> = Vec::new();
    for range in &countable.ranges {
        let selector = Selector { matchers: range.matchers.to_vec() };
        if !any_of.contains(&selector) {
            any_of.push(selector);
        }
    }
    let labels = match countable.labels {
        LabelNeed::All => CountedLabels::All,
        LabelNeed::Only(names) => CountedLabels::Only(names),
    };
    Some(Wanted { any_of, borders, labels })
}

fn add_all(
    mut evaluation: MetricEvaluation,
    counts: &Counts,
    has_several_tenants: bool,
) -> Result<MetricEvaluation, CallError> {
    let mut of_level = Vec::new();
    for (CountedStream { tenant, text, id }, cells) in counts.by_stream() {
        let labels = shown_labels(has_several_tenants, tenant, text)?;
        for cells in cells.chunk_by(|one, other| one.level == other.level) {
            of_level.clear();
            of_level.extend(cells.iter().map(|one| (one.cell.time, one.cell.rows, one.cell.line_bytes)));
            let rows = CountedRows {
                stream: *id,
                labels: &labels,
                level: cells[0].level.as_deref(),
                counts: &of_level,
            };
            evaluation.add_counted(&rows).map_err(|error| failed(&error))?;
        }
    }
    Ok(evaluation)
}

/// Takes of the rows those that no count has.
struct Rest {
    evaluation: MetricEvaluation,
    left: Arc<Left>,
}

impl Evaluation for Rest {
    fn take(&mut self, rows: &InputRows<'_>) -> Result<(), EvalError> {
        let left = &self.left;
        self.evaluation.add(rows.iter().filter(|row| left.has(row.stream, row.order.timestamp)))
    }

    fn wants_behind(&self, _: Timestamp) -> bool {
        true
    }
}
