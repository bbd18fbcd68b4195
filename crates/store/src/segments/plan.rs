//! A plan of one segment, from its footer.

use std::collections::{BTreeMap, HashMap};

use larch_proto::{ChunkStream, PageRange, PlannedChunk, PlannedSegment, SegmentEntry};
use larch_segment::{
    Columns, Corrupt, FORMAT_VERSION, OrdinalSet, RowFinder, Segment, SeriesSpan, StreamWalk,
};
use larch_types::{TenantId, Timestamp};

use super::error::{SegmentError, named};
use crate::catalog::SegmentPlace;

/// About as much of a plan is sent at once: far below the bound of a message.
const PART_BYTES: usize = 1 << 20;

/// A stream's place in a chunk, and a page, as messages have them.
const ITEM_BYTES: usize = 16;

/// The parts of chosen streams that have rows near a range of time: whether they have rows in it, only
/// reading them says where a part begins before the range and ends behind it.
pub struct Overlap<'a> {
    segment: &'a Segment,
    /// By chunk; the streams ascend.
    by_chunk: BTreeMap<u32, Vec<(u32, SeriesSpan)>>,
}

impl<'a> Overlap<'a> {
    /// From `start`, and not up to `end`.
    pub fn new(
        segment: &'a Segment,
        streams: &OrdinalSet,
        (start, end): (Timestamp, Timestamp),
    ) -> Result<Self, Corrupt> {
        let mut by_chunk: BTreeMap<u32, Vec<(u32, SeriesSpan)>> = BTreeMap::new();
        let (mut walk, mut spans) = (segment.index().walk(), Vec::new());
        for stream in streams.iter() {
            walk.spans(stream, &mut spans)?;
            for span in &spans {
                if span.first_time < end && span.last_time >= start {
                    by_chunk.entry(span.chunk).or_default().push((stream, *span));
                }
            }
        }
        Ok(Self { segment, by_chunk })
    }

    /// The chunks, with the streams and their parts.
    pub fn chunks(&self) -> impl ExactSizeIterator<Item = (u32, &[(u32, SeriesSpan)])> {
        self.by_chunk.iter().map(|(chunk, spans)| (*chunk, spans.as_slice()))
    }

    /// How to read those of the chunks that are among the possible ones, in parts of bounded size.
    pub fn plan(
        &self,
        tenant: &TenantId,
        entry: &SegmentEntry,
        possible: &OrdinalSet,
    ) -> Result<Vec<PlannedSegment>, SegmentError> {
        let place = SegmentPlace::of(tenant, entry);
        let named = named(place.key.as_str());
        let (mut parts, mut part) = (Vec::new(), Part::default());
        let (mut finder, mut walk) = (RowFinder::new(self.segment), self.segment.index().walk());
        for (number, spans) in self.by_chunk.iter().filter(|(number, _)| possible.contains(**number)) {
            let ordinals: Vec<u32> = spans.iter().map(|(stream, _)| *stream).collect();
            let rows = finder.rows(*number, &ordinals).map_err(&named)?;
            let mut streams = Vec::with_capacity(ordinals.len());
            for (ordinal, rows) in ordinals.into_iter().zip(rows) {
                let stream = part.stream(ordinal, &mut walk).map_err(&named)?;
                streams.push(ChunkStream { stream, first_row: rows.start, rows: rows.end - rows.start });
            }
            part.add(self.chunk(*number, spans, streams));
            if part.bytes >= PART_BYTES {
                parts.push(std::mem::take(&mut part).finish(entry));
            }
        }
        if !part.chunks.is_empty() {
            parts.push(part.finish(entry));
        }
        Ok(parts)
    }

    fn chunk(&self, number: u32, spans: &[(u32, SeriesSpan)], streams: Vec<ChunkStream>) -> PlannedChunk {
        let directory = self.segment.directory(number);
        let info = directory.info();
        let first = spans.iter().map(|(_, span)| span.first_time).min();
        let last = spans.iter().map(|(_, span)| span.last_time).max();
        let mut pages = Vec::new();
        for page in directory.pages(Columns::ALL) {
            pages.push(PageRange {
                column: u32::try_from(page.column.code()).unwrap_or(u32::MAX),
                offset: page.range.start,
                bytes: u32::try_from(page.range.end - page.range.start).unwrap_or(u32::MAX),
            });
        }
        pages.sort_by_key(|page| page.offset);
        PlannedChunk {
            number,
            // Readers accept 65,536.
            rows: info.rows as u32,
            first: first.unwrap_or(info.first_time),
            last: last.unwrap_or(info.last_time),
            directory: directory.encode(),
            streams,
            pages,
        }
    }
}

/// A part of a plan that grows.
#[derive(Default)]
struct Part {
    streams: Vec<String>,
    places: HashMap<u32, u32>,
    chunks: Vec<PlannedChunk>,
    bytes: usize,
}

impl Part {
    /// The stream's place in the part's list.
    fn stream(&mut self, ordinal: u32, walk: &mut StreamWalk<'_>) -> Result<u32, Corrupt> {
        if let Some(known) = self.places.get(&ordinal) {
            return Ok(*known);
        }
        let text = walk.canonical(ordinal)?;
        self.bytes += text.len();
        // Never more than the segment has streams.
        let place = self.streams.len() as u32;
        self.streams.push(text);
        self.places.insert(ordinal, place);
        Ok(place)
    }

    fn add(&mut self, chunk: PlannedChunk) {
        self.bytes += chunk.directory.len() + ITEM_BYTES * (chunk.streams.len() + chunk.pages.len());
        self.chunks.push(chunk);
    }

    fn finish(self, entry: &SegmentEntry) -> PlannedSegment {
        PlannedSegment {
            entry: entry.clone(),
            format_version: u32::from(FORMAT_VERSION),
            streams: self.streams,
            chunks: self.chunks,
        }
    }
}
