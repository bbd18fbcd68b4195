//! Rows and bytes by stream and cell of time, from footers alone.

use std::num::NonZeroU32;

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::{CountedLabels, HistogramBatch, SegmentEntry};
use larch_rpc::CallError;
use larch_store::{Counting, Segments};
use larch_types::{ErrorKind, TenantId};

use super::PARALLEL_SEGMENTS;
use crate::failure::{corrupt, failed};
use crate::selection::Chosen;

/// With more of them it is the same work to read the rows, and the answer would be large.
const MAX_GAPS: usize = 100_000;

pub(crate) struct Counted<P> {
    pub(crate) parts: P,
    pub(crate) chunks_in_range: u64,
}

pub(crate) async fn read(
    segments: &Segments,
    tenant: &TenantId,
    entries: &[SegmentEntry],
    chosen: &Chosen,
    (minutes_per_cell, labels): (NonZeroU32, CountedLabels),
) -> Result<Counted<impl Iterator<Item = HistogramBatch> + Send + 'static>, CallError> {
    let calls: Vec<_> = entries.iter().map(|entry| segments.open(tenant, entry)).collect();
    let mut opened = stream::iter(calls).buffered(PARALLEL_SEGMENTS);
    let mut counting = Counting::new(chosen.range(), minutes_per_cell, labels);
    for entry in entries {
        let next = opened.try_next().await.map_err(|error| failed(&error))?;
        let Some(segment) = next else { break };
        let streams = chosen.streams(segment.index()).map_err(|error| corrupt(entry, &error))?;
        counting.add(&segment, entry, &streams).map_err(|error| corrupt(entry, &error))?;
        if counting.gaps() > MAX_GAPS {
            let text = "too many of the streams have no counts; their rows have to be read";
            return Err(CallError::new(ErrorKind::Unprocessable, text));
        }
    }
    let chunks_in_range = counting.chunks();
    Ok(Counted { parts: counting.finish(), chunks_in_range })
}
