//! Metric queries: rows become samples, samples of a window become series, series are calculated with.

mod given;
mod plan;
mod sampler;
mod samples;
mod scan;

use std::collections::BTreeMap;
use std::sync::Arc;

use larch_types::Timestamp;

use crate::ast::MetricExpr;
use crate::eval::budget::Memory;
use crate::eval::vector::Vector;
use crate::eval::{CountedRows, EvalError, EvalLimits, InputRow, LabelSet, MetricAnswer, Series, Steps};
use crate::facts::Division;
use crate::weight::check_metric_weight;
use given::Given;
use plan::{Plan, evaluate, plan, sorts};
use scan::RangeScan;

/// One metric query while it is fed with rows.
#[derive(Debug)]
pub struct MetricEvaluation {
    plan: Plan,
    scans: Vec<RangeScan>,
    given: Vec<Given>,
    steps: Steps,
    now: Timestamp,
    memory: Memory,
    max_series: usize,
    passed: u64,
}

impl MetricEvaluation {
    /// Refuses what cannot be run, before any row is read. `now` is for templates that ask for the time.
    pub fn new(
        expr: &MetricExpr,
        steps: Steps,
        now: Timestamp,
        limits: &EvalLimits,
    ) -> Result<Self, EvalError> {
        Self::with_given(expr, steps, now, limits, &[], Vec::new())
    }

    /// A query whose legs others evaluate: it is fed with what they come to, and with no rows.
    pub fn of_division(
        division: &Division<'_>,
        steps: Steps,
        now: Timestamp,
        limits: &EvalLimits,
    ) -> Result<Self, EvalError> {
        let roots: Vec<&MetricExpr> = division.legs.iter().map(|leg| leg.root).collect();
        let given = division.legs.iter().map(Given::new).collect();
        Self::with_given(division.expr, steps, now, limits, &roots, given)
    }

    fn with_given(
        expr: &MetricExpr,
        steps: Steps,
        now: Timestamp,
        limits: &EvalLimits,
        roots: &[&MetricExpr],
        given: Vec<Given>,
    ) -> Result<Self, EvalError> {
        check_metric_weight(expr)?;
        let mut scans = Vec::new();
        let plan = plan(expr, steps, limits, roots, &mut scans)?;
        let memory = Memory::new(limits.max_memory);
        Ok(Self { plan, scans, given, steps, now, memory, max_series: limits.max_series, passed: 0 })
    }

    /// Takes in points of one series of a leg, as one of its parts, or one shard of a part, came to them. A leg
    /// that the query does not have is none of its concern.
    pub fn give(
        &mut self,
        leg: usize,
        labels: LabelSet,
        points: impl IntoIterator<Item = (Timestamp, f64)>,
    ) -> Result<(), EvalError> {
        match self.given.get_mut(leg) {
            Some(given) => given.add(labels, points, &mut self.memory),
            None => Ok(()),
        }
    }

    /// Takes rows in, whatever their streams and times: those that do not matter are left out.
    pub fn add<'r>(&mut self, rows: impl IntoIterator<Item = InputRow<'r>>) -> Result<(), EvalError> {
        let mut work = crate::stage::Row::new(self.now);
        for row in rows {
            for scan in &mut self.scans {
                let has_passed = scan.add(&row, &mut work, &mut self.memory)?;
                self.passed += u64::from(has_passed);
            }
        }
        Ok(())
    }

    /// Takes rows in that others have counted. Only for what [`countable`](crate::countable) says that it can be
    /// counted, with times so that all of the rows are in the same windows as the time they count at.
    pub fn add_counted(&mut self, rows: &CountedRows<'_>) -> Result<(), EvalError> {
        let mut work = crate::stage::Row::new(self.now);
        for scan in &mut self.scans {
            self.passed += scan.add_counted(rows, &mut work, &mut self.memory)?;
        }
        Ok(())
    }

    /// Rows that have given a sample, counted for each range by itself.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    pub fn finish(self) -> Result<MetricAnswer, EvalError> {
        // Nobody stops it, so that it always comes to an answer.
        let answer = self.finish_while(|| true)?;
        Ok(answer.unwrap_or_else(|| MetricAnswer::Matrix(Vec::new())))
    }

    /// As `finish`, and none if it was stopped: it asks before every step, of which there may be thousands.
    pub fn finish_while(
        mut self,
        mut goes_on: impl FnMut() -> bool,
    ) -> Result<Option<MetricAnswer>, EvalError> {
        for scan in &mut self.scans {
            scan.seal();
        }
        for given in &mut self.given {
            given.seal();
        }
        let operators = match self.plan {
            Plan::Number(value) => return self.number(value).map(Some),
            Plan::Vector(ref operators) => operators,
        };
        if self.steps.is_instant() {
            let mut vector = evaluate(operators, self.steps.start(), &mut self.scans, &mut self.given)?;
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
            let vector = evaluate(operators, time, &mut self.scans, &mut self.given)?;
            table.add(time, vector, &mut self.memory)?;
        }
        Ok(Some(MetricAnswer::Matrix(table.into_series())))
    }

    /// A number has no series, but over a range it is shown as one.
    fn number(mut self, value: f64) -> Result<MetricAnswer, EvalError> {
        if self.steps.is_instant() {
            return Ok(MetricAnswer::Scalar(value));
        }
        let mut points = Vec::new();
        for time in self.steps.iter() {
            self.memory.take(POINT_BYTES)?;
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
