//! Rows that may be in several places, each once.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use larch_logql::{EvalError, Identity};
use larch_types::Timestamp;

use crate::memory::SharedMemory;

/// Shared by all threads of a query. Only rows whose time another source covers too are entered.
#[derive(Debug, Default)]
pub struct Seen(Mutex<HashSet<(u32, Timestamp, Identity)>>);

/// Of a table that is at most seven eighths full and grows by doubling, about.
const ENTRY_BYTES: u64 = 64;

impl Seen {
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether each row comes for the first time in the range.
    pub(crate) fn enter(
        &self,
        range: u32,
        rows: &[(Timestamp, Identity)],
        memory: &SharedMemory,
    ) -> Result<Vec<bool>, EvalError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let firsts: Vec<bool> =
            rows.iter().map(|(time, identity)| known.insert((range, *time, *identity))).collect();
        drop(known);
        memory.take(firsts.iter().filter(|is_first| **is_first).count() as u64 * ENTRY_BYTES)?;
        Ok(firsts)
    }
}
