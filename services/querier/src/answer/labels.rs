//! Names and values of labels, and series.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::{
    LabelsQuery, LabelsRequest, PieceTenant, PlanLabelsRequest, QueryStatistics, ResultPart, Selector,
    TextBatch,
};
use larch_rpc::{CallError, CallStream};
use larch_types::{ErrorKind, Labels, ORIGINAL_TENANT_LABEL, TENANT_LABEL, TenantId};

use super::Task;
use super::output::{Output, PART_BYTES, PART_ITEMS};
use crate::rows::{Asker, ask, ask_heads, may_be_seen, refuse_deletes, scope};

/// Tenants are asked side by side, so many at a time.
const TENANTS_AT_ONCE: usize = 16;

/// What a text costs in the set, beside its bytes.
const TEXT_BYTES: usize = 64;

pub(super) async fn answer(
    task: &Task,
    query: &LabelsQuery,
    any_of: &[Selector],
    output: &Output,
) -> Result<QueryStatistics, CallError> {
    let asker = &task.asker;
    let mut texts = BTreeSet::new();
    let mut budget = asker.budget();
    let (mut ingesters, mut batches, mut segments) = (0, 0, 0);
    if let LabelsQuery::Values(name) = query
        && name == TENANT_LABEL
        && asker.has_several_tenants()
    {
        let seen = asker.tenants.iter().filter(|tenant| may_be_seen(tenant));
        texts.extend(seen.map(|tenant| tenant.tenant.to_string()));
        return send(texts, output).await.map(|()| QueryStatistics::default());
    }
    let calls: Vec<_> = asker.tenants.iter().map(|tenant| of_tenant(task, tenant, query, any_of)).collect();
    let mut answers = stream::iter(calls).buffered(TENANTS_AT_ONCE);
    while let Some(Answered { tenant, ingesters: asked, segments: planned, bodies }) =
        answers.try_next().await?
    {
        ingesters = ingesters.max(asked);
        segments += planned;
        for (is_ingester, mut body) in bodies {
            while let Some(batch) = body.try_next().await? {
                batches += u64::from(is_ingester);
                for text in batch.texts {
                    let text = shown(asker, query, &tenant, text)?;
                    let bytes = TEXT_BYTES + text.len();
                    if texts.insert(text) {
                        budget.take(bytes)?;
                    }
                }
            }
        }
    }
    if matches!(query, LabelsQuery::Names) && asker.has_several_tenants() && !texts.is_empty() {
        texts.insert(TENANT_LABEL.to_owned());
    }
    send(texts, output).await?;
    Ok(QueryStatistics {
        ingesters_asked: ingesters as u64,
        ingester_batches: batches,
        segments_planned: segments,
        ..QueryStatistics::default()
    })
}

/// What was answered about a tenant.
struct Answered {
    tenant: TenantId,
    ingesters: usize,
    /// That may hold rows of the range.
    segments: u64,
    /// Each with whether it is an ingester's.
    bodies: Vec<(bool, CallStream<TextBatch>)>,
}

/// Ingesters first, then a planner, with what they have just handed over.
async fn of_tenant(
    task: &Task,
    tenant: &PieceTenant,
    query: &LabelsQuery,
    any_of: &[Selector],
) -> Result<Answered, CallError> {
    let asker = &task.asker;
    let none = Answered { tenant: tenant.tenant.clone(), ingesters: 0, segments: 0, bodies: Vec::new() };
    let Some(selection) = asker.selection(tenant, any_of, task.range) else { return Ok(none) };
    let request = LabelsRequest { selection, query: stored(asker, query) };
    let answers = ask_heads(&asker.deps, |ingester| {
        let (context, request) = (asker.context(&tenant.tenant), request.clone());
        async move { ingester.labels(context, request).await }
    })
    .await?;
    let mut answered = Answered { tenant: tenant.tenant.clone(), ingesters: answers.len(), ..none };
    if asker.reads_segments() {
        let heads = answers.iter().map(|answer| &answer.answer.head);
        let scope = scope(asker, request.selection, heads);
        let request = PlanLabelsRequest { scope, query: request.query };
        let planned = ask(&asker.deps, &tenant.tenant, |planner| {
            let (context, request) = (asker.context(&tenant.tenant), request.clone());
            async move { planner.labels(context, request).await }
        })
        .await?;
        refuse_deletes(&planned.head)?;
        answered.segments = planned.head.segments_in_range;
        answered.bodies.push((false, planned.body));
    }
    answered.bodies.extend(answers.into_iter().map(|answer| (true, answer.answer.body)));
    Ok(answered)
}

/// What is asked of stored streams, whose labels do not show the tenant.
fn stored(asker: &Asker, query: &LabelsQuery) -> LabelsQuery {
    match query {
        LabelsQuery::Values(name) if name == ORIGINAL_TENANT_LABEL && asker.has_several_tenants() => {
            LabelsQuery::Values(TENANT_LABEL.to_owned())
        }
        other => other.clone(),
    }
}

/// The text as an answer of several tenants has it.
fn shown(asker: &Asker, query: &LabelsQuery, tenant: &TenantId, text: String) -> Result<String, CallError> {
    if !asker.has_several_tenants() {
        return Ok(text);
    }
    match query {
        LabelsQuery::Names if text == TENANT_LABEL => Ok(ORIGINAL_TENANT_LABEL.to_owned()),
        LabelsQuery::Names | LabelsQuery::Values(_) => Ok(text),
        LabelsQuery::Series => {
            let labels = text.parse::<Labels>().and_then(|stored| stored.with_tenant(tenant));
            labels.map(|labels| labels.canonical()).map_err(|error| {
                let text = format!("an ingester sent a stream that is none: {error}");
                CallError::new(ErrorKind::Internal, text)
            })
        }
    }
}

async fn send(texts: BTreeSet<String>, output: &Output) -> Result<(), CallError> {
    let (mut part, mut bytes) = (Vec::new(), 0);
    for text in texts {
        bytes += text.len();
        part.push(text);
        if part.len() == PART_ITEMS || bytes >= PART_BYTES {
            output.send(ResultPart::Texts(TextBatch { texts: std::mem::take(&mut part) })).await?;
            bytes = 0;
        }
    }
    if !part.is_empty() {
        output.send(ResultPart::Texts(TextBatch { texts: part })).await?;
    }
    Ok(())
}
