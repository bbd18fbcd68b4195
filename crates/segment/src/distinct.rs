//! Which of several counts of one stream are of different rows: those may be added up.

use larch_types::Timestamp;

/// What one source says of its rows in some span of time, each of them once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub rows: u64,
    /// Sum modulo 2^64 of the rows' identities, if it is known.
    pub digest: Option<u64>,
    /// No row is older.
    pub first: Timestamp,
    /// No row is newer.
    pub last: Timestamp,
}

/// The places of tallies that together count every row once; none if that cannot be proved.
///
/// A row has its time in its identity, so that sources whose times do not meet have no row in common. Of
/// those whose times do, all must have the same rows, and one of them counts: they have if their numbers of
/// rows and their digests are equal. Of one whose digest is not known nobody can say so.
pub fn distinct(tallies: &[Tally]) -> Option<Vec<usize>> {
    let mut order: Vec<usize> = (0..tallies.len()).filter(|place| tallies[*place].rows > 0).collect();
    order.sort_by_key(|place| (tallies[*place].first, *place));
    let mut chosen: Vec<usize> = Vec::new();
    let mut reached = None;
    for place in order {
        let tally = &tallies[place];
        match (chosen.last().map(|last| &tallies[*last]), reached) {
            (Some(one), Some(end)) if tally.first <= end => {
                if tally.digest.is_none() || (one.rows, one.digest) != (tally.rows, tally.digest) {
                    return None;
                }
                reached = Some(tally.last.max(end));
            }
            _ => {
                chosen.push(place);
                reached = Some(tally.last);
            }
        }
    }
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    fn tally(first: i64, last: i64, rows: u64, digest: u64) -> Tally {
        let digest = Some(digest);
        Tally { rows, digest, first: Timestamp::from_nanos(first), last: Timestamp::from_nanos(last) }
    }

    fn unknown(tally: Tally) -> Tally {
        Tally { digest: None, ..tally }
    }

    #[test]
    fn copies_and_parts() {
        let (a, b) = (tally(0, 5, 3, 7), tally(6, 9, 2, 8));
        for (tallies, want) in [
            (vec![], Some(vec![])),
            (vec![a], Some(vec![0])),
            (vec![b, a], Some(vec![1, 0])),
            (vec![a, a, b, a], Some(vec![0, 2])),
            (vec![a, tally(5, 9, 3, 7)], Some(vec![0])),
            (vec![a, tally(5, 9, 3, 8)], None),
            (vec![a, tally(5, 9, 4, 7)], None),
            (vec![a, tally(0, 9, 0, 0), b], Some(vec![0, 2])),
            // The third meets what the second reaches.
            (vec![tally(0, 1, 1, 1), tally(1, 9, 1, 1), tally(5, 6, 2, 2)], None),
            (vec![tally(0, 9, 1, 1), tally(1, 2, 1, 1), tally(8, 8, 1, 2)], None),
            // Without a digest one may stand alone, and beside others.
            (vec![b, unknown(a)], Some(vec![1, 0])),
            (vec![a, unknown(a)], None),
            (vec![unknown(a), a], None),
            (vec![unknown(a), unknown(a)], None),
        ] {
            assert_eq!(distinct(&tallies), want, "{tallies:?}");
        }
    }

    proptest! {
        /// Whatever sources hold: if there is an answer, it counts every row once.
        #[test]
        fn every_row_once(
            sources in prop::collection::vec(
                (prop::collection::btree_set((0_i64..12, 0_u64..2), 0..5), any::<bool>()), 0..5),
        ) {
            let identity = |(time, row): &(i64, u64)| xxh3_64(format!("{time} {row}").as_bytes());
            let mut tallies = Vec::new();
            for (rows, is_known) in &sources {
                let first = rows.first().map_or(0, |row| row.0);
                let last = rows.last().map_or(0, |row| row.0);
                let digest = rows.iter().map(identity).fold(0, u64::wrapping_add);
                let known = tally(first, last, rows.len() as u64, digest);
                tallies.push(if *is_known { known } else { unknown(known) });
            }
            if let Some(chosen) = distinct(&tallies) {
                let counted: u64 = chosen.iter().map(|place| tallies[*place].rows).sum();
                let all: BTreeSet<_> = sources.iter().flat_map(|(rows, _)| rows).collect();
                prop_assert_eq!(counted, all.len() as u64);
            }
        }
    }
}
