//! Tails of segment files that were read a while ago, so that a query does not read them again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larch_segment::Segment;
use larch_types::SegmentId;

/// What they may take together: tails of some hundred files of full size.
const MOST_BYTES: usize = 64 << 20;

#[derive(Default)]
pub(crate) struct Tails(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    tails: HashMap<SegmentId, Tail>,
    bytes: usize,
    /// Counts uses, to find the tail that was not used for longest.
    uses: u64,
}

struct Tail {
    segment: Arc<Segment>,
    bytes: usize,
    last_use: u64,
}

impl Tails {
    /// Nothing that runs under the lock can panic halfway through a change.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, id: SegmentId) -> Option<Arc<Segment>> {
        let mut kept = self.lock();
        kept.uses += 1;
        let uses = kept.uses;
        let tail = kept.tails.get_mut(&id)?;
        tail.last_use = uses;
        Some(Arc::clone(&tail.segment))
    }

    pub(crate) fn forget(&self, id: SegmentId) {
        let mut kept = self.lock();
        if let Some(tail) = kept.tails.remove(&id) {
            kept.bytes -= tail.bytes;
        }
    }

    /// Others make room for it.
    pub(crate) fn keep(&self, id: SegmentId, segment: Segment, bytes: usize) -> Arc<Segment> {
        let segment = Arc::new(segment);
        let mut kept = self.lock();
        kept.uses += 1;
        let last_use = kept.uses;
        kept.bytes += bytes;
        let before = kept.tails.insert(id, Tail { segment: Arc::clone(&segment), bytes, last_use });
        kept.bytes -= before.map_or(0, |before| before.bytes);
        while kept.bytes > MOST_BYTES && kept.forget_oldest() {}
        segment
    }
}

impl Kept {
    fn forget_oldest(&mut self) -> bool {
        let oldest = self.tails.iter().min_by_key(|(_, tail)| tail.last_use).map(|(id, _)| *id);
        let Some(tail) = oldest.and_then(|id| self.tails.remove(&id)) else { return false };
        self.bytes -= tail.bytes;
        true
    }
}

#[cfg(test)]
mod tests {
    use larch_segment::{Effort, Provenance, SegmentBuilder};
    use larch_types::NodeId;

    use super::*;

    fn segment(id: SegmentId) -> Segment {
        let uploader = NodeId::from_u128(1);
        let provenance =
            Provenance { id, uploader, inputs: Vec::new(), siblings: Vec::new(), tombstones: Vec::new() };
        let bytes = SegmentBuilder::new().finish(provenance, Effort::Fresh).unwrap().bytes;
        let length = bytes.len() as u64;
        Segment::open(&bytes.into(), length).unwrap()
    }

    #[test]
    fn the_tail_that_was_not_used_for_longest_goes() {
        let tails = Tails::default();
        let id = SegmentId::from_u128;
        for number in 1..=3 {
            tails.keep(id(number), segment(id(number)), MOST_BYTES / 3);
        }
        assert!(tails.find(id(1)).is_some());
        tails.keep(id(4), segment(id(4)), MOST_BYTES / 3);
        assert!(tails.find(id(2)).is_none());
        assert!(tails.find(id(1)).is_some() && tails.find(id(3)).is_some() && tails.find(id(4)).is_some());
        tails.keep(id(5), segment(id(5)), MOST_BYTES);
        assert!(tails.find(id(5)).is_some());
        assert_eq!(tails.lock().bytes, MOST_BYTES);
    }
}
