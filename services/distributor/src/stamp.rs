//! Stamps: the order of pushes.

use std::sync::{Mutex, PoisonError};

use larch_runtime::Env;
use larch_types::PushStamp;

/// Gives each push a stamp that is larger than all before it, also when the clock steps back.
#[derive(Debug)]
pub(crate) struct Stamps {
    /// Who gives them: in the lower half, so that no two distributors give the same one.
    giver: u64,
    /// The upper half of the last one: milliseconds, so that the stamps of several distributors are in the
    /// order of their clocks, and the number of the push within its millisecond below. Stamps that differ
    /// in round numbers only are small where they are stored.
    last: Mutex<u64>,
}

/// For the number of a push: a million in a millisecond, and what is more borrows of the next.
const NUMBER_BITS: u32 = 20;
const NANOS_PER_MILLI: i64 = 1_000_000;

impl Stamps {
    pub(crate) fn new(env: &Env) -> Self {
        Self { giver: env.random.next_u64(), last: Mutex::new(0) }
    }

    pub(crate) fn next(&self, env: &Env) -> PushStamp {
        let millis = u64::try_from(env.clock.now().nanos() / NANOS_PER_MILLI).unwrap_or(0);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // 44 bits of milliseconds, which is all that a timestamp can say.
        *last = (millis << NUMBER_BITS).max(last.saturating_add(1));
        PushStamp(u128::from(*last) << 64 | u128::from(self.giver))
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
        Env {
            clock: Arc::new(Stopped(nanos)),
            random: Arc::new(Random::from_seed(1)),
            compute: larch_runtime::Compute::InPlace,
        }
    }

    #[test]
    fn every_stamp_is_larger_than_the_one_before() {
        let (late, early, later) = (env(1_999_999), env(-5), env(2_000_000));
        let stamps = Stamps::new(&late);
        let made = [&late, &late, &early, &late, &later].map(|env| stamps.next(env));
        assert!(made.is_sorted_by(|one, next| one < next), "{made:?}");
        let milli = 1 << 20;
        let highs = made.map(|stamp| stamp.0 >> 64);
        assert_eq!(highs, [milli, milli + 1, milli + 2, milli + 3, 2 * milli]);
        let givers = made.map(|stamp| stamp.0 as u64);
        assert_eq!(givers, [givers[0]; 5]);
        assert_ne!(givers[0], Stamps::new(&late).next(&late).0 as u64, "another distributor");
    }

    #[test]
    fn the_last_of_all_times_fits() {
        let end = env(i64::MAX);
        let stamp = Stamps::new(&end).next(&end);
        assert_eq!(stamp.0 >> 84, (i64::MAX / NANOS_PER_MILLI) as u128);
    }
}
