//! Rows and bytes by stream and cell of time, from footers: where it is proved that every row is counted
//! once, and where it is not, that rows have to be read.

mod parts;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;

use larch_proto::{CountedLabels, HistogramBatch, HistogramCell, HistogramSource, LevelCount, SegmentEntry};
use larch_segment::{Corrupt, Counts, MinuteCount, OrdinalSet, Segment, SeriesSpan, Tally, distinct};
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
    streams: HashMap<StreamId, StreamCounts>,
    gaps: usize,
    chunks: u64,
}

/// Whole cells of a range: those in (`start`, `end`] that end at multiples of their width.
#[derive(Debug, Clone, Copy)]
struct CellGrid {
    width: i64,
    start: i64,
    end: i64,
}

#[derive(Debug)]
struct StreamCounts {
    text: String,
    minutes: Vec<Minute>,
    gaps: Vec<Gap>,
}

/// What one segment says of one stream.
struct FromSegment<'a> {
    source: HistogramSource,
    minutes: Option<Vec<MinuteCount>>,
    /// The answer's places of the segment's levels, if those matter.
    levels: Option<&'a [Option<u32>]>,
}

/// What one segment says of one minute.
#[derive(Debug)]
struct Minute {
    end: i64,
    source: HistogramSource,
    tally: Tally,
    line_bytes: u64,
    levels: Vec<LevelCount>,
}

/// Rows in (`start`, `end`], whole cells.
#[derive(Debug, Clone, Copy)]
struct Gap {
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
            streams: HashMap::new(),
            gaps: 0,
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
        let source = HistogramSource { uploader: entry.uploader, segment: Some(entry.id) };
        let levels = self.by_level.then_some(levels.as_slice());
        let mut counted = counts.streams.into_iter().peekable();
        for ordinal in streams.iter() {
            let minutes = counted.next_if(|(stream, _)| *stream == ordinal).map(|(_, minutes)| minutes);
            let spans = self.spans(segment, ordinal)?;
            if !spans.is_empty() {
                self.add_stream(segment, ordinal, &spans, FromSegment { source, minutes, levels })?;
            }
        }
        Ok(())
    }

    /// Without minutes nothing of it is counted.
    fn add_stream(
        &mut self,
        segment: &Segment,
        ordinal: u32,
        spans: &[SeriesSpan],
        FromSegment { source, minutes, levels }: FromSegment<'_>,
    ) -> Result<(), Corrupt> {
        let stream = match self.streams.entry(segment.index().stream_id(ordinal)?) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let text = segment.index().labels(ordinal)?.canonical();
                place.insert(StreamCounts { text, minutes: Vec::new(), gaps: Vec::new() })
            }
        };
        let before = stream.gaps.len();
        for span in spans {
            if minutes.is_none() || !may_stand(segment, span.chunk, &self.matter) {
                stream.gap(self.cells, span);
            }
        }
        self.gaps += stream.gaps.len() - before;
        for minute in minutes.into_iter().flatten() {
            if self.cells.has(minute.end) {
                stream.minutes.push(Minute::new(minute, source, spans, levels));
            }
        }
        Ok(())
    }

    /// The parts of the stream that may have rows in cells.
    fn spans(&mut self, segment: &Segment, ordinal: u32) -> Result<Vec<SeriesSpan>, Corrupt> {
        let mut spans = segment.index().spans(ordinal)?;
        let CellGrid { start, end, .. } = self.cells;
        spans.retain(|span| span.first_time.nanos() <= end && span.last_time.nanos() > start);
        self.chunks += spans.len() as u64;
        Ok(spans)
    }

    /// How many places it found where rows have to be read, so far.
    pub fn gaps(&self) -> usize {
        self.gaps
    }

    /// Parts of streams in chunks that were counted or would have to be read.
    pub fn chunks(&self) -> u64 {
        self.chunks
    }

    /// Every row in a whole cell is counted in one cell, or is in a gap.
    pub fn finish(self) -> Vec<HistogramBatch> {
        let Self { cells, levels, streams, .. } = self;
        let mut parts = Parts::new(levels.texts);
        let mut streams: Vec<StreamCounts> = streams.into_values().collect();
        streams.sort_by(|left, right| left.text.cmp(&right.text));
        for stream in streams {
            let text = stream.text.clone();
            let (counted, gaps) = stream.finish(cells);
            parts.add(&text, counted, &gaps);
        }
        parts.finish()
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

    /// The end of the cell that holds the time, which is in one.
    fn cell_end(self, time: i64) -> i64 {
        let into = (time - 1).rem_euclid(self.width);
        (time - 1 - into).saturating_add(self.width).min(self.end)
    }
}

/// Whether counts may stand for the rows of a chunk: it must be known that no row's metadata has a label that
/// matters.
fn may_stand(segment: &Segment, chunk: u32, matter: &CountedLabels) -> bool {
    if *matter == CountedLabels::default() {
        return true;
    }
    let names = segment.metadata_names().and_then(|names| names.of_chunk(chunk));
    names.is_some_and(|mut names| !names.any(|name| matter.has(name)))
}

impl Minute {
    /// Rows of the minute are in the spans that touch it, which bounds their times.
    fn new(
        count: MinuteCount,
        source: HistogramSource,
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
            digest: count.digest,
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
        Self { end, source, tally, line_bytes: count.line_bytes(), levels: by_level }
    }
}

impl StreamCounts {
    fn gap(&mut self, cells: CellGrid, span: &SeriesSpan) {
        let first = span.first_time.nanos().max(cells.start.saturating_add(1));
        let last = span.last_time.nanos().min(cells.end);
        let (start, end) = (cells.cell_end(first).saturating_sub(cells.width), cells.cell_end(last));
        let rows = u64::from(span.rows);
        match self.gaps.last_mut() {
            Some(gap) if gap.start <= start && start <= gap.end => {
                gap.end = gap.end.max(end);
                gap.rows += rows;
            }
            _ => self.gaps.push(Gap { start, end, rows }),
        }
    }

    /// The cells, each with the source of the first of its rows, and what is not in them.
    fn finish(mut self, cells: CellGrid) -> (Vec<(HistogramCell, HistogramSource)>, Vec<Gap>) {
        self.minutes.sort_by_key(|minute| (minute.end, minute.source.segment));
        let mut counted: BTreeMap<i64, (HistogramCell, HistogramSource)> = BTreeMap::new();
        let mut rest = self.minutes.as_slice();
        let mut tallies = Vec::new();
        while let Some(first) = rest.first() {
            let copies = rest.partition_point(|minute| minute.end == first.end);
            let (of_minute, behind) = rest.split_at(copies);
            rest = behind;
            tallies.clear();
            tallies.extend(of_minute.iter().map(|minute| minute.tally));
            let end = cells.cell_end(first.end);
            match distinct(&tallies) {
                Some(chosen) => {
                    for place in chosen {
                        let minute = &of_minute[place];
                        let new = || (empty_cell(end, minute), minute.source);
                        minute.add_to(&mut counted.entry(end).or_insert_with(new).0);
                    }
                }
                None => {
                    let rows = tallies.iter().map(|tally| tally.rows).sum();
                    self.gaps.push(Gap { start: end.saturating_sub(cells.width), end, rows });
                }
            }
        }
        let gaps = united(self.gaps);
        for gap in &gaps {
            // Whoever reads the rows of a cell reads all of them.
            let inside: Vec<i64> =
                counted.range(gap.start.saturating_add(1)..=gap.end).map(|(end, _)| *end).collect();
            for end in inside {
                counted.remove(&end);
            }
        }
        (counted.into_values().collect(), gaps)
    }
}

fn united(mut gaps: Vec<Gap>) -> Vec<Gap> {
    gaps.sort_by_key(|gap| (gap.start, gap.end));
    let mut united: Vec<Gap> = Vec::new();
    for gap in gaps {
        match united.last_mut() {
            Some(last) if gap.start <= last.end => {
                last.end = last.end.max(gap.end);
                last.rows = last.rows.saturating_add(gap.rows);
            }
            _ => united.push(gap),
        }
    }
    united
}

/// Its places are given when it becomes part of an answer.
fn empty_cell(end: i64, minute: &Minute) -> HistogramCell {
    HistogramCell {
        stream: 0,
        source: 0,
        end: Timestamp::from_nanos(end),
        rows: 0,
        bytes: 0,
        digest: 0,
        levels: Vec::new(),
        first: minute.tally.first,
        last: minute.tally.last,
    }
}

impl Minute {
    fn add_to(&self, cell: &mut HistogramCell) {
        cell.rows = cell.rows.saturating_add(self.tally.rows);
        cell.bytes = cell.bytes.saturating_add(self.line_bytes);
        cell.digest = cell.digest.wrapping_add(self.tally.digest);
        cell.first = cell.first.min(self.tally.first);
        cell.last = cell.last.max(self.tally.last);
        for count in &self.levels {
            match cell.levels.iter_mut().find(|known| known.level == count.level) {
                Some(known) => {
                    known.rows = known.rows.saturating_add(count.rows);
                    known.bytes = known.bytes.saturating_add(count.bytes);
                }
                None => cell.levels.push(*count),
            }
        }
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
