//! A metric query without its rows: what its ranges are, and what is done with their series. Whoever reads
//! rows in a way of its own computes the ranges, and everything behind them is the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use larch_types::{MatchOp, Timestamp};

use super::plan::{Plan, evaluate, plan, sorts};
use crate::ast::{Grouping, MetricExpr, RangeAggregation};
use crate::eval::budget::Memory;
use crate::eval::vector::Vector;
use crate::eval::{EvalError, EvalLimits, LabelSet, MetricAnswer, Series, Steps};
use crate::weight::check_metric_weight;

/// The ranges of a metric query, and the plan of what is done with them.
#[derive(Debug)]
pub struct MetricProgram {
    plan: Plan,
    ranges: Vec<RangeQuery>,
    steps: Steps,
    max_series: usize,
}

/// One range aggregation of a query.
#[derive(Debug, Clone)]
pub struct RangeQuery {
    pub aggregation: RangeAggregation,
    /// The grouping of a sum right above, which is done while samples are made.
    pub pushed: Option<Grouping>,
}

/// What operators begin with, by its place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Leaf {
    Range(usize),
    Given(usize),
}

impl RangeQuery {
    /// What `absent_over_time` shows, as the selector says it for certain: labels that are asked to have one
    /// value, and nothing else.
    pub fn absent_labels(&self) -> LabelSet {
        let mut labels: Vec<(&str, &str)> = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for matcher in &self.aggregation.range.log.matchers {
            let name = matcher.name.as_str();
            if matcher.op == MatchOp::Equal && !seen.contains(&name) {
                labels.push((name, &matcher.value));
            } else {
                labels.retain(|(known, _)| *known != name);
            }
            seen.push(name);
        }
        labels.retain(|(_, value)| !value.is_empty());
        LabelSet::from_pairs(labels)
    }
}

impl MetricProgram {
    /// Refuses what cannot be run.
    pub fn new(expr: &MetricExpr, steps: Steps, limits: &EvalLimits) -> Result<Self, EvalError> {
        Self::with_given(expr, steps, limits, &[])
    }

    /// Of some expressions in it others say what they come to.
    pub(super) fn with_given(
        expr: &MetricExpr,
        steps: Steps,
        limits: &EvalLimits,
        given: &[&MetricExpr],
    ) -> Result<Self, EvalError> {
        check_metric_weight(expr)?;
        let mut ranges = Vec::new();
        let plan = plan(expr, steps, limits, given, &mut ranges)?;
        Ok(Self { plan, ranges, steps, max_series: limits.max_series })
    }

    /// In the order written.
    pub fn ranges(&self) -> &[RangeQuery] {
        &self.ranges
    }

    /// The answer; none if it was stopped. `range` gives the series of a range at a time, in the order of
    /// their labels; it is asked about one time after the other.
    pub fn finish_while(
        &self,
        range: &mut dyn FnMut(usize, Timestamp) -> Result<Vector, EvalError>,
        memory: &mut Memory,
        goes_on: impl FnMut() -> bool,
    ) -> Result<Option<MetricAnswer>, EvalError> {
        // A program that is not of a division has no other leaves.
        let mut series = |leaf, time| match leaf {
            Leaf::Range(place) => range(place, time),
            Leaf::Given(_) => Ok(Vector::new()),
        };
        self.finish_leaves(&mut series, memory, goes_on)
    }

    /// As `finish_while`, also with what others have evaluated.
    pub(super) fn finish_leaves(
        &self,
        series: &mut dyn FnMut(Leaf, Timestamp) -> Result<Vector, EvalError>,
        memory: &mut Memory,
        mut goes_on: impl FnMut() -> bool,
    ) -> Result<Option<MetricAnswer>, EvalError> {
        let operators = match &self.plan {
            Plan::Number(value) => return self.number(*value, memory).map(Some),
            Plan::Vector(operators) => operators,
        };
        if self.steps.is_instant() {
            let mut vector = evaluate(operators, self.steps.start(), series)?;
            if vector.len() > self.max_series {
                return Err(EvalError::TooManySeries(self.max_series));
            }
            if !sorts(operators) {
                vector.sort_by(|left, right| left.labels.cmp(&right.labels));
            }
            return Ok(Some(MetricAnswer::Vector(vector)));
        }
        let mut table = Table::new(self.max_series);
        for time in self.steps.iter() {
            if !goes_on() {
                return Ok(None);
            }
            let vector = evaluate(operators, time, series)?;
            table.add(time, vector, memory)?;
        }
        Ok(Some(MetricAnswer::Matrix(table.into_series())))
    }

    /// A number has no series, but over a range it is shown as one.
    fn number(&self, value: f64, memory: &mut Memory) -> Result<MetricAnswer, EvalError> {
        if self.steps.is_instant() {
            return Ok(MetricAnswer::Scalar(value));
        }
        let mut points = Vec::new();
        for time in self.steps.iter() {
            memory.take(POINT_BYTES)?;
            points.push((time, value));
        }
        Ok(MetricAnswer::Matrix(vec![Series { labels: Arc::default(), points }]))
    }
}

const POINT_BYTES: usize = std::mem::size_of::<(Timestamp, f64)>();

/// Points by series.
struct Table {
    series: BTreeMap<Arc<LabelSet>, Vec<(Timestamp, f64)>>,
    max_series: usize,
}

impl Table {
    fn new(max_series: usize) -> Self {
        Self { series: BTreeMap::new(), max_series }
    }

    /// Series that have come to have equal labels are one series with several points at a time.
    fn add(&mut self, time: Timestamp, vector: Vector, memory: &mut Memory) -> Result<(), EvalError> {
        for sample in vector {
            memory.take(POINT_BYTES)?;
            match self.series.get_mut(&sample.labels) {
                Some(points) => points.push((time, sample.value)),
                None => {
                    if self.series.len() == self.max_series {
                        return Err(EvalError::TooManySeries(self.max_series));
                    }
                    memory.take(sample.labels.bytes())?;
                    self.series.insert(sample.labels, vec![(time, sample.value)]);
                }
            }
        }
        Ok(())
    }

    fn into_series(self) -> Vec<Series> {
        let mut out = Vec::with_capacity(self.series.len());
        for (labels, points) in self.series {
            out.push(Series { labels, points });
        }
        out
    }
}
