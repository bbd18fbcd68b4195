//! Where queries are cut in time, and into how many shards of streams.
//!
//! Cuts lie at multiples of the tenant's interval since 1970. Not every multiple is one: a piece that reads
//! little costs more than it brings, because pages that stand across a cut are read for both sides of it. So
//! pieces are as long as the bytes that they read allow. What the answer is does not depend on it.

use larch_proto::Direction;
use larch_types::{Span, Timestamp};

use crate::plan::Range;

/// More pieces would cost more than they bring, whatever an interval says.
const MAX_PIECES: i64 = 1000;
/// More shards than any cluster of workers has a use for.
const MAX_SHARDS: u64 = 128;
/// So many shards of streams a query is cut into before it is cut by time: no row is read twice for it.
const STREAMS_FIRST: u64 = 4;

/// What is known of a query before it is cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) bytes: u64,
    /// What one piece should read.
    pub(crate) piece_bytes: u64,
    /// Whether it can be computed in shards of streams.
    pub(crate) has_shards: bool,
}

impl Extent {
    /// How many bytes a cut by time should leave in a piece, all shards of it together.
    pub(crate) fn bytes_between_cuts(&self) -> u64 {
        let shards = if self.has_shards { STREAMS_FIRST } else { 1 };
        self.piece_bytes.saturating_mul(shards).max(1)
    }

    /// How long pieces are, as a multiple of the interval; zero: all of the time is one piece.
    pub(crate) fn piece_length(&self, whole: Span, interval: Span) -> Span {
        let pieces = self.bytes.div_ceil(self.bytes_between_cuts());
        if pieces <= 1 || interval <= Span::ZERO {
            return Span::ZERO;
        }
        let cells = div_ceil(whole.nanos(), interval.nanos());
        let pieces = i64::try_from(pieces).unwrap_or(i64::MAX).min(MAX_PIECES);
        let length =
            interval.nanos().saturating_mul((cells / pieces).max(div_ceil(cells, MAX_PIECES)).max(1));
        if length >= whole.nanos() { Span::ZERO } else { Span::from_nanos(length) }
    }

    /// Into how many shards each of so many pieces of time is cut: a power of two.
    pub(crate) fn shards(&self, pieces: usize) -> u32 {
        if !self.has_shards {
            return 1;
        }
        let bytes = self.bytes.div_ceil(pieces.max(1) as u64);
        let shards = bytes.div_ceil(self.piece_bytes.max(1)).clamp(1, MAX_SHARDS).next_power_of_two();
        u32::try_from(shards).unwrap_or(1)
    }
}

/// The ranges of a log query, in the order in which they are read. Each is twice as long as the one before, up
/// to `most`: many queries have enough rows behind the first, and those that do not are soon through.
pub(crate) fn growing(range: Range, interval: Span, direction: Direction, most: Option<Span>) -> Vec<Range> {
    let (mut start, mut end) = range;
    if interval <= Span::ZERO {
        return vec![range];
    }
    let most = most.unwrap_or(Span::from_nanos(i64::MAX)).max(interval);
    let mut length = interval;
    let mut ranges = Vec::new();
    while start < end {
        match direction {
            Direction::Backward => {
                let from = floor(end.minus(length), interval).max(start);
                ranges.push((from, end));
                end = from;
            }
            Direction::Forward => {
                let to = ceil(start.plus(length), interval).min(end);
                ranges.push((start, to));
                start = to;
            }
        }
        length = Span::from_nanos(length.nanos().saturating_mul(2)).min(most);
    }
    ranges
}

/// The range cut at every multiple of the length, from the oldest on. Zero does not cut.
pub(crate) fn even(range: Range, length: Span) -> Vec<Range> {
    let (mut start, end) = range;
    let whole = end.since(start).nanos();
    if length <= Span::ZERO || whole <= length.nanos() {
        return vec![range];
    }
    let length =
        Span::from_nanos(length.nanos().saturating_mul(div_ceil(whole / length.nanos(), MAX_PIECES).max(1)));
    let mut ranges = Vec::new();
    while start < end {
        let to = floor(start, length).plus(length).min(end);
        ranges.push((start, to));
        start = to;
    }
    ranges
}

/// The first and the last instant of each piece of a range query: no instant is in two, and every piece has
/// one. An instant at a cut belongs to the piece before it, as the row at that time does.
pub(crate) fn instants(first: Timestamp, last: Timestamp, step: Span, length: Span) -> Vec<Range> {
    if length <= Span::ZERO || step <= Span::ZERO {
        return vec![(first, last)];
    }
    let mut pieces = Vec::new();
    let mut from = first;
    while from <= last {
        let cell_end = floor(from.minus(Span::from_nanos(1)), length).plus(length).min(last);
        let steps = cell_end.since(from).nanos().max(0) / step.nanos();
        let to = from.plus(Span::from_nanos(step.nanos().saturating_mul(steps)));
        pieces.push((from, to));
        if last.since(to) < step {
            break;
        }
        from = to.plus(step);
    }
    pieces
}

fn floor(time: Timestamp, interval: Span) -> Timestamp {
    time.minus(Span::from_nanos(time.nanos().rem_euclid(interval.nanos())))
}

fn ceil(time: Timestamp, interval: Span) -> Timestamp {
    let past = time.nanos().rem_euclid(interval.nanos());
    if past == 0 { time } else { time.plus(Span::from_nanos(interval.nanos() - past)) }
}

fn div_ceil(dividend: i64, divisor: i64) -> i64 {
    dividend / divisor + i64::from(dividend % divisor > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    fn seconds(ranges: &[Range]) -> Vec<(i64, i64)> {
        ranges.iter().map(|(from, to)| (from.nanos() / 1_000_000_000, to.nanos() / 1_000_000_000)).collect()
    }

    #[test]
    fn log_ranges_grow() {
        let (hour, backward, forward) = (Span::from_secs(10), Direction::Backward, Direction::Forward);
        for (range, direction, most, want) in [
            ((0, 10), backward, None, vec![(0, 10)]),
            ((5, 15), backward, None, vec![(5, 15)]),
            ((5, 27), backward, None, vec![(10, 27), (5, 10)]),
            ((0, 100), backward, None, vec![(90, 100), (70, 90), (30, 70), (0, 30)]),
            ((0, 60), backward, Some(20), vec![(50, 60), (30, 50), (10, 30), (0, 10)]),
            ((3, 100), forward, None, vec![(3, 20), (20, 40), (40, 80), (80, 100)]),
            ((3, 3), forward, None, vec![]),
        ] {
            let found = growing((at(range.0), at(range.1)), hour, direction, most.map(Span::from_secs));
            assert_eq!(seconds(&found), want, "{range:?}");
        }
        assert_eq!(growing((at(0), at(100)), Span::ZERO, backward, None).len(), 1);
        let all = growing((Timestamp::MIN, Timestamp::MAX), Span::from_nanos(1), backward, None);
        assert!(all.len() < 100);
    }

    #[test]
    fn pieces_hold_whole_steps() {
        let cut = |first, last, step, length| {
            seconds(&instants(at(first), at(last), Span::from_secs(step), Span::from_secs(length)))
        };
        assert_eq!(cut(0, 100, 10, 40), [(0, 0), (10, 40), (50, 80), (90, 100)]);
        assert_eq!(cut(5, 95, 30, 40), [(5, 35), (65, 65), (95, 95)]);
        assert_eq!(cut(0, 300, 100, 40), [(0, 0), (100, 100), (200, 200), (300, 300)]);
        assert_eq!(cut(0, 100, 10, 0), [(0, 100)]);
        assert_eq!(cut(7, 7, 10, 5), [(7, 7)]);
    }

    #[test]
    fn how_long_and_how_many() {
        let extent = |bytes, has_shards| Extent { bytes, piece_bytes: 100, has_shards };
        let hours = |hours| Span::from_hours(hours);
        for (bytes, has_shards, length, shards) in [
            (0, true, 0, 1),
            (100, true, 0, 1),
            (101, true, 0, 2),
            (400, true, 0, 4),
            (1600, true, 6, 4),
            (100, false, 0, 1),
            (1600, false, 1, 1),
            (300, false, 8, 1),
            (u64::MAX, true, 1, 128),
        ] {
            let extent = extent(bytes, has_shards);
            let found = extent.piece_length(hours(24), hours(1));
            assert_eq!(found, hours(length), "{extent:?}");
            let pieces = if length == 0 { 1 } else { 24 / length as usize };
            assert_eq!(extent.shards(pieces), shards, "{extent:?}");
        }
        let long = extent(u64::MAX, false).piece_length(hours(100_000), hours(1));
        assert_eq!(long, hours(100));
        assert_eq!(extent(1600, true).piece_length(hours(24), Span::ZERO), Span::ZERO);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_twice(
            start in 0i64..1000, length in 1i64..1000, interval in 1i64..400, step in 1i64..100,
            most in prop::option::of(1i64..500), backward in any::<bool>(),
        ) {
            let (range, span) = ((at(start), at(start + length)), Span::from_secs);
            let direction = if backward { Direction::Backward } else { Direction::Forward };
            let mut cuts = growing(range, span(interval), direction, most.map(span));
            if backward {
                cuts.reverse();
            }
            for ranges in [cuts, even(range, span(interval))] {
                prop_assert_eq!((ranges[0].0, ranges[ranges.len() - 1].1), range);
                prop_assert!(ranges.windows(2).all(|pair| pair[0].1 == pair[1].0 && pair[0].0 < pair[0].1));
            }
            let pieces = instants(range.0, range.1, span(step), span(interval));
            let mut found = Vec::new();
            for (from, to) in pieces {
                let mut time = from;
                while time <= to {
                    found.push(time);
                    time = time.plus(span(step));
                }
            }
            let want: Vec<Timestamp> = (0..=length / step).map(|n| at(start + n * step)).collect();
            prop_assert_eq!(found, want);
        }
    }
}
