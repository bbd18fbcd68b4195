//! How much of the machine one query may use.

use larch_types::{ByteSize, Span};

use crate::eval::EvalError;

/// Bounds of one query, as its tenant's settings have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvalLimits {
    /// Series in the answer.
    pub max_series: usize,
    /// The longest `[range]`; none for no bound.
    pub max_range: Option<Span>,
    /// What may be held at one time: rows of a log query, samples and points of a metric query.
    pub max_memory: ByteSize,
}

/// Counts what a query holds.
#[derive(Debug)]
pub struct Memory {
    used: u64,
    limit: ByteSize,
}

impl Memory {
    pub fn new(limit: ByteSize) -> Self {
        Self { used: 0, limit }
    }

    /// With the same limit, and nothing taken.
    pub(crate) fn another(&self) -> Self {
        Self::new(self.limit)
    }

    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    pub fn take(&mut self, bytes: usize) -> Result<(), EvalError> {
        self.used = self.used.saturating_add(bytes as u64);
        if self.used > self.limit.as_u64() { Err(EvalError::TooMuchMemory(self.limit)) } else { Ok(()) }
    }

    pub fn give_back(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes as u64);
    }
}
