//! A metric query, built once and then shown chunk after chunk.

use larch_logql::{EvalError, EvalLimits, MetricExpr, MetricProgram, Steps};
use larch_types::{ByteSize, Timestamp};

use crate::gather::Gathered;
use crate::memory::SharedMemory;
use crate::range::{Needed, RangePlan};

/// Shared by all threads that work on the query.
#[derive(Debug)]
pub struct MetricQuery {
    pub(crate) program: MetricProgram,
    /// In the order written.
    pub(crate) ranges: Vec<RangePlan>,
    pub(crate) steps: Steps,
    /// For templates that ask for the time.
    pub(crate) now: Timestamp,
    max_memory: ByteSize,
}

impl MetricQuery {
    /// Refuses what cannot be run, before any row is read.
    pub fn new(
        expr: &MetricExpr,
        steps: Steps,
        now: Timestamp,
        limits: &EvalLimits,
    ) -> Result<Self, EvalError> {
        let program = MetricProgram::new(expr, steps, limits)?;
        let mut ranges = Vec::with_capacity(program.ranges().len());
        for range in program.ranges() {
            ranges.push(RangePlan::new(range, steps)?);
        }
        Ok(Self { program, ranges, steps, now, max_memory: limits.max_memory })
    }

    /// For one thread to gather in.
    pub fn gathered(&self) -> Gathered {
        Gathered::new(self.ranges.len())
    }

    pub fn memory(&self) -> SharedMemory {
        SharedMemory::new(self.max_memory)
    }

    /// What some ranges, by their numbers, need of a chunk. Where other sources may hold copies of its rows,
    /// that is more.
    pub fn needed(&self, ranges: &[usize], is_contested: bool) -> Needed {
        let mut needed = Needed::default();
        for range in ranges {
            let plan = &self.ranges[*range];
            needed = needed.or(if is_contested { plan.needed_where_contested() } else { plan.needed() });
        }
        needed
    }
}
