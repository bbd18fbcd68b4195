//! Randomness as an argument.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A source of random numbers that several tasks share. From one seed the same numbers come again in
/// the same order.
#[derive(Debug)]
pub struct Random(Mutex<StdRng>);

impl Random {
    /// Seeded by the operating system.
    #[expect(clippy::disallowed_methods, reason = "the one place where randomness enters")]
    pub fn from_system() -> Self {
        Self(Mutex::new(rand::make_rng()))
    }

    pub fn from_seed(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// Nothing is awaited and nothing can panic while the generator is held.
    fn with<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn next_u64(&self) -> u64 {
        self.with(RngExt::random)
    }

    pub fn next_u128(&self) -> u128 {
        self.with(RngExt::random)
    }

    /// Below the bound; 0 for a bound of 0.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        self.with(|random| random.random_range(0..bound))
    }

    /// Spreads work that would otherwise meet: a time between `base` and `base` plus `share` of it.
    pub fn jitter(&self, base: Duration, share: f64) -> Duration {
        let factor: f64 = self.with(RngExt::random);
        base + base.mul_f64(share.clamp(0.0, 1.0) * factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_again() {
        let draw = |random: Random| [random.next_u64(), random.below(10), random.next_u64()];
        assert_eq!(draw(Random::from_seed(7)), draw(Random::from_seed(7)));
        assert_ne!(draw(Random::from_seed(7)), draw(Random::from_seed(8)));
        assert_ne!(draw(Random::from_system()), draw(Random::from_system()));
    }

    #[test]
    fn bounds_hold() {
        let random = Random::from_seed(1);
        assert_eq!(random.below(0), 0);
        for _ in 0..1000 {
            assert!(random.below(3) < 3);
            let jittered = random.jitter(Duration::from_secs(10), 0.1);
            assert!((10.0..=11.0).contains(&jittered.as_secs_f64()));
        }
    }
}
