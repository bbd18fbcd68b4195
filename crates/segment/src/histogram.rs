//! Rows and bytes of a stream by minute and level, with a digest of the rows' identities: what counts
//! are answered from where it is proved that no other source has the same rows.
//!
//! `levels varint · (length · text)* · streams varint · (step to the ordinal varint · length ·
//! minutes)*`, the minutes of a stream `count varint · (minute: first signed, then steps, varint ·
//! digest u64 · levels varint · (level · rows · bytes of lines · bytes of metadata, varint)*)*`.

use std::collections::HashMap;

use bytes::Bytes;
use larch_types::Timestamp;

use crate::error::{Corrupt, Section};
use crate::row::RowIdentity;
use crate::set::OrdinalSet;
use crate::wire::{Cursor, put_bytes, put_signed, put_varint};

const NANOS_PER_MINUTE: i64 = 60_000_000_000;

/// A stream has a histogram if it has this many rows a minute or more: an entry takes some 20 bytes, and
/// with fewer rows reading the timestamps (2 bytes a row) costs no more than reading the histogram.
const MIN_ROWS_PER_MINUTE: u64 = 64;

/// With fewer but long rows it has one too, if that is no more than a five-hundredth of them: their
/// timestamps lie in so many chunks that fetching these costs more than what is in them.
const RAW_BYTES_PER_BYTE: u64 = 500;

/// Levels are a handful of words. A stream with more of them in one minute has something else in them,
/// which nobody counts by, and gets no histogram.
const MAX_LEVELS: usize = 32;

/// Rows and bytes of one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelCount {
    /// Its place among the levels of [`Counts`].
    pub level: u32,
    pub rows: u64,
    /// What queries count.
    pub line_bytes: u64,
    /// As pushed.
    pub metadata_bytes: u64,
}

/// One stream in one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinuteCount {
    /// The minute is (end − 1 min, end].
    pub end: Timestamp,
    /// Sum modulo 2^64 of the rows' identities.
    pub digest: u64,
    pub levels: Vec<LevelCount>,
}

impl MinuteCount {
    pub fn rows(&self) -> u64 {
        self.levels.iter().fold(0, |sum, level| sum.saturating_add(level.rows))
    }

    pub fn line_bytes(&self) -> u64 {
        self.levels.iter().fold(0, |sum, level| sum.saturating_add(level.line_bytes))
    }
}

/// The minutes of some streams.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// The empty text means that rows have none.
    pub levels: Vec<String>,
    /// In the order of the segment, those that have a histogram.
    pub streams: Vec<(u32, Vec<MinuteCount>)>,
}

/// What a row takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowBytes {
    pub(crate) line: u64,
    pub(crate) metadata: u64,
}

impl RowBytes {
    pub(crate) const fn new(line: usize, raw: usize) -> Self {
        Self { line: line as u64, metadata: raw.saturating_sub(line) as u64 }
    }
}

#[derive(Default)]
struct Cell {
    minute: i64,
    digest: u64,
    /// Few, so a list.
    levels: Vec<LevelCount>,
}

/// Counts the rows of one stream after the other; rows of a stream come in order of time.
#[derive(Default)]
pub(crate) struct HistogramBuilder {
    level_places: HashMap<Box<str>, u32>,
    levels: Vec<Box<str>>,
    cells: Vec<Cell>,
    rows: u64,
    raw_bytes: u64,
    has_too_many_levels: bool,
    /// Whether streams are kept that a writer would leave out.
    keeps_all: bool,
    streams: u64,
    next_stream: u32,
    out: Vec<u8>,
}

impl HistogramBuilder {
    /// Counts what any writer may have counted.
    pub(crate) fn of_all() -> Self {
        Self { keeps_all: true, ..Self::default() }
    }

    pub(crate) fn add(&mut self, time: Timestamp, identity: RowIdentity, bytes: RowBytes, level: &str) {
        if self.has_too_many_levels {
            return;
        }
        let minute = minute_of(time);
        if self.cells.last().is_none_or(|cell| cell.minute != minute) {
            self.cells.push(Cell { minute, ..Cell::default() });
        }
        let level = self.place_of(level);
        self.rows += 1;
        self.raw_bytes += bytes.line + bytes.metadata;
        let Some(cell) = self.cells.last_mut() else { return };
        cell.digest = cell.digest.wrapping_add(identity.0);
        match cell.levels.iter_mut().find(|count| count.level == level) {
            Some(count) => {
                count.rows += 1;
                count.line_bytes += bytes.line;
                count.metadata_bytes += bytes.metadata;
            }
            None => cell.levels.push(LevelCount {
                level,
                rows: 1,
                line_bytes: bytes.line,
                metadata_bytes: bytes.metadata,
            }),
        }
        self.has_too_many_levels = cell.levels.len() > MAX_LEVELS;
    }

    fn place_of(&mut self, level: &str) -> u32 {
        if let Some(place) = self.level_places.get(level) {
            return *place;
        }
        let place = self.levels.len() as u32;
        self.levels.push(level.into());
        self.level_places.insert(level.into(), place);
        place
    }

    /// The stream has no more rows.
    pub(crate) fn finish_stream(&mut self, stream: u32) {
        let cells = if self.has_too_many_levels { Vec::new() } else { put_cells(&self.cells) };
        let has_enough_rows = self.rows >= MIN_ROWS_PER_MINUTE * self.cells.len() as u64;
        let has_enough_bytes = self.raw_bytes >= RAW_BYTES_PER_BYTE * cells.len() as u64;
        let pays = self.keeps_all || has_enough_rows || has_enough_bytes;
        if self.rows > 0 && !self.has_too_many_levels && pays {
            put_varint(&mut self.out, u64::from(stream - self.next_stream));
            put_bytes(&mut self.out, &cells);
            self.streams += 1;
            self.next_stream = stream + 1;
        }
        self.cells.clear();
        self.rows = 0;
        self.raw_bytes = 0;
        self.has_too_many_levels = false;
    }

    /// Nothing if no stream has a histogram.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        if self.streams == 0 {
            return None;
        }
        let mut out = Vec::with_capacity(self.out.len() + 64);
        put_varint(&mut out, self.levels.len() as u64);
        for level in &self.levels {
            put_bytes(&mut out, level.as_bytes());
        }
        put_varint(&mut out, self.streams);
        out.extend_from_slice(&self.out);
        Some(out)
    }
}

/// The number of the minute (m − 1 min, m] since 1970.
const fn minute_of(time: Timestamp) -> i64 {
    let nanos = time.nanos();
    nanos.div_euclid(NANOS_PER_MINUTE) + (nanos.rem_euclid(NANOS_PER_MINUTE) > 0) as i64
}

fn put_cells(cells: &[Cell]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, cells.len() as u64);
    let mut previous = None;
    for cell in cells {
        match previous {
            None => put_signed(&mut out, cell.minute),
            Some(previous) => put_varint(&mut out, (cell.minute - previous) as u64),
        }
        previous = Some(cell.minute);
        out.extend_from_slice(&cell.digest.to_le_bytes());
        put_varint(&mut out, cell.levels.len() as u64);
        for count in &cell.levels {
            put_varint(&mut out, u64::from(count.level));
            put_varint(&mut out, count.rows);
            put_varint(&mut out, count.line_bytes);
            put_varint(&mut out, count.metadata_bytes);
        }
    }
    out
}

/// The section, read stream by stream.
#[derive(Debug, Clone)]
pub struct Histograms {
    bytes: Bytes,
}

impl Histograms {
    pub(crate) const fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// The minutes of those of the streams that have a histogram, in their order. Those of the others are
    /// not read.
    pub fn of(&self, streams: &OrdinalSet) -> Result<Counts, Corrupt> {
        let mut cursor = Cursor::new(&self.bytes, Section::Histograms);
        let levels = read_levels(&mut cursor)?;
        let mut found = Counts { levels, streams: Vec::new() };
        let mut next = 0_u32;
        for _ in 0..cursor.count()? {
            let stream = next.checked_add(cursor.u32()?).ok_or(cursor.corrupt("a stream is out of range"))?;
            let minutes = cursor.bytes()?;
            if streams.contains(stream) {
                let mut minutes = Cursor::new(minutes, Section::Histograms);
                found.streams.push((stream, read_cells(&mut minutes, found.levels.len())?));
            }
            next = stream.saturating_add(1);
        }
        cursor.finish()?;
        Ok(found)
    }
}

fn read_levels(cursor: &mut Cursor<'_>) -> Result<Vec<String>, Corrupt> {
    let count = cursor.count()?;
    let mut levels = Vec::new();
    for _ in 0..count {
        levels.push(cursor.text()?.to_owned());
    }
    Ok(levels)
}

fn read_cells(cursor: &mut Cursor<'_>, levels: usize) -> Result<Vec<MinuteCount>, Corrupt> {
    let count = cursor.count()?;
    let mut minutes = Vec::new();
    let mut minute = 0_i64;
    for index in 0..count {
        minute = if index == 0 {
            cursor.signed()?
        } else {
            minute.checked_add_unsigned(cursor.varint()?).ok_or(cursor.corrupt("a minute is out of range"))?
        };
        let end = Timestamp::from_nanos(minute.saturating_mul(NANOS_PER_MINUTE));
        let digest = cursor.u64_le()?;
        let mut counts = Vec::new();
        for _ in 0..cursor.count()? {
            let level = cursor.at_most(levels)?;
            if level == levels {
                return Err(cursor.corrupt("a level is out of range"));
            }
            counts.push(LevelCount {
                level: level as u32,
                rows: cursor.varint()?,
                line_bytes: cursor.varint()?,
                metadata_bytes: cursor.varint()?,
            });
        }
        minutes.push(MinuteCount { end, digest, levels: counts });
    }
    cursor.finish()?;
    Ok(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_come_back() {
        let mut builder = HistogramBuilder::default();
        for (stream, rows, raw_bytes) in [(3, 70, 10), (4, 63, 10), (7, 9, 10_000), (9, 70, 10)] {
            for row in 0..rows {
                let time = Timestamp::from_nanos(i64::MAX - 10 + i64::from(row) / 7);
                let level = if row < 2 { "" } else { "info" };
                let bytes = RowBytes { line: raw_bytes - 3, metadata: 3 };
                builder.add(time, RowIdentity(u64::MAX - 1), bytes, level);
            }
            builder.finish_stream(stream);
        }
        let histograms = Histograms::new(builder.finish().unwrap().into());
        let all = histograms.of(&OrdinalSet::all(20)).unwrap();
        assert_eq!(
            all.streams.iter().map(|(stream, _)| *stream).collect::<Vec<_>>(),
            [3, 7, 9],
            "4 has too few rows"
        );
        assert_eq!(all.levels, ["", "info"]);
        for (stream, minutes) in &all.streams {
            let (rows, line) = if *stream == 7 { (9, 9_997) } else { (70, 7) };
            assert_eq!(minutes.len(), 1);
            assert_eq!(minutes[0].rows(), rows);
            assert_eq!(minutes[0].digest, (u64::MAX - 1).wrapping_mul(rows));
            let info = LevelCount {
                level: 1,
                rows: rows - 2,
                line_bytes: line * (rows - 2),
                metadata_bytes: 3 * (rows - 2),
            };
            assert_eq!((minutes[0].levels[1], minutes[0].line_bytes()), (info, line * rows));
            assert_eq!(minutes[0].end, Timestamp::MAX);
        }
        let mut some = OrdinalSet::none(8);
        some.insert_range(4..8);
        assert_eq!(histograms.of(&some).unwrap().streams, all.streams[1..2]);
        assert!(HistogramBuilder::default().finish().is_none());
    }

    #[test]
    fn too_many_levels_are_not_counted() {
        for levels in [MAX_LEVELS, MAX_LEVELS + 1] {
            let mut builder = HistogramBuilder::default();
            for row in 0..1000 {
                let level = (row % levels).to_string();
                let bytes = RowBytes { line: 1, metadata: 0 };
                builder.add(Timestamp::EPOCH, RowIdentity(1), bytes, &level);
            }
            builder.finish_stream(0);
            assert_eq!(builder.finish().is_some(), levels == MAX_LEVELS);
        }
    }

    #[test]
    fn a_minute_is_named_by_its_end() {
        for (nanos, minute) in [(0, 0), (1, 1), (NANOS_PER_MINUTE, 1), (NANOS_PER_MINUTE + 1, 2), (-1, 0)] {
            assert_eq!(minute_of(Timestamp::from_nanos(nanos)), minute, "{nanos}");
        }
    }
}
