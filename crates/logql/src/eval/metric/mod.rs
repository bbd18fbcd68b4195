//! Metric queries: rows become samples, samples of a window become series, series are calculated with.

mod given;
mod plan;
mod program;
mod sampler;
mod samples;
mod scan;

use larch_types::Timestamp;

use crate::ast::MetricExpr;
use crate::eval::budget::Memory;
use crate::eval::{CountedRows, EvalError, EvalLimits, InputRow, LabelSet, MetricAnswer, Steps};
use crate::facts::Division;
use given::Given;
use program::Leaf;
pub use program::{MetricProgram, RangeQuery};
pub(crate) use sampler::needed_stages;
pub use sampler::{Sampler, SeriesLabels};
use scan::RangeScan;

/// One metric query while it is fed with rows.
#[derive(Debug)]
pub struct MetricEvaluation {
    program: MetricProgram,
    scans: Vec<RangeScan>,
    given: Vec<Given>,
    now: Timestamp,
    memory: Memory,
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
        Self::of(MetricProgram::new(expr, steps, limits)?, Vec::new(), steps, now, limits)
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
        let program = MetricProgram::with_given(division.expr, steps, limits, &roots)?;
        Self::of(program, given, steps, now, limits)
    }

    fn of(
        program: MetricProgram,
        given: Vec<Given>,
        steps: Steps,
        now: Timestamp,
        limits: &EvalLimits,
    ) -> Result<Self, EvalError> {
        let mut scans = Vec::with_capacity(program.ranges().len());
        for range in program.ranges() {
            scans.push(RangeScan::new(range, steps)?);
        }
        Ok(Self { program, scans, given, now, memory: Memory::new(limits.max_memory), passed: 0 })
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
    pub fn finish_while(mut self, goes_on: impl FnMut() -> bool) -> Result<Option<MetricAnswer>, EvalError> {
        for scan in &mut self.scans {
            scan.seal();
        }
        for given in &mut self.given {
            given.seal();
        }
        let (scans, given) = (&mut self.scans, &mut self.given);
        let mut series = |leaf, time| match leaf {
            Leaf::Range(place) => scans[place].evaluate(time),
            Leaf::Given(place) => Ok(given[place].at(time)),
        };
        self.program.finish_leaves(&mut series, &mut self.memory, goes_on)
    }
}
