//! What every part of a process needs of the outside world.

use std::sync::Arc;
use std::time::Duration;

use larch_types::{FactId, NodeId, SegmentId, TombstoneId};
use tokio::task::JoinError;

use crate::clock::{Clock, SystemClock};
use crate::random::Random;

/// Clock, randomness, and where long work is done. Tasks are spawned through a [`crate::Scope`]; timers are tokio's,
/// which a simulator turns itself. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Env {
    pub clock: Arc<dyn Clock>,
    pub random: Arc<Random>,
    pub compute: Compute,
}

/// Where work is done that would keep other tasks waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compute {
    /// On threads made for it.
    Threads,
    /// Where it is asked for, while everything else waits. A simulation is the same each time only if it has one
    /// thread.
    InPlace,
}

impl Env {
    /// The machine's own clock and randomness.
    pub fn system() -> Self {
        let (clock, random) = (Arc::new(SystemClock::new()), Arc::new(Random::from_system()));
        Self { clock, random, compute: Compute::Threads }
    }

    /// Does work that takes long. It fails if the work panics or the process stops before it begins.
    ///
    /// # Cancel safety
    /// Work that has begun goes on to its end.
    pub async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        match self.compute {
            Compute::Threads => tokio::task::spawn_blocking(work).await,
            Compute::InPlace => Ok(work()),
        }
    }

    /// # Cancel safety
    /// Dropping the future ends the wait.
    pub async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    pub fn new_node_id(&self) -> NodeId {
        NodeId::new(self.unix_millis(), self.random.next_u128())
    }

    pub fn new_segment_id(&self) -> SegmentId {
        SegmentId::new(self.unix_millis(), self.random.next_u128())
    }

    pub fn new_fact_id(&self) -> FactId {
        FactId::new(self.unix_millis(), self.random.next_u128())
    }

    pub fn new_tombstone_id(&self) -> TombstoneId {
        TombstoneId::new(self.unix_millis(), self.random.next_u128())
    }

    fn unix_millis(&self) -> u64 {
        u64::try_from(self.clock.now().millis()).unwrap_or(0)
    }
}
