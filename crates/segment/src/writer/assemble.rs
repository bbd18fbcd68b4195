//! From rows in any order to a segment: sorts them, drops doubles, writes.

use std::collections::HashMap;

use crate::footer::{Provenance, Totals};
use crate::memory::batch::{Batch, RowView};
use crate::row::RowIdentity;
use crate::streams::StreamTable;
use crate::writer::{Effort, SegmentWriter, WriteError};

/// A row in one of the batches.
#[derive(Clone, Copy)]
struct RowRef {
    time: i64,
    batch: u32,
    row: u32,
}

/// Writes the rows whose times pass. They name their streams by their places in `streams`. The segment goes
/// out piece by piece as it is made, in order.
pub(crate) fn assemble<E: From<WriteError>>(
    streams: &StreamTable,
    batches: &[&Batch],
    passes: impl Fn(i64) -> bool,
    (provenance, effort): (Provenance, Effort),
    mut put: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Totals, E> {
    let mut by_stream = group(streams.len(), batches, passes);
    let mut writer = SegmentWriter::new(provenance, effort);
    for stream in streams.ranked(|stream| !by_stream[stream as usize].is_empty()) {
        let rows = &mut by_stream[stream as usize];
        writer.start_stream(&streams.labels(stream))?;
        // Stable, and nearly free where rows came in order.
        rows.sort_by_key(|row| row.time);
        let mut start = 0;
        while start < rows.len() {
            let time = rows[start].time;
            let len = rows[start..].iter().take_while(|row| row.time == time).count();
            put_tied(&mut rows[start..start + len], batches, &mut writer)?;
            writer.drain(&mut put)?;
            start += len;
        }
        *rows = Vec::new();
    }
    let built = writer.finish();
    put(&built.bytes)?;
    Ok(built.totals)
}

fn group(streams: usize, batches: &[&Batch], passes: impl Fn(i64) -> bool) -> Vec<Vec<RowRef>> {
    let mut counts = vec![0_usize; streams];
    for batch in batches {
        for row in 0..batch.len() {
            counts[batch.stream(row) as usize] += 1;
        }
    }
    let mut groups: Vec<Vec<RowRef>> = counts.into_iter().map(Vec::with_capacity).collect();
    for (number, batch) in batches.iter().enumerate() {
        for (row, time) in batch.times().iter().enumerate() {
            if passes(*time) {
                let place = RowRef { time: *time, batch: number as u32, row: row as u32 };
                groups[batch.stream(row) as usize].push(place);
            }
        }
    }
    groups
}

/// Rows of one stream and one time: by stamp, and of doubles the first alone.
fn put_tied(rows: &mut [RowRef], batches: &[&Batch], writer: &mut SegmentWriter) -> Result<(), WriteError> {
    let view = |row: &RowRef| -> RowView<'_> { batches[row.batch as usize].row(row.row as usize) };
    if let [row] = rows {
        return writer.push_view(&view(row));
    }
    rows.sort_by_key(|row| view(row).stamp);
    let mut written: HashMap<RowIdentity, Vec<RowRef>> = HashMap::with_capacity(rows.len());
    for row in rows.iter() {
        let candidate = view(row);
        let same = written.entry(candidate.identity).or_default();
        if same.iter().any(|other| view(other).has_content_of(&candidate)) {
            continue;
        }
        same.push(*row);
        writer.push_view(&candidate)?;
    }
    Ok(())
}
