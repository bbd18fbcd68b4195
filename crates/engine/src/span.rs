//! Rows of a chunk that may matter, as ranges: rows of a stream lie together and are sorted by time.

use std::ops::Range;

use crate::chunk::StreamRows;
use crate::error::ReadFailure;

/// Rows of one stream, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowSpan {
    /// The stream's place among those of the chunk.
    pub(crate) part: usize,
    pub(crate) rows: Range<u32>,
}

/// The rows whose time is in `first` to `last`, both included.
pub(crate) fn spans(
    streams: &[StreamRows],
    times: &[i64],
    (first, last): (i64, i64),
) -> Result<Vec<RowSpan>, ReadFailure> {
    let mut spans = Vec::with_capacity(streams.len());
    for (part, of_stream) in streams.iter().enumerate() {
        let start = of_stream.first_row as usize;
        let rows = times.get(start..).and_then(|rest| rest.get(..of_stream.rows as usize));
        let rows = rows.ok_or(ReadFailure::Plan)?;
        let from = rows.partition_point(|time| *time < first);
        let to = rows.partition_point(|time| *time <= last);
        if from < to {
            spans.push(RowSpan { part, rows: (start + from) as u32..(start + to) as u32 });
        }
    }
    Ok(spans)
}

pub(crate) fn rows_of(spans: &[RowSpan]) -> Vec<u32> {
    spans.iter().flat_map(|span| span.rows.clone()).collect()
}

/// For each span its part of the rows, which ascend and are all of spans.
pub(crate) fn split<'s, 'r>(
    spans: &'s [RowSpan],
    rows: &'r [u32],
) -> impl Iterator<Item = (&'s RowSpan, Range<usize>, &'r [u32])> {
    let mut done = 0;
    spans.iter().filter_map(move |span| {
        let of_span = rows[done..].partition_point(|row| *row < span.rows.end);
        let numbers = done..done + of_span;
        done = numbers.end;
        (of_span > 0).then(|| (span, numbers.clone(), &rows[numbers]))
    })
}
