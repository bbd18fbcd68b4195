//! The rows that no count has.

use std::collections::{BTreeSet, HashMap};

use larch_proto::{Direction, Selector};
use larch_types::{MatchOp, Matcher, StreamId, Timestamp};

use super::borders::NANOS_PER_MINUTE;
use super::table::StreamGaps;
use crate::rows::Read;

/// Up to so many streams are selected one by one; for more the question's own selectors are as good.
const MAX_SELECTED: usize = 32;

/// Reads that are so near to each other are one: their rows lie in the same chunks.
const NEAR: i64 = 10 * NANOS_PER_MINUTE;

/// Most reads of a question: each asks every ingester, and makes a plan.
const MAX_READS: usize = 16;

/// Which rows count, of those that are read.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// Of every stream: behind the first time and up to the second one. Ascending.
    broken: Vec<(i64, i64)>,
    gaps: HashMap<StreamId, Vec<(i64, i64)>>,
}

impl Left {
    pub(crate) fn has(&self, stream: StreamId, time: Timestamp) -> bool {
        is_in(&self.broken, time.nanos())
            || self.gaps.get(&stream).is_some_and(|gaps| is_in(gaps, time.nanos()))
    }
}

/// Ascending ranges, behind their starts and up to their ends.
pub(super) fn is_in(ranges: &[(i64, i64)], time: i64) -> bool {
    let place = ranges.partition_point(|(_, end)| *end < time);
    ranges.get(place).is_some_and(|(start, _)| *start < time)
}

/// What is left, and the reads that give all of it, and perhaps more.
pub(super) fn left(any_of: &[Selector], broken: Vec<(i64, i64)>, gaps: Vec<StreamGaps>) -> (Left, Vec<Read>) {
    let mut reads = Vec::new();
    for (start, end) in &broken {
        reads.push(read(any_of.to_vec(), *start, *end));
    }
    if !gaps.is_empty() {
        let selectors = if gaps.len() <= MAX_SELECTED { selected(&gaps) } else { any_of.to_vec() };
        for (start, end) in near_ones_united(gaps.iter().flat_map(|gaps| &gaps.ranges).copied()) {
            reads.push(read(selectors.clone(), start, end));
        }
    }
    let gaps = gaps.into_iter().map(|gaps| (gaps.id, gaps.ranges)).collect();
    (Left { broken, gaps }, reads)
}

fn read(any_of: Vec<Selector>, start: i64, end: i64) -> Read {
    Read {
        any_of,
        start: Timestamp::from_nanos(start.saturating_add(1)),
        end: Timestamp::from_nanos(end.saturating_add(1)),
        needles: Vec::new(),
        direction: Direction::Forward,
        limit: 0,
    }
}

/// Other streams may have these labels and more; their rows are left out again.
fn selected(gaps: &[StreamGaps]) -> Vec<Selector> {
    let texts: BTreeSet<&str> = gaps.iter().map(|gaps| &*gaps.text).collect();
    texts.into_iter().map(selector_of).collect()
}

fn selector_of(text: &str) -> Selector {
    // It was read before, when the stream was met.
    let labels: larch_types::Labels = text.parse().unwrap_or_default();
    let matcher = |label: &larch_types::Label| Matcher {
        name: label.name.to_string(),
        op: MatchOp::Equal,
        value: label.value.to_string(),
    };
    Selector { matchers: labels.iter().map(matcher).collect() }
}

fn near_ones_united(ranges: impl Iterator<Item = (i64, i64)>) -> Vec<(i64, i64)> {
    let mut ranges: Vec<(i64, i64)> = ranges.collect();
    ranges.sort_unstable();
    let mut near = NEAR;
    loop {
        let mut united: Vec<(i64, i64)> = Vec::new();
        for (start, end) in &ranges {
            match united.last_mut() {
                Some(last) if start.saturating_sub(last.1) <= near => last.1 = last.1.max(*end),
                _ => united.push((*start, *end)),
            }
        }
        if united.len() <= MAX_READS {
            return united;
        }
        near = near.saturating_mul(2);
        ranges = united;
    }
}
