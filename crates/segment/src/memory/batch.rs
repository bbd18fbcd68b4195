//! Rows as columns that grow: the head of an arena, its sealed chunks, and a chunk that is being
//! written are all batches.

use larch_types::{PushStamp, Timestamp};

use crate::error::{Corrupt, Section};
use crate::memory::spares::Spares;
use crate::page::lines::{Lines, SEPARATOR};
use crate::page::runs::StreamRun;
use crate::page::stamps::RowStamp;
use crate::row::{Row, RowIdentity};
use crate::wire::{Cursor, put_bytes, put_varint};

/// A row among batches: in the order of its columns, without its line copied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowView<'a> {
    pub(crate) stream: u32,
    pub(crate) timestamp: Timestamp,
    pub(crate) stamp: Option<RowStamp>,
    pub(crate) identity: RowIdentity,
    pub(crate) line: &'a [u8],
    pub(crate) extras: &'a [u8],
}

impl RowView<'_> {
    /// Whether line and metadata are the same; stream and time are compared by who asks.
    pub(crate) fn has_content_of(&self, other: &Self) -> bool {
        self.identity == other.identity
            && self.line == other.line
            && pushed_part(self.extras) == pushed_part(other.extras)
    }

    pub(crate) fn raw_bytes(&self) -> usize {
        let mut bytes = self.line.len();
        visit_metadata(self.extras, |name, value| bytes += name.len() + value.len());
        bytes
    }
}

/// No stamp: the row came from a segment that did not keep it.
const NO_STAMP: u32 = u32::MAX;

#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    streams: Vec<u32>,
    times: Vec<i64>,
    identities: Vec<RowIdentity>,
    /// Places in `stamps`, and indexes in those pushes.
    stamp_places: Vec<u32>,
    stamp_indexes: Vec<u32>,
    stamps: Vec<PushStamp>,
    /// Lines, each with a separator behind it.
    lines: Vec<u8>,
    /// Where each line begins, and the end; empty without rows.
    line_starts: Vec<u32>,
    /// Metadata and level; see [`put_extras`].
    extras: Vec<u8>,
    extra_ends: Vec<u32>,
    has_separator: bool,
    raw_bytes: usize,
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Lines and metadata as pushed.
    pub(crate) fn raw_bytes(&self) -> usize {
        self.raw_bytes
    }

    /// Lines and all that comes with them, as the batch holds them: what its offsets count.
    pub(crate) fn held_bytes(&self) -> usize {
        self.lines.len() + self.extras.len()
    }

    /// What the columns take, reserved room included.
    pub(crate) fn memory_bytes(&self) -> usize {
        let words = self.streams.capacity()
            + self.stamp_places.capacity()
            + self.stamp_indexes.capacity()
            + self.line_starts.capacity()
            + self.extra_ends.capacity();
        let longs = self.times.capacity() + self.identities.capacity() + 2 * self.stamps.capacity();
        4 * words + 8 * longs + self.lines.capacity() + self.extras.capacity()
    }

    pub(crate) fn push(
        &mut self,
        stream: u32,
        row: &Row<'_>,
        identity: RowIdentity,
        stamp: Option<RowStamp>,
    ) {
        self.put_columns(stream, row.timestamp, identity, stamp);
        self.put_line(row.line);
        put_extras(&mut self.extras, row);
        self.extra_ends.push(self.extras.len() as u32);
        self.raw_bytes += row.raw_bytes();
    }

    /// Takes a row of another batch.
    pub(crate) fn push_view(&mut self, stream: u32, row: &RowView<'_>) {
        self.put_columns(stream, row.timestamp, row.identity, row.stamp);
        self.put_line(row.line);
        self.extras.extend_from_slice(row.extras);
        self.extra_ends.push(self.extras.len() as u32);
        self.raw_bytes += row.raw_bytes();
    }

    fn put_columns(
        &mut self,
        stream: u32,
        timestamp: Timestamp,
        identity: RowIdentity,
        stamp: Option<RowStamp>,
    ) {
        self.streams.push(stream);
        self.times.push(timestamp.nanos());
        self.identities.push(identity);
        let place = stamp.map_or(NO_STAMP, |stamp| self.place_of(stamp.stamp));
        self.stamp_places.push(place);
        self.stamp_indexes.push(stamp.map_or(0, |stamp| stamp.index));
    }

    /// Rows of one push come one behind the other, so the last stamp is nearly always the one.
    fn place_of(&mut self, stamp: PushStamp) -> u32 {
        if self.stamps.last() != Some(&stamp) {
            self.stamps.push(stamp);
        }
        self.stamps.len() as u32 - 1
    }

    fn put_line(&mut self, line: &[u8]) {
        self.has_separator = self.has_separator || memchr::memchr(SEPARATOR, line).is_some();
        self.lines.extend_from_slice(line);
        self.lines.push(SEPARATOR);
        if self.line_starts.is_empty() {
            self.line_starts.push(0);
        }
        self.line_starts.push(self.lines.len() as u32);
    }

    /// Panics if there is no such row.
    pub(crate) fn row(&self, row: usize) -> RowView<'_> {
        RowView {
            stream: self.streams[row],
            timestamp: Timestamp::from_nanos(self.times[row]),
            stamp: self.stamp(row),
            identity: self.identities[row],
            line: self.line(row),
            extras: self.extras(row),
        }
    }

    pub(crate) fn line(&self, row: usize) -> &[u8] {
        &self.lines[self.line_starts[row] as usize..self.line_starts[row + 1] as usize - 1]
    }

    pub(crate) fn extras(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.extra_ends[row - 1] as usize };
        &self.extras[start..self.extra_ends[row] as usize]
    }

    pub(crate) fn has_extras(&self) -> bool {
        !self.extras.is_empty()
    }

    pub(crate) fn times(&self) -> &[i64] {
        &self.times
    }

    pub(crate) fn stream(&self, row: usize) -> u32 {
        self.streams[row]
    }

    pub(crate) fn stamp(&self, row: usize) -> Option<RowStamp> {
        let stamp = self.stamps.get(self.stamp_places[row] as usize)?;
        Some(RowStamp { stamp: *stamp, index: self.stamp_indexes[row] })
    }

    pub(crate) fn set_stamp(&mut self, row: usize, stamp: RowStamp) {
        self.stamp_places[row] = self.place_of(stamp.stamp);
        self.stamp_indexes[row] = stamp.index;
    }

    /// Runs of streams; the rows must be sorted by stream.
    pub(crate) fn runs(&self) -> Vec<StreamRun> {
        let mut runs: Vec<StreamRun> = Vec::new();
        for (row, stream) in self.streams.iter().enumerate() {
            match runs.last_mut() {
                Some(run) if run.stream == *stream => run.rows += 1,
                _ => runs.push(StreamRun { stream: *stream, start: row as u32, rows: 1 }),
            }
        }
        runs
    }

    pub(crate) fn lines(&self) -> Lines<'_> {
        Lines::joined(&self.lines, &self.line_starts, !self.has_separator)
    }

    /// The rows in this order, in columns of the spares.
    pub(crate) fn permuted(&self, order: &[u32], spares: &Spares) -> Self {
        let mut batch = spares.batch(order.len(), self.lines.len(), self.extras.len());
        for row in order {
            let row = self.row(*row as usize);
            batch.push_view(row.stream, &row);
        }
        batch.stamps.shrink_to_fit();
        batch
    }

    /// Rows, bytes of lines and bytes of extras that it can hold without growing.
    pub(crate) fn room(&self) -> (usize, usize, usize) {
        // All columns of rows are made and grow together.
        (self.times.capacity(), self.lines.capacity(), self.extras.capacity())
    }

    pub(crate) fn with_capacity(rows: usize, line_bytes: usize, extra_bytes: usize) -> Self {
        Self {
            streams: Vec::with_capacity(rows),
            times: Vec::with_capacity(rows),
            identities: Vec::with_capacity(rows),
            stamp_places: Vec::with_capacity(rows),
            stamp_indexes: Vec::with_capacity(rows),
            line_starts: Vec::with_capacity(rows + 1),
            extra_ends: Vec::with_capacity(rows),
            lines: Vec::with_capacity(line_bytes),
            extras: Vec::with_capacity(extra_bytes),
            ..Self::default()
        }
    }

    /// Empties the columns and keeps their room.
    pub(crate) fn clear(&mut self) {
        self.streams.clear();
        self.times.clear();
        self.identities.clear();
        self.stamp_places.clear();
        self.stamp_indexes.clear();
        self.stamps.clear();
        self.lines.clear();
        self.line_starts.clear();
        self.extras.clear();
        self.extra_ends.clear();
        self.has_separator = false;
        self.raw_bytes = 0;
    }
}

/// Nothing if there is neither metadata nor level; else the pairs, then the level.
fn put_extras(out: &mut Vec<u8>, row: &Row<'_>) {
    if row.metadata.is_empty() && row.level.is_none() {
        return;
    }
    put_varint(out, row.metadata.len() as u64);
    for (name, value) in row.metadata {
        put_bytes(out, name.as_bytes());
        put_bytes(out, value.as_bytes());
    }
    if let Some(level) = row.level {
        put_bytes(out, level.as_bytes());
    }
}

/// Decoded extras of a row: the pairs that were pushed, and the derived level.
pub(crate) fn read_extras<'a>(extras: &'a [u8], metadata: &mut Vec<(&'a str, &'a str)>) -> Option<&'a str> {
    metadata.clear();
    visit_metadata(extras, |name, value| metadata.push((name, value)))
}

/// Calls with each pair, returns the level.
fn visit_metadata<'a>(extras: &'a [u8], mut each: impl FnMut(&'a str, &'a str)) -> Option<&'a str> {
    if extras.is_empty() {
        return None;
    }
    let mut cursor = Cursor::new(extras, Section::Metadata);
    read_pairs(&mut cursor, &mut each).unwrap_or_default()
}

fn read_pairs<'a>(
    cursor: &mut Cursor<'a>,
    each: &mut impl FnMut(&'a str, &'a str),
) -> Result<Option<&'a str>, Corrupt> {
    for _ in 0..cursor.count()? {
        each(cursor.text()?, cursor.text()?);
    }
    if cursor.remaining() == 0 { Ok(None) } else { cursor.text().map(Some) }
}

/// The extras without the level.
fn pushed_part(extras: &[u8]) -> &[u8] {
    let mut cursor = Cursor::new(extras, Section::Metadata);
    match cursor.count() {
        Ok(0) | Err(_) => &[],
        Ok(pairs) => {
            for _ in 0..2 * pairs {
                // A batch reads what it wrote itself; were it not so, all the rest would be compared.
                if cursor.bytes().is_err() {
                    break;
                }
            }
            &extras[..extras.len() - cursor.remaining()]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_permuted() {
        let mut batch = Batch::default();
        let rows = [
            Row { timestamp: Timestamp::from_nanos(5), line: b"a\0b", metadata: &[("k", "v")], level: None },
            Row { timestamp: Timestamp::from_nanos(4), line: b"", metadata: &[], level: Some("info") },
            Row { timestamp: Timestamp::from_nanos(3), line: b"x", metadata: &[], level: None },
        ];
        for (index, row) in rows.iter().enumerate() {
            let stamp = RowStamp { stamp: PushStamp(9), index: index as u32 };
            batch.push(7 - index as u32, row, RowIdentity(index as u64), (index > 0).then_some(stamp));
        }
        let back = batch.permuted(&[2, 0, 1], &Spares::default());
        let mut metadata = Vec::new();
        for (place, original) in [2, 0, 1].into_iter().enumerate() {
            let row = back.row(place);
            assert_eq!(row.line, rows[original].line);
            assert_eq!(read_extras(row.extras, &mut metadata), rows[original].level);
            assert_eq!(metadata, rows[original].metadata);
            assert_eq!(row.stamp.map(|stamp| stamp.index), (original > 0).then_some(original as u32));
            assert_eq!(row.raw_bytes(), rows[original].raw_bytes());
        }
        assert_eq!(back.runs().len(), 3);
    }

    #[test]
    fn a_level_is_no_part_of_the_content() {
        let mut batch = Batch::default();
        let metadata: &[(&str, &str)] = &[("k", "v")];
        for (metadata, level) in
            [(metadata, Some("info")), (metadata, None), (&[], Some("info")), (&[], None)]
        {
            let row = Row { timestamp: Timestamp::EPOCH, line: b"x", metadata, level };
            batch.push(0, &row, RowIdentity(1), None);
        }
        assert!(batch.row(0).has_content_of(&batch.row(1)));
        assert!(!batch.row(0).has_content_of(&batch.row(3)));
        assert!(batch.row(2).has_content_of(&batch.row(3)), "a level alone is no metadata");
    }
}
