//! Tails of segment files that were read a while ago, so that a query does not read them again; and how much all that
//! are in use take.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larch_rpc::CallError;
use larch_segment::Segment;
use larch_types::{ErrorKind, SegmentId};

/// What is kept may take so much together: tails of some hundred files of full size.
const MOST_BYTES: usize = 64 << 20;

pub(crate) struct Tails {
    kept: Mutex<Kept>,
    /// Of all that are in memory, kept or read from.
    live: Arc<AtomicUsize>,
    /// From there on reads open no more.
    most_live: usize,
}

/// What a file says of itself. It counts as long as somebody has it.
pub(crate) struct Tail {
    segment: Segment,
    bytes: usize,
    live: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Kept {
    tails: HashMap<SegmentId, KeptTail>,
    bytes: usize,
    /// Counts uses, to find the tail that was not used for longest.
    uses: u64,
}

struct KeptTail {
    tail: Arc<Tail>,
    last_use: u64,
}

impl Tails {
    pub(crate) fn new(most_live: usize) -> Self {
        Self { kept: Mutex::default(), live: Arc::default(), most_live: most_live.max(2 * MOST_BYTES) }
    }

    /// Nothing that runs under the lock can panic halfway through a change.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a read may open another file. In an outage of the store there may be thousands.
    pub(crate) fn check_room(&self) -> Result<(), CallError> {
        let live = self.live.load(Ordering::Relaxed);
        if live < self.most_live {
            return Ok(());
        }
        let text = format!(
            "what is read of segment files takes {live} bytes, of {} that it may take; ask for less time, or wait for \
             their upload",
            self.most_live
        );
        Err(CallError::new(ErrorKind::Unavailable, text))
    }

    pub(crate) fn find(&self, id: SegmentId) -> Option<Arc<Tail>> {
        let mut kept = self.lock();
        kept.uses += 1;
        let uses = kept.uses;
        let found = kept.tails.get_mut(&id)?;
        found.last_use = uses;
        Some(Arc::clone(&found.tail))
    }

    pub(crate) fn forget(&self, id: SegmentId) {
        let mut kept = self.lock();
        if let Some(found) = kept.tails.remove(&id) {
            kept.bytes -= found.tail.bytes;
        }
    }

    /// Others make room for it.
    pub(crate) fn keep(&self, id: SegmentId, segment: Segment, bytes: usize) -> Arc<Tail> {
        self.live.fetch_add(bytes, Ordering::Relaxed);
        let tail = Arc::new(Tail { segment, bytes, live: Arc::clone(&self.live) });
        let mut kept = self.lock();
        kept.uses += 1;
        let last_use = kept.uses;
        kept.bytes += bytes;
        let before = kept.tails.insert(id, KeptTail { tail: Arc::clone(&tail), last_use });
        kept.bytes -= before.map_or(0, |before| before.tail.bytes);
        while kept.bytes > MOST_BYTES && kept.forget_oldest() {}
        tail
    }
}

impl Kept {
    fn forget_oldest(&mut self) -> bool {
        let oldest = self.tails.iter().min_by_key(|(_, found)| found.last_use).map(|(id, _)| *id);
        let Some(found) = oldest.and_then(|id| self.tails.remove(&id)) else { return false };
        self.bytes -= found.tail.bytes;
        true
    }
}

impl Deref for Tail {
    type Target = Segment;

    fn deref(&self) -> &Segment {
        &self.segment
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.live.fetch_sub(self.bytes, Ordering::Relaxed);
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
        let tails = Tails::new(0);
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
        assert!(tails.check_room().is_ok());
        let in_use = tails.keep(id(6), segment(id(6)), MOST_BYTES);
        let other = tails.keep(id(7), segment(id(7)), MOST_BYTES);
        let refused = tails.check_room().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        assert!(tails.find(id(6)).is_none(), "it counts although it is not kept");
        drop((in_use, other));
        assert!(tails.check_room().is_ok());
    }
}
