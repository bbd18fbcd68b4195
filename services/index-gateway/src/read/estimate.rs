//! How much a read would touch, from footers alone.

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::{Estimate, SegmentEntry};
use larch_rpc::CallError;
use larch_segment::{Corrupt, OrdinalSet, SeriesSpan};
use larch_store::Segments;
use larch_types::{StreamId, TenantId, Timestamp};

use super::PARALLEL_SEGMENTS;
use crate::failure::{corrupt, failed};
use crate::selection::Chosen;

/// Copies of rows count as often as they are stored, because all of them are read.
pub(crate) async fn read(
    segments: &Segments,
    tenant: &TenantId,
    entries: &[SegmentEntry],
    chosen: &Chosen,
) -> Result<Estimate, CallError> {
    let calls: Vec<_> = entries.iter().map(|entry| one(segments, tenant, entry, chosen)).collect();
    let mut found = stream::iter(calls).buffered(PARALLEL_SEGMENTS);
    let (mut all, mut sum) = (Vec::new(), Estimate::default());
    while let Some((streams, part)) = found.try_next().await? {
        all.extend(streams);
        sum.chunks = sum.chunks.saturating_add(part.chunks);
        sum.rows = sum.rows.saturating_add(part.rows);
        sum.bytes = sum.bytes.saturating_add(part.bytes);
    }
    all.sort_unstable();
    all.dedup();
    sum.streams = all.len() as u64;
    Ok(sum)
}

async fn one(
    segments: &Segments,
    tenant: &TenantId,
    entry: &SegmentEntry,
    chosen: &Chosen,
) -> Result<(Vec<StreamId>, Estimate), CallError> {
    let named = |error: Corrupt| corrupt(entry, &error);
    let segment = segments.open(tenant, entry).await.map_err(|error| failed(&error))?;
    let streams = chosen.streams(segment.index()).map_err(named)?;
    let (start, end) = chosen.range();
    let (mut ids, mut sum) = (Vec::new(), Estimate::default());
    let mut chunks = OrdinalSet::none(segment.chunks().len() as u32);
    let (mut walk, mut spans) = (segment.index().walk(), Vec::new());
    for stream in streams.iter() {
        walk.spans(stream, &mut spans).map_err(named)?;
        spans.retain(|span| span.first_time < end && span.last_time >= start);
        if spans.is_empty() {
            continue;
        }
        ids.push(segment.index().stream_id(stream).map_err(named)?);
        for span in &spans {
            chunks.insert(span.chunk);
            sum.rows = sum.rows.saturating_add(share(u64::from(span.rows), span, chosen));
            sum.bytes = sum.bytes.saturating_add(share(span.raw_bytes, span, chosen));
        }
    }
    sum.chunks = chunks.len() as u64;
    Ok((ids, sum))
}

/// What of an amount falls into the range, if it is spread evenly over the time of the span.
fn share(amount: u64, span: &SeriesSpan, chosen: &Chosen) -> u64 {
    let nanos = |from: Timestamp, to: Timestamp| u128::from(to.nanos().abs_diff(from.nanos()));
    let (first, last) = (span.first_time.max(chosen.start), span.last_time.min(chosen.end));
    let whole = nanos(span.first_time, span.last_time).max(1);
    let inside = if first == span.first_time && last == span.last_time { whole } else { nanos(first, last) };
    u64::try_from(u128::from(amount) * inside / whole).unwrap_or(u64::MAX)
}
