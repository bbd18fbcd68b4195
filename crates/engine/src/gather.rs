//! What one thread has gathered of a query: counts by series and step, or samples by series.

use larch_logql::{EvalError, Identity, SeriesLabels};
use larch_types::{PushStamp, Timestamp};

use crate::counts::{MARK_BYTES, StepCounts};
use crate::forms::Forms;
use crate::memory::SharedMemory;
use crate::outcome::{Outcome, Outcomes};
use crate::range::Gathers;
use crate::series::SeriesTable;
use crate::values::StepValues;

/// By range of the query. Belongs to one thread at a time.
#[derive(Debug)]
pub struct Gathered {
    pub(crate) ranges: Vec<RangeGathered>,
    /// Bytes that are counted already.
    charged: u64,
}

#[derive(Debug, Default)]
pub(crate) struct RangeGathered {
    pub(crate) series: SeriesTable,
    /// By series: rows that the steps see.
    pub(crate) rows: Vec<StepCounts>,
    /// By series: bytes of their lines.
    pub(crate) bytes: Vec<StepCounts>,
    /// By series.
    pub(crate) points: Vec<Vec<Sampled>>,
    /// By series: the values of each step.
    pub(crate) values: Vec<StepValues>,
    pending: PendingRows,
    /// Samples of rows of which there may be copies.
    pub(crate) contested: Vec<ContestedSample>,
    pub(crate) outcomes: Outcomes,
    pub(crate) forms: Forms,
    /// Rows that were told by their forms.
    pub(crate) by_form: u64,
    /// Rows that gave a sample.
    pub(crate) passed: u64,
    /// What it takes in memory, about.
    held: u64,
}

/// Rows that the same steps see, by series. Most rows come where the rows before them came.
#[derive(Debug, Default)]
struct PendingRows {
    /// Both included.
    steps: (u32, u32),
    counts: Vec<u64>,
    /// Those that are not nought.
    counted: Vec<u32>,
}

/// A sample of a row that is the only one of its kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sampled {
    pub(crate) time: i64,
    pub(crate) value: f64,
    /// The stream's number.
    pub(crate) stream: u32,
    /// Rows of one stream and time are in the order of their chunks, and within those of their coming.
    pub(crate) chunk: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ContestedSample {
    pub(crate) series: u32,
    pub(crate) stream: u32,
    pub(crate) time: Timestamp,
    pub(crate) value: f64,
    pub(crate) stamp: PushStamp,
    pub(crate) index: u32,
    pub(crate) identity: Identity,
}

impl Gathered {
    pub(crate) fn new(ranges: usize) -> Self {
        Self { ranges: (0..ranges).map(|_| RangeGathered::default()).collect(), charged: 0 }
    }

    /// Rows that have given a sample, counted for each range by itself.
    pub fn passed(&self) -> u64 {
        self.ranges.iter().map(|range| range.passed).sum()
    }

    /// Rows of which no line was put together, because their forms said what they come to.
    pub fn told_by_form(&self) -> u64 {
        self.ranges.iter().map(|range| range.by_form).sum()
    }

    /// Counts what has come to be held since the last time.
    pub(crate) fn charge(&mut self, memory: &SharedMemory) -> Result<(), EvalError> {
        let held: u64 = self.ranges.iter().map(|range| range.held).sum();
        let new = held.saturating_sub(self.charged);
        self.charged = held;
        memory.take(new)
    }
}

impl RangeGathered {
    pub(crate) fn series(&mut self, labels: &SeriesLabels<'_>) -> u32 {
        let (number, bytes) = self.series.number(labels);
        self.held += bytes as u64;
        number
    }

    pub(crate) fn outcome(&mut self, sample: Option<(f64, SeriesLabels<'_>)>) -> Outcome {
        match sample {
            None => Outcome::Dropped,
            Some((_, labels)) => Outcome::Sample(self.series(&labels)),
        }
    }

    /// So many rows that the steps, both included, see.
    pub(crate) fn add_rows(&mut self, series: u32, steps: Option<(u32, u32)>, rows: u64) {
        let Some(steps) = steps else { return };
        self.passed += rows;
        let marks = at(&mut self.rows, series).add(steps, rows);
        self.held += (marks * MARK_BYTES) as u64;
    }

    pub(crate) fn add_bytes(&mut self, series: u32, steps: Option<(u32, u32)>, bytes: u64) {
        let Some(steps) = steps else { return };
        let marks = at(&mut self.bytes, series).add(steps, bytes);
        self.held += (marks * MARK_BYTES) as u64;
    }

    /// One row that the steps see; it may be noted later, together with others.
    pub(crate) fn add_row(&mut self, series: u32, steps: Option<(u32, u32)>) {
        let Some(steps) = steps else { return };
        if self.pending.steps != steps {
            self.settle();
            self.pending.steps = steps;
        }
        self.passed += 1;
        let count = at(&mut self.pending.counts, series);
        if *count == 0 {
            self.pending.counted.push(series);
        }
        *count += 1;
    }

    /// Notes all rows that were left for later.
    pub(crate) fn settle(&mut self) {
        let mut counted = std::mem::take(&mut self.pending.counted);
        for series in counted.drain(..) {
            let rows = std::mem::take(&mut self.pending.counts[series as usize]);
            let marks = at(&mut self.rows, series).add(self.pending.steps, rows);
            self.held += (marks * MARK_BYTES) as u64;
        }
        self.pending.counted = counted;
    }

    /// The sample of a row that is the only one of its kind.
    pub(crate) fn add_sample(
        &mut self,
        gathers: Gathers,
        series: u32,
        steps: Option<(u32, u32)>,
        sample: Sampled,
    ) {
        self.passed += 1;
        if gathers != Gathers::Values {
            self.held += size_of::<Sampled>() as u64;
            at(&mut self.points, series).push(sample);
        } else if let Some((step, _)) = steps {
            self.held += size_of::<f64>() as u64;
            at(&mut self.values, series).push(step, sample.value);
        }
    }

    pub(crate) fn add_contested(&mut self, sample: ContestedSample) {
        self.passed += 1;
        self.held += size_of::<ContestedSample>() as u64;
        self.contested.push(sample);
    }

    /// What the rows gathered as, whatever that is.
    pub(crate) fn add(&mut self, gathers: Gathers, series: u32, steps: Option<(u32, u32)>, value: f64) {
        self.add_rows(series, steps, 1);
        if gathers == Gathers::LineBytes {
            // Lines have whole bytes.
            self.add_bytes(series, steps, value as u64);
        }
    }
}

fn at<T: Default>(list: &mut Vec<T>, number: u32) -> &mut T {
    let number = number as usize;
    if list.len() <= number {
        list.resize_with(number + 1, T::default);
    }
    &mut list[number]
}
