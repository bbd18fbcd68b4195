//! How much a read would touch, about, from what ingesters and footers know without reading a row.

use std::sync::Arc;

use larch_proto::{
    Estimate, EstimateRequest, PlanEstimateRequest, QueryStatistics, ReadHead, ResultPart, Selector,
};
use larch_rpc::CallError;

use super::Task;
use super::output::Output;
use crate::rows::{ask, ask_all, scope};

pub(super) async fn answer(
    task: &Task,
    any_of: &[Selector],
    output: &Output,
) -> Result<QueryStatistics, CallError> {
    let asker = &task.asker;
    let (mut total, mut asked) = (Estimate::default(), 0);
    for tenant in &asker.tenants {
        let Some(selection) = asker.selection(tenant, any_of, task.range) else { continue };
        let request = EstimateRequest { selection: selection.clone() };
        let call = |ingester: Arc<dyn larch_rpc::Ingester>| {
            let (context, request) = (asker.context(&tenant.tenant), request.clone());
            async move { ingester.estimate(context, request).await }
        };
        // An estimate does not say which ring it saw; nobody is asked again for it.
        let digest = asker.deps.members.view().ring_digest();
        let answers = ask_all(&asker.deps, call, |_: &Estimate| digest).await?;
        asked = answers.len().max(asked);
        for answer in answers {
            add(&mut total, &answer.answer);
        }
        if asker.reads_segments() {
            // What ingesters have just handed over may be missed, which an estimate may.
            let none: [&ReadHead; 0] = [];
            let request = PlanEstimateRequest { scope: scope(asker, selection, none.into_iter()) };
            let estimate = ask(&asker.deps, &tenant.tenant, |planner| {
                let (context, request) = (asker.context(&tenant.tenant), request.clone());
                async move { planner.estimate(context, request).await }
            });
            add(&mut total, &estimate.await?);
        }
    }
    output.send(ResultPart::Stats(total)).await?;
    Ok(QueryStatistics { ingesters_asked: asked as u64, ..QueryStatistics::default() })
}

/// Streams that several hold count more than once.
fn add(total: &mut Estimate, part: &Estimate) {
    total.streams = total.streams.saturating_add(part.streams);
    total.chunks = total.chunks.saturating_add(part.chunks);
    total.rows = total.rows.saturating_add(part.rows);
    total.bytes = total.bytes.saturating_add(part.bytes);
}
