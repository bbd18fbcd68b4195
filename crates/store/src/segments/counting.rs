//! Rows and bytes by stream and cell of time, from footers: where it is proved that every row is counted
//! once, and where it is not, that rows have to be read.
//!
//! Streams with many rows have histograms. Of others the index says how many rows each chunk has, and how many
//! bytes: where these lie in one cell, and are those of lines alone, they are counted too.

mod parts;
mod settle;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroU32;

use larch_proto::{CountedLabels, HistogramBatch, HistogramSource, LevelCount, SegmentEntry};
use larch_segment::{Corrupt, Counts, MinuteCount, OrdinalSet, Segment, SeriesSpan, Tally};
use larch_types::{StreamId, Timestamp};

use parts::Parts;

const NANOS_PER_MINUTE: i64 = 60_000_000_000;

/// Under this name queries see levels.
const LEVEL_LABEL: &str = "detected_level";

/// Counts segment by segment.
#[derive(Debug)]
pub struct Counting {
    cells: CellGrid,
    matter: CountedLabels,
    by_level: bool,
    levels: Levels,
    sources: Vec<HistogramSource>,
    places: HashMap<StreamId, u32>,
    /// By place.
    streams: Vec<Box<str>>,
    counts: Vec<Count>,
    gaps: Vec<Gap>,
    chunks: u64,
}

/// Whole cells of a range: those in (`start`, `end`] that end at multiples of their width.
#[derive(Debug, Clone, Copy)]
struct CellGrid {
    width: i64,
    start: i64,
    end: i64,
}

/// What one segment says of one stream.
struct FromSegment<'a> {
    stream: u32,
    source: u32,
    minutes: Option<Vec<MinuteCount>>,
    /// The answer's places of the segment's levels, if those matter.
    levels: Option<&'a [Option<u32>]>,
    chunks: &'a [ChunkFacts],
}

/// What is known of the metadata of a chunk's rows.
#[derive(Debug, Clone, Copy)]
struct ChunkFacts {
    /// None of it has a label that matters, so that counts may stand for the rows.
    may_stand: bool,
    /// There is none, so that raw bytes are those of lines.
    has_none: bool,
}

/// What one segment says of one stream in one minute, or in a cell.
#[derive(Debug)]
struct Count {
    stream: u32,
    /// Place of the segment.
    source: u32,
    /// Of the minute, or of the cell.
    end: i64,
    /// It is not of a single minute.
    is_of_cell: bool,
    tally: Tally,
    line_bytes: u64,
    levels: Box<[LevelCount]>,
}

/// Rows in (`start`, `end`], whole cells.
#[derive(Debug, Clone, Copy)]
struct Gap {
    stream: u32,
    start: i64,
    end: i64,
    rows: u64,
}

#[derive(Debug, Default)]
struct Levels {
    texts: Vec<String>,
    places: HashMap<String, u32>,
}

impl Counting {
    /// Of whole cells from `start`, and not up to `end`.
    pub fn new(
        (start, end): (Timestamp, Timestamp),
        minutes_per_cell: NonZeroU32,
        matter: CountedLabels,
    ) -> Self {
        Self {
            cells: CellGrid::new(start, end, minutes_per_cell),
            by_level: matter.has(LEVEL_LABEL),
            matter,
            levels: Levels::default(),
            sources: Vec::new(),
            places: HashMap::new(),
            streams: Vec::new(),
            counts: Vec::new(),
            gaps: Vec::new(),
            chunks: 0,
        }
    }

    /// Adds what the footer says of these of its streams.
    pub fn add(
        &mut self,
        segment: &Segment,
        entry: &SegmentEntry,
        streams: &OrdinalSet,
    ) -> Result<(), Corrupt> {
        if self.cells.is_empty() {
            return Ok(());
        }
        let counts = match segment.histograms() {
            Some(histograms) => histograms.of(streams)?,
            None => Counts::default(),
        };
        let levels: Vec<Option<u32>> = counts.levels.iter().map(|level| self.levels.place(level)).collect();
        let levels = self.by_level.then_some(levels.as_slice());
        // Never as many as there are numbers.
        let source = self.sources.len() as u32;
        self.sources.push(HistogramSource { uploader: entry.uploader, segment: Some(entry.id) });
        let chunks: Vec<ChunkFacts> =
            (0..segment.chunks().len() as u32).map(|chunk| facts(segment, chunk, &self.matter)).collect();
        let (mut spans_walk, mut texts_walk) = (segment.index().walk(), segment.index().walk());
        let mut spans: Vec<SeriesSpan> = Vec::new();
        let mut counted = counts.streams.into_iter().peekable();
        for ordinal in streams.iter() {
            let minutes = counted.next_if(|(stream, _)| *stream == ordinal).map(|(_, minutes)| minutes);
            spans_walk.spans(ordinal, &mut spans)?;
            let CellGrid { start, end, .. } = self.cells;
            spans.retain(|span| span.first_time.nanos() <= end && span.last_time.nanos() > start);
            if spans.is_empty() {
                continue;
            }
            self.chunks += spans.len() as u64;
            let id = segment.index().stream_id(ordinal)?;
            let stream = match self.places.entry(id) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(free) => {
                    self.streams.push(texts_walk.canonical(ordinal)?.into());
                    *free.insert(self.streams.len() as u32 - 1)
                }
            };
            self.add_stream(&spans, FromSegment { stream, source, minutes, levels, chunks: &chunks });
        }
        Ok(())
    }

    /// Parts of the stream that may have rows in cells.
    fn add_stream(&mut self, spans: &[SeriesSpan], from: FromSegment<'_>) {
        let FromSegment { stream, source, minutes, levels, chunks } = from;
        let no_facts = ChunkFacts { may_stand: false, has_none: false };
        let facts_of = |span: &SeriesSpan| chunks.get(span.chunk as usize).copied().unwrap_or(no_facts);
        for span in spans {
            let ChunkFacts { may_stand, has_none } = facts_of(span);
            let counts_by_itself = minutes.is_none() && may_stand && has_none && !self.by_level;
            match self.cells.of_span(span).filter(|_| counts_by_itself) {
                Some(end) => self.counts.push(Count::of_span(span, (stream, source), end)),
                None if minutes.is_some() && may_stand => {}
                None => self.add_gap(stream, span),
            }
        }
        for minute in minutes.into_iter().flatten() {
            if self.cells.has(minute.end) {
                self.counts.push(Count::of_minute(&minute, (stream, source), spans, levels));
            }
        }
    }

    fn add_gap(&mut self, stream: u32, span: &SeriesSpan) {
        let cells = self.cells;
        let first = span.first_time.nanos().max(cells.start.saturating_add(1));
        let last = span.last_time.nanos().min(cells.end);
        let (start, end) = (cells.cell_end(first).saturating_sub(cells.width), cells.cell_end(last));
        let rows = u64::from(span.rows);
        match self.gaps.last_mut() {
            Some(gap) if gap.stream == stream && gap.start <= start && start <= gap.end => {
                gap.end = gap.end.max(end);
                gap.rows += rows;
            }
            _ => self.gaps.push(Gap { stream, start, end, rows }),
        }
    }

    /// How many places it found where rows have to be read, so far.
    pub fn gaps(&self) -> usize {
        self.gaps.len()
    }

    /// Parts of streams in chunks that were counted or would have to be read.
    pub fn chunks(&self) -> u64 {
        self.chunks
    }

    /// Every row in a whole cell is counted in one cell, or is in a gap.
    pub fn finish(self) -> impl Iterator<Item = HistogramBatch> + Send + 'static {
        let Self { cells, levels, sources, streams, mut counts, mut gaps, .. } = self;
        counts.sort_unstable_by_key(|count| (count.stream, count.end, count.source));
        gaps.sort_unstable_by_key(|gap| (gap.stream, gap.start, gap.end));
        Parts::new(levels.texts, sources, settle::Settled::new(cells, streams, counts, gaps))
    }
}

impl CellGrid {
    fn new(start: Timestamp, end: Timestamp, minutes_per_cell: NonZeroU32) -> Self {
        let width = NANOS_PER_MINUTE.saturating_mul(i64::from(minutes_per_cell.get()));
        // The first row that a cell may hold is behind its start.
        let before = i128::from(start.nanos()) - 1;
        let last = i128::from(end.nanos()) - 1;
        let wide = i128::from(width);
        let first = before.div_euclid(wide) + i128::from(before.rem_euclid(wide) > 0);
        let clamp =
            |cells: i128| i64::try_from(cells * wide).unwrap_or(if cells < 0 { i64::MIN } else { i64::MAX });
        Self { width, start: clamp(first), end: clamp(last.div_euclid(wide)) }
    }

    const fn is_empty(self) -> bool {
        self.start >= self.end
    }

    fn has(self, end: Timestamp) -> bool {
        self.start < end.nanos() && end.nanos() <= self.end
    }

    /// The end of the cell that holds all of the span, if one does.
    fn of_span(self, span: &SeriesSpan) -> Option<i64> {
        let (first, last) = (span.first_time.nanos(), span.last_time.nanos());
        if first <= self.start || last > self.end {
            return None;
        }
        Some(self.cell_end(first)).filter(|end| self.cell_end(last) == *end)
    }

    /// The end of the cell that holds the time, which is in one.
    fn cell_end(self, time: i64) -> i64 {
        let into = (time - 1).rem_euclid(self.width);
        (time - 1 - into).saturating_add(self.width).min(self.end)
    }
}

/// Counts may stand for rows only if it is known that no row's metadata has a label that matters.
fn facts(segment: &Segment, chunk: u32, matter: &CountedLabels) -> ChunkFacts {
    let names: Option<Vec<&str>> =
        segment.metadata_names().and_then(|names| names.of_chunk(chunk)).map(Iterator::collect);
    let is_clear = names.as_ref().is_some_and(|names| !names.iter().any(|name| matter.has(name)));
    ChunkFacts {
        may_stand: is_clear || *matter == CountedLabels::default(),
        has_none: names.is_some_and(|names| names.is_empty()),
    }
}

impl Count {
    /// Of rows without metadata.
    fn of_span(span: &SeriesSpan, (stream, source): (u32, u32), end: i64) -> Self {
        let tally =
            Tally { rows: u64::from(span.rows), digest: None, first: span.first_time, last: span.last_time };
        let levels = Box::default();
        Self { stream, source, end, is_of_cell: true, tally, line_bytes: span.raw_bytes, levels }
    }

    /// Rows of the minute are in the spans that touch it, which bounds their times.
    fn of_minute(
        count: &MinuteCount,
        (stream, source): (u32, u32),
        spans: &[SeriesSpan],
        levels: Option<&[Option<u32>]>,
    ) -> Self {
        let end = count.end.nanos();
        let start = end.saturating_sub(NANOS_PER_MINUTE);
        let first_span = spans.partition_point(|span| span.last_time.nanos() <= start);
        let behind = spans.partition_point(|span| span.first_time.nanos() <= end);
        let first = spans.get(first_span).map_or(start, |span| span.first_time.nanos());
        let last = behind.checked_sub(1).and_then(|place| spans.get(place));
        let last = last.map_or(end, |span| span.last_time.nanos());
        let tally = Tally {
            rows: count.rows(),
            digest: Some(count.digest),
            first: Timestamp::from_nanos(first.clamp(start.saturating_add(1), end)),
            last: Timestamp::from_nanos(last.clamp(start.saturating_add(1), end)),
        };
        let mut by_level = Vec::new();
        if let Some(places) = levels {
            for one in &count.levels {
                by_level.push(LevelCount {
                    level: places.get(one.level as usize).copied().flatten(),
                    rows: one.rows,
                    bytes: one.line_bytes,
                });
            }
        }
        let (is_of_cell, line_bytes) = (false, count.line_bytes());
        Self { stream, source, end, is_of_cell, tally, line_bytes, levels: by_level.into() }
    }
}

impl Levels {
    /// None for the empty text, which means that a row has none.
    fn place(&mut self, level: &str) -> Option<u32> {
        if level.is_empty() {
            return None;
        }
        if let Some(place) = self.places.get(level) {
            return Some(*place);
        }
        let place = self.texts.len() as u32;
        self.texts.push(level.to_owned());
        self.places.insert(level.to_owned(), place);
        Some(place)
    }
}

#[cfg(test)]
mod tests;
