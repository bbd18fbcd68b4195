//! The series of one leg of a query that others have evaluated in parts.

use std::collections::BTreeMap;
use std::sync::Arc;

use larch_types::Timestamp;

use crate::eval::budget::Memory;
use crate::eval::vector::Vector;
use crate::eval::{EvalError, LabelSet, Sample};
use crate::facts::{Leg, Merge};

#[derive(Debug)]
pub(super) struct Given {
    /// None: every point comes once.
    merge: Option<Merge>,
    divisor: f64,
    table: BTreeMap<LabelSet, BTreeMap<Timestamp, f64>>,
    series: Vec<Sealed>,
}

/// A series all of whose points have come.
#[derive(Debug)]
struct Sealed {
    labels: Arc<LabelSet>,
    points: Vec<(Timestamp, f64)>,
    next: usize,
}

/// A point, and its place in a tree.
const POINT_BYTES: usize = 32;
/// What a series costs beside its labels and points.
const SERIES_BYTES: usize = 96;

impl Given {
    pub(super) fn new(leg: &Leg<'_>) -> Self {
        Self { merge: leg.merge, divisor: leg.divisor, table: BTreeMap::new(), series: Vec::new() }
    }

    pub(super) fn add(
        &mut self,
        labels: LabelSet,
        points: impl IntoIterator<Item = (Timestamp, f64)>,
        memory: &mut Memory,
    ) -> Result<(), EvalError> {
        if !self.table.contains_key(&labels) {
            memory.take(labels.bytes() + SERIES_BYTES)?;
        }
        let known = self.table.entry(labels).or_default();
        for (time, value) in points {
            match (known.get_mut(&time), self.merge) {
                (Some(before), Some(merge)) => *before = merge.of(*before, value),
                (Some(before), None) => *before = value,
                (None, _) => {
                    memory.take(POINT_BYTES)?;
                    known.insert(time, value);
                }
            }
        }
        Ok(())
    }

    /// All points have come.
    pub(super) fn seal(&mut self) {
        for (labels, points) in std::mem::take(&mut self.table) {
            let divided = |(time, value)| (time, value / self.divisor);
            let points = points.into_iter().map(divided).collect();
            self.series.push(Sealed { labels: Arc::new(labels), points, next: 0 });
        }
    }

    /// In the order of their labels. Times must not go back.
    pub(super) fn at(&mut self, time: Timestamp) -> Vector {
        let mut out = Vector::new();
        for series in &mut self.series {
            while series.points.get(series.next).is_some_and(|(known, _)| *known < time) {
                series.next += 1;
            }
            if let Some((known, value)) = series.points.get(series.next)
                && *known == time
            {
                out.push(Sample { labels: Arc::clone(&series.labels), value: *value });
            }
        }
        out
    }
}
