//! Asking a planner. Which one does not matter for the answer: each asks the catalog.

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroU64;
use std::sync::Arc;

use futures_util::TryStreamExt;
use larch_membership::Part;
use larch_proto::{
    PlanHead, PlanOf, PlanRequest, PlanScope, PlannedSegment, ReadHead, SegmentEntry, Selection,
};
use larch_rpc::{CallError, Planner};
use larch_types::{ErrorKind, SegmentId, StreamId, TenantId};

use crate::deps::Deps;
use crate::rows::{Asker, PlanExtent, Read};

/// What is asked about, with what ingesters have just handed over.
pub(crate) fn scope<'a>(
    asker: &Asker,
    selection: Selection,
    heads: impl Iterator<Item = &'a ReadHead> + Clone,
) -> PlanScope {
    let mut announced: BTreeMap<SegmentId, SegmentEntry> = BTreeMap::new();
    for entry in heads.clone().flat_map(|head| &head.handed_over) {
        if entry.first < selection.end && entry.last >= selection.start {
            announced.entry(entry.id).or_insert_with(|| entry.clone());
        }
    }
    let mut tombstones_known: Vec<_> =
        heads.flat_map(|head| head.tombstones_applied.iter().copied()).collect();
    tombstones_known.sort_unstable();
    tombstones_known.dedup();
    let announced = announced.into_values().collect();
    PlanScope { selection, announced, max_view_age: asker.max_view_age, tombstones_known }
}

/// Calls a planner: for a tenant always the same one, which has its footers, while that one answers.
pub(crate) async fn ask<T, F>(
    deps: &Deps,
    tenant: &TenantId,
    call: impl Fn(Arc<dyn Planner>) -> F,
) -> Result<T, CallError>
where
    F: Future<Output = Result<T, CallError>>,
{
    let view = deps.members.view();
    let planners: Vec<_> = view.of(Part::Planner).collect();
    let first = StreamId::of_canonical(tenant.as_str()).as_u128() % planners.len().max(1) as u128;
    let first = usize::try_from(first).unwrap_or_default();
    let mut unavailable =
        CallError::new(ErrorKind::Unavailable, "there is no index gateway to ask for stored segments");
    for place in 0..planners.len() {
        let planner = planners[(first + place) % planners.len()];
        match call(deps.transport.planner(&planner.address)).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => unavailable = error,
            answer => return answer,
        }
    }
    Err(unavailable)
}

/// The chunks that a read needs.
pub(crate) async fn plan(
    asker: &Asker,
    tenant: &TenantId,
    scope: PlanScope,
    read: &Read,
) -> Result<(PlanExtent, Vec<PlannedSegment>), CallError> {
    let of = match NonZeroU64::new(read.limit) {
        Some(limit) => PlanOf::FirstRows { direction: read.direction, limit },
        None => PlanOf::AllRows,
    };
    let request = PlanRequest { scope, needles: read.needles.clone(), of };
    let (head, segments) = ask(&asker.deps, tenant, |planner| {
        let (context, request) = (asker.context(tenant), request.clone());
        async move {
            let answer = planner.plan(context, request).await?;
            let segments: Vec<PlannedSegment> = answer.body.try_collect().await?;
            Ok((answer.head, segments))
        }
    })
    .await?;
    refuse_deletes(&head)?;
    refuse_too_many(asker.deps.limits.limits(tenant).max_chunks_per_query, &segments)?;
    let extent = PlanExtent {
        segments: head.segments_in_range,
        chunks_of_segments: head.chunks_of_segments,
        chunks_in_time: head.chunks_in_time,
        chunks_of_streams: head.chunks_in_range,
    };
    Ok((extent, segments))
}

/// 0: no limit. It is held against each piece of a query, which is what this process has to do at a time.
fn refuse_too_many(limit: u32, segments: &[PlannedSegment]) -> Result<(), CallError> {
    let chunks: usize = segments.iter().map(|segment| segment.chunks.len()).sum();
    if limit == 0 || chunks <= usize::try_from(limit).unwrap_or(usize::MAX) {
        return Ok(());
    }
    let text = format!("the query hit the max number of chunks limit (limit: {limit} chunks)");
    Err(CallError::new(ErrorKind::Invalid, text))
}

/// Rows that a delete hides would be shown by an answer that does not apply it.
pub(crate) fn refuse_deletes(head: &PlanHead) -> Result<(), CallError> {
    match head.tombstones.first() {
        None => Ok(()),
        Some(delete) => {
            let text = format!("delete {} would have to be applied, which this querier cannot", delete.id);
            Err(CallError::new(ErrorKind::Unavailable, text))
        }
    }
}
