//! Labels of streams that have rows in the range.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::{LabelsQuery, SegmentEntry, TextBatch};
use larch_rpc::CallError;
use larch_segment::{Columns, Corrupt, OrdinalSet, RowFinder, Segment};
use larch_store::{Overlap, Segments};
use larch_types::{ErrorKind, TenantId, Timestamp};

use super::PARALLEL_SEGMENTS;
use crate::failure::{corrupt, failed};
use crate::selection::Chosen;

/// Texts are sent in parts of about this size.
const PART_BYTES: usize = 1 << 20;

/// What the texts of one answer may take; the querier bounds them again, by what a query may take.
const MAX_BYTES: usize = 512 << 20;

pub(crate) struct Found {
    /// Sorted over all parts, each text once.
    pub(crate) parts: Vec<TextBatch>,
    pub(crate) chunks_in_range: u64,
}

pub(crate) async fn read(
    segments: &Segments,
    tenant: &TenantId,
    entries: &[SegmentEntry],
    chosen: &Chosen,
    query: &LabelsQuery,
) -> Result<Found, CallError> {
    let calls: Vec<_> = entries.iter().map(|entry| one(segments, tenant, entry, chosen, query)).collect();
    let mut found = stream::iter(calls).buffered(PARALLEL_SEGMENTS);
    let (mut texts, mut bytes, mut chunks_in_range) = (BTreeSet::new(), 0, 0);
    while let Some((of_one, chunks)) = found.try_next().await? {
        chunks_in_range += chunks;
        for text in of_one {
            let len = text.len();
            if texts.insert(text) {
                bytes += len;
            }
        }
        if bytes > MAX_BYTES {
            let text = "the labels of the selected streams are too many; narrow the query down";
            return Err(CallError::new(ErrorKind::Unprocessable, text));
        }
    }
    Ok(Found { parts: in_parts(texts), chunks_in_range })
}

async fn one(
    segments: &Segments,
    tenant: &TenantId,
    entry: &SegmentEntry,
    chosen: &Chosen,
    query: &LabelsQuery,
) -> Result<(BTreeSet<String>, u64), CallError> {
    let named = |error: &Corrupt| corrupt(entry, error);
    let segment = segments.open(tenant, entry).await.map_err(|error| failed(&error))?;
    let streams = chosen.streams(segment.index()).map_err(|error| named(&error))?;
    let overlap = Overlap::new(&segment, &streams, chosen.range()).map_err(|error| named(&error))?;
    let with_rows = streams_with_rows(segments, tenant, entry, &segment, &overlap, chosen).await?;
    let mut texts = BTreeSet::new();
    for stream in with_rows.iter() {
        let labels = segment.index().labels(stream).map_err(|error| named(&error))?;
        match query {
            LabelsQuery::Names => texts.extend(labels.iter().map(|label| label.name.to_string())),
            LabelsQuery::Values(name) => texts.extend(labels.get(name).map(str::to_owned)),
            LabelsQuery::Series => drop(texts.insert(labels.canonical())),
        }
    }
    Ok((texts, overlap.chunks().len() as u64))
}

/// A part of a stream that begins or ends in the range has rows there. Of one that begins before and ends
/// behind it the times are read.
async fn streams_with_rows(
    segments: &Segments,
    tenant: &TenantId,
    entry: &SegmentEntry,
    segment: &Segment,
    overlap: &Overlap<'_>,
    chosen: &Chosen,
) -> Result<OrdinalSet, CallError> {
    let mut with_rows = OrdinalSet::none(segment.index().streams());
    for (_, spans) in overlap.chunks() {
        for (stream, span) in spans {
            if chosen.has_time(span.first_time) || chosen.has_time(span.last_time) {
                with_rows.insert(*stream);
            }
        }
    }
    let mut finder = RowFinder::new(segment);
    for (chunk, spans) in overlap.chunks() {
        let open: Vec<u32> =
            spans.iter().map(|(stream, _)| *stream).filter(|stream| !with_rows.contains(*stream)).collect();
        if open.is_empty() {
            continue;
        }
        let rows = finder.rows(chunk, &open).map_err(|error| corrupt(entry, &error))?;
        let pages = segment.pages(chunk, Columns::default());
        let ranges: Vec<_> = pages.iter().map(|page| page.range.clone()).collect();
        let fetched = segments.pages(tenant, entry, &ranges).await.map_err(|error| failed(&error))?;
        let read = segment.chunk(chunk, pages.into_iter().zip(fetched.pages).collect());
        let times = match read.times() {
            Ok(times) => times,
            Err(error) => {
                segments.forget(tenant, entry, &ranges).await;
                return Err(CallError::new(error.kind(), format!("segment {}: {error}", entry.id)));
            }
        };
        for (stream, rows) in open.into_iter().zip(rows) {
            let times = times.get(rows.start as usize..rows.end as usize).unwrap_or_default();
            let first = times.partition_point(|time| Timestamp::from_nanos(*time) < chosen.start);
            if times.get(first).is_some_and(|time| chosen.has_time(Timestamp::from_nanos(*time))) {
                with_rows.insert(stream);
            }
        }
    }
    Ok(with_rows)
}

fn in_parts(texts: BTreeSet<String>) -> Vec<TextBatch> {
    let (mut parts, mut part, mut bytes) = (Vec::new(), TextBatch::default(), 0);
    for text in texts {
        bytes += text.len();
        part.texts.push(text);
        if bytes >= PART_BYTES {
            parts.push(std::mem::take(&mut part));
            bytes = 0;
        }
    }
    if !part.texts.is_empty() {
        parts.push(part);
    }
    parts
}
