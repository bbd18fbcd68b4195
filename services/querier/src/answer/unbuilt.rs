//! Queries whose stages cannot be built.

use larch_logql::EvalError;
use larch_proto::QueryStatistics;
use larch_rpc::CallError;

use super::feed::nodes;
use super::{Task, statistics};
use crate::rows::{Opened, Read, failed};

/// Stages are built where rows are: a regex or a template that cannot be is a mistake only if there is a row
/// that it would be used on. Without any, the answer is empty.
pub(super) async fn answer(
    task: &Task,
    reads: &[Read],
    error: &EvalError,
) -> Result<QueryStatistics, CallError> {
    if !matches!(error, EvalError::Build(_)) {
        return Err(failed(error));
    }
    let any_row = |read: &Read| Read { needles: Vec::new(), limit: 1, ..read.clone() };
    let reads: Vec<Read> = reads.iter().map(any_row).collect();
    let Opened { mut rows, heads } = task.asker.open(&reads).await?;
    if rows.next_batch().await?.is_some_and(|batch| !batch.is_empty()) {
        return Err(failed(error));
    }
    Ok(statistics::of_rows(&rows, nodes(&heads), 0, 0))
}
