//! Operators that choose and order whole series by their values. NaN comes last whichever way; of equal
//! values the one that came first stays first.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::Vector;
use crate::ast::Grouping;
use crate::eval::{LabelSet, Sample};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Ascending,
    Descending,
}

pub(crate) fn sort(direction: Direction, mut vector: Vector) -> Vector {
    vector.sort_by(|left, right| compare(direction, left, right));
    vector
}

/// The first `count` series of every group in that direction.
pub(crate) fn top(direction: Direction, count: usize, grouping: &Grouping, vector: Vector) -> Vector {
    let mut groups: BTreeMap<LabelSet, Vector> = BTreeMap::new();
    for sample in vector {
        groups.entry(sample.labels.group(grouping)).or_default().push(sample);
    }
    let mut out = Vec::new();
    for group in groups.into_values() {
        out.extend(sort(direction, group).into_iter().take(count));
    }
    out
}

fn compare(direction: Direction, left: &Sample, right: &Sample) -> Ordering {
    let (left, right) = (left.value, right.value);
    let by_value = left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()));
    if direction == Direction::Descending && !left.is_nan() && !right.is_nan() {
        by_value.reverse()
    } else {
        by_value
    }
}
