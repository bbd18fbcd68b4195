//! Rows and bytes by stream and minute.

use std::collections::HashMap;
use std::iter::Peekable;
use std::num::NonZeroU32;
use std::vec::IntoIter;

use futures_util::stream::{StreamExt, iter};
use larch_proto::{CountedLabels, HistogramBatch, HistogramCell, HistogramGap, HistogramSource, LevelCount};
use larch_rpc::{CallError, CallStream};
use larch_segment::{Chunk, Columns, Decoder, ReadError, StreamRun};
use larch_types::{NodeId, StreamId, Timestamp};

use super::{Asked, rows_in_range};
use crate::selection::Chosen;
use crate::source::Source;

const NANOS_PER_MINUTE: i64 = 60_000_000_000;

const LEVEL_LABEL: &str = "detected_level";

/// Cells of one part of the answer: some hundred bytes each.
const PART_CELLS: usize = 4096;

/// The levels that one cell tells apart; rows of rarer ones count for the cell only. Larch detects
/// seven, but clients may push any text.
const MOST_LEVELS: usize = 64;

/// Rows of one stream of a source in one cell.
struct Cell {
    /// The source's own number.
    stream: u32,
    end: i64,
    rows: u64,
    bytes: u64,
    digest: u64,
    /// By place in the answer's levels.
    levels: Vec<(Option<u32>, u64, u64)>,
    first: i64,
    last: i64,
    /// A row's metadata has one of the labels that matter.
    is_gap: bool,
}

#[derive(Default)]
struct Levels {
    texts: Vec<String>,
    places: HashMap<String, u32>,
}

/// Whole cells of the range, of all rows that are held by the node, for each place where it holds them.
pub(crate) async fn read(
    sources: Vec<Source>,
    chosen: &Chosen,
    (minutes_per_cell, matter): (NonZeroU32, &CountedLabels),
    node: NodeId,
) -> Result<CallStream<HistogramBatch>, CallError> {
    let width = NANOS_PER_MINUTE.saturating_mul(i64::from(minutes_per_cell.get()));
    let mut parts = Vec::new();
    for source in sources {
        let segment = match &source {
            Source::Memory(_) => None,
            Source::File(file) => Some(file.id()),
        };
        let asked = Asked::new(source, chosen)?;
        let count = Count { asked: &asked, chosen, width, matter };
        let (cells, levels) = count.all().await?;
        let source = HistogramSource { uploader: node, segment };
        parts.push(Parts::new(&asked.source, cells, levels, (source, width))?);
    }
    Ok(iter(parts.into_iter().flatten()).map(Ok).boxed())
}

struct Count<'a> {
    asked: &'a Asked,
    chosen: &'a Chosen,
    width: i64,
    matter: &'a CountedLabels,
}

impl Count<'_> {
    /// By stream and time, each cell once.
    async fn all(&self) -> Result<(Vec<Cell>, Levels), CallError> {
        let (mut cells, mut levels) = (Vec::new(), Levels::default());
        let mut decoder = Decoder::new();
        let columns = Columns { stamps: false, ..Columns::ALL };
        for (number, _) in self.asked.chunks(self.chosen) {
            let chunk = self.asked.source.chunk(number, columns).await?;
            for run in chunk.streams(&mut decoder).map_err(|error| self.asked.source.unreadable(&error))? {
                if self.asked.has(run.stream) {
                    let id = self.asked.source.stream_id(run.stream)?;
                    self.add(&chunk, *run, id, &mut cells, &mut levels)
                        .map_err(|error| self.asked.source.unreadable(&error))?;
                }
            }
        }
        cells.sort_unstable_by_key(|cell| (cell.stream, cell.end));
        cells.dedup_by(|other, cell| {
            let is_same = (cell.stream, cell.end) == (other.stream, other.end);
            if is_same {
                cell.unite(other);
            }
            is_same
        });
        Ok((cells, levels))
    }

    /// Rows of a run ascend in time, so that those of one cell follow each other.
    fn add(
        &self,
        chunk: &Chunk,
        run: StreamRun,
        id: StreamId,
        cells: &mut Vec<Cell>,
        levels: &mut Levels,
    ) -> Result<(), ReadError> {
        let mut decoder = Decoder::new();
        let times = chunk.times()?;
        let lines = chunk.lines(&mut decoder)?;
        let row_levels = if self.matter.has(LEVEL_LABEL) { Some(chunk.levels(&mut decoder)?) } else { None };
        let before = cells.len();
        for row in rows_in_range(run, times, self.chosen) {
            let time = times[row];
            let Some(end) = self.cell_end(time) else { continue };
            if cells.len() == before || cells.last().is_some_and(|cell| cell.end != end) {
                cells.push(Cell::new(run.stream, end, time));
            }
            let Some(cell) = cells.last_mut() else { continue };
            let bytes = lines.get(row).len() as u64;
            let identity = chunk.identity(row, id, &mut decoder)?;
            cell.last = time;
            cell.rows += 1;
            cell.bytes += bytes;
            cell.digest = cell.digest.wrapping_add(identity.0);
            if !cell.is_gap && *self.matter != CountedLabels::default() {
                let metadata = chunk.row_metadata(row, &mut decoder)?;
                cell.is_gap = metadata.iter().any(|(name, _)| self.matter.has(name));
            }
            if let Some(row_levels) = row_levels
                && let Some(level) = levels.place(row_levels.get(row))
            {
                cell.count_level(level, 1, bytes);
            }
        }
        Ok(())
    }

    /// The cell (end − width, end] that holds a time, if all of it is in the range.
    fn cell_end(&self, time: i64) -> Option<i64> {
        let start = time.checked_sub(1)?.div_euclid(self.width).checked_mul(self.width)?;
        let end = start.checked_add(self.width)?;
        let first = Timestamp::from_nanos(start.checked_add(1)?);
        (self.chosen.start <= first && Timestamp::from_nanos(end) < self.chosen.end).then_some(end)
    }
}

impl Cell {
    const fn new(stream: u32, end: i64, time: i64) -> Self {
        let levels = Vec::new();
        Self { stream, end, rows: 0, bytes: 0, digest: 0, levels, first: time, last: time, is_gap: false }
    }

    /// Few, so a list.
    fn count_level(&mut self, level: Option<u32>, rows: u64, bytes: u64) {
        match self.levels.iter_mut().find(|known| known.0 == level) {
            Some(known) => (known.1, known.2) = (known.1 + rows, known.2 + bytes),
            None => self.levels.push((level, rows, bytes)),
        }
    }

    /// Other rows of the same stream and cell.
    fn unite(&mut self, other: &Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.digest = self.digest.wrapping_add(other.digest);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.is_gap |= other.is_gap;
        for (level, rows, bytes) in &other.levels {
            self.count_level(*level, *rows, *bytes);
        }
    }
}

impl Levels {
    /// Under what a row is counted: a level's place, or none for rows without a level. `None`: under
    /// nothing, because there are too many.
    fn place(&mut self, level: Option<&str>) -> Option<Option<u32>> {
        let Some(level) = level else { return Some(None) };
        if let Some(place) = self.places.get(level) {
            return Some(Some(*place));
        }
        if self.texts.len() >= MOST_LEVELS {
            return None;
        }
        let place = self.texts.len() as u32;
        self.texts.push(level.to_owned());
        self.places.insert(level.to_owned(), place);
        Some(Some(place))
    }
}

/// The cells of one source as batches, made as they are asked for.
struct Parts {
    cells: Peekable<IntoIter<Cell>>,
    /// Of the streams of the cells, in their order.
    texts: IntoIter<String>,
    levels: Vec<String>,
    source: HistogramSource,
    width: i64,
    /// The stream of the last batch's last cell, which may have more.
    last: Option<(u32, String)>,
}

impl Parts {
    fn new(
        from: &Source,
        cells: Vec<Cell>,
        levels: Levels,
        (source, width): (HistogramSource, i64),
    ) -> Result<Self, CallError> {
        let (mut texts, mut of_streams) = (Vec::new(), from.texts());
        for of_stream in cells.chunk_by(|one, other| one.stream == other.stream) {
            texts.push(of_streams.of(of_stream[0].stream)?);
        }
        let (cells, texts) = (cells.into_iter().peekable(), texts.into_iter());
        Ok(Self { cells, texts, levels: levels.texts, source, width, last: None })
    }

    fn add(&self, batch: &mut HistogramBatch, cell: Cell) {
        let Cell { end, rows, bytes, digest, levels, first, last, is_gap, .. } = cell;
        let at = Timestamp::from_nanos;
        let stream = batch.streams.len() as u32 - 1;
        if is_gap {
            batch.gaps.push(HistogramGap { stream, start: at(end - self.width), end: at(end), rows });
            return;
        }
        let mut counts: Vec<LevelCount> = Vec::with_capacity(levels.len());
        counts.extend(levels.into_iter().map(|(level, rows, bytes)| LevelCount { level, rows, bytes }));
        batch.cells.push(HistogramCell {
            stream,
            source: 0,
            end: at(end),
            rows,
            bytes,
            digest: Some(digest),
            levels: counts,
            first: at(first),
            last: at(last),
        });
    }
}

impl Iterator for Parts {
    type Item = HistogramBatch;

    fn next(&mut self) -> Option<HistogramBatch> {
        self.cells.peek()?;
        let mut batch = HistogramBatch {
            levels: self.levels.clone(),
            sources: vec![self.source],
            ..HistogramBatch::default()
        };
        let mut in_batch = None;
        while batch.cells.len() + batch.gaps.len() < PART_CELLS
            && let Some(cell) = self.cells.next()
        {
            if self.last.as_ref().is_none_or(|(stream, _)| *stream != cell.stream) {
                self.last = Some((cell.stream, self.texts.next().unwrap_or_default()));
            }
            if in_batch != Some(cell.stream) {
                batch.streams.extend(self.last.as_ref().map(|(_, text)| text.clone()));
                in_batch = Some(cell.stream);
            }
            self.add(&mut batch, cell);
        }
        Some(batch)
    }
}
