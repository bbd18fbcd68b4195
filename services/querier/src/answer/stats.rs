//! Streams, rows and bytes: each row counts once.

use std::collections::HashSet;

use larch_proto::{
    CountedLabels, Direction, Estimate, EstimateRequest, PlanEstimateRequest, QueryStatistics, ResultPart,
    Selector,
};
use larch_rpc::CallError;
use larch_types::Span;

use super::feed::nodes;
use super::output::Output;
use super::{Task, statistics};
use crate::counted::{Borders, Counted, Wanted, count};
use crate::rows::{AnswerHead, Opened, Read, ask, ask_all, scope};

pub(super) async fn answer(
    task: &Task,
    any_of: &[Selector],
    output: &Output,
) -> Result<QueryStatistics, CallError> {
    let wanted = Wanted {
        any_of: any_of.to_vec(),
        borders: Borders::of_buckets(Span::ZERO, task.range),
        labels: CountedLabels::default(),
    };
    let mut stats = Estimate::default();
    // Those that were counted, and those of which rows had to be read.
    let (mut counted, mut read) = (Vec::new(), HashSet::new());
    let (mut rows, heads, left) = match count(&task.asker, &wanted).await? {
        Ok(Counted { counts, rows, left, heads }) => {
            for (stream, cells) in counts.by_stream() {
                counted.push(stream.id);
                for one in cells {
                    stats.rows = stats.rows.saturating_add(one.cell.rows);
                    stats.bytes = stats.bytes.saturating_add(one.cell.line_bytes);
                }
            }
            (rows, heads, Some(left))
        }
        Err(_) => {
            let Opened { rows, heads } = task.asker.open(&[whole_read(task, any_of)]).await?;
            (rows, heads, None)
        }
    };
    counted.sort_unstable();
    stats.chunks = chunks(task, any_of, &heads).await?;
    while let Some(batch) = rows.next_batch().await? {
        for row in &batch {
            if left.as_ref().is_none_or(|left| left.has(row.stream.id, row.timestamp)) {
                if counted.binary_search(&row.stream.id).is_err() {
                    read.insert(row.stream.id);
                }
                stats.rows += 1;
                stats.bytes += row.line.len() as u64;
            }
        }
    }
    stats.streams = (counted.len() + read.len()) as u64;
    let passed = stats.rows;
    output.send(ResultPart::Stats(stats)).await?;
    Ok(statistics::of_rows(&rows, nodes(&heads), passed, 0))
}

/// All rows of the selected streams in the piece's range.
pub(super) fn whole_read(task: &Task, any_of: &[Selector]) -> Read {
    Read {
        any_of: any_of.to_vec(),
        start: task.range.0,
        end: task.range.1,
        needles: Vec::new(),
        direction: Direction::Forward,
        limit: 0,
    }
}

/// How many chunks there are is no matter of rows: each node says what it has.
async fn chunks(task: &Task, any_of: &[Selector], heads: &[AnswerHead]) -> Result<u64, CallError> {
    let asker = &task.asker;
    let mut chunks = 0_u64;
    for tenant in &asker.tenants {
        let Some(selection) = asker.selection(tenant, any_of, task.range) else { continue };
        let request = EstimateRequest { selection };
        let call = |ingester: std::sync::Arc<dyn larch_rpc::Ingester>| {
            let (context, request) = (asker.context(&tenant.tenant), request.clone());
            async move { ingester.estimate(context, request).await }
        };
        // An estimate does not say which ring it saw; nobody is asked again for it.
        let digest = asker.deps.members.view().ring_digest();
        let selection = request.selection.clone();
        for answer in ask_all(&asker.deps, call, |_: &Estimate| digest).await? {
            chunks = chunks.saturating_add(answer.answer.chunks);
        }
        if asker.reads_segments() {
            let heads = heads.iter().filter(|answer| answer.tenant == tenant.tenant);
            let scope = scope(asker, selection, heads.map(|answer| &answer.head));
            let request = PlanEstimateRequest { scope };
            let estimate = ask(&asker.deps, &tenant.tenant, |planner| {
                let (context, request) = (asker.context(&tenant.tenant), request.clone());
                async move { planner.estimate(context, request).await }
            });
            chunks = chunks.saturating_add(estimate.await?.chunks);
        }
    }
    Ok(chunks)
}
