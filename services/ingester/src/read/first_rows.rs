//! Which rows come first, where only some are wanted.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use larch_proto::Direction;

/// Times of the rows of one source that come first, as many as are wanted. In one source no row comes twice, so
/// that what comes behind all of them is not wanted, wherever it is.
pub(super) struct FirstRows {
    direction: Direction,
    /// `None`: all rows are wanted.
    limit: Option<usize>,
    /// Greater ranks come first; the least one on top.
    ranks: BinaryHeap<Reverse<i64>>,
}

impl FirstRows {
    /// More rows than that are not told apart: their ranks would take more than the rows.
    const MOST: u64 = 100_000;

    pub(super) fn new(limit: u64, direction: Direction) -> Self {
        let limit = (1..=Self::MOST).contains(&limit).then_some(limit as usize);
        Self { direction, limit, ranks: BinaryHeap::new() }
    }

    const fn rank(&self, time: i64) -> i64 {
        match self.direction {
            Direction::Forward => !time,
            Direction::Backward => time,
        }
    }

    pub(super) fn add(&mut self, times: impl Iterator<Item = i64>) {
        let Some(limit) = self.limit else { return };
        for time in times {
            let rank = self.rank(time);
            if self.ranks.len() < limit {
                self.ranks.push(Reverse(rank));
            } else if self.ranks.peek().is_some_and(|least| least.0 < rank) {
                self.ranks.pop();
                self.ranks.push(Reverse(rank));
            }
        }
    }

    /// Whether enough rows come before that time. Those of the time of the last one are wanted too.
    pub(super) fn is_behind(&self, time: i64) -> bool {
        self.limit == Some(self.ranks.len())
            && self.ranks.peek().is_some_and(|least| self.rank(time) < least.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_behind_the_first_ones() {
        let check = |direction, limit, times: &[i64], behind: &[i64]| {
            let mut first = FirstRows::new(limit, direction);
            first.add(times.iter().copied());
            let found: Vec<i64> = (0..10).filter(|time| first.is_behind(*time)).collect();
            assert_eq!(found, behind, "{direction:?} {limit} {times:?}");
        };
        check(Direction::Backward, 2, &[3, 7, 5, 7, 1], &[0, 1, 2, 3, 4, 5, 6]);
        check(Direction::Backward, 3, &[3, 7, 5, 7, 1], &[0, 1, 2, 3, 4]);
        check(Direction::Forward, 2, &[3, 7, 5, 1], &[4, 5, 6, 7, 8, 9]);
        check(Direction::Forward, 5, &[3, 7, 5, 1], &[]);
        check(Direction::Forward, 0, &[3, 7, 5, 1], &[]);
        check(Direction::Backward, FirstRows::MOST + 1, &[3], &[]);
    }
}
