//! How often a pattern came, interval by interval.

use std::collections::VecDeque;

use larch_types::{Span, Timestamp};

/// How time is cut: in intervals, of which a block holds some.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intervals {
    pub(super) width: Span,
    pub(super) per_block: i64,
}

/// Blocks ascend, and the intervals within them.
#[derive(Debug, Default)]
pub(super) struct Samples {
    blocks: VecDeque<Block>,
}

#[derive(Debug)]
struct Block {
    number: i64,
    /// Place of the interval within the block, and its rows.
    counts: Vec<(u32, u32)>,
}

/// What a block and a count of it take in memory; vectors grow to twice what they hold.
const BLOCK_BYTES: usize = size_of::<Block>();
const COUNT_BYTES: usize = 2 * size_of::<(u32, u32)>();

impl Intervals {
    /// A block covers at least one interval.
    pub(super) fn new(width: Span, block: Span) -> Self {
        Self { width, per_block: (block.nanos() / width.nanos().max(1)).clamp(1, 1 << 20) }
    }

    /// Block, and place in it.
    fn place(self, time: Timestamp) -> (i64, u32) {
        let interval = time.nanos().div_euclid(self.width.nanos().max(1));
        (interval.div_euclid(self.per_block), interval.rem_euclid(self.per_block) as u32)
    }

    fn start(self, block: i64, place: u32) -> Timestamp {
        let interval = block.saturating_mul(self.per_block).saturating_add(i64::from(place));
        Timestamp::from_nanos(interval.saturating_mul(self.width.nanos()))
    }
}

impl Samples {
    /// Counts a row. Where there is no room, only intervals that are there already count; false if the row
    /// does not.
    pub(super) fn add(&mut self, time: Timestamp, intervals: Intervals, has_room: bool) -> bool {
        let (number, place) = intervals.place(time);
        let at = self.blocks.partition_point(|block| block.number < number);
        if self.blocks.get(at).is_none_or(|block| block.number != number) {
            if !has_room {
                return false;
            }
            self.blocks.insert(at, Block { number, counts: Vec::new() });
        }
        let Some(block) = self.blocks.get_mut(at) else { return false };
        let at = block.counts.partition_point(|(known, _)| *known < place);
        match block.counts.get_mut(at) {
            Some((known, rows)) if *known == place => *rows = rows.saturating_add(1),
            _ if has_room => block.counts.insert(at, (place, 1)),
            _ => return false,
        }
        true
    }

    /// Forgets blocks that end at this time or before.
    pub(super) fn forget_before(&mut self, time: Timestamp, intervals: Intervals) {
        while let Some(block) = self.blocks.front()
            && intervals.start(block.number.saturating_add(1), 0) <= time
        {
            self.blocks.pop_front();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.blocks.iter().map(|block| BLOCK_BYTES + block.counts.len() * COUNT_BYTES).sum()
    }

    /// Starts and rows of the intervals that begin in the half-open range, ascending.
    pub(super) fn between(
        &self,
        start: Timestamp,
        end: Timestamp,
        intervals: Intervals,
    ) -> impl Iterator<Item = (Timestamp, u64)> {
        self.blocks
            .iter()
            .flat_map(move |block| {
                let counts = block.counts.iter();
                counts.map(move |(place, rows)| (intervals.start(block.number, *place), u64::from(*rows)))
            })
            .filter(move |(time, _)| start <= *time && *time < end)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    proptest! {
        #[test]
        fn counts_are_those_of_a_map(
            rows in prop::collection::vec((-500_i64..500, any::<bool>()), 0..200),
            from in -500_i64..500,
            forgotten in -600_i64..500,
        ) {
            let intervals = Intervals::new(Span::from_secs(10), Span::from_mins(1));
            let (mut samples, mut model) = (Samples::default(), BTreeMap::<i64, u64>::new());
            for (second, has_room) in rows {
                let start = second.div_euclid(10) * 10;
                let counted = has_room || model.contains_key(&start);
                prop_assert_eq!(samples.add(at(second), intervals, has_room), counted);
                if counted {
                    *model.entry(start).or_default() += 1;
                }
            }
            samples.forget_before(at(forgotten), intervals);
            model.retain(|start, _| start.div_euclid(60) * 60 + 60 > forgotten);
            prop_assert_eq!(samples.is_empty(), model.is_empty());
            let found: Vec<(Timestamp, u64)> = samples.between(at(from), Timestamp::MAX, intervals).collect();
            let wanted: Vec<(Timestamp, u64)> =
                model.range(from..).map(|(start, rows)| (at(*start), *rows)).collect();
            prop_assert_eq!(found, wanted);
        }
    }

    #[test]
    fn a_block_holds_an_interval_at_least() {
        assert_eq!(Intervals::new(Span::from_hours(1), Span::from_secs(1)).per_block, 1);
        assert_eq!(Intervals::new(Span::from_secs(10), Span::from_hours(1)).per_block, 360);
    }
}
