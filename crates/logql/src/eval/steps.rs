//! The times at which a metric query is evaluated.

use larch_types::{Span, Timestamp};

/// Over HTTP a query may ask for 11,000. This only keeps the work of a query finite.
const MAX_STEPS: i64 = 100_000;

/// `start`, `start + step`, … up to and including `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    start: Timestamp,
    end: Timestamp,
    /// Zero for a single time.
    step: Span,
}

impl Steps {
    /// An instant query.
    pub fn at(time: Timestamp) -> Self {
        Self { start: time, end: time, step: Span::ZERO }
    }

    /// A range query. `None` if the step leads nowhere, the end is before the start, or there are too many
    /// steps between them.
    pub fn range(start: Timestamp, end: Timestamp, step: Span) -> Option<Self> {
        let is_sane = step.nanos() > 0 && start <= end;
        (is_sane && end.since(start).nanos() / step.nanos() < MAX_STEPS).then_some(Self { start, end, step })
    }

    /// Widened to multiples of the step since 1970, as range queries over HTTP are.
    #[must_use]
    pub fn aligned(self) -> Self {
        if self.is_instant() {
            return self;
        }
        let step = self.step.nanos();
        let into_start = self.start.nanos().rem_euclid(step);
        let past_end = self.end.nanos().rem_euclid(step);
        let to_next = if past_end == 0 { 0 } else { step - past_end };
        Self {
            start: self.start.minus(Span::from_nanos(into_start)),
            end: self.end.plus(Span::from_nanos(to_next)),
            step: self.step,
        }
    }

    pub fn is_instant(&self) -> bool {
        self.step.is_zero()
    }

    pub fn step(&self) -> Span {
        self.step
    }

    pub fn start(&self) -> Timestamp {
        self.start
    }

    pub fn end(&self) -> Timestamp {
        self.end
    }

    /// The time after `time`, unless that was the last.
    fn after(&self, time: Timestamp) -> Option<Timestamp> {
        if self.is_instant() {
            return None;
        }
        let next = time.nanos().checked_add(self.step.nanos())?;
        (next <= self.end.nanos()).then_some(Timestamp::from_nanos(next))
    }

    pub fn iter(&self) -> impl Iterator<Item = Timestamp> + use<> {
        let steps = *self;
        std::iter::successors(Some(self.start), move |time| steps.after(*time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(steps: Steps) -> Vec<i64> {
        steps.iter().map(|time| time.nanos() / 1_000_000_000).collect()
    }

    #[test]
    fn times() {
        let at = Timestamp::from_secs;
        let range =
            |start, end, step| Steps::range(at(start), at(end), Span::from_secs(step)).expect("a range");
        for (steps, want) in [
            (Steps::at(at(7)), vec![7]),
            (Steps::at(at(7)).aligned(), vec![7]),
            (range(0, 50, 20), vec![0, 20, 40]),
            (range(10, 50, 20), vec![10, 30, 50]),
            (range(10, 50, 20).aligned(), vec![0, 20, 40, 60]),
            (range(20, 40, 20).aligned(), vec![20, 40]),
            (range(-5, 5, 10).aligned(), vec![-10, 0, 10]),
            (range(3, 3, 10), vec![3]),
        ] {
            assert_eq!(seconds(steps), want, "{steps:?}");
        }
        assert_eq!(Steps::range(at(1), at(0), Span::from_secs(1)), None);
        assert_eq!(Steps::range(at(0), at(1), Span::ZERO), None);
        assert_eq!(Steps::range(at(0), at(MAX_STEPS), Span::from_secs(1)), None);
        assert_eq!(Steps::range(Timestamp::MIN, Timestamp::MAX, Span::from_nanos(1)), None);
        assert_eq!(range(0, MAX_STEPS - 1, 1).iter().count(), MAX_STEPS as usize);
        let last = Steps::range(Timestamp::MAX, Timestamp::MAX, Span::from_secs(1)).expect("a range");
        assert_eq!(last.iter().count(), 1);
    }
}
