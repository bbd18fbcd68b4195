//! Where copies of a row can be: at times of a stream that more than one source covers. Everywhere else every
//! row is the only one of its kind, and nobody needs to look whether it is.

use std::collections::HashMap;
use std::sync::Arc;

/// The times, both included, that a source has rows of a stream at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Covered {
    /// The stream's number.
    pub stream: u32,
    /// Within one source no row comes twice.
    pub source: u32,
    pub first: i64,
    pub last: i64,
}

/// Ranges of time, both ends included, that ascend and do not touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contested(Vec<(i64, i64)>);

/// By stream, the times that several sources cover.
#[derive(Debug, Default)]
pub struct Overlaps {
    by_stream: HashMap<u32, Arc<Contested>>,
    none: Arc<Contested>,
}

impl Contested {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn holds(&self, time: i64) -> bool {
        let behind = self.0.partition_point(|(_, last)| *last < time);
        self.0.get(behind).is_some_and(|(first, _)| *first <= time)
    }

    /// Whether any of these times, both ends included, is contested.
    pub fn touches(&self, first: i64, last: i64) -> bool {
        let behind = self.0.partition_point(|(_, end)| *end < first);
        self.0.get(behind).is_some_and(|(start, _)| *start <= last)
    }
}

impl Overlaps {
    pub fn of(mut covered: Vec<Covered>) -> Self {
        covered.sort_unstable_by_key(|one| (one.stream, one.first, one.last, one.source));
        let mut by_stream = HashMap::new();
        for of_stream in covered.chunk_by(|left, right| left.stream == right.stream) {
            let contested = contested(of_stream);
            if !contested.is_empty() {
                by_stream.insert(of_stream[0].stream, Arc::new(contested));
            }
        }
        Self { by_stream, none: Arc::default() }
    }

    pub fn of_stream(&self, stream: u32) -> Arc<Contested> {
        Arc::clone(self.by_stream.get(&stream).unwrap_or(&self.none))
    }
}

/// Of one stream, by first time. What a source shares with the ones that began before it ends where it ends
/// or where the longest of them does: of those only the two that reach farthest, of two sources, are kept.
fn contested(covered: &[Covered]) -> Contested {
    let mut found: Vec<(i64, i64)> = Vec::new();
    let (mut farthest, mut other): (Option<Covered>, Option<Covered>) = (None, None);
    for one in covered {
        let rival = match farthest {
            Some(known) if known.source != one.source => Some(known),
            _ => other,
        };
        if let Some(rival) = rival.filter(|rival| rival.last >= one.first) {
            add(&mut found, (one.first, one.last.min(rival.last)));
        }
        match farthest {
            Some(known) if known.source == one.source => {
                if one.last > known.last {
                    farthest = Some(*one);
                }
            }
            Some(known) if one.last > known.last => (farthest, other) = (Some(*one), Some(known)),
            Some(_) if other.is_none_or(|other| one.last > other.last) => other = Some(*one),
            Some(_) => {}
            None => farthest = Some(*one),
        }
    }
    Contested(found)
}

/// Ranges come by their first time.
fn add(found: &mut Vec<(i64, i64)>, (first, last): (i64, i64)) {
    match found.last_mut() {
        Some(known) if known.1 >= first => known.1 = known.1.max(last),
        _ => found.push((first, last)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn times_that_two_sources_cover(
            given in prop::collection::vec((0_u32..2, 0_u32..4, 0_i64..30, 0_i64..9), 0..20),
        ) {
            let covered: Vec<Covered> = given
                .iter()
                .map(|(stream, source, first, length)| Covered {
                    stream: *stream, source: *source, first: *first, last: first + length,
                })
                .collect();
            let overlaps = Overlaps::of(covered.clone());
            for stream in 0..2 {
                let found = overlaps.of_stream(stream);
                for time in -1..45 {
                    let mut sources: Vec<u32> = covered
                        .iter()
                        .filter(|one| one.stream == stream && one.first <= time && time <= one.last)
                        .map(|one| one.source)
                        .collect();
                    sources.sort_unstable();
                    sources.dedup();
                    prop_assert_eq!(found.holds(time), sources.len() > 1, "{} of {:?}", time, found);
                    prop_assert_eq!(found.touches(time, time), sources.len() > 1);
                }
            }
        }
    }
}
