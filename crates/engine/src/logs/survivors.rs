//! Which rows of a chunk are left when its line filters have run over the whole page.

use larch_segment::{Chunk, Decoder};

use crate::chunk::ChunkRows;
use crate::error::ReadFailure;
use crate::logs::LogQuery;
use crate::span::{RowSpan, rows_of, spans};

/// Rows of a chunk that may be shown, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survivors {
    pub(super) rows: Vec<u32>,
    /// Rows that were looked at.
    looked_at: u64,
}

impl Survivors {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn looked_at(&self) -> u64 {
        self.looked_at
    }
}

impl LogQuery {
    /// The rows that the line filters leave. Times are not needed if all rows of the streams are in the read's
    /// range: most chunks in which a text is looked for do not have it. Fetched must be lines, unless there are
    /// no filters, and times, unless there are filters and all rows are in the range.
    pub fn survivors(
        &self,
        rows: &ChunkRows,
        is_inside: bool,
        chunk: &Chunk,
        decoder: &mut Decoder,
    ) -> Result<Survivors, ReadFailure> {
        let spans = if is_inside && self.has_filters() {
            whole_spans(rows, chunk.rows())?
        } else {
            spans(&rows.streams, chunk.times()?, (rows.start.nanos(), rows.end.nanos().saturating_sub(1)))?
        };
        let looked_at = spans.iter().map(|span| u64::from(span.rows.end - span.rows.start)).sum();
        if spans.is_empty() {
            return Ok(Survivors { rows: Vec::new(), looked_at });
        }
        let rows = if self.filters.is_empty() {
            rows_of(&spans)
        } else {
            self.filters.keep(&spans, chunk.lines(decoder)?)
        };
        Ok(Survivors { rows, looked_at })
    }
}

fn whole_spans(rows: &ChunkRows, count: usize) -> Result<Vec<RowSpan>, ReadFailure> {
    let mut spans = Vec::with_capacity(rows.streams.len());
    for (part, of_stream) in rows.streams.iter().enumerate() {
        let end = of_stream.first_row.checked_add(of_stream.rows).filter(|end| *end as usize <= count);
        let end = end.ok_or(ReadFailure::Plan)?;
        if of_stream.rows > 0 {
            spans.push(RowSpan { part, rows: of_stream.first_row..end });
        }
    }
    Ok(spans)
}
