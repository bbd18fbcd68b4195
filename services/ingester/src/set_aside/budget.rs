//! What copies of rows that cannot be cut take on the disk, and what they may.

use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) struct Budget {
    most: u64,
    used: AtomicU64,
}

impl Budget {
    pub(crate) const fn new(most: u64) -> Self {
        Self { most, used: AtomicU64::new(0) }
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Two tenants that are set aside at the same moment may each take what is left.
    pub(crate) fn left(&self) -> u64 {
        self.most.saturating_sub(self.used())
    }
}
