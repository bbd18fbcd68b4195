//! Time that passes only when everybody waits.

use std::sync::atomic::{AtomicI64, Ordering};

use larch_runtime::Clock;
use larch_types::{Monotonic, Span, Timestamp};
use tokio::time::Instant;

/// Follows tokio's paused clock from a fixed date on; its time of day can be made to step.
#[derive(Debug)]
pub struct SimClock {
    start: Instant,
    stepped: AtomicI64,
}

/// 2026-01-01T00:00:00Z: after the epoch, before 2262, and far from any present.
const START: Timestamp = Timestamp::from_secs(1_767_225_600);

impl SimClock {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), stepped: AtomicI64::new(0) }
    }

    /// Sets the time of day forward, or back if the span is negative.
    pub fn step(&self, span: Span) {
        self.stepped.fetch_add(span.nanos(), Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let stepped = Span::from_nanos(self.stepped.load(Ordering::Relaxed));
        START.plus(self.start.elapsed().into()).plus(stepped)
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic::from_start(self.start.elapsed())
    }
}
