//! The chunks of a read.

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::{NeedleGroup, PlannedSegment, SegmentEntry};
use larch_rpc::CallError;
use larch_segment::OrdinalSet;
use larch_store::{Overlap, Segments};
use larch_types::{ErrorKind, TenantId};

use super::PARALLEL_SEGMENTS;
use crate::failure::{corrupt, failed};
use crate::needles::possible_chunks;
use crate::selection::Chosen;

/// Each takes about a kilobyte in a plan, and a megabyte to read. Queries of more are to be split.
const MAX_CHUNKS: u64 = 200_000;

#[derive(Debug, Default)]
pub(crate) struct Plans {
    /// Those with chunks to read; one that is long comes in several parts.
    pub(crate) segments: Vec<PlannedSegment>,
    pub(crate) chunks_in_range: u64,
}

impl Plans {
    pub(crate) fn chunks(&self) -> u64 {
        self.segments.iter().map(|segment| segment.chunks.len() as u64).sum()
    }
}

pub(crate) async fn read(
    segments: &Segments,
    tenant: &TenantId,
    entries: &[SegmentEntry],
    chosen: &Chosen,
    needles: &[NeedleGroup],
) -> Result<Plans, CallError> {
    let calls: Vec<_> = entries.iter().map(|entry| one(segments, tenant, entry, chosen, needles)).collect();
    let mut found = stream::iter(calls).buffered(PARALLEL_SEGMENTS);
    let mut plans = Plans::default();
    while let Some((parts, chunks_in_range)) = found.try_next().await? {
        plans.segments.extend(parts);
        plans.chunks_in_range += chunks_in_range;
        if plans.chunks() > MAX_CHUNKS {
            let text =
                format!("the query would read more than {MAX_CHUNKS} chunks of segments; narrow it down");
            return Err(CallError::new(ErrorKind::Unprocessable, text));
        }
    }
    Ok(plans)
}

async fn one(
    segments: &Segments,
    tenant: &TenantId,
    entry: &SegmentEntry,
    chosen: &Chosen,
    needles: &[NeedleGroup],
) -> Result<(Vec<PlannedSegment>, u64), CallError> {
    let segment = segments.open(tenant, entry).await.map_err(|error| failed(&error))?;
    let streams = chosen.streams(segment.index()).map_err(|error| corrupt(entry, &error))?;
    let overlap = Overlap::new(&segment, &streams, chosen.range()).map_err(|error| corrupt(entry, &error))?;
    let in_range = overlap.chunks().len() as u64;
    if in_range == 0 {
        return Ok((Vec::new(), 0));
    }
    let possible: OrdinalSet = possible_chunks(segments, tenant, entry, &segment, needles).await?;
    let parts = overlap.plan(tenant, entry, &possible).map_err(|error| failed(&error))?;
    Ok((parts, in_range))
}
