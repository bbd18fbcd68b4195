//! Rows and bytes by stream and minute.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;

use futures_util::stream::{StreamExt, iter};
use larch_proto::{HistogramBatch, HistogramCell, HistogramSource, LevelCount};
use larch_rpc::{CallError, CallStream};
use larch_segment::{Chunk, Decoder, OrdinalSet, ReadError, RowIdentity, Snapshot};
use larch_types::{NodeId, Timestamp};

use super::{is_chosen, overlaps, rows_in_range, unreadable};
use crate::selection::Chosen;

const NANOS_PER_MINUTE: i64 = 60_000_000_000;

/// Cells of one part of the answer: some hundred bytes each.
const PART_CELLS: usize = 4096;

/// The levels that one cell tells apart; rows of rarer ones count for the cell only. Larch detects
/// seven, but clients may push any text.
const MOST_LEVELS: usize = 64;

/// Cells by stream and end.
type Cells = BTreeMap<(u32, i64), Cell>;

#[derive(Default)]
struct Cell {
    rows: u64,
    bytes: u64,
    digest: u64,
    /// By place in the answer's levels.
    levels: BTreeMap<Option<u32>, (u64, u64)>,
}

#[derive(Default)]
struct Levels {
    texts: Vec<String>,
    places: HashMap<String, u32>,
}

/// Whole cells of the range, of all rows that are held by the node.
pub(crate) async fn read(
    snapshot: &Snapshot,
    chosen: &Chosen,
    minutes_per_cell: NonZeroU32,
    node: NodeId,
) -> Result<CallStream<HistogramBatch>, CallError> {
    let width = NANOS_PER_MINUTE.saturating_mul(i64::from(minutes_per_cell.get()));
    let streams = chosen.streams(snapshot);
    let (mut cells, mut levels) = (Cells::new(), Levels::default());
    let mut decoder = Decoder::new();
    for chunk in snapshot.chunks().iter().filter(|chunk| overlaps(chunk, chosen)) {
        let count = Count { snapshot, chosen, streams: &streams, width };
        count.add(chunk, &mut cells, &mut levels, &mut decoder).map_err(|error| unreadable(&error))?;
        tokio::task::yield_now().await;
    }
    Ok(iter(in_parts(snapshot, cells, &levels, node)).map(Ok).boxed())
}

struct Count<'a> {
    snapshot: &'a Snapshot,
    chosen: &'a Chosen,
    streams: &'a OrdinalSet,
    width: i64,
}

impl Count<'_> {
    fn add(
        &self,
        chunk: &Chunk,
        cells: &mut Cells,
        levels: &mut Levels,
        decoder: &mut Decoder,
    ) -> Result<(), ReadError> {
        let times = chunk.times()?;
        let lines = chunk.lines(decoder)?;
        let row_levels = chunk.levels(decoder)?;
        for run in chunk.streams(decoder)? {
            if !is_chosen(self.streams, run.stream) {
                continue;
            }
            let id = self.snapshot.stream_id(run.stream);
            for row in rows_in_range(*run, times, self.chosen) {
                let Some(end) = self.cell_end(times[row]) else { continue };
                let line = lines.get(row);
                let metadata = chunk.row_metadata(row, decoder)?;
                let identity =
                    RowIdentity::of(id, Timestamp::from_nanos(times[row]), line, metadata.into_iter());
                let cell = cells.entry((run.stream, end)).or_default();
                cell.rows += 1;
                cell.bytes += line.len() as u64;
                cell.digest = cell.digest.wrapping_add(identity.0);
                if let Some(level) = levels.place(row_levels.get(row)) {
                    let counts = cell.levels.entry(level).or_default();
                    counts.0 += 1;
                    counts.1 += line.len() as u64;
                }
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

fn in_parts(snapshot: &Snapshot, cells: Cells, levels: &Levels, node: NodeId) -> Vec<HistogramBatch> {
    let source = HistogramSource { uploader: node, segment: None };
    let new_part = || HistogramBatch {
        levels: levels.texts.clone(),
        sources: vec![source],
        ..HistogramBatch::default()
    };
    let (mut parts, mut part, mut last_stream) = (Vec::new(), new_part(), None);
    for ((stream, end), cell) in cells {
        if part.cells.len() >= PART_CELLS {
            parts.push(std::mem::replace(&mut part, new_part()));
            last_stream = None;
        }
        if last_stream != Some(stream) {
            part.streams.push(snapshot.labels(stream).canonical());
            last_stream = Some(stream);
        }
        let count = |(level, (rows, bytes)): (&Option<u32>, &(u64, u64))| LevelCount {
            level: *level,
            rows: *rows,
            bytes: *bytes,
        };
        part.cells.push(HistogramCell {
            stream: part.streams.len() as u32 - 1,
            source: 0,
            end: Timestamp::from_nanos(end),
            rows: cell.rows,
            bytes: cell.bytes,
            digest: cell.digest,
            levels: cell.levels.iter().map(count).collect(),
        });
    }
    if !part.cells.is_empty() {
        parts.push(part);
    }
    parts
}
