//! How far a file is on its way into the store.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larch_proto::{SegmentEntry, WalPosition};
use larch_rpc::CallError;
use larch_types::{Monotonic, SegmentId};

/// An add may be sent so long after the begin of its first upload. The sweeper takes objects that nothing names
/// for garbage two days after they were written; an hour leaves it out of the question that one is named late.
pub(crate) const UPLOAD_LASTS: Duration = Duration::from_secs(3600);

/// The id as which a file is uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Begin {
    pub(crate) segment: SegmentId,
    /// `None` if an earlier life began it.
    pub(crate) at: Option<Monotonic>,
    /// The record that says so.
    pub(crate) logged: WalPosition,
}

#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    begun: Option<Begin>,
    /// The catalog has it.
    added: Option<SegmentEntry>,
    is_announced: bool,
    failures: u64,
    failure: Option<CallError>,
}

impl Begin {
    /// Until when its add may be sent, if it still may.
    pub(crate) fn last(&self, now: Monotonic) -> Option<Monotonic> {
        let last = self.at?.plus(UPLOAD_LASTS);
        (now <= last).then_some(last)
    }
}

impl Progress {
    /// Of a file that an earlier life may have begun to upload.
    pub(crate) fn of(begun: Option<Begin>) -> Self {
        Self(Mutex::new(State { begun, ..State::default() }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begun(&self) -> Option<Begin> {
        self.lock().begun
    }

    pub(crate) fn begin(&self, begun: Begin) {
        self.lock().begun = Some(begun);
    }

    /// The record that says that the upload as this segment is begun was written again.
    pub(crate) fn log_again(&self, segment: SegmentId, logged: WalPosition) {
        if let Some(begun) = &mut self.lock().begun
            && begun.segment == segment
        {
            begun.logged = begun.logged.max(logged);
        }
    }

    pub(crate) fn added(&self) -> Option<SegmentEntry> {
        self.lock().added.clone()
    }

    pub(crate) fn add(&self, entry: SegmentEntry) {
        self.lock().added = Some(entry);
    }

    /// Readers are given its name from now on.
    pub(crate) fn announce(&self) {
        self.lock().is_announced = true;
    }

    pub(crate) fn is_announced(&self) -> bool {
        self.lock().is_announced
    }

    pub(crate) fn fail(&self, failure: CallError) {
        let mut state = self.lock();
        state.failures += 1;
        state.failure = Some(failure);
    }

    /// How often it failed, and how at last.
    pub(crate) fn failures(&self) -> (u64, Option<CallError>) {
        let state = self.lock();
        (state.failures, state.failure.clone())
    }
}
