//! What every part of a process needs of the outside world.

use std::sync::Arc;
use std::time::Duration;

use larch_types::{FactId, NodeId, SegmentId, TombstoneId};

use crate::clock::{Clock, SystemClock};
use crate::random::Random;

/// Clock and randomness. Tasks are spawned through a [`crate::Scope`]; timers are tokio's, which a
/// simulator turns itself. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Env {
    pub clock: Arc<dyn Clock>,
    pub random: Arc<Random>,
}

impl Env {
    /// The machine's own clock and randomness.
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock::new()), random: Arc::new(Random::from_system()) }
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
