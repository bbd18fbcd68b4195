//! How much memory all threads of one query may take together.

use std::sync::atomic::{AtomicU64, Ordering};

use larch_logql::EvalError;
use larch_types::ByteSize;

#[derive(Debug)]
pub struct SharedMemory {
    used: AtomicU64,
    limit: ByteSize,
}

impl SharedMemory {
    pub const fn new(limit: ByteSize) -> Self {
        Self { used: AtomicU64::new(0), limit }
    }

    pub fn take(&self, bytes: u64) -> Result<(), EvalError> {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.limit.as_u64() {
            return Err(EvalError::TooMuchMemory(self.limit));
        }
        Ok(())
    }

    /// What a metric query gathers it keeps to its end; others let go of rows, and of chunks.
    pub fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) const fn limit(&self) -> ByteSize {
        self.limit
    }
}
