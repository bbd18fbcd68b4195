//! Events that a client can cause at any rate are logged at a bounded one.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use larch_types::Monotonic;

/// Lets a few events through in each period and counts the others.
#[derive(Debug)]
pub struct Throttle {
    burst: u32,
    period: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    opened: Option<Monotonic>,
    passed: u32,
    suppressed: u64,
}

impl Throttle {
    pub const fn new(burst: u32, period: Duration) -> Self {
        Self { burst, period, state: Mutex::new(State { opened: None, passed: 0, suppressed: 0 }) }
    }

    /// `Some` if the event may be logged, with how many were suppressed since the last one that was:
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use larch_telemetry::Throttle;
    /// # use larch_types::Monotonic;
    /// # let now = Monotonic::from_start(Duration::ZERO);
    /// # let throttle = Throttle::new(1, Duration::from_secs(10));
    /// if let Some(suppressed) = throttle.admit(now) {
    ///     tracing::warn!(suppressed, "push refused");
    /// }
    /// ```
    pub fn admit(&self, now: Monotonic) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.opened.is_none_or(|opened| now.since(opened) >= self.period) {
            state.opened = Some(now);
            state.passed = 0;
        }
        if state.passed >= self.burst {
            state.suppressed = state.suppressed.saturating_add(1);
            return None;
        }
        state.passed += 1;
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_a_period_and_the_count_of_the_rest() {
        let throttle = Throttle::new(2, Duration::from_secs(10));
        let at = |millis| throttle.admit(Monotonic::from_start(Duration::from_millis(millis)));
        assert_eq!(at(5_000), Some(0));
        assert_eq!(at(5_001), Some(0));
        assert_eq!(at(5_002), None);
        assert_eq!(at(14_999), None);
        assert_eq!(at(15_000), Some(2));
        assert_eq!(at(15_001), Some(0));
        assert_eq!(at(15_002), None);
        assert_eq!(at(60_000), Some(1));
    }
}
