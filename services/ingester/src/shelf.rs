//! Where a tenant's rows are on this node: in the arena, cut and still in memory, or in segment files. What the
//! store has is named and not shown.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use larch_proto::WalPosition;
use larch_segment::{Arena, ArenaLimits, Frozen, Held, PushError, PushPart, Room, Snapshot, Spares};
use larch_types::{Monotonic, SegmentId};
use larch_wal::Position;

use crate::record::Cut;
use crate::segment_file::SegmentFile;
use crate::set_aside::RowCopy;
use crate::upload::HandedOver;

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
    /// Whose segments are not announced.
    files: Vec<Arc<SegmentFile>>,
    /// The record of the log that names all of these. `None` without files, or if the log has yet to name them.
    described: Option<WalPosition>,
    /// Announced a while ago.
    handed_over: Vec<Arc<HandedOver>>,
    /// Of rows that are in files now.
    spent_copies: Vec<Arc<RowCopy>>,
}

/// Pushes that follow each other.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    first: WalPosition,
    since: Monotonic,
    pushes: u64,
}

/// Rows on their way from the arena into files.
pub(crate) struct CutRows {
    pub(crate) rows: Frozen,
    first: WalPosition,
    /// Pushes up to here are in it, or were cut before.
    pub(crate) upto: WalPosition,
    /// How many there were.
    pub(crate) pushes: u64,
    /// The log is not needed for these rows.
    copy: OnceLock<Arc<RowCopy>>,
    /// Files that have the rows, if the log could not be told.
    written: OnceLock<Vec<Arc<SegmentFile>>>,
}

/// Where some of the rows are.
pub(crate) enum Place {
    Memory(Snapshot),
    File(Arc<SegmentFile>),
}

/// What readers are given, as of one moment: each row is in a place, in a segment that is named, or in one that
/// was named for long enough.
#[derive(Default)]
pub(crate) struct View {
    pub(crate) places: Vec<Place>,
    pub(crate) handed_over: Vec<Arc<HandedOver>>,
}

/// What a restart found of a tenant's files.
#[derive(Default)]
pub(crate) struct Restored {
    pub(crate) files: Vec<Arc<SegmentFile>>,
    pub(crate) handed_over: Vec<Arc<HandedOver>>,
    /// The record that names the files, if one names all of them.
    pub(crate) described: Option<WalPosition>,
    /// Pushes up to here are in files, or were announced.
    pub(crate) upto: WalPosition,
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
    /// Likewise, each as often as it has rows in one of them.
    pub(crate) streams: usize,
    pub(crate) memory_bytes: usize,
    /// When the oldest push came that is not cut.
    pub(crate) since: Option<Monotonic>,
    /// The oldest record whose rows are in memory only, and in the log.
    pub(crate) oldest_rows: Option<WalPosition>,
    /// That are not announced.
    pub(crate) files: usize,
    /// Cuts whose rows are still in memory.
    pub(crate) cuts: usize,
    /// Those of them that are set aside.
    pub(crate) aside: usize,
}

impl CutRows {
    /// Where the log has them, between those of others.
    pub(crate) fn range(&self) -> RangeInclusive<Position> {
        Position(self.first.0)..=Position(self.upto.0)
    }

    /// Files that an earlier try has made.
    pub(crate) fn written(&self) -> Option<&Vec<Arc<SegmentFile>>> {
        self.written.get()
    }

    /// Whoever cuts the tenant is the only one who does.
    pub(crate) fn keep_written(&self, files: Vec<Arc<SegmentFile>>) -> &Vec<Arc<SegmentFile>> {
        self.written.get_or_init(|| files)
    }
}

impl State {
    /// The oldest record whose rows are in memory, and in no segment file.
    fn oldest_in_memory(&self) -> Option<WalPosition> {
        self.cut.first().map(|cut| cut.first).or(self.pushes.map(|pushes| pushes.first))
    }

    /// The oldest of them that no copy has.
    fn oldest_rows(&self) -> Option<WalPosition> {
        let cut = self.cut.iter().find(|cut| cut.copy.get().is_none());
        cut.map(|cut| cut.first).or(self.pushes.map(|pushes| pushes.first))
    }

    /// The oldest record that says something about files. 0 while one is yet to be written.
    fn oldest_description(&self) -> Option<WalPosition> {
        let all = (!self.files.is_empty()).then(|| self.described.unwrap_or_default());
        let begun = self.files.iter().filter_map(|file| file.progress.begun()).map(|begun| begun.logged);
        let handed_over = self.handed_over.iter().map(|handed| handed.logged());
        all.into_iter().chain(begun).chain(handed_over).min()
    }
}

impl Shelf {
    pub(crate) fn new(spares: Spares) -> Self {
        Self { arena: Arena::with_spares(ARENA, spares), state: Mutex::new(State::default()) }
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
        state.pushes.get_or_insert(Stretch { first: position, since: now, pushes: 0 }).pushes += 1;
        state.last = state.last.max(position);
        result
    }

    /// All rows.
    pub(crate) fn view(&self) -> View {
        let state = self.lock();
        let mut places: Vec<Place> = state.files.iter().map(|file| Place::File(Arc::clone(file))).collect();
        places.extend(state.cut.iter().map(|cut| Place::Memory(cut.rows.snapshot())));
        if state.pushes.is_some() {
            places.push(Place::Memory(self.arena.snapshot()));
        }
        View { places, handed_over: state.handed_over.clone() }
    }

    pub(crate) fn holdings(&self) -> Holdings {
        let state = self.lock();
        let held = self.arena.held();
        let in_memory = || state.cut.iter().map(|cut| cut.rows.held()).chain([&held]);
        Holdings {
            raw_bytes: held.raw_bytes,
            arena_bytes: held.memory_bytes,
            rows: in_memory().map(|held| held.rows).sum(),
            streams: in_memory().map(|held| held.streams).sum(),
            memory_bytes: in_memory().map(memory_of).sum(),
            since: state.pushes.map(|pushes| pushes.since),
            oldest_rows: state.oldest_rows(),
            files: state.files.len(),
            cuts: state.cut.len(),
            aside: state.cut.iter().filter(|cut| cut.copy.get().is_some()).count(),
        }
    }

    /// Whether there is nothing to read, to upload, to name or to remove.
    pub(crate) fn is_empty(&self) -> bool {
        let State { pushes, last: _, cut, files, described: _, handed_over, spent_copies } = &*self.lock();
        pushes.is_none()
            && cut.is_empty()
            && files.is_empty()
            && handed_over.is_empty()
            && spent_copies.is_empty()
    }

    /// The oldest record that a restart needs.
    pub(crate) fn needed(&self) -> Option<WalPosition> {
        let state = self.lock();
        [state.oldest_rows(), state.oldest_description()].into_iter().flatten().min()
    }

    pub(crate) fn oldest_description(&self) -> Option<WalPosition> {
        self.lock().oldest_description()
    }

    /// Takes the arena's rows out. Readers find them all the same.
    pub(crate) fn begin_cut(&self) {
        self.begin_cut_with(OnceLock::new());
    }

    /// As [`Shelf::begin_cut`], of rows that a start has read from a copy and not from the log.
    pub(crate) fn begin_cut_of(&self, copy: &Arc<RowCopy>) {
        self.begin_cut_with(OnceLock::from(Arc::clone(copy)));
    }

    fn begin_cut_with(&self, copy: OnceLock<Arc<RowCopy>>) {
        let mut state = self.lock();
        let Some(Stretch { first, pushes, .. }) = state.pushes.take() else { return };
        if let Some(rows) = self.arena.cut() {
            let cut = CutRows { rows, first, upto: state.last, pushes, copy, written: OnceLock::new() };
            state.cut.push(Arc::new(cut));
        }
    }

    /// Cut rows that are in no file, neither of segments nor of copies.
    pub(crate) fn in_the_log_alone(&self) -> Vec<Arc<CutRows>> {
        self.lock().cut.iter().filter(|cut| cut.copy.get().is_none()).cloned().collect()
    }

    /// From now on the log is not needed for the rows.
    pub(crate) fn set_aside(&self, cut: &CutRows, copy: Arc<RowCopy>) {
        let _state = self.lock();
        // Whoever cuts the tenant is the only one who sets aside.
        drop(cut.copy.set(copy));
    }

    /// Copies that nothing is needed of any more: the log names files that have their rows.
    pub(crate) fn take_spent_copies(&self) -> Vec<Arc<RowCopy>> {
        let mut state = self.lock();
        if state.described.is_none() && !state.files.is_empty() {
            return Vec::new();
        }
        let (cut, mut spent) = (&state.cut, Vec::new());
        let is_used =
            |copy: &RowCopy| cut.iter().any(|cut| cut.copy.get().is_some_and(|used| used.name == copy.name));
        for copy in &state.spent_copies {
            if !is_used(copy) && spent.iter().all(|other: &Arc<RowCopy>| other.name != copy.name) {
                spent.push(Arc::clone(copy));
            }
        }
        state.spent_copies.retain(|copy| spent.iter().all(|other| other.name != copy.name));
        spent
    }

    /// The oldest rows that were cut and are not in files.
    pub(crate) fn oldest_cut(&self) -> Option<Arc<CutRows>> {
        self.lock().cut.first().cloned()
    }

    /// Gives what the log must say of all files and of some new ones to whoever puts it there. Nothing of what it
    /// says changes meanwhile.
    pub(crate) fn describe<T>(
        &self,
        upto: Option<WalPosition>,
        new: &[Arc<SegmentFile>],
        say: impl FnOnce(&Cut) -> T,
    ) -> T {
        let state = self.lock();
        // Without rows in memory, all that was applied is in files.
        let before = |first: WalPosition| WalPosition(first.0.saturating_sub(1));
        let all_before = state.oldest_in_memory().map_or(state.last, before);
        let files = state.files.iter().chain(new).map(|file| file.id()).collect::<Vec<SegmentId>>();
        say(&Cut { position: upto.unwrap_or(all_before), files })
    }

    /// Says something in the log behind every description that was begun before.
    pub(crate) fn in_order<T>(&self, say: impl FnOnce() -> T) -> T {
        let _state = self.lock();
        say()
    }

    /// The oldest cut rows are in files now, and the log says so at this position, if it does.
    pub(crate) fn finish_cut(&self, files: Vec<Arc<SegmentFile>>, described: Option<WalPosition>) {
        let mut state = self.lock();
        if !state.cut.is_empty() {
            let copy = state.cut.remove(0).copy.get().cloned();
            state.spent_copies.extend(copy);
        }
        state.files.extend(files);
        state.described = described;
    }

    /// A push that is in the arena was written again at this position.
    pub(crate) fn note_copy(&self, position: WalPosition) {
        let mut state = self.lock();
        state.last = state.last.max(position);
    }

    /// All pushes before a position that are in the arena were written again behind it.
    pub(crate) fn let_go_before(&self, position: WalPosition) {
        if let Some(pushes) = &mut self.lock().pushes {
            pushes.first = pushes.first.max(position);
        }
    }

    /// The log says at this position again which files there are.
    pub(crate) fn note_description(&self, described: WalPosition) {
        self.lock().described = Some(described);
    }

    /// From now on a file's rows are the store's, and its segment is named.
    pub(crate) fn hand_over(&self, handed: Arc<HandedOver>) {
        let mut state = self.lock();
        state.files.retain(|file| file.id() != handed.file());
        state.handed_over.push(handed);
    }

    /// A segment was named for long enough.
    pub(crate) fn forget(&self, file: SegmentId) {
        self.lock().handed_over.retain(|handed| handed.file() != file);
    }

    /// Files that are not announced.
    pub(crate) fn files(&self) -> Vec<Arc<SegmentFile>> {
        self.lock().files.clone()
    }

    pub(crate) fn handed_over(&self) -> Vec<Arc<HandedOver>> {
        self.lock().handed_over.clone()
    }

    /// Puts back what a restart found.
    pub(crate) fn restore(&self, found: Restored) {
        let mut state = self.lock();
        state.files = found.files;
        state.handed_over = found.handed_over;
        state.described = found.described;
        state.last = state.last.max(found.upto);
    }
}

fn memory_of(held: &Held) -> usize {
    held.memory_bytes
}
