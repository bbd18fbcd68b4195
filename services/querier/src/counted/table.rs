//! Counts of all sources, by stream and cell: of each it is proved that it has every row once, or its rows are
//! to be read.
//!
//! All of it lies in a few lists: a tenant may have a million streams with a row each.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use larch_proto::{HistogramBatch, HistogramCell};
use larch_rpc::CallError;
use larch_segment::{Tally, distinct};
use larch_types::{StreamId, TenantId, Timestamp};

use super::borders::{Cells, NANOS_PER_MINUTE};
use super::left::is_in;
use super::{Cell, CountedStream, Counts, StreamCell};
use crate::rows::{Budget, identify};

/// What one count of a cell takes, about, and what a stream takes beside its text.
const PART_BYTES: usize = 160;
const STREAM_BYTES: usize = 96;

pub(super) struct Table {
    has_several_tenants: bool,
    budget: Budget,
    by_level: bool,
    places: HashMap<StreamId, u32>,
    streams: Vec<CountedStream>,
    parts: Vec<Part>,
    gaps: Vec<Gap>,
    levels: HashMap<String, Arc<str>>,
    /// Of a cell.
    width: i64,
    /// Cells in here do not count, because their rows are read.
    broken: Vec<(i64, i64)>,
}

/// What one source says of one stream in one cell.
struct Part {
    stream: u32,
    /// Of the cell.
    end: i64,
    tally: Tally,
    line_bytes: u64,
    levels: Box<[OfLevel]>,
}

/// Rows of a level, and bytes of their lines.
type OfLevel = (Option<Arc<str>>, u64, u64);

/// Rows behind the start and up to the end are to be read.
#[derive(Debug, Clone, Copy)]
struct Gap {
    stream: u32,
    start: i64,
    end: i64,
    rows: u64,
}

/// A stream, and where its rows are to be read: behind each first time and up to the second one.
pub(super) struct StreamGaps {
    pub(super) id: StreamId,
    pub(super) text: Box<str>,
    pub(super) ranges: Vec<(i64, i64)>,
}

impl Table {
    pub(super) fn new(has_several_tenants: bool, budget: Budget, by_level: bool, cells: &Cells) -> Self {
        Self {
            has_several_tenants,
            budget,
            by_level,
            places: HashMap::new(),
            streams: Vec::new(),
            parts: Vec::new(),
            gaps: Vec::new(),
            levels: HashMap::new(),
            width: NANOS_PER_MINUTE.saturating_mul(i64::from(cells.minutes_per_cell.get())),
            broken: cells.broken.clone(),
        }
    }

    pub(super) fn add(&mut self, tenant: &TenantId, batch: HistogramBatch) -> Result<(), CallError> {
        let HistogramBatch { streams, levels, cells, gaps, .. } = batch;
        let mut places = Vec::with_capacity(streams.len());
        for text in streams {
            places.push(self.meet(tenant, text)?);
        }
        let mut known: Vec<Arc<str>> = Vec::with_capacity(levels.len());
        for level in levels {
            let shared = self.levels.entry(level).or_insert_with_key(|level| level.as_str().into());
            known.push(Arc::clone(shared));
        }
        for cell in cells {
            // Places were checked where the batch came in, and are right within one process.
            let Some(stream) = places.get(cell.stream as usize).copied() else { continue };
            if !is_in(&self.broken, cell.end.nanos()) {
                self.budget.take(PART_BYTES)?;
                self.parts.push(Part::new(stream, cell, self.by_level.then_some(&known)));
            }
        }
        for gap in gaps {
            let Some(stream) = places.get(gap.stream as usize).copied() else { continue };
            self.budget.take(PART_BYTES)?;
            let (start, end) = (gap.start.nanos(), gap.end.nanos());
            self.gaps.push(Gap { stream, start, end, rows: gap.rows });
        }
        Ok(())
    }

    fn meet(&mut self, tenant: &TenantId, text: String) -> Result<u32, CallError> {
        let (id, _) = identify(self.has_several_tenants, tenant, &text)?;
        match self.places.entry(id) {
            Entry::Occupied(known) => Ok(*known.get()),
            Entry::Vacant(free) => {
                self.budget.take(STREAM_BYTES + text.len())?;
                // Memory ends long before four thousand million streams.
                let place = *free.insert(self.streams.len() as u32);
                self.streams.push(CountedStream { tenant: tenant.clone(), text: text.into(), id });
                Ok(place)
            }
        }
    }

    /// Leaves in each cell the parts that together have every row once; other cells become gaps.
    pub(super) fn settle(&mut self) {
        // Nobody is met any more.
        self.places = HashMap::new();
        self.parts.sort_unstable_by_key(|part| (part.stream, part.end));
        let mut kept: Vec<bool> = Vec::with_capacity(self.parts.len());
        for parts in self.parts.chunk_by(|one, other| (one.stream, one.end) == (other.stream, other.end)) {
            match chosen(parts, self.by_level) {
                Some(chosen) => kept.extend((0..parts.len()).map(|place| chosen.contains(&place))),
                None => {
                    let rows = parts.iter().map(|part| part.tally.rows).sum();
                    let (stream, end) = (parts[0].stream, parts[0].end);
                    self.gaps.push(Gap { stream, start: end - self.width, end, rows });
                    kept.extend(parts.iter().map(|_| false));
                }
            }
        }
        self.gaps = united(std::mem::take(&mut self.gaps));
        let (mut place, mut next_gap) = (0, 0);
        let gaps = &self.gaps;
        self.parts.retain(|part| {
            place += 1;
            while gaps.get(next_gap).is_some_and(|gap| (gap.stream, gap.end) < (part.stream, part.end)) {
                next_gap += 1;
            }
            let is_read =
                gaps.get(next_gap).is_some_and(|gap| gap.stream == part.stream && gap.start < part.end);
            kept[place - 1] && !is_read
        });
    }

    pub(super) fn counted_rows(&self) -> u64 {
        self.parts.iter().map(|part| part.tally.rows).fold(0, u64::saturating_add)
    }

    pub(super) fn gap_rows(&self) -> u64 {
        self.gaps.iter().map(|gap| gap.rows).fold(0, u64::saturating_add)
    }

    pub(super) fn finish(self) -> (Counts, Vec<StreamGaps>) {
        let mut gaps: Vec<StreamGaps> = Vec::new();
        for of_stream in self.gaps.chunk_by(|one, other| one.stream == other.stream) {
            let CountedStream { text, id, .. } = &self.streams[of_stream[0].stream as usize];
            let ranges = of_stream.iter().map(|gap| (gap.start, gap.end)).collect();
            gaps.push(StreamGaps { id: *id, text: text.clone(), ranges });
        }
        let mut cells: Vec<StreamCell> = Vec::with_capacity(self.parts.len());
        for Part { stream, end, tally, line_bytes, levels } in self.parts {
            let time = Timestamp::from_nanos(end);
            if self.by_level {
                for (level, rows, line_bytes) in levels {
                    cells.push(StreamCell { stream, level, cell: Cell { time, rows, line_bytes } });
                }
            } else {
                let cell = Cell { time, rows: tally.rows, line_bytes };
                cells.push(StreamCell { stream, level: None, cell });
            }
        }
        if self.by_level {
            cells.sort_by(|one, other| {
                let streams_and_levels = (one.stream, &one.level).cmp(&(other.stream, &other.level));
                streams_and_levels.then(one.cell.time.cmp(&other.cell.time))
            });
        }
        cells.dedup_by(|other, one| {
            let is_same =
                (one.stream, &one.level, one.cell.time) == (other.stream, &other.level, other.cell.time);
            if is_same {
                one.cell.rows = one.cell.rows.saturating_add(other.cell.rows);
                one.cell.line_bytes = one.cell.line_bytes.saturating_add(other.cell.line_bytes);
            }
            is_same
        });
        (Counts { streams: self.streams, cells }, gaps)
    }
}

impl Part {
    fn new(stream: u32, cell: HistogramCell, levels: Option<&Vec<Arc<str>>>) -> Self {
        let HistogramCell { end, rows, bytes, digest, first, last, .. } = cell;
        let mut by_level = Vec::new();
        if let Some(known) = levels {
            for count in &cell.levels {
                let level = count.level.and_then(|place| known.get(place as usize).cloned());
                by_level.push((level, count.rows, count.bytes));
            }
        }
        let tally = Tally { rows, digest, first, last };
        Self { stream, end: end.nanos(), tally, line_bytes: bytes, levels: by_level.into() }
    }
}

/// The parts of one cell that together have every row once.
fn chosen(parts: &[Part], by_level: bool) -> Option<Vec<usize>> {
    let tallies: Vec<Tally> = parts.iter().map(|part| part.tally).collect();
    let of_levels = |part: &Part| part.levels.iter().map(|(_, rows, _)| *rows).sum::<u64>();
    let chosen = distinct(&tallies)?;
    // Of levels without end not all are told apart.
    let is_complete = |place: &usize| of_levels(&parts[*place]) == parts[*place].tally.rows;
    (!by_level || chosen.iter().all(is_complete)).then_some(chosen)
}

/// By stream and time; none touches another.
fn united(mut gaps: Vec<Gap>) -> Vec<Gap> {
    gaps.sort_unstable_by_key(|gap| (gap.stream, gap.start));
    gaps.dedup_by(|other, gap| {
        let touches = gap.stream == other.stream && other.start <= gap.end;
        if touches {
            gap.end = gap.end.max(other.end);
            gap.rows = gap.rows.saturating_add(other.rows);
        }
        touches
    });
    gaps
}
