//! Rows into an evaluation, batch by batch.

use std::collections::BTreeSet;
use std::pin::pin;

use futures_util::future::{Either, select};
use larch_logql::{EvalError, LogEvaluation, MetricEvaluation};
use larch_rpc::CallError;
use larch_runtime::Clock;
use larch_types::Timestamp;

use crate::cpu::Cpu;
use crate::rows::{AnswerHead, HeldRow, InputRows, MergedRows, failed};

/// What takes rows and may have enough of them.
pub(crate) trait Evaluation: Send + 'static {
    fn take(&mut self, rows: &InputRows<'_>) -> Result<(), EvalError>;
    /// Whether a row that is read behind this time could still matter.
    fn wants_behind(&self, time: Timestamp) -> bool;
}

impl Evaluation for LogEvaluation {
    fn take(&mut self, rows: &InputRows<'_>) -> Result<(), EvalError> {
        self.add(rows.iter())
    }

    fn wants_behind(&self, time: Timestamp) -> bool {
        LogEvaluation::wants_behind(self, time)
    }
}

impl Evaluation for MetricEvaluation {
    fn take(&mut self, rows: &InputRows<'_>) -> Result<(), EvalError> {
        self.add(rows.iter())
    }

    fn wants_behind(&self, _: Timestamp) -> bool {
        true
    }
}

/// Feeds all rows that the evaluation wants. The next batch is fetched while one is evaluated, but what came
/// of that is no matter if it is not wanted any more. Also how many nanoseconds the evaluation took.
pub(crate) async fn feed<E: Evaluation>(
    cpu: &Cpu,
    clock: &dyn Clock,
    rows: &mut MergedRows,
    mut evaluation: E,
) -> Result<(E, u64), CallError> {
    let mut run_ns = 0;
    let mut batch = rows.next_batch().await?;
    while let Some(current) = batch {
        // Rows of one time come in one batch, so that all that follow are behind it.
        let Some(last) = current.last().map(|row| row.timestamp) else { break };
        let begun = clock.monotonic();
        let step = pin!(cpu.run(move |_| add(evaluation, &current)));
        let next = pin!(rows.next_batch());
        let (stepped, next) = match select(step, next).await {
            Either::Left((stepped, next)) => (stepped, Either::Left(next)),
            Either::Right((next, step)) => (step.await, Either::Right(next)),
        };
        run_ns += u64::try_from(clock.monotonic().since(begun).as_nanos()).unwrap_or(u64::MAX);
        evaluation = stepped?.map_err(|error| failed(&error))?;
        if !evaluation.wants_behind(last) {
            break;
        }
        batch = match next {
            Either::Left(next) => next.await?,
            Either::Right(next) => next?,
        };
    }
    Ok((evaluation, run_ns))
}

fn add<E: Evaluation>(mut evaluation: E, rows: &[HeldRow]) -> Result<E, EvalError> {
    evaluation.take(&InputRows::new(rows))?;
    Ok(evaluation)
}

/// How many ingesters answered.
pub(super) fn nodes(heads: &[AnswerHead]) -> usize {
    heads.iter().map(|answer| answer.node).collect::<BTreeSet<_>>().len()
}
