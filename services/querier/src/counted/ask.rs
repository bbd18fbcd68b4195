//! Asks for counts: the ingesters first, then a planner, as it is done for rows.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::{HistogramBatch, HistogramRequest, PieceTenant, PlanHistogramRequest, ReadHead, Selection};
use larch_rpc::{CallError, CallStream, Ingester, Planner};
use larch_types::{ErrorKind, TenantId};

use super::Wanted;
use super::borders::Cells;
use super::table::Table;
use crate::rows::{AnswerHead, Asker, OPENING, ask as ask_planner, ask_heads, scope};

/// Under this name queries see levels.
const LEVEL_LABEL: &str = "detected_level";

/// What is said of one tenant.
struct Said {
    tenant: TenantId,
    bodies: Vec<CallStream<HistogramBatch>>,
    heads: Vec<AnswerHead>,
}

/// None if the planner rather has the rows read.
pub(super) async fn ask(
    asker: &Asker,
    wanted: &Wanted,
    cells: &Cells,
) -> Result<Option<(Table, Vec<AnswerHead>)>, CallError> {
    let mut calls = Vec::new();
    for tenant in &asker.tenants {
        if let Some(selection) = asker.selection(tenant, &wanted.any_of, (cells.start, cells.end)) {
            calls.push(ask_tenant(asker, tenant, selection, wanted, cells));
        }
    }
    let mut said = stream::iter(calls).buffered(OPENING);
    let by_level = wanted.labels.has(LEVEL_LABEL);
    let mut table = Table::new(asker.has_several_tenants(), asker.budget(), by_level, cells);
    let mut heads = Vec::new();
    while let Some(one) = said.try_next().await? {
        let Some(one) = one else { return Ok(None) };
        for mut body in one.bodies {
            while let Some(batch) = body.try_next().await? {
                table.add(&one.tenant, batch)?;
            }
        }
        heads.extend(one.heads);
    }
    Ok(Some((table, heads)))
}

async fn ask_tenant(
    asker: &Asker,
    tenant: &PieceTenant,
    selection: Selection,
    wanted: &Wanted,
    cells: &Cells,
) -> Result<Option<Said>, CallError> {
    let tenant = &tenant.tenant;
    let request = HistogramRequest {
        selection: selection.clone(),
        minutes_per_cell: cells.minutes_per_cell,
        tombstones_known: Vec::new(),
        labels: wanted.labels.clone(),
    };
    let answers = ask_heads(&asker.deps, |ingester: Arc<dyn Ingester>| {
        let (context, request) = (asker.context(tenant), request.clone());
        async move { ingester.histogram(context, request).await }
    })
    .await?;
    let mut said = Said { tenant: tenant.clone(), bodies: Vec::new(), heads: Vec::new() };
    let mut read_heads: Vec<ReadHead> = Vec::new();
    for answer in answers {
        said.bodies.push(answer.answer.body);
        read_heads.push(answer.answer.head.clone());
        said.heads.push(AnswerHead { tenant: tenant.clone(), node: answer.node, head: answer.answer.head });
    }
    if !asker.reads_segments() {
        return Ok(Some(said));
    }
    let request = PlanHistogramRequest {
        scope: scope(asker, selection, read_heads.iter()),
        minutes_per_cell: cells.minutes_per_cell,
        labels: wanted.labels.clone(),
    };
    let planned = ask_planner(&asker.deps, tenant, |planner: Arc<dyn Planner>| {
        let (context, request) = (asker.context(tenant), request.clone());
        async move { planner.histogram(context, request).await }
    });
    match planned.await {
        // Rows that a delete may hide are counted by whoever reads them.
        Ok(planned) if !planned.head.tombstones.is_empty() => Ok(None),
        Ok(planned) => {
            said.bodies.push(planned.body);
            Ok(Some(said))
        }
        Err(error) if error.kind() == ErrorKind::Unprocessable => Ok(None),
        Err(error) => Err(error),
    }
}
