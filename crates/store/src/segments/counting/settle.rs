//! Of each stream and cell: counts that together have every row once, or that its rows are to be read.

use larch_proto::HistogramCell;
use larch_segment::{Tally, distinct};
use larch_types::Timestamp;

use super::{CellGrid, Count, Gap};

/// Stream by stream.
pub(super) struct Settled {
    cells: CellGrid,
    streams: Vec<Box<str>>,
    next: usize,
    /// By stream, time and segment; those from here on are of streams that follow.
    counts: Vec<Count>,
    next_count: usize,
    /// By stream and time.
    gaps: Vec<Gap>,
    next_gap: usize,
}

/// One stream.
pub(super) struct SettledStream {
    pub(super) text: Box<str>,
    /// Each with the place of the segment of the first of its rows. By time; places of streams and segments are
    /// given when a cell becomes part of an answer.
    pub(super) cells: Vec<(HistogramCell, u32)>,
    pub(super) gaps: Vec<Gap>,
}

impl Settled {
    pub(super) fn new(cells: CellGrid, streams: Vec<Box<str>>, counts: Vec<Count>, gaps: Vec<Gap>) -> Self {
        Self { cells, streams, next: 0, counts, next_count: 0, gaps, next_gap: 0 }
    }
}

impl Iterator for Settled {
    type Item = SettledStream;

    fn next(&mut self) -> Option<SettledStream> {
        let stream = self.next as u32;
        let text = std::mem::take(self.streams.get_mut(self.next)?);
        self.next += 1;
        // A stream has few of the many.
        let (counts, gaps) = (&self.counts[self.next_count..], &self.gaps[self.next_gap..]);
        let counts = &counts[..counts.iter().take_while(|count| count.stream == stream).count()];
        let gaps = &gaps[..gaps.iter().take_while(|gap| gap.stream == stream).count()];
        self.next_count += counts.len();
        self.next_gap += gaps.len();
        let (cells, gaps) = settle(stream, self.cells, counts, gaps.to_vec());
        Some(SettledStream { text, cells, gaps })
    }
}

type Cells = Vec<(HistogramCell, u32)>;

/// The cells, and what is not in them.
fn settle(stream: u32, grid: CellGrid, counts: &[Count], mut gaps: Vec<Gap>) -> (Cells, Vec<Gap>) {
    let mut cells: Cells = Vec::new();
    for of_cell in counts.chunk_by(|one, other| grid.cell_end(one.end) == grid.cell_end(other.end)) {
        let end = grid.cell_end(of_cell[0].end);
        match united_counts(of_cell, end) {
            Some(cell) => cells.push(cell),
            None => {
                let rows = of_cell.iter().map(|count| count.tally.rows).sum();
                gaps.push(Gap { stream, start: end.saturating_sub(grid.width), end, rows });
            }
        }
    }
    let gaps = united(gaps);
    // Whoever reads the rows of a cell reads all of them.
    cells.retain(|(cell, _)| {
        let end = cell.end.nanos();
        !gaps.iter().any(|gap| gap.start < end && end <= gap.end)
    });
    (cells, gaps)
}

/// None if it is not proved that every row is counted once.
fn united_counts(counts: &[Count], end: i64) -> Option<(HistogramCell, u32)> {
    let mut cell = empty_cell(end, &counts[0]);
    let mut source = None;
    let mut add = |count: &Count| {
        source.get_or_insert(count.source);
        add_to(&mut cell, count);
    };
    if counts.iter().any(|count| count.is_of_cell) {
        // Within one segment no row comes twice.
        let mut by_source: Vec<(u32, Tally)> = Vec::with_capacity(counts.len());
        for count in counts {
            match by_source.iter_mut().find(|(source, _)| *source == count.source) {
                Some((_, tally)) => unite(tally, &count.tally),
                None => by_source.push((count.source, count.tally)),
            }
        }
        let tallies: Vec<Tally> = by_source.iter().map(|(_, tally)| *tally).collect();
        for place in distinct(&tallies)? {
            counts.iter().filter(|count| count.source == by_source[place].0).for_each(&mut add);
        }
    } else {
        for of_minute in counts.chunk_by(|one, other| one.end == other.end) {
            let tallies: Vec<Tally> = of_minute.iter().map(|count| count.tally).collect();
            distinct(&tallies)?.into_iter().for_each(|place| add(&of_minute[place]));
        }
    }
    Some((cell, source?))
}

fn unite(tally: &mut Tally, other: &Tally) {
    tally.rows = tally.rows.saturating_add(other.rows);
    tally.digest = tally.digest.zip(other.digest).map(|(one, other)| one.wrapping_add(other));
    tally.first = tally.first.min(other.first);
    tally.last = tally.last.max(other.last);
}

fn empty_cell(end: i64, count: &Count) -> HistogramCell {
    HistogramCell {
        stream: 0,
        source: 0,
        end: Timestamp::from_nanos(end),
        rows: 0,
        bytes: 0,
        digest: Some(0),
        levels: Vec::new(),
        first: count.tally.first,
        last: count.tally.last,
    }
}

fn add_to(cell: &mut HistogramCell, count: &Count) {
    let HistogramCell { rows, digest, first, last, .. } = *cell;
    let mut tally = Tally { rows, digest, first, last };
    unite(&mut tally, &count.tally);
    (cell.rows, cell.digest) = (tally.rows, tally.digest);
    (cell.first, cell.last) = (tally.first, tally.last);
    cell.bytes = cell.bytes.saturating_add(count.line_bytes);
    for count in &count.levels {
        match cell.levels.iter_mut().find(|known| known.level == count.level) {
            Some(known) => {
                known.rows = known.rows.saturating_add(count.rows);
                known.bytes = known.bytes.saturating_add(count.bytes);
            }
            None => cell.levels.push(*count),
        }
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
