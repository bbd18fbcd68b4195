//! Where the rows of streams lie in a chunk, from the index alone.

use std::ops::Range;

use crate::error::{Corrupt, Section};
use crate::index::SeriesSpan;
use crate::reader::Segment;

/// Remembers the stream that was looked at last: one that ends a chunk mostly begins the next.
pub struct RowFinder<'a> {
    segment: &'a Segment,
    last: Option<(u32, Vec<SeriesSpan>)>,
}

impl<'a> RowFinder<'a> {
    pub const fn new(segment: &'a Segment) -> Self {
        Self { segment, last: None }
    }

    /// The rows of each of the streams in the chunk. The streams ascend, and have rows there. Panics if there
    /// is no such chunk.
    pub fn rows(&mut self, chunk: u32, streams: &[u32]) -> Result<Vec<Range<u32>>, Corrupt> {
        let entry = &self.segment.chunks[chunk as usize];
        let (first_stream, all_rows) = (entry.first_stream, entry.rows);
        let (mut found, mut row, mut next) = (Vec::with_capacity(streams.len()), 0_u32, first_stream);
        for stream in streams {
            // Rows before those of the stream are of streams with lower numbers.
            for before in next..*stream {
                row = row.saturating_add(self.rows_of(before, chunk)?);
            }
            let end = row.saturating_add(self.rows_of(*stream, chunk)?);
            if *stream < next || end > all_rows {
                return Err(Corrupt::new(Section::Series, "streams have more rows than their chunk"));
            }
            found.push(row..end);
            (row, next) = (end, stream.saturating_add(1));
        }
        Ok(found)
    }

    fn rows_of(&mut self, stream: u32, chunk: u32) -> Result<u32, Corrupt> {
        if self.last.as_ref().is_none_or(|(known, _)| *known != stream) {
            self.last = Some((stream, self.segment.index().spans(stream)?));
        }
        let Some((_, spans)) = &self.last else { return Ok(0) };
        let place = spans.binary_search_by_key(&chunk, |span| span.chunk);
        Ok(place.map_or(0, |place| spans[place].rows))
    }
}
