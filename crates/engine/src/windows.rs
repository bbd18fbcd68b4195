//! Which steps see a row: those whose window (t − offset − range, t − offset] holds its time.

use larch_logql::Steps;
use larch_types::Span;

/// The windows of one range over all steps of a query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    start: i128,
    /// 1 for an instant query, which has one step.
    step: i128,
    steps: i128,
    range: i128,
    offset: i128,
}

/// Steps, both included, and the times, both included, of which all rows are seen by just these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// None: no step sees such a row.
    pub(crate) steps: Option<(u32, u32)>,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Windows {
    pub(crate) fn new(steps: Steps, range: Span, offset: Span) -> Self {
        let (start, end) = (i128::from(steps.start().nanos()), i128::from(steps.end().nanos()));
        let step = if steps.is_instant() { 1 } else { i128::from(steps.step().nanos()) };
        let count = if steps.is_instant() { 1 } else { (end - start) / step + 1 };
        Self { start, step, steps: count, range: range.nanos().into(), offset: offset.nanos().into() }
    }

    /// Step n sees times in (start + n·step − offset − range, start + n·step − offset].
    pub(crate) fn seen(&self, time: i64) -> Seen {
        let at = i128::from(time) + self.offset - self.start;
        // The first step that is not before the row, and the last one whose window begins before it.
        let first = ceil_div(at, self.step).clamp(0, self.steps);
        let last = ceil_div(at + self.range, self.step).clamp(0, self.steps) - 1;
        let first_from = if first == 0 { i128::MIN / 2 } else { (first - 1) * self.step + 1 };
        let first_to = if first == self.steps { i128::MAX / 2 } else { first * self.step };
        let last_from = if last < 0 { i128::MIN / 2 } else { last * self.step - self.range + 1 };
        let last_to =
            if last + 1 == self.steps { i128::MAX / 2 } else { (last + 1) * self.step - self.range };
        let time_of = |at: i128| clamped(at + self.start - self.offset);
        Seen {
            steps: (first <= last).then_some((first as u32, last as u32)),
            from: time_of(first_from.max(last_from)),
            to: time_of(first_to.min(last_to)),
        }
    }

    /// Whether each time is seen by one step at most.
    pub(crate) fn are_apart(&self) -> bool {
        self.steps == 1 || self.range <= self.step
    }

    /// Times, both included, outside of which no row is seen.
    pub(crate) fn bounds(&self) -> (i64, i64) {
        let first = self.start - self.offset - self.range + 1;
        let last = self.start + (self.steps - 1) * self.step - self.offset;
        (clamped(first), clamped(last))
    }
}

/// The divisor is above 0.
const fn ceil_div(number: i128, divisor: i128) -> i128 {
    number.div_euclid(divisor) + if number.rem_euclid(divisor) == 0 { 0 } else { 1 }
}

fn clamped(nanos: i128) -> i64 {
    i64::try_from(nanos.clamp(i64::MIN.into(), i64::MAX.into())).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use larch_types::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn check(steps: Steps, range: i64, offset: i64, times: std::ops::Range<i64>) {
        let windows = Windows::new(steps, Span::from_nanos(range), Span::from_nanos(offset));
        let all: Vec<i64> = steps.iter().map(Timestamp::nanos).collect();
        assert_eq!(windows.steps, all.len() as i128);
        let steps_of = |time: i64| {
            let sees = |step: &i64| *step - offset - range < time && time <= *step - offset;
            let first = all.iter().position(sees)?;
            Some((first as u32, all.iter().rposition(sees)? as u32))
        };
        for time in times.clone() {
            let seen = windows.seen(time);
            assert_eq!(seen.steps, steps_of(time), "{time} of {windows:?}");
            assert!(seen.from <= time && time <= seen.to, "{time} of {windows:?}: {seen:?}");
            for other in times.clone().filter(|other| seen.from <= *other && *other <= seen.to) {
                assert_eq!(steps_of(other), seen.steps, "{other} beside {time} of {windows:?}: {seen:?}");
            }
            let is_in_one = seen.steps.is_none_or(|(first, last)| first == last);
            assert!(is_in_one || !windows.are_apart(), "{time} of {windows:?}");
            let (first, last) = windows.bounds();
            assert!(seen.steps.is_none() || (first <= time && time <= last));
        }
    }

    proptest! {
        #[test]
        fn every_step_that_sees_a_row(
            start in -20_i64..20, length in 0_i64..30, step in 0_i64..9, range in 1_i64..20, offset in -9_i64..9,
        ) {
            let start = Timestamp::from_nanos(start);
            let end = start.plus(Span::from_nanos(length));
            let steps = if step == 0 { Some(Steps::at(start)) } else { Steps::range(start, end, Span::from_nanos(step)) };
            check(steps.unwrap(), range, offset, -60..80);
        }
    }

    #[test]
    fn ends_of_time() {
        for time in [i64::MIN, i64::MAX, 0] {
            let steps = Steps::at(Timestamp::from_nanos(time));
            let windows = Windows::new(steps, Span::from_nanos(i64::MAX), Span::ZERO);
            assert_eq!(windows.seen(time).steps, Some((0, 0)));
        }
    }
}
