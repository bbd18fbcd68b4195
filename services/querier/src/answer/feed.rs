//! Rows into an evaluation, batch by batch.

use std::collections::BTreeSet;

use futures_util::future::join;
use larch_logql::{EvalError, LogEvaluation, MetricEvaluation};
use larch_proto::ReadHead;
use larch_rpc::CallError;
use larch_runtime::Clock;
use larch_types::{NodeId, Timestamp};

use crate::cpu::Cpu;
use crate::rows::{HeldRow, InputRows, MergedRows, failed};

/// What takes rows and may have enough of them.
pub(super) trait Evaluation: Send + 'static {
    fn add(&mut self, rows: &InputRows<'_>) -> Result<(), EvalError>;
    /// Whether a row of this time or behind it could still matter.
    fn wants(&self, time: Timestamp) -> bool;
}

impl Evaluation for LogEvaluation {
    fn add(&mut self, rows: &InputRows<'_>) -> Result<(), EvalError> {
        Self::add(self, rows.iter())
    }

    fn wants(&self, time: Timestamp) -> bool {
        Self::wants(self, time)
    }
}

impl Evaluation for MetricEvaluation {
    fn add(&mut self, rows: &InputRows<'_>) -> Result<(), EvalError> {
        Self::add(self, rows.iter())
    }

    fn wants(&self, _: Timestamp) -> bool {
        true
    }
}

/// Feeds all rows that the evaluation wants. The next batch is fetched while one is evaluated. Also how many
/// nanoseconds the evaluation took.
pub(super) async fn feed<E: Evaluation>(
    cpu: &Cpu,
    clock: &dyn Clock,
    rows: &mut MergedRows,
    mut evaluation: E,
) -> Result<(E, u64), CallError> {
    let mut run_ns = 0;
    let mut batch = rows.next_batch().await?;
    while let Some(current) = batch {
        // Rows of one time come in one batch, so that what follows is behind it.
        let Some(last) = current.last().map(|row| row.timestamp) else { break };
        let begun = clock.monotonic();
        let step = async {
            let done = cpu.run(move |_| add(evaluation, &current)).await;
            (done, clock.monotonic().since(begun))
        };
        let ((done, took), next) = join(step, rows.next_batch()).await;
        run_ns += u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        evaluation = done?.map_err(|error| failed(&error))?;
        batch = next?;
        let next_time = batch.as_ref().and_then(|rows| rows.first()).map(|row| row.timestamp);
        if !evaluation.wants(next_time.unwrap_or(last)) {
            break;
        }
    }
    Ok((evaluation, run_ns))
}

fn add<E: Evaluation>(mut evaluation: E, rows: &[HeldRow]) -> Result<E, EvalError> {
    evaluation.add(&InputRows::new(rows))?;
    Ok(evaluation)
}

/// How many ingesters answered.
pub(super) fn nodes(heads: &[(NodeId, ReadHead)]) -> usize {
    heads.iter().map(|(node, _)| *node).collect::<BTreeSet<_>>().len()
}
