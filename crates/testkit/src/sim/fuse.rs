//! A power cut at the n-th call of the outside world.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts calls that change something on the disk or go to the store, and fails all from a chosen one on. Clones
/// are the same fuse.
#[derive(Debug, Clone, Default)]
pub struct Fuse(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    calls: AtomicU64,
    blows_at: AtomicU64,
    blown: Notify,
}

impl Default for Inner {
    fn default() -> Self {
        Self { calls: AtomicU64::new(0), blows_at: AtomicU64::new(u64::MAX), blown: Notify::new() }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("simulated: the power is off")]
pub(super) struct PowerIsOff;

impl Fuse {
    /// The next so many calls succeed, and none behind them until it is set again.
    pub fn blow_after(&self, calls: u64) {
        self.0.calls.store(0, Ordering::Relaxed);
        self.0.blows_at.store(calls, Ordering::Relaxed);
    }

    /// No call fails.
    pub fn reset(&self) {
        self.blow_after(u64::MAX);
    }

    /// Since it was set.
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// Resolves once a call has failed.
    pub async fn blown(&self) {
        self.0.blown.notified().await;
    }

    pub(super) fn call(&self) -> Result<(), PowerIsOff> {
        if self.0.calls.fetch_add(1, Ordering::Relaxed) < self.0.blows_at.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.0.blown.notify_one();
        Err(PowerIsOff)
    }
}
