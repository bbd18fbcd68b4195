//! A log query, built once and then shown chunk after chunk, best in the order of the answer.
//!
//! Line filters say which rows are left of a chunk ([`LogQuery::survivors`]); of those only as many as can still
//! be shown are put together and go through the other stages ([`LogQuery::take_in`]). What every thread has kept
//! bounds what all others need to look at.

mod survivors;
mod take;

use std::sync::atomic::{AtomicI64, Ordering};

use larch_logql::{
    EvalError, EvalLimits, InputRow, LogEvaluation, LogExpr, LogParams, LogRow, Origin, Stage, front_filters,
    run_order,
};
use larch_types::{ByteSize, Timestamp};

use crate::filter::LineFilters;
use crate::memory::SharedMemory;

pub use survivors::Survivors;
pub use take::ChunkPages;

/// Shared by all threads that work on the query.
#[derive(Debug)]
pub struct LogQuery {
    params: LogParams,
    filters: LineFilters,
    /// Whether a stage behind the filters may drop a row.
    drops: bool,
    /// What threads begin with.
    empty: LogEvaluation,
    /// Rows of a greater rank cannot be shown: some thread has enough others.
    last_rank: AtomicI64,
    max_memory: ByteSize,
}

/// What one thread has kept. Belongs to one thread at a time.
#[derive(Debug)]
pub struct LogEntries {
    evaluation: LogEvaluation,
    /// Bytes that are counted already.
    charged: u64,
}

impl LogQuery {
    /// Refuses what cannot be run, before any row is read. An interval between rows is not for this: which rows
    /// it leaves out hangs on all of them.
    pub fn new(expr: &LogExpr, params: LogParams, limits: &EvalLimits) -> Result<Self, EvalError> {
        let empty = LogEvaluation::new(expr, params, limits)?;
        let stages = run_order(&expr.pipeline);
        let drops = stages[front_filters(&stages)..]
            .iter()
            .any(|stage| matches!(stage, Stage::LineFilter(_) | Stage::LabelFilter(_)));
        let last_rank = AtomicI64::new(empty.last_rank());
        let filters = LineFilters::new(expr)?;
        Ok(Self { params, filters, drops, empty, last_rank, max_memory: limits.max_memory })
    }

    /// For one thread to gather in.
    pub fn entries(&self) -> LogEntries {
        LogEntries { evaluation: self.empty.another(), charged: 0 }
    }

    pub fn memory(&self) -> SharedMemory {
        SharedMemory::new(self.max_memory)
    }

    /// Whether any row whose time is one of these, both included, could still be shown.
    pub fn wants(&self, first: Timestamp, last: Timestamp) -> bool {
        self.params.rank(first).min(self.params.rank(last)) <= self.last_rank()
    }

    /// Whether lines say which rows are left. If not, all are, and all of a chunk is best fetched at once.
    pub fn has_filters(&self) -> bool {
        !self.filters.is_empty()
    }

    /// Whether every row that the line filters leave is shown, if the limit allows.
    pub fn shows_survivors(&self) -> bool {
        !self.drops
    }

    /// Takes rows in that come one by one, as from a source that has no pages to give.
    pub fn read_rows<'r>(
        &self,
        rows: impl IntoIterator<Item = InputRow<'r>>,
        entries: &mut LogEntries,
        memory: &SharedMemory,
    ) -> Result<(), EvalError> {
        entries.evaluation.add(rows)?;
        self.settle(entries, memory)
    }

    /// The rows in the order of the answer, and what each was made of.
    pub fn finish(&self, entries: Vec<LogEntries>) -> Result<Vec<(Origin, LogRow)>, EvalError> {
        Ok(self.united(entries)?.finish_with_origins())
    }

    /// What all threads have kept, as one.
    pub fn united(&self, entries: Vec<LogEntries>) -> Result<LogEvaluation, EvalError> {
        let mut entries = entries.into_iter();
        let Some(first) = entries.next() else { return Ok(self.empty.another()) };
        let mut all = first.evaluation;
        for one in entries {
            all.absorb(one.evaluation)?;
        }
        Ok(all)
    }

    fn last_rank(&self) -> i64 {
        self.last_rank.load(Ordering::Relaxed)
    }

    /// Tells the others what this thread has, and counts what it holds.
    fn settle(&self, entries: &mut LogEntries, memory: &SharedMemory) -> Result<(), EvalError> {
        self.last_rank.fetch_min(entries.evaluation.last_rank(), Ordering::Relaxed);
        let held = entries.evaluation.held_bytes();
        let before = std::mem::replace(&mut entries.charged, held);
        memory.give_back(before.saturating_sub(held));
        memory.take(held.saturating_sub(before))
    }
}

impl LogEntries {
    /// Whether a row that comes behind this time, in the direction of the query, could still be shown.
    pub fn wants_behind(&self, time: Timestamp) -> bool {
        self.evaluation.wants_behind(time)
    }
}
