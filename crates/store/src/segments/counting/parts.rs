//! Counts as batches of bounded size, each complete by itself, made as they are asked for.

use std::collections::HashMap;

use larch_proto::{HistogramBatch, HistogramCell, HistogramGap, HistogramSource};
use larch_types::Timestamp;

use super::settle::{Settled, SettledStream};

/// Cells and gaps of one batch: some hundred bytes each.
const PART_ITEMS: usize = 4096;

pub(super) struct Parts {
    levels: Vec<String>,
    sources: Vec<HistogramSource>,
    settled: Settled,
    /// What is left of a stream whose beginning is in a batch before.
    left: Option<SettledStream>,
}

/// A batch that grows.
#[derive(Default)]
struct Part {
    batch: HistogramBatch,
    /// Places of segments.
    sources: HashMap<u32, u32>,
}

impl Parts {
    pub(super) const fn new(levels: Vec<String>, sources: Vec<HistogramSource>, settled: Settled) -> Self {
        Self { levels, sources, settled, left: None }
    }
}

impl Iterator for Parts {
    type Item = HistogramBatch;

    fn next(&mut self) -> Option<HistogramBatch> {
        let mut part = Part::default();
        while part.room() > 0 {
            let Some(stream) = self.left.take().or_else(|| self.settled.next()) else { break };
            self.left = part.add(stream, &self.sources);
        }
        let mut batch = part.batch;
        if batch.cells.is_empty() && batch.gaps.is_empty() {
            return None;
        }
        batch.levels.clone_from(&self.levels);
        Some(batch)
    }
}

impl Part {
    fn room(&self) -> usize {
        PART_ITEMS.saturating_sub(self.batch.cells.len() + self.batch.gaps.len())
    }

    /// Gives back what finds no room.
    fn add(&mut self, stream: SettledStream, sources: &[HistogramSource]) -> Option<SettledStream> {
        let SettledStream { text, mut cells, mut gaps } = stream;
        if cells.is_empty() && gaps.is_empty() {
            return None;
        }
        let place = self.batch.streams.len() as u32;
        let later_cells = cells.split_off(self.room().min(cells.len()));
        for (cell, segment) in cells {
            let source = self.source(segment, sources);
            self.batch.cells.push(HistogramCell { stream: place, source, ..cell });
        }
        let later_gaps = gaps.split_off(self.room().min(gaps.len()));
        for gap in gaps {
            let (start, end) = (Timestamp::from_nanos(gap.start), Timestamp::from_nanos(gap.end));
            self.batch.gaps.push(HistogramGap { stream: place, start, end, rows: gap.rows });
        }
        self.batch.streams.push(text.to_string());
        let is_all = later_cells.is_empty() && later_gaps.is_empty();
        (!is_all).then_some(SettledStream { text, cells: later_cells, gaps: later_gaps })
    }

    fn source(&mut self, segment: u32, sources: &[HistogramSource]) -> u32 {
        let list = &mut self.batch.sources;
        *self.sources.entry(segment).or_insert_with(|| {
            list.extend(sources.get(segment as usize));
            list.len() as u32 - 1
        })
    }
}
