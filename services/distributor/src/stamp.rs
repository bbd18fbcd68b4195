//! Stamps: the order of pushes.

use std::sync::{Mutex, PoisonError};

use larch_runtime::Env;
use larch_types::PushStamp;

/// Gives each push a stamp that is larger than all before it, also when the clock steps back.
#[derive(Debug, Default)]
pub(crate) struct Stamps(Mutex<u64>);

impl Stamps {
    /// The time in nanoseconds in the upper half, so that the stamps of several distributors are in the
    /// order of their clocks, and a random number below, so that they are not the same.
    pub(crate) fn next(&self, env: &Env) -> PushStamp {
        let now = u64::try_from(env.clock.now().nanos()).unwrap_or(0);
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = now.max(last.saturating_add(1));
        PushStamp(u128::from(*last) << 64 | u128::from(env.random.next_u64()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use larch_runtime::{Clock, Random};
    use larch_types::{Monotonic, Timestamp};

    use super::*;

    #[derive(Debug)]
    struct Stopped(i64);

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::from_nanos(self.0)
        }

        fn monotonic(&self) -> Monotonic {
            Monotonic::from_start(std::time::Duration::ZERO)
        }
    }

    fn env(nanos: i64) -> Env {
        Env { clock: Arc::new(Stopped(nanos)), random: Arc::new(Random::from_seed(1)) }
    }

    #[test]
    fn every_stamp_is_larger_than_the_one_before() {
        let stamps = Stamps::default();
        let (late, early) = (env(1000), env(-5));
        let made = [&late, &late, &early, &late].map(|env| stamps.next(env));
        assert!(made.is_sorted_by(|one, next| one < next), "{made:?}");
        assert_eq!(made.map(|stamp| stamp.0 >> 64), [1000, 1001, 1002, 1003]);
    }
}
