//! Counts of all sources, by stream and cell: of each it is proved that it has every row once, or its rows are
//! to be read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use larch_proto::HistogramBatch;
use larch_rpc::CallError;
use larch_segment::{Tally, distinct};
use larch_types::{StreamId, TenantId, Timestamp};

use super::borders::{Cells, NANOS_PER_MINUTE};
use super::left::is_in;
use super::{Cell, CountedStream};
use crate::rows::{Budget, Stream, Streams};

/// What one count of a cell takes, about.
const PART_BYTES: usize = 160;

pub(super) struct Table {
    streams: Streams,
    budget: Budget,
    by_level: bool,
    rows: HashMap<StreamId, Row>,
    levels: HashMap<String, Arc<str>>,
    /// Of a cell.
    width: i64,
    /// Cells in here do not count, because their rows are read.
    broken: Vec<(i64, i64)>,
}

struct Row {
    stream: Arc<Stream>,
    /// By the end of the cell.
    cells: BTreeMap<i64, Vec<Part>>,
    gaps: Vec<Gap>,
}

/// What one source says of one cell.
struct Part {
    tally: Tally,
    line_bytes: u64,
    levels: Vec<(Option<Arc<str>>, u64, u64)>,
}

/// Rows behind the start and up to the end are to be read.
#[derive(Debug, Clone, Copy)]
struct Gap {
    start: i64,
    end: i64,
    rows: u64,
}

/// A stream, and where its rows are to be read: behind each first time and up to the second one.
pub(super) type Gaps = Vec<(Arc<Stream>, Vec<(i64, i64)>)>;

impl Table {
    pub(super) fn new(streams: Streams, budget: Budget, by_level: bool, cells: &Cells) -> Self {
        let width = NANOS_PER_MINUTE.saturating_mul(i64::from(cells.minutes_per_cell.get()));
        let (rows, levels, broken) = (HashMap::new(), HashMap::new(), cells.broken.clone());
        Self { streams, budget, by_level, rows, levels, width, broken }
    }

    pub(super) fn add(&mut self, tenant: &TenantId, batch: &HistogramBatch) -> Result<(), CallError> {
        let mut places = Vec::with_capacity(batch.streams.len());
        for text in &batch.streams {
            let stream = self.streams.meet(tenant, text, &mut self.budget)?;
            places.push(stream.id);
            let new = || Row { stream, cells: BTreeMap::new(), gaps: Vec::new() };
            self.rows.entry(places[places.len() - 1]).or_insert_with(new);
        }
        let mut levels: Vec<Arc<str>> = Vec::with_capacity(batch.levels.len());
        for level in &batch.levels {
            levels
                .push(Arc::clone(self.levels.entry(level.clone()).or_insert_with(|| level.as_str().into())));
        }
        for cell in batch.cells.iter().filter(|cell| !is_in(&self.broken, cell.end.nanos())) {
            self.budget.take(PART_BYTES)?;
            // Places were checked where the batch came in, and are right within one process.
            let id = places.get(cell.stream as usize);
            let Some(row) = id.and_then(|id| self.rows.get_mut(id)) else { continue };
            let mut by_level = Vec::new();
            if self.by_level {
                for count in &cell.levels {
                    let level = count.level.and_then(|place| levels.get(place as usize).cloned());
                    by_level.push((level, count.rows, count.bytes));
                }
            }
            let tally = Tally { rows: cell.rows, digest: cell.digest, first: cell.first, last: cell.last };
            let part = Part { tally, line_bytes: cell.bytes, levels: by_level };
            row.cells.entry(cell.end.nanos()).or_default().push(part);
        }
        for gap in &batch.gaps {
            self.budget.take(PART_BYTES)?;
            let id = places.get(gap.stream as usize);
            let Some(row) = id.and_then(|id| self.rows.get_mut(id)) else { continue };
            row.gaps.push(Gap { start: gap.start.nanos(), end: gap.end.nanos(), rows: gap.rows });
        }
        Ok(())
    }

    /// Leaves in each cell the parts that together have every row once; other cells become gaps.
    pub(super) fn settle(&mut self) {
        for row in self.rows.values_mut() {
            let mut unproved = Vec::new();
            for (end, parts) in &mut row.cells {
                let tallies: Vec<Tally> = parts.iter().map(|part| part.tally).collect();
                let of_levels = |part: &Part| part.levels.iter().map(|(_, rows, _)| *rows).sum::<u64>();
                let chosen = distinct(&tallies).filter(|chosen| {
                    // Of levels without end not all are told apart.
                    !self.by_level
                        || chosen.iter().all(|place| of_levels(&parts[*place]) == parts[*place].tally.rows)
                });
                match chosen {
                    Some(chosen) => {
                        let mut place = 0;
                        parts.retain(|_| {
                            place += 1;
                            chosen.contains(&(place - 1))
                        });
                    }
                    None => {
                        let rows = tallies.iter().map(|tally| tally.rows).sum();
                        unproved.push(Gap { start: *end - self.width, end: *end, rows });
                    }
                }
            }
            row.gaps.extend(unproved);
            row.gaps.sort_by_key(|gap| gap.start);
            let mut united: Vec<Gap> = Vec::new();
            for gap in row.gaps.drain(..) {
                match united.last_mut() {
                    Some(last) if gap.start <= last.end => {
                        last.end = last.end.max(gap.end);
                        last.rows = last.rows.saturating_add(gap.rows);
                    }
                    _ => united.push(gap),
                }
            }
            row.gaps = united;
            let gaps = &row.gaps;
            row.cells.retain(|end, _| !gaps.iter().any(|gap| gap.start < *end && *end <= gap.end));
        }
    }

    pub(super) fn counted_rows(&self) -> u64 {
        let parts = self.rows.values().flat_map(|row| row.cells.values().flatten());
        parts.map(|part| part.tally.rows).fold(0, u64::saturating_add)
    }

    pub(super) fn gap_rows(&self) -> u64 {
        let gaps = self.rows.values().flat_map(|row| &row.gaps);
        gaps.map(|gap| gap.rows).fold(0, u64::saturating_add)
    }

    pub(super) fn finish(self) -> (Vec<CountedStream>, Gaps) {
        let (mut streams, mut all_gaps) = (Vec::with_capacity(self.rows.len()), Vec::new());
        let mut rows: Vec<Row> = self.rows.into_values().collect();
        rows.sort_by_key(|row| row.stream.id);
        for Row { stream, cells, gaps } in rows {
            if !gaps.is_empty() {
                let ranges = gaps.iter().map(|gap| (gap.start, gap.end)).collect();
                all_gaps.push((Arc::clone(&stream), ranges));
            }
            let mut by_level: BTreeMap<Option<Arc<str>>, Vec<Cell>> = BTreeMap::new();
            for (end, parts) in cells {
                let time = Timestamp::from_nanos(end);
                for part in parts {
                    if self.by_level {
                        for (level, rows, line_bytes) in part.levels {
                            add(by_level.entry(level).or_default(), Cell { time, rows, line_bytes });
                        }
                    } else {
                        let cell = Cell { time, rows: part.tally.rows, line_bytes: part.line_bytes };
                        add(by_level.entry(None).or_default(), cell);
                    }
                }
            }
            if !by_level.is_empty() {
                streams.push(CountedStream { stream, by_level });
            }
        }
        (streams, all_gaps)
    }
}

/// Cells come in the order of time; a cell comes once.
fn add(cells: &mut Vec<Cell>, cell: Cell) {
    match cells.last_mut() {
        Some(last) if last.time == cell.time => {
            last.rows = last.rows.saturating_add(cell.rows);
            last.line_bytes = last.line_bytes.saturating_add(cell.line_bytes);
        }
        _ => cells.push(cell),
    }
}
