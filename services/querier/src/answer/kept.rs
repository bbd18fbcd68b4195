//! Under what an answer may be kept: which segments it is made of, as long as no ingester holds rows of it.
//!
//! What the key says is asked before any row is read. Every row that is acknowledged by then is in one of the
//! segments that it names. A row that comes later is held by an ingester or in another segment whenever the key
//! is asked for again, and then there is no key, or another one.

use futures_util::{StreamExt, TryStreamExt};
use larch_logql::{Expr, Steps, parse, parse_log};
use larch_proto::{
    PieceTenant, PlanOf, PlanRequest, PlannedSegment, Question, ReadHead, ReadRequest, RowBatch,
};
use larch_rpc::{CallError, Headed};
use larch_types::{ErrorKind, SegmentId};
use xxhash_rust::xxh3::Xxh3Default;

use super::Task;
use super::stats::whole_read;
use crate::rows::{Answer, Read, ask, ask_heads, log_read, metric_reads, scope};

/// None: the answer may not be kept.
pub(super) async fn key(task: &Task, question: &Question) -> Result<Option<u128>, CallError> {
    if !task.asker.reads_segments() {
        return Ok(None);
    }
    let Some(reads) = reads(task, question) else { return Ok(None) };
    let mut hash = Xxh3Default::new();
    hash_question(task, question, &mut hash);
    for tenant in &task.asker.tenants {
        for read in &reads {
            match hash_read(task, tenant, read, &mut hash).await {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                // A segment has just been replaced by another one.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(Some(hash.digest128()))
}

/// The reads of the question; none if its answers are not kept. What is wrong with a query is told by whoever
/// runs it.
fn reads(task: &Task, question: &Question) -> Option<Vec<Read>> {
    match question {
        Question::Logs { query, direction, limit } => {
            let log = parse_log(query).ok()?;
            Some(vec![log_read(&log, task.range, *direction, *limit)])
        }
        Question::Metric { query, start, end, step } => {
            let expr: Expr = parse(query).ok()?;
            let steps =
                if step.is_zero() { Some(Steps::at(*start)) } else { Steps::range(*start, *end, *step) };
            let reads = metric_reads(&expr, steps?, task.range);
            Some(reads.into_iter().map(|one| one.read).collect())
        }
        Question::Volume { any_of, .. } | Question::Stats { any_of } => Some(vec![whole_read(task, any_of)]),
        Question::Labels { .. } | Question::Estimate { .. } | Question::Patterns { .. } => None,
    }
}

/// All that makes the answer another one, but for what is stored.
fn hash_question(task: &Task, question: &Question, hash: &mut Xxh3Default) {
    let asker = &task.asker;
    // Texts in it are quoted, so that two questions never look alike.
    let text = format!("{question:?} {:?} {:?} {:?}", task.range, asker.shard, asker.tenants);
    hash.update(text.as_bytes());
}

/// False: an ingester holds rows, which may become more.
async fn hash_read(
    task: &Task,
    tenant: &PieceTenant,
    read: &Read,
    hash: &mut Xxh3Default,
) -> Result<bool, CallError> {
    let asker = &task.asker;
    let Some(selection) = asker.selection(tenant, &read.any_of, (read.start, read.end)) else {
        return Ok(true);
    };
    let request = ReadRequest {
        selection: selection.clone(),
        needles: read.needles.clone(),
        direction: read.direction,
        limit: 1,
        tombstones_known: Vec::new(),
    };
    let mut answers = ask_heads(&asker.deps, |ingester| {
        let (context, request) = (asker.context(&tenant.tenant), request.clone());
        async move { ingester.read(context, request).await }
    })
    .await?;
    for answer in &mut answers {
        if holds_rows(&mut answer.answer).await? {
            return Ok(false);
        }
    }
    let heads = answers.iter().map(|answer: &Answer<Headed<ReadHead, RowBatch>>| &answer.answer.head);
    // Those that turn out to have no such row are among them.
    let scope = scope(asker, selection, heads);
    let request = PlanRequest { scope, needles: read.needles.clone(), of: PlanOf::Segments };
    let (mut tombstones, mut ids) = ask(&asker.deps, &tenant.tenant, |planner| {
        let (context, request) = (asker.context(&tenant.tenant), request.clone());
        async move {
            let answer = planner.plan(context, request).await?;
            let tombstones: Vec<u128> = answer.head.tombstones.iter().map(|one| one.id.as_u128()).collect();
            let segments: Vec<PlannedSegment> = answer.body.try_collect().await?;
            let ids: Vec<SegmentId> = segments.iter().map(|segment| segment.entry.id).collect();
            Ok((tombstones, ids))
        }
    })
    .await?;
    tombstones.sort_unstable();
    ids.sort_unstable();
    ids.dedup();
    hash.update(&(tombstones.len() as u64).to_le_bytes());
    tombstones.iter().for_each(|id| hash.update(&id.to_le_bytes()));
    hash.update(&(ids.len() as u64).to_le_bytes());
    ids.iter().for_each(|id| hash.update(&id.as_u128().to_le_bytes()));
    Ok(true)
}

async fn holds_rows(answer: &mut Headed<ReadHead, RowBatch>) -> Result<bool, CallError> {
    while let Some(batch) = answer.body.next().await {
        if !batch?.rows.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
