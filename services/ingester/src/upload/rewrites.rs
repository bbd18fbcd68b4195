//! When segments are written again under another id: few at a time, and none while the store takes none.
//!
//! A rewrite takes a core for a second or two and holds the file, its rows and what they become. After an outage
//! of the store thousands of files may need one, and all that are made while it takes none are made for nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larch_runtime::Env;
use larch_types::Monotonic;
use tokio::sync::{Semaphore, SemaphorePermit};

/// At a time: the other core is for pushes and queries.
const PARALLEL: usize = 1;

pub(crate) struct Rewrites {
    env: Env,
    turns: Semaphore,
    /// When the store last did not take one, if it has taken none since.
    refused: Mutex<Option<Monotonic>>,
    /// After that the next is tried.
    wait: Duration,
}

/// One that may be written, until the store has it.
pub(super) struct Turn<'r> {
    rewrites: &'r Rewrites,
    is_taken: bool,
    _permit: SemaphorePermit<'r>,
}

impl Rewrites {
    pub(crate) fn new(env: Env, wait: Duration) -> Self {
        Self { env, turns: Semaphore::new(PARALLEL), refused: Mutex::default(), wait }
    }

    fn refused(&self) -> MutexGuard<'_, Option<Monotonic>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for others; `None` if the store has not taken the last one, a while ago at most.
    ///
    /// # Cancel safety
    /// It only waits.
    pub(super) async fn turn(&self) -> Option<Turn<'_>> {
        // It is never closed.
        let permit = self.turns.acquire().await.ok()?;
        let now = self.env.clock.monotonic();
        let refuses = self.refused().is_some_and(|at| now.since(at) < self.wait);
        (!refuses).then_some(Turn { rewrites: self, is_taken: false, _permit: permit })
    }

    /// Somebody has seen that the store is back, or wants to know.
    pub(crate) fn hurry(&self) {
        *self.refused() = None;
    }
}

impl Turn<'_> {
    pub(super) fn taken(mut self) {
        self.is_taken = true;
    }
}

impl Drop for Turn<'_> {
    /// Whatever ends it before the store has the segment counts, a try that took too long as well.
    fn drop(&mut self) {
        let now = self.rewrites.env.clock.monotonic();
        *self.rewrites.refused() = (!self.is_taken).then_some(now);
    }
}

#[cfg(test)]
mod tests {
    use larch_testkit::sim::run;

    use super::*;

    #[test]
    fn one_is_tried_while_the_store_takes_none() {
        const WAIT: Duration = Duration::from_secs(60);
        run(1, |world| async move {
            let rewrites = Rewrites::new(world.env.clone(), WAIT);
            let first = rewrites.turn().await.unwrap();
            let next = tokio::time::timeout(Duration::from_secs(1), rewrites.turn()).await;
            assert!(next.is_err(), "one at a time");
            drop(first);
            assert!(rewrites.turn().await.is_none());
            world.env.sleep(WAIT).await;
            drop(rewrites.turn().await.unwrap());
            assert!(rewrites.turn().await.is_none(), "the second was refused too");
            rewrites.hurry();
            rewrites.turn().await.unwrap().taken();
            assert!(rewrites.turn().await.is_some());
        });
    }
}
