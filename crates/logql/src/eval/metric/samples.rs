//! The samples of one range, by series.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use larch_types::{PushStamp, Timestamp};

use crate::eval::budget::Memory;
use crate::eval::range::Point;
use crate::eval::{EvalError, Identity, LabelSet};

/// A sample as it comes in.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawSample {
    pub(super) time: Timestamp,
    pub(super) value: f64,
    /// The place of its stream in the scan.
    pub(super) stream: u32,
    pub(super) index: u32,
    pub(super) stamp: PushStamp,
    pub(super) identity: Identity,
}

/// A series whose samples are in order.
#[derive(Debug)]
pub(super) struct SampledSeries {
    pub(super) labels: Arc<LabelSet>,
    points: Vec<Point>,
    /// Where the window begins and ends.
    from: usize,
    to: usize,
    /// What the values in it come to; exact as long as they are whole numbers.
    sum: f64,
}

impl SampledSeries {
    /// Moves to the samples in (`start`, `end`], neither of which may go back.
    pub(super) fn advance(&mut self, start: Timestamp, end: Timestamp) {
        while let Some(point) = self.points.get(self.to)
            && point.time <= end
        {
            self.sum += point.value;
            self.to += 1;
        }
        while self.from < self.to && self.points[self.from].time <= start {
            self.sum -= self.points[self.from].value;
            self.from += 1;
        }
    }

    pub(super) fn in_window(&self) -> &[Point] {
        &self.points[self.from..self.to]
    }

    /// Only where all values are whole numbers.
    pub(super) fn whole_sum(&self) -> f64 {
        self.sum
    }
}

#[derive(Debug, Default)]
pub(super) struct Samples {
    /// Places of series by the hash of their labels.
    places: HashMap<u64, Vec<usize>>,
    hasher: RandomState,
    series: Vec<(LabelSet, Vec<RawSample>)>,
}

/// What a new series costs beside its labels.
const SERIES_BYTES: usize = 160;

impl Samples {
    /// The labels are sorted by name.
    pub(super) fn add(
        &mut self,
        labels: &[(&str, Cow<'_, str>)],
        samples: &[RawSample],
        memory: &mut Memory,
    ) -> Result<(), EvalError> {
        memory.take(std::mem::size_of_val(samples))?;
        let hash = self.hasher.hash_one(labels);
        let places = self.places.entry(hash).or_default();
        let is_it = |place: &&usize| {
            let known = self.series[**place].0.iter().map(|label| (&*label.name, &*label.value));
            known.eq(labels.iter().map(|(name, value)| (*name, &**value)))
        };
        let place = match places.iter().find(is_it) {
            Some(place) => *place,
            None => {
                let set = LabelSet::from_pairs(labels.iter().map(|(name, value)| (*name, &**value)));
                memory.take(set.bytes() + SERIES_BYTES)?;
                self.series.push((set, Vec::new()));
                places.push(self.series.len() - 1);
                self.series.len() - 1
            }
        };
        self.series[place].1.extend_from_slice(samples);
        Ok(())
    }

    /// Series in the order of their labels, samples in the order of their rows, each row once. `ranks` says
    /// which of two streams comes first.
    pub(super) fn into_series(self, ranks: &[u32]) -> Vec<SampledSeries> {
        let mut out = Vec::with_capacity(self.series.len());
        for (labels, samples) in self.series {
            let mut points = Vec::with_capacity(samples.len());
            for sample in in_order(samples, ranks) {
                points.push(Point { time: sample.time, value: sample.value });
            }
            out.push(SampledSeries { labels: Arc::new(labels), points, from: 0, to: 0, sum: 0.0 });
        }
        out.sort_by(|left, right| left.labels.cmp(&right.labels));
        out
    }
}

fn in_order(mut samples: Vec<RawSample>, ranks: &[u32]) -> Vec<RawSample> {
    // Of equal rows the one that was pushed first stays.
    samples.sort_unstable_by_key(|sample| {
        (sample.time, ranks[sample.stream as usize], sample.identity, sample.stamp, sample.index)
    });
    samples.dedup_by_key(|sample| (sample.time, sample.stream, sample.identity));
    samples.sort_unstable_by_key(|sample| {
        (sample.time, ranks[sample.stream as usize], sample.stamp, sample.index, sample.identity)
    });
    samples
}
