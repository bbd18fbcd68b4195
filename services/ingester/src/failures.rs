//! How often a tenant's cuts failed one after the other, and when the next is due.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larch_types::Monotonic;

/// A tenant whose cuts fail so often takes no rows until one succeeds, and is set aside.
const MOST_FAILURES: u32 = 3;

/// Between tries that failed: doubled from the first on up to the last.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    count: u32,
    next: Option<Monotonic>,
}

impl Failures {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives how many there were.
    pub(crate) fn add(&self, now: Monotonic) -> u32 {
        let mut state = self.lock();
        let wait = FIRST_WAIT.saturating_mul(1 << state.count.min(20)).min(LONGEST_WAIT);
        state.count = state.count.saturating_add(1);
        state.next = Some(now.plus(wait));
        state.count
    }

    pub(crate) fn end(&self) {
        *self.lock() = State::default();
    }

    /// Of a tenant that an earlier life has set aside: it is tried at once, and takes nothing before.
    pub(crate) fn begin_set_aside(&self) {
        *self.lock() = State { count: MOST_FAILURES, next: None };
    }

    /// Whether there are so many that the tenant takes no rows.
    pub(crate) fn are_many(&self) -> bool {
        self.lock().count >= MOST_FAILURES
    }

    /// Whether another try is due.
    pub(crate) fn let_try(&self, now: Monotonic) -> bool {
        self.lock().next.is_none_or(|next| next <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_ever_later_up_to_a_minute() {
        let failures = Failures::default();
        let at = |seconds| Monotonic::from_start(Duration::from_secs(seconds));
        let mut now = 0;
        for (count, wait) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60)] {
            assert!(failures.let_try(at(now)));
            assert_eq!(failures.add(at(now)), count);
            assert_eq!(failures.are_many(), count >= 3);
            assert!(!failures.let_try(at(now + wait - 1)), "{count}");
            now += wait;
        }
        failures.end();
        assert!(failures.let_try(at(0)) && !failures.are_many());
        failures.begin_set_aside();
        assert!(failures.let_try(at(0)) && failures.are_many());
    }
}
