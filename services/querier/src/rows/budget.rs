//! How much memory the rows of one question may take on their way.

use larch_logql::EvalError;
use larch_rpc::CallError;
use larch_types::ByteSize;

#[derive(Debug)]
pub(crate) struct Budget {
    used: u64,
    limit: ByteSize,
}

impl Budget {
    pub(crate) fn new(limit: ByteSize) -> Self {
        Self { used: 0, limit }
    }

    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), CallError> {
        self.used = self.used.saturating_add(bytes as u64);
        if self.used > self.limit.as_u64() {
            Err(failed(&EvalError::TooMuchMemory(self.limit)))
        } else {
            Ok(())
        }
    }

    pub(crate) fn give_back(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes as u64);
    }
}

/// What went wrong with a query, as the answer to its piece.
pub(crate) fn failed(error: &EvalError) -> CallError {
    CallError::new(error.kind(), error.to_string())
}
