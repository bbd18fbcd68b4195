//! A token bucket: so many tokens a second, and so many at once. What it grants is what Go's
//! `golang.org/x/time/rate` grants, because limits are set by people who know that one.

use std::time::Duration;

use larch_types::Monotonic;

const NANOS_PER_SECOND: f64 = 1e9;

/// Starts full. Every call brings the time; a time before one that was brought already counts as that
/// one.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenBucket {
    /// Tokens a second.
    rate: f64,
    burst: u64,
    /// As of `last`. Below 0 only by what a float loses.
    tokens: f64,
    last: Monotonic,
}

impl TokenBucket {
    /// A rate that is not a number, or below 0, is 0. An infinite one is still bound by the burst.
    pub fn new(rate: f64, burst: u64, now: Monotonic) -> Self {
        Self { rate: sane(rate), burst, tokens: burst as f64, last: now }
    }

    /// Takes `n` tokens if all of them are there. Otherwise takes none.
    pub fn allow(&mut self, now: Monotonic, n: u64) -> bool {
        self.advance(now);
        let left = self.tokens - n as f64;
        // Go rounds the wait for missing tokens down to nanoseconds, so that tokens lost to rounding do
        // not refuse what is due.
        let due = left >= 0.0 || wait_for(-left, self.rate).is_some_and(|wait| wait.is_zero());
        let allowed = n <= self.burst && due;
        if allowed {
            self.tokens = left;
        }
        allowed
    }

    /// Gives back tokens that were taken for something that was then refused elsewhere.
    pub fn give_back(&mut self, now: Monotonic, n: u64) {
        self.advance(now);
        self.tokens = (self.tokens + n as f64).min(self.burst as f64);
    }

    /// How long until `n` tokens will be there; none if they never will.
    pub fn wait(&mut self, now: Monotonic, n: u64) -> Option<Duration> {
        self.advance(now);
        if n > self.burst {
            return None;
        }
        let missing = n as f64 - self.tokens;
        if missing <= 0.0 { Some(Duration::ZERO) } else { wait_for(missing, self.rate) }
    }

    /// Changes the rate and the burst from now on. Tokens above the new burst are lost.
    pub fn set(&mut self, now: Monotonic, rate: f64, burst: u64) {
        self.advance(now);
        self.rate = sane(rate);
        self.burst = burst;
        self.tokens = self.tokens.min(burst as f64);
    }

    fn advance(&mut self, now: Monotonic) {
        let earned = now.since(self.last).as_secs_f64() * self.rate;
        self.last = self.last.max(now);
        self.tokens = (self.tokens + earned).min(self.burst as f64);
    }
}

fn sane(rate: f64) -> f64 {
    // Infinity times no time would be no number.
    if rate > 0.0 { rate.min(f64::MAX) } else { 0.0 }
}

/// The time in which a rate earns so many tokens, rounded down to nanoseconds.
fn wait_for(tokens: f64, rate: f64) -> Option<Duration> {
    let nanos = tokens / rate * NANOS_PER_SECOND;
    // Without a rate this is infinite; above 2^63 ns it is longer than anything lives.
    (nanos < i64::MAX as f64).then(|| Duration::from_nanos(nanos as u64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_millis(millis))
    }

    /// Rate, burst, and then calls as (milliseconds, tokens, granted).
    #[track_caller]
    fn check(rate: f64, burst: u64, calls: &[(u64, u64, bool)]) {
        let mut bucket = TokenBucket::new(rate, burst, at(0));
        for (millis, n, granted) in calls {
            assert_eq!(bucket.allow(at(*millis), *n), *granted, "{n} at {millis} ms");
        }
    }

    #[test]
    fn grants_a_burst_and_then_the_rate() {
        check(10.0, 20, &[(0, 20, true), (0, 1, false), (100, 1, true), (100, 1, false), (1100, 10, true)]);
        // Never more than the burst, however long it waits.
        check(10.0, 20, &[(0, 21, false), (60_000, 20, true), (60_000, 1, false)]);
        // All or nothing: a refusal takes no tokens.
        check(10.0, 20, &[(0, 15, true), (0, 6, false), (0, 5, true)]);
        // Nothing can always be taken.
        check(0.0, 0, &[(0, 0, true), (0, 1, false)]);
        // Without a rate the burst is all there is.
        check(0.0, 3, &[(0, 2, true), (0, 1, true), (1_000_000, 1, false)]);
        check(f64::NAN, 1, &[(0, 1, true), (1000, 1, false)]);
        check(-5.0, 1, &[(0, 1, true), (1000, 1, false)]);
        check(f64::INFINITY, 5, &[(0, 5, true), (1, 5, true), (1, 6, false)]);
    }

    #[test]
    fn a_time_before_the_last_earns_nothing() {
        check(10.0, 10, &[(1000, 10, true), (0, 1, false), (1000, 1, false), (1100, 1, true)]);
    }

    #[test]
    fn rounding_refuses_nothing_that_is_due() {
        // A third of a token a millisecond is no exact float.
        let mut bucket = TokenBucket::new(1000.0 / 3.0, 1, at(0));
        assert!(bucket.allow(at(0), 1));
        for turn in 1..=1000 {
            assert!(bucket.allow(at(3 * turn), 1), "turn {turn}");
        }
    }

    #[test]
    fn tells_how_long_to_wait() {
        let mut bucket = TokenBucket::new(10.0, 20, at(0));
        assert_eq!(bucket.wait(at(0), 20), Some(Duration::ZERO));
        assert!(bucket.allow(at(0), 20));
        assert_eq!(bucket.wait(at(0), 5), Some(Duration::from_millis(500)));
        assert_eq!(bucket.wait(at(200), 5), Some(Duration::from_millis(300)));
        assert_eq!(bucket.wait(at(200), 21), None);
        let mut dry = TokenBucket::new(0.0, 1, at(0));
        assert!(dry.allow(at(0), 1));
        assert_eq!(dry.wait(at(0), 1), None);
    }

    #[test]
    fn a_change_holds_from_then_on() {
        let mut bucket = TokenBucket::new(10.0, 100, at(0));
        assert!(bucket.allow(at(0), 100));
        bucket.set(at(1000), 100.0, 50);
        assert!(bucket.allow(at(1000), 10), "earned at the old rate");
        assert!(!bucket.allow(at(1000), 1));
        assert!(bucket.allow(at(1500), 50), "earned at the new rate");
        bucket.set(at(10_000), 0.0, 5);
        assert!(!bucket.allow(at(10_000), 6), "what is above the new burst is lost");
        assert!(bucket.allow(at(10_000), 5));
    }

    #[derive(Debug, Clone)]
    enum Call {
        Allow(u64),
        GiveBack(u64),
        Set(u64, u64),
    }

    fn calls() -> impl Strategy<Value = Vec<(u64, Call)>> {
        let call = prop_oneof![
            6 => (0_u64..3000).prop_map(Call::Allow),
            1 => (0_u64..500).prop_map(Call::GiveBack),
            1 => (0_u64..2000, 0_u64..4000).prop_map(|(rate, burst)| Call::Set(rate, burst)),
        ];
        prop::collection::vec((0_u64..5000, call), 0..60)
    }

    proptest! {
        /// Whole tokens a second and whole milliseconds: thousandths of a token are whole numbers, and a
        /// model counts them.
        #[test]
        fn agrees_with_counting(rate in 0_u64..2000, burst in 0_u64..4000, calls in calls()) {
            let mut bucket = TokenBucket::new(rate as f64, burst, at(0));
            let (mut rate, mut burst, mut now) = (rate, burst, 0);
            let mut thousandths = burst * 1000;
            for (wait, call) in calls {
                now += wait;
                thousandths = (thousandths + wait * rate).min(burst * 1000);
                match call {
                    Call::Allow(n) => {
                        let granted = n * 1000 <= thousandths;
                        prop_assert_eq!(bucket.allow(at(now), n), granted, "{} at {}", n, now);
                        thousandths -= if granted { n * 1000 } else { 0 };
                    }
                    Call::GiveBack(n) => {
                        bucket.give_back(at(now), n);
                        thousandths = (thousandths + n * 1000).min(burst * 1000);
                    }
                    Call::Set(new_rate, new_burst) => {
                        bucket.set(at(now), new_rate as f64, new_burst);
                        (rate, burst) = (new_rate, new_burst);
                        thousandths = thousandths.min(burst * 1000);
                    }
                }
            }
        }

        #[test]
        fn grants_within_the_bound(
            rate in 0.0_f64..1e9,
            burst in 0_u64..1_000_000_000,
            calls in prop::collection::vec((0_u64..10_000, 0_u64..1_000_000_000), 0..100),
        ) {
            let mut bucket = TokenBucket::new(rate, burst, at(0));
            let (mut now, mut granted) = (0, 0.0);
            for (wait, n) in calls {
                now += wait;
                if bucket.allow(at(now), n) {
                    granted += n as f64;
                }
                let bound = burst as f64 + rate * now as f64 / 1000.0;
                prop_assert!(granted <= bound * (1.0 + 1e-9) + 1e-3, "{} of {}", granted, bound);
            }
        }

        #[test]
        fn what_is_promised_is_granted(
            rate in 0.001_f64..1e6,
            burst in 1_u64..1_000_000,
            first in 0_u64..1_000_000,
            n in 0_u64..1_000_000,
        ) {
            let mut bucket = TokenBucket::new(rate, burst, at(0));
            bucket.allow(at(0), first);
            match bucket.wait(at(0), n) {
                None => prop_assert!(n > burst),
                Some(wait) => {
                    // The wait is rounded down by less than a nanosecond.
                    let then = Monotonic::from_start(wait + Duration::from_nanos(1));
                    prop_assert!(bucket.allow(then, n), "after {:?}", wait);
                }
            }
        }

        #[test]
        fn what_is_given_back_can_be_taken_again(rate in 0.0_f64..1e6, burst in 1_u64..10_000, n in 0_u64..10_000) {
            let mut bucket = TokenBucket::new(rate, burst, at(0));
            if bucket.allow(at(0), n) {
                bucket.give_back(at(0), n);
            }
            prop_assert!(bucket.allow(at(0), burst));
        }
    }
}
