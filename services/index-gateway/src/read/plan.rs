//! The chunks of a read.

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::{NeedleGroup, PlanOf, PlanRequest, PlannedSegment, SegmentEntry};
use larch_rpc::CallError;
use larch_segment::{FORMAT_VERSION, OrdinalSet, Segment};
use larch_store::{Overlap, Segments};
use larch_types::{ErrorKind, TenantId, Timestamp};

use super::PARALLEL_SEGMENTS;
use super::first_rows::{self, Opened};
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
    /// All chunks of the segments, and those whose times touch the range.
    pub(crate) chunks_of_segments: u64,
    pub(crate) chunks_in_time: u64,
}

/// What is planned of one segment.
struct OnePlan {
    parts: Vec<PlannedSegment>,
    in_range: u64,
    chunks: u64,
    in_time: u64,
}

impl Plans {
    pub(crate) fn chunks(&self) -> u64 {
        self.segments.iter().map(|segment| segment.chunks.len() as u64).sum()
    }

    fn add(&mut self, one: OnePlan) -> Result<(), CallError> {
        self.segments.extend(one.parts);
        self.chunks_in_range += one.in_range;
        self.chunks_of_segments += one.chunks;
        self.chunks_in_time += one.in_time;
        if self.chunks() > MAX_CHUNKS {
            let text =
                format!("the query would read more than {MAX_CHUNKS} chunks of segments; narrow it down");
            return Err(CallError::new(ErrorKind::Unprocessable, text));
        }
        Ok(())
    }
}

pub(crate) async fn read(
    segments: &Segments,
    tenant: &TenantId,
    entries: &[SegmentEntry],
    chosen: &Chosen,
    request: &PlanRequest,
) -> Result<Plans, CallError> {
    let needles = request.needles.as_slice();
    match request.of {
        PlanOf::Segments => Ok(Plans { segments: entries.iter().map(bare).collect(), ..Plans::default() }),
        PlanOf::FirstRows { direction, limit } if needles.is_empty() => {
            let found = first_rows::find(segments, tenant, entries, chosen, (direction, limit)).await?;
            let mut plans = Plans::default();
            for Opened { entry, segment, streams } in &found.opened {
                plans.add(of_opened(segments, tenant, entry, (segment, streams), found.range, &[]).await?)?;
            }
            Ok(plans)
        }
        PlanOf::FirstRows { .. } | PlanOf::AllRows => {
            let calls: Vec<_> =
                entries.iter().map(|entry| one(segments, tenant, entry, chosen, needles)).collect();
            let mut found = stream::iter(calls).buffered(PARALLEL_SEGMENTS);
            let mut plans = Plans::default();
            while let Some(one) = found.try_next().await? {
                plans.add(one)?;
            }
            Ok(plans)
        }
    }
}

fn bare(entry: &SegmentEntry) -> PlannedSegment {
    let (format_version, streams, chunks) = (u32::from(FORMAT_VERSION), Vec::new(), Vec::new());
    PlannedSegment { entry: entry.clone(), format_version, streams, chunks }
}

async fn one(
    segments: &Segments,
    tenant: &TenantId,
    entry: &SegmentEntry,
    chosen: &Chosen,
    needles: &[NeedleGroup],
) -> Result<OnePlan, CallError> {
    let segment = segments.open(tenant, entry).await.map_err(|error| failed(&error))?;
    let streams = chosen.streams(segment.index()).map_err(|error| corrupt(entry, &error))?;
    of_opened(segments, tenant, entry, (&segment, &streams), chosen.range(), needles).await
}

async fn of_opened(
    segments: &Segments,
    tenant: &TenantId,
    entry: &SegmentEntry,
    (segment, streams): (&Segment, &OrdinalSet),
    (start, end): (Timestamp, Timestamp),
    needles: &[NeedleGroup],
) -> Result<OnePlan, CallError> {
    let overlap = Overlap::new(segment, streams, (start, end)).map_err(|error| corrupt(entry, &error))?;
    let in_range = overlap.chunks().len() as u64;
    let touches = segment.chunks().filter(|chunk| chunk.first_time < end && chunk.last_time >= start).count();
    let (chunks, in_time) = (segment.chunks().len() as u64, touches as u64);
    if in_range == 0 {
        return Ok(OnePlan { parts: Vec::new(), in_range, chunks, in_time });
    }
    let possible: OrdinalSet = possible_chunks(segments, tenant, entry, segment, needles).await?;
    let parts = overlap.plan(tenant, entry, &possible).map_err(|error| failed(&error))?;
    Ok(OnePlan { parts, in_range, chunks, in_time })
}
