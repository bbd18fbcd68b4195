//! Where a tenant's rows are on this node: in the arena, cut and still in memory, or in segment files.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larch_proto::WalPosition;
use larch_segment::{Arena, ArenaLimits, Frozen, Held, PushError, PushPart, Room, Snapshot};
use larch_types::{Monotonic, SegmentId};

use crate::record::Cut;
use crate::segment_file::SegmentFile;

/// A tenant's rows are cut long before; this is for when they cannot be, and keeps what is cut at once
/// within a segment.
const ARENA: ArenaLimits = ArenaLimits { row_bytes: 1 << 30, stream_bytes: 128 << 20 };

pub(crate) struct Shelf {
    arena: Arena,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Pushes that are in the arena.
    pushes: Option<Stretch>,
    /// The last push that was applied.
    last: WalPosition,
    /// Cut and not in files yet, the oldest first.
    cut: Vec<Arc<CutRows>>,
    files: Vec<Arc<SegmentFile>>,
    /// The record of the log that names all files. `None` without files.
    described: Option<WalPosition>,
}

/// Pushes that follow each other.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    first: WalPosition,
    since: Monotonic,
}

/// Rows on their way from the arena into files.
pub(crate) struct CutRows {
    pub(crate) rows: Frozen,
    first: WalPosition,
    /// Pushes up to here are in it, or were cut before.
    pub(crate) upto: WalPosition,
}

/// Where some of the rows are.
pub(crate) enum Place {
    Memory(Snapshot),
    File(Arc<SegmentFile>),
}

/// What there is, for decisions about cuts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Holdings {
    /// In the arena.
    pub(crate) raw_bytes: usize,
    /// What the arena takes in memory, with its streams.
    pub(crate) arena_bytes: usize,
    /// In the arena, and cut and still in memory.
    pub(crate) rows: u64,
    pub(crate) streams: usize,
    pub(crate) memory_bytes: usize,
    /// When the oldest push came that is not cut.
    pub(crate) since: Option<Monotonic>,
    /// The oldest record whose rows are in memory only.
    pub(crate) oldest_rows: Option<WalPosition>,
    /// The record that names the files, if there are any.
    pub(crate) described: Option<WalPosition>,
    pub(crate) files: usize,
}

impl Holdings {
    /// The oldest record that a restart needs.
    pub(crate) fn needed(&self) -> Option<WalPosition> {
        [self.oldest_rows, self.described].into_iter().flatten().min()
    }
}

impl Shelf {
    pub(crate) fn new() -> Self {
        Self { arena: Arena::new(ARENA), state: Mutex::new(State::default()) }
    }

    /// Nothing that runs under the lock can panic halfway through a change.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What can be pushed before the next cut. What is being logged is not counted.
    pub(crate) fn room(&self) -> Room {
        self.arena.room()
    }

    /// Whether a part fits a segment and the room, of which it then takes its share.
    pub(crate) fn admit(&self, part: &PushPart<'_>, room: &mut Room) -> Result<(), PushError> {
        self.arena.admit(part, room)
    }

    /// Applies a push. A cut takes all of it or nothing.
    pub(crate) fn apply<T>(
        &self,
        position: WalPosition,
        now: Monotonic,
        push: impl FnOnce(&Arena) -> T,
    ) -> T {
        let mut state = self.lock();
        let result = push(&self.arena);
        state.pushes.get_or_insert(Stretch { first: position, since: now });
        state.last = state.last.max(position);
        result
    }

    /// All rows, as of one moment.
    pub(crate) fn places(&self) -> Vec<Place> {
        let state = self.lock();
        let mut places: Vec<Place> = state.files.iter().map(|file| Place::File(Arc::clone(file))).collect();
        places.extend(state.cut.iter().map(|cut| Place::Memory(cut.rows.snapshot())));
        if state.pushes.is_some() {
            places.push(Place::Memory(self.arena.snapshot()));
        }
        places
    }

    pub(crate) fn holdings(&self) -> Holdings {
        let state = self.lock();
        let held = self.arena.held();
        let in_memory = || state.cut.iter().map(|cut| cut.rows.held()).chain([&held]);
        let oldest_rows = state.cut.first().map(|cut| cut.first).or(state.pushes.map(|pushes| pushes.first));
        Holdings {
            raw_bytes: held.raw_bytes,
            arena_bytes: held.memory_bytes,
            rows: in_memory().map(|held| held.rows).sum(),
            streams: held.streams,
            memory_bytes: in_memory().map(memory_of).sum(),
            since: state.pushes.map(|pushes| pushes.since),
            oldest_rows,
            described: state.described,
            files: state.files.len(),
        }
    }

    /// Takes the arena's rows out. Readers find them all the same.
    pub(crate) fn begin_cut(&self) {
        let mut state = self.lock();
        let Some(pushes) = state.pushes.take() else { return };
        if let Some(rows) = self.arena.cut() {
            let cut = CutRows { rows, first: pushes.first, upto: state.last };
            state.cut.push(Arc::new(cut));
        }
    }

    /// The oldest rows that were cut and are not in files.
    pub(crate) fn oldest_cut(&self) -> Option<Arc<CutRows>> {
        self.lock().cut.first().cloned()
    }

    /// What the log must say once these rows are in these files.
    pub(crate) fn description(&self, upto: Option<WalPosition>, new: &[Arc<SegmentFile>]) -> Cut {
        let state = self.lock();
        let oldest_held = state.cut.first().map(|cut| cut.first).or(state.pushes.map(|pushes| pushes.first));
        // Without rows in memory, all that was applied is in files.
        let all_before = oldest_held.map_or(state.last, |first| WalPosition(first.0 - 1));
        let files = state.files.iter().chain(new).map(|file| file.id()).collect::<Vec<SegmentId>>();
        Cut { position: upto.unwrap_or(all_before), files }
    }

    /// The oldest cut rows are in files now, and the log says so at this position.
    pub(crate) fn finish_cut(&self, files: Vec<Arc<SegmentFile>>, described: WalPosition) {
        let mut state = self.lock();
        if !state.cut.is_empty() {
            state.cut.remove(0);
        }
        state.files.extend(files);
        state.described = Some(described);
    }

    /// The log says at this position again which files there are.
    pub(crate) fn describe(&self, described: WalPosition) {
        self.lock().described = Some(described);
    }

    /// Puts back what a restart found.
    pub(crate) fn restore(&self, files: Vec<Arc<SegmentFile>>, described: WalPosition, upto: WalPosition) {
        let mut state = self.lock();
        state.files = files;
        state.described = Some(described);
        state.last = state.last.max(upto);
    }
}

fn memory_of(held: &Held) -> usize {
    held.memory_bytes
}
