//! Which chunks of a segment can hold lines with the texts that a read looks for.

use larch_proto::{Needle, NeedleGroup, SegmentEntry};
use larch_rpc::CallError;
use larch_segment::{Filter, OrdinalSet, Segment};
use larch_store::Segments;
use larch_types::TenantId;

use crate::failure::{corrupt, failed};

/// Every group must be met, by one of its texts.
pub(crate) async fn possible_chunks(
    segments: &Segments,
    tenant: &TenantId,
    entry: &SegmentEntry,
    segment: &Segment,
    needles: &[NeedleGroup],
) -> Result<OrdinalSet, CallError> {
    let chunks = segment.totals().chunks;
    let mut possible = OrdinalSet::all(chunks);
    let Some(filter) = segment.filter() else { return Ok(possible) };
    for group in needles {
        let mut any = OrdinalSet::none(chunks);
        for needle in &group.any_of {
            any.add(&chunks_with(segments, tenant, entry, filter, needle, chunks).await?);
        }
        possible.keep(&any);
        if possible.is_empty() {
            break;
        }
    }
    Ok(possible)
}

async fn chunks_with(
    segments: &Segments,
    tenant: &TenantId,
    entry: &SegmentEntry,
    filter: &Filter,
    needle: &Needle,
    chunks: u32,
) -> Result<OrdinalSet, CallError> {
    let probe = if needle.ignore_case {
        filter.substring_without_case(&needle.text)
    } else {
        Some(filter.substring(&needle.text))
    };
    let Some(probe) = probe else { return Ok(OrdinalSet::all(chunks)) };
    if probe.possible().is_empty() {
        return Ok(probe.possible().clone());
    }
    let ranges: Vec<_> = probe.ranges().collect();
    let fetched = segments.pages(tenant, entry, &ranges).await.map_err(|error| failed(&error))?;
    match probe.chunks(&fetched.pages) {
        Ok(found) => Ok(found),
        Err(error) => {
            segments.forget(tenant, entry, &ranges).await;
            Err(corrupt(entry, &error))
        }
    }
}
