//! Names and values of labels, and series.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::{
    LabelsQuery, LabelsRequest, PieceTenant, QueryStatistics, ResultPart, Selector, TextBatch,
};
use larch_rpc::CallError;
use larch_types::{ErrorKind, Labels, TenantId};

use super::Task;
use super::output::{Output, PART_BYTES, PART_ITEMS};
use crate::rows::{Asker, ORIGINAL_TENANT_LABEL, TENANT_LABEL, ask_heads, may_be_seen, with_tenant};

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
    let (mut ingesters, mut batches) = (0, 0);
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
    while let Some((tenant, asked, bodies)) = answers.try_next().await? {
        ingesters = ingesters.max(asked);
        for mut body in bodies {
            while let Some(batch) = body.try_next().await? {
                batches += 1;
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
        ..QueryStatistics::default()
    })
}

type Bodies = Vec<larch_rpc::CallStream<TextBatch>>;

/// The tenant's answers, and how many ingesters gave one.
async fn of_tenant(
    task: &Task,
    tenant: &PieceTenant,
    query: &LabelsQuery,
    any_of: &[Selector],
) -> Result<(TenantId, usize, Bodies), CallError> {
    let asker = &task.asker;
    let Some(selection) = asker.selection(tenant, any_of, task.range) else {
        return Ok((tenant.tenant.clone(), 0, Vec::new()));
    };
    let request = LabelsRequest { selection, query: stored(asker, query) };
    let answers = ask_heads(&asker.deps, task.range, |ingester| {
        let (context, request) = (asker.context(&tenant.tenant), request.clone());
        async move { ingester.labels(context, request).await }
    })
    .await?;
    let count = answers.len();
    let bodies = answers.into_iter().map(|answer| answer.answer.body).collect();
    Ok((tenant.tenant.clone(), count, bodies))
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
            let labels = text.parse::<Labels>().and_then(|stored| with_tenant(&stored, tenant));
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
