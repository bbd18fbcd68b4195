//! Where the rows of streams lie in a chunk, from the index alone.

use std::ops::Range;

use crate::error::{Corrupt, Section};
use crate::index::{SeriesSpan, StreamWalk};
use crate::reader::Segment;

/// Remembers the stream that was looked at last: one that ends a chunk mostly begins the next.
pub struct RowFinder<'a> {
    segment: &'a Segment,
    walk: StreamWalk<'a>,
    last: Option<u32>,
    /// Of that stream.
    spans: Vec<SeriesSpan>,
}

impl<'a> RowFinder<'a> {
    pub fn new(segment: &'a Segment) -> Self {
        Self { segment, walk: segment.index().walk(), last: None, spans: Vec::new() }
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
        if self.last != Some(stream) {
            self.last = None;
            self.walk.spans(stream, &mut self.spans)?;
            self.last = Some(stream);
        }
        let place = self.spans.binary_search_by_key(&chunk, |span| span.chunk);
        Ok(place.map_or(0, |place| self.spans[place].rows))
    }
}
