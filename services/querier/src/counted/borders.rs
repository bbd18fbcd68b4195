//! Where a question divides time, and which minutes it leaves whole.

use std::num::NonZeroU32;

use larch_logql::Steps;
use larch_types::{Span, Timestamp};

pub(super) const NANOS_PER_MINUTE: i64 = 60_000_000_000;

/// Most borders that are looked at: a query of more has so many windows that its rows are few to each.
const MAX_BORDERS: usize = 200_000;

/// Of so many minutes at most one may be divided by a border: the rows of those are read.
const WHOLE_TO_BROKEN: i64 = 8;

/// Times in nanoseconds: a row at such a time is before the border, one later is behind it. All rows that
/// matter are behind the first and not behind the last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Borders {
    /// Ascending; empty if there are none or too many.
    times: Vec<i64>,
}

/// The whole minutes, in cells that no border divides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cells {
    /// From here, and not up to the end.
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) minutes_per_cell: NonZeroU32,
    /// What is not in whole minutes: behind the first time, and up to the second one.
    pub(super) broken: Vec<(i64, i64)>,
}

impl Borders {
    /// Of windows (t − offset − range, t − offset], as far as they are in a piece from `start` and before
    /// `end`.
    pub(crate) fn of_windows(
        windows: impl Iterator<Item = (Span, Span)> + Clone,
        steps: Steps,
        piece: (Timestamp, Timestamp),
    ) -> Self {
        let mut times = Vec::new();
        for time in steps.iter() {
            for (range, offset) in windows.clone() {
                let end = time.minus(offset);
                times.extend([end.minus(range).nanos(), end.nanos()]);
            }
            if times.len() > MAX_BORDERS {
                return Self::default();
            }
        }
        Self::new(times, piece)
    }

    /// Of buckets that begin at multiples of a width since 1970; one, if that is zero.
    pub(crate) fn of_buckets(width: Span, piece: (Timestamp, Timestamp)) -> Self {
        let mut times = vec![i64::MIN, i64::MAX];
        let width = width.nanos();
        if width > 0 {
            let mut begin = piece.0.nanos().saturating_sub(1).div_euclid(width).saturating_mul(width);
            while begin < piece.1.nanos() {
                times.push(begin.saturating_sub(1));
                begin = begin.saturating_add(width);
                if times.len() > MAX_BORDERS {
                    return Self::default();
                }
            }
        }
        Self::new(times, piece)
    }

    fn new(mut times: Vec<i64>, (start, end): (Timestamp, Timestamp)) -> Self {
        let (least, most) = (start.nanos().saturating_sub(1), end.nanos().saturating_sub(1));
        for time in &mut times {
            *time = (*time).clamp(least, most.max(least));
        }
        times.sort_unstable();
        times.dedup();
        Self { times }
    }

    /// None if too little is left whole.
    pub(super) fn cells(&self) -> Option<Cells> {
        let (first, last) = (*self.times.first()?, *self.times.last()?);
        let (start, end) = (minute_at_or_after(first)?, minute_at_or_after(last)?);
        // The last minute may be whole or not.
        let end = if end == last { end } else { end - NANOS_PER_MINUTE };
        if start >= end {
            return None;
        }
        let mut broken: Vec<(i64, i64)> = Vec::new();
        let mut add = |from: i64, to: i64| match broken.last_mut() {
            Some(known) if from <= known.1 => known.1 = known.1.max(to),
            _ => broken.push((from, to)),
        };
        if first < start {
            add(first, start);
        }
        let (mut divided, mut minutes) = (0, common_divisor(start, end));
        for time in self.times.iter().copied().filter(|time| start < *time && *time < end) {
            let minute = minute_at_or_after(time)?;
            if minute == time {
                minutes = common_divisor(minutes, time);
            } else {
                divided += 1;
                minutes = NANOS_PER_MINUTE;
                add(minute - NANOS_PER_MINUTE, minute);
            }
        }
        if end < last {
            add(end, last);
        }
        if divided * WHOLE_TO_BROKEN > (end - start) / NANOS_PER_MINUTE {
            return None;
        }
        let minutes = u32::try_from(minutes / NANOS_PER_MINUTE).unwrap_or(1);
        Some(Cells {
            start: Timestamp::from_nanos(start + 1),
            end: Timestamp::from_nanos(end + 1),
            minutes_per_cell: NonZeroU32::new(minutes).unwrap_or(NonZeroU32::MIN),
            broken,
        })
    }
}

fn minute_at_or_after(time: i64) -> Option<i64> {
    let past = time.rem_euclid(NANOS_PER_MINUTE);
    if past == 0 { Some(time) } else { time.checked_add(NANOS_PER_MINUTE - past) }
}

/// Of whole minutes.
fn common_divisor(left: i64, right: i64) -> i64 {
    let (mut left, mut right) = (left, right);
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left.saturating_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = NANOS_PER_MINUTE;

    /// Start and end of the whole minutes, minutes of a cell, and what is broken.
    type Shown = (i64, i64, u32, Vec<(i64, i64)>);

    fn cells(borders: &Borders) -> Option<Shown> {
        let Cells { start, end, minutes_per_cell, broken } = borders.cells()?;
        Some((start.nanos() - 1, end.nanos() - 1, minutes_per_cell.get(), broken))
    }

    #[test]
    fn windows() {
        let all = (Timestamp::from_nanos(i64::MIN / 2), Timestamp::from_nanos(i64::MAX / 2));
        let of = |start: i64, end: i64, step: i64, windows: &[(i64, i64)]| {
            let at = Timestamp::from_nanos;
            let steps = Steps::range(at(start), at(end), Span::from_nanos(step)).unwrap();
            let windows =
                windows.iter().map(|(range, offset)| (Span::from_nanos(*range), Span::from_nanos(*offset)));
            cells(&Borders::of_windows(windows, steps, all))
        };
        let (m, s) = (MINUTE, MINUTE / 60);
        assert_eq!(of(0, 100 * m, 5 * m, &[(5 * m, 0)]), Some((-5 * m, 100 * m, 5, vec![])));
        assert_eq!(of(0, 100 * m, 10 * m, &[(5 * m, 0)]), Some((-5 * m, 100 * m, 5, vec![])));
        assert_eq!(of(m, 101 * m, 5 * m, &[(5 * m, 0)]), Some((-4 * m, 101 * m, 1, vec![])));
        assert_eq!(of(0, 100 * m, 5 * m, &[(5 * m, 2 * m)]), Some((-7 * m, 98 * m, 1, vec![])));
        assert_eq!(of(0, 100 * m, 5 * m, &[(5 * m, s)]), None, "a fifth is divided");
        let hours = of(s, 600 * m + s, 60 * m, &[(60 * m, 0)]).unwrap();
        assert_eq!((hours.0, hours.1, hours.2), (-59 * m, 600 * m, 1));
        assert_eq!(hours.3[0], (-60 * m + s, -59 * m));
        assert_eq!(hours.3[1], (0, m));
        assert_eq!(hours.3.last(), Some(&(600 * m, 600 * m + s)));
        assert_eq!(of(0, m, 10 * s, &[(10 * s, 0)]), None);
        assert_eq!(of(0, 30 * s, s, &[(30 * s, 0)]), None, "no minute is whole");
    }

    #[test]
    fn buckets() {
        let m = MINUTE;
        let of = |start: i64, end: i64, width: i64| {
            let piece = (Timestamp::from_nanos(start), Timestamp::from_nanos(end));
            cells(&Borders::of_buckets(Span::from_nanos(width), piece))
        };
        // The row of the first instant is in the minute before, and one at the end does not count.
        assert_eq!(of(0, 60 * m, 0), Some((0, 59 * m, 59, vec![(-1, 0), (59 * m, 60 * m - 1)])));
        assert_eq!(of(1, 60 * m + 1, 0), Some((0, 60 * m, 60, vec![])));
        let hours = of(0, 120 * m, 60 * m).unwrap();
        assert_eq!((hours.0, hours.1, hours.2), (0, 119 * m, 1));
        assert_eq!(hours.3, [(-1, 0), (59 * m, 60 * m), (119 * m, 120 * m - 1)]);
        assert_eq!(of(0, 120 * m, 5 * m), None);
    }
}
