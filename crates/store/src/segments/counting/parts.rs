//! Counts as batches of bounded size, each complete by itself.

use std::collections::HashMap;

use larch_proto::{HistogramBatch, HistogramCell, HistogramGap, HistogramSource};
use larch_types::Timestamp;

use super::Gap;

/// Cells and gaps of one batch: some hundred bytes each.
const PART_ITEMS: usize = 4096;

pub(super) struct Parts {
    levels: Vec<String>,
    parts: Vec<HistogramBatch>,
    part: HistogramBatch,
    sources: HashMap<HistogramSource, u32>,
}

impl Parts {
    pub(super) fn new(levels: Vec<String>) -> Self {
        Self { levels, parts: Vec::new(), part: HistogramBatch::default(), sources: HashMap::new() }
    }

    pub(super) fn add(&mut self, text: &str, cells: Vec<(HistogramCell, HistogramSource)>, gaps: &[Gap]) {
        let mut stream = None;
        for (cell, source) in cells {
            let place = self.stream(text, &mut stream);
            let source = self.source(source);
            self.part.cells.push(HistogramCell { stream: place, source, ..cell });
        }
        for gap in gaps {
            let place = self.stream(text, &mut stream);
            let (start, end) = (Timestamp::from_nanos(gap.start), Timestamp::from_nanos(gap.end));
            self.part.gaps.push(HistogramGap { stream: place, start, end, rows: gap.rows });
        }
    }

    /// The stream's place in the batch that is being filled.
    fn stream(&mut self, text: &str, known: &mut Option<u32>) -> u32 {
        if self.part.cells.len() + self.part.gaps.len() >= PART_ITEMS {
            self.close();
            *known = None;
        }
        *known.get_or_insert_with(|| {
            self.part.streams.push(text.to_owned());
            self.part.streams.len() as u32 - 1
        })
    }

    fn source(&mut self, source: HistogramSource) -> u32 {
        let sources = &mut self.part.sources;
        *self.sources.entry(source).or_insert_with(|| {
            sources.push(source);
            sources.len() as u32 - 1
        })
    }

    fn close(&mut self) {
        self.sources.clear();
        let mut part = std::mem::take(&mut self.part);
        if !part.cells.is_empty() || !part.gaps.is_empty() {
            part.levels.clone_from(&self.levels);
            self.parts.push(part);
        }
    }

    pub(super) fn finish(mut self) -> Vec<HistogramBatch> {
        self.close();
        self.parts
    }
}
