//! Which requests fetch a set of ranges: what lies close together is read in one.

use std::ops::Range;

/// Bytes between two ranges that are read for nothing rather than asked for apart. A request costs some
/// 100 ms and its price; this many bytes take a tenth of that.
const MAX_GAP: u64 = 1 << 20;

/// Ranges are not joined beyond this, so that large reads go in parallel.
const MAX_JOINED: u64 = 16 << 20;

/// Fetched at once, and the ranges in it, by their place in what was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Joined {
    pub(super) range: Range<u64>,
    pub(super) members: Vec<usize>,
}

/// Every range that is not empty is in exactly one of the results, which rise.
pub(super) fn join(ranges: &[Range<u64>]) -> Vec<Joined> {
    let mut order: Vec<usize> = (0..ranges.len()).filter(|index| !ranges[*index].is_empty()).collect();
    order.sort_by_key(|index| (ranges[*index].start, ranges[*index].end));
    let mut joined: Vec<Joined> = Vec::new();
    for index in order {
        let range = &ranges[index];
        if let Some(last) = joined.last_mut() {
            let end = last.range.end.max(range.end);
            let close = range.start <= last.range.end.saturating_add(MAX_GAP);
            let inside = range.end <= last.range.end;
            if inside || (close && end - last.range.start <= MAX_JOINED) {
                last.range.end = end;
                last.members.push(index);
                continue;
            }
        }
        joined.push(Joined { range: range.clone(), members: vec![index] });
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(ranges: &[Range<u64>], want: &[(Range<u64>, &[usize])]) {
        let want: Vec<Joined> = want
            .iter()
            .map(|(range, members)| Joined { range: range.clone(), members: members.to_vec() })
            .collect();
        assert_eq!(join(ranges), want);
    }

    #[test]
    fn joins_what_is_close() {
        const M: u64 = 1 << 20;
        check(&[], &[]);
        check(&[5..5, 7..7], &[]);
        check(&[10..20, 0..5], &[(0..20, &[1, 0])]);
        check(&[0..10, M + 10..M + 20], &[(0..M + 20, &[0, 1])]);
        check(&[0..10, M + 11..M + 20], &[(0..10, &[0]), (M + 11..M + 20, &[1])]);
        check(&[0..10, 2..4, 5..15], &[(0..15, &[0, 1, 2])]);
        check(&[0..16 * M, 16 * M..17 * M], &[(0..16 * M, &[0]), (16 * M..17 * M, &[1])]);
        check(&[0..40 * M, 20 * M..21 * M], &[(0..40 * M, &[0, 1])]);
        check(&[u64::MAX - 1..u64::MAX, 0..1], &[(0..1, &[1]), (u64::MAX - 1..u64::MAX, &[0])]);
    }

    proptest! {
        #[test]
        fn every_range_is_in_one(given in prop::collection::vec((0..1_u64 << 26, 0..1_u64 << 22), 0..20)) {
            let ranges: Vec<Range<u64>> = given.iter().map(|(start, length)| *start..start + length).collect();
            let mut seen = vec![0; ranges.len()];
            for part in join(&ranges) {
                for index in part.members {
                    seen[index] += 1;
                    prop_assert!(part.range.start <= ranges[index].start);
                    prop_assert!(ranges[index].end <= part.range.end);
                }
            }
            for (range, seen) in ranges.iter().zip(seen) {
                prop_assert_eq!(seen, usize::from(!range.is_empty()));
            }
        }
    }
}
