//! Metric queries: rows become samples, samples of a window become series, series are calculated with.

mod plan;
mod program;
mod sampler;
mod samples;
mod scan;

use larch_types::Timestamp;

use crate::ast::MetricExpr;
use crate::eval::budget::Memory;
use crate::eval::{EvalError, EvalLimits, InputRow, MetricAnswer, Steps};
pub use program::{MetricProgram, RangeQuery};
pub use sampler::{Sampler, SeriesLabels};
use scan::RangeScan;

/// One metric query while it is fed with rows.
#[derive(Debug)]
pub struct MetricEvaluation {
    program: MetricProgram,
    scans: Vec<RangeScan>,
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
        let program = MetricProgram::new(expr, steps, limits)?;
        let mut scans = Vec::with_capacity(program.ranges().len());
        for range in program.ranges() {
            scans.push(RangeScan::new(range, steps)?);
        }
        Ok(Self { program, scans, now, memory: Memory::new(limits.max_memory), passed: 0 })
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
        let scans = &mut self.scans;
        self.program.finish_while(&mut |place, time| scans[place].evaluate(time), &mut self.memory, goes_on)
    }
}
