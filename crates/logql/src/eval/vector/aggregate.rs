//! Aggregations that make one number of the series of a group.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Vector;
use crate::ast::{Grouping, VectorOp};
use crate::eval::{LabelSet, Sample};

/// What is known of a group after some of its series.
#[derive(Debug, Clone, Copy)]
struct Group {
    count: f64,
    sum: f64,
    mean: f64,
    /// Squares of distances from the mean, added up in Welford's way.
    squares: f64,
    welford_mean: f64,
    min: f64,
    max: f64,
}

/// Groups come in the order of their labels. Operators that give whole series are not for here.
pub(crate) fn aggregate(op: VectorOp, grouping: &Grouping, vector: &[Sample]) -> Vector {
    let mut groups: BTreeMap<LabelSet, Group> = BTreeMap::new();
    for sample in vector {
        groups.entry(sample.labels.group(grouping)).or_insert(Group::EMPTY).add(sample.value);
    }
    let mut out = Vec::with_capacity(groups.len());
    for (labels, group) in groups {
        out.push(Sample { labels: Arc::new(labels), value: group.result(op) });
    }
    out
}

impl Group {
    const EMPTY: Self = Self {
        count: 0.0,
        sum: 0.0,
        mean: 0.0,
        squares: 0.0,
        welford_mean: 0.0,
        min: f64::NAN,
        max: f64::NAN,
    };

    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.add_to_mean(value);
        let delta = value - self.welford_mean;
        self.welford_mean += delta / self.count;
        self.squares += delta * (value - self.welford_mean);
        if self.min.is_nan() || value < self.min {
            self.min = value;
        }
        if self.max.is_nan() || value > self.max {
            self.max = value;
        }
    }

    /// Once infinite, a mean stays so unless the opposite or no number comes.
    fn add_to_mean(&mut self, value: f64) {
        if self.mean.is_infinite() && (value.is_finite() || value == self.mean) {
            return;
        }
        // The first value is the mean as it is: the difference of infinities would be no number.
        self.mean = if self.count == 1.0 { value } else { self.mean + (value - self.mean) / self.count };
    }

    fn result(&self, op: VectorOp) -> f64 {
        match op {
            VectorOp::Avg => self.mean,
            VectorOp::Min => self.min,
            VectorOp::Max => self.max,
            VectorOp::Count => self.count,
            VectorOp::Stddev => (self.squares / self.count).sqrt(),
            VectorOp::Stdvar => self.squares / self.count,
            VectorOp::Sum
            | VectorOp::Topk
            | VectorOp::Bottomk
            | VectorOp::Sort
            | VectorOp::SortDesc
            | VectorOp::ApproxTopk => self.sum,
        }
    }
}
