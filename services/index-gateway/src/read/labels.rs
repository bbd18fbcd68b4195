//! Labels of streams that have rows in the range.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::{LabelsQuery, SegmentEntry, TextBatch};
use larch_rpc::CallError;
use larch_segment::{Columns, Corrupt, OrdinalSet, Presence, RowFinder, Segment};
use larch_store::Segments;
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
) -> Result<(Vec<String>, u64), CallError> {
    let named = |error: &Corrupt| corrupt(entry, error);
    let segment = segments.open(tenant, entry).await.map_err(|error| failed(&error))?;
    let streams = chosen.streams(segment.index()).map_err(|error| named(&error))?;
    let presence = segment.presence(&streams, chosen.range()).map_err(|error| named(&error))?;
    let chunks = presence.chunks;
    let with_rows = streams_with_rows(segments, tenant, entry, &segment, presence, chosen).await?;
    let index = segment.index();
    let texts = match query {
        LabelsQuery::Names => index.names_of(&with_rows),
        LabelsQuery::Values(name) => index.values_of(name, &with_rows),
        LabelsQuery::Series => {
            let mut walk = index.walk();
            with_rows.iter().map(|stream| walk.canonical(stream)).collect()
        }
    };
    Ok((texts.map_err(|error| named(&error))?, chunks))
}

/// A part of a stream that begins or ends in the range has rows there. Of one that begins before and ends
/// behind it the times are read.
async fn streams_with_rows(
    segments: &Segments,
    tenant: &TenantId,
    entry: &SegmentEntry,
    segment: &Segment,
    presence: Presence,
    chosen: &Chosen,
) -> Result<OrdinalSet, CallError> {
    let Presence { mut with_rows, undecided, .. } = presence;
    let mut finder = RowFinder::new(segment);
    for (chunk, mut open) in undecided {
        open.retain(|stream| !with_rows.contains(*stream));
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
