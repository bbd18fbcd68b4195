//! Rows and bytes by stream and minute.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;

use futures_util::stream::{StreamExt, iter};
use larch_proto::{CountedLabels, HistogramBatch, HistogramCell, HistogramGap, HistogramSource, LevelCount};
use larch_rpc::{CallError, CallStream};
use larch_segment::{Chunk, Columns, Decoder, ReadError, RowIdentity, StreamRun};
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

/// Cells of one source by its own number of the stream, and by end.
type Cells = BTreeMap<(u32, i64), Cell>;

#[derive(Default)]
struct Cell {
    rows: u64,
    bytes: u64,
    digest: u64,
    /// By place in the answer's levels.
    levels: BTreeMap<Option<u32>, (u64, u64)>,
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
        in_parts(&asked.source, cells, &levels, (source, width), &mut parts)?;
    }
    Ok(iter(parts).map(Ok).boxed())
}

struct Count<'a> {
    asked: &'a Asked,
    chosen: &'a Chosen,
    width: i64,
    matter: &'a CountedLabels,
}

impl Count<'_> {
    async fn all(&self) -> Result<(Cells, Levels), CallError> {
        let (mut cells, mut levels) = (Cells::new(), Levels::default());
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
        Ok((cells, levels))
    }

    fn add(
        &self,
        chunk: &Chunk,
        run: StreamRun,
        id: StreamId,
        cells: &mut Cells,
        levels: &mut Levels,
    ) -> Result<(), ReadError> {
        let mut decoder = Decoder::new();
        let times = chunk.times()?;
        let lines = chunk.lines(&mut decoder)?;
        let row_levels = chunk.levels(&mut decoder)?;
        let by_level = self.matter.has(LEVEL_LABEL);
        for row in rows_in_range(run, times, self.chosen) {
            let Some(end) = self.cell_end(times[row]) else { continue };
            let line = lines.get(row);
            let metadata = chunk.row_metadata(row, &mut decoder)?;
            let matters = metadata.iter().any(|(name, _)| self.matter.has(name));
            let identity = RowIdentity::of(id, Timestamp::from_nanos(times[row]), line, metadata.into_iter());
            let new = || Cell { first: times[row], last: times[row], ..Cell::default() };
            let cell = cells.entry((run.stream, end)).or_insert_with(new);
            cell.first = cell.first.min(times[row]);
            cell.last = times[row].max(cell.last);
            cell.is_gap |= matters;
            cell.rows += 1;
            cell.bytes += line.len() as u64;
            cell.digest = cell.digest.wrapping_add(identity.0);
            if by_level && let Some(level) = levels.place(row_levels.get(row)) {
                let counts = cell.levels.entry(level).or_default();
                counts.0 += 1;
                counts.1 += line.len() as u64;
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

fn in_parts(
    from: &Source,
    cells: Cells,
    levels: &Levels,
    (source, width): (HistogramSource, i64),
    parts: &mut Vec<HistogramBatch>,
) -> Result<(), CallError> {
    let new_part = || HistogramBatch {
        levels: levels.texts.clone(),
        sources: vec![source],
        ..HistogramBatch::default()
    };
    let (mut part, mut last_stream) = (new_part(), None);
    for ((stream, end), cell) in cells {
        if part.cells.len() + part.gaps.len() >= PART_CELLS {
            parts.push(std::mem::replace(&mut part, new_part()));
            last_stream = None;
        }
        if last_stream != Some(stream) {
            part.streams.push(from.labels(stream)?.canonical());
            last_stream = Some(stream);
        }
        let count = |(level, (rows, bytes)): (&Option<u32>, &(u64, u64))| LevelCount {
            level: *level,
            rows: *rows,
            bytes: *bytes,
        };
        let stream = part.streams.len() as u32 - 1;
        if cell.is_gap {
            let (start, end) = (Timestamp::from_nanos(end - width), Timestamp::from_nanos(end));
            part.gaps.push(HistogramGap { stream, start, end, rows: cell.rows });
            continue;
        }
        part.cells.push(HistogramCell {
            stream,
            source: 0,
            end: Timestamp::from_nanos(end),
            rows: cell.rows,
            bytes: cell.bytes,
            digest: cell.digest,
            levels: cell.levels.iter().map(count).collect(),
            first: Timestamp::from_nanos(cell.first),
            last: Timestamp::from_nanos(cell.last),
        });
    }
    if !part.cells.is_empty() || !part.gaps.is_empty() {
        parts.push(part);
    }
    Ok(())
}
