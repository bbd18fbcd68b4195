//! Time as an argument.

use std::fmt;
use std::time::Instant;

use larch_types::{Monotonic, Timestamp};

/// Where time comes from. The simulator has its own.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time of day. It may step, either way.
    fn now(&self) -> Timestamp;

    /// For waits and ages. It never goes back.
    fn monotonic(&self) -> Monotonic;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    #[expect(clippy::new_without_default, reason = "reading the clock is no default")]
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
    fn now(&self) -> Timestamp {
        let now = std::time::SystemTime::now();
        match now.duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)),
            // A clock set before 1970 is as wrong as a clock can be; zero keeps it visible.
            Err(_) => Timestamp::EPOCH,
        }
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic::from_start(self.start.elapsed())
    }
}
