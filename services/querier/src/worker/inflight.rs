//! The pieces of one pull that are worked on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use larch_proto::PieceId;
use larch_runtime::Scope;

/// Cheap to clone; all clones are the same list.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<Pieces>>);

#[derive(Default)]
struct Pieces {
    next: u64,
    /// A queue may hand out a piece again under its old id.
    running: HashMap<PieceId, (u64, Scope)>,
}

/// Takes the piece off the list, however its work ends.
pub(super) struct Entered {
    list: InFlight,
    id: PieceId,
    number: u64,
}

impl InFlight {
    fn lock(&self) -> std::sync::MutexGuard<'_, Pieces> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().running.len()
    }

    /// Work on an older piece of the same id is given up.
    pub(super) fn enter(&self, id: PieceId, scope: Scope) -> Entered {
        let mut pieces = self.lock();
        let number = pieces.next;
        pieces.next += 1;
        if let Some((_, older)) = pieces.running.insert(id, (number, scope)) {
            older.cancel();
        }
        Entered { list: self.clone(), id, number }
    }

    pub(super) fn cancel(&self, id: PieceId) {
        if let Some((_, scope)) = self.lock().running.get(&id) {
            scope.cancel();
        }
    }

    pub(super) fn cancel_all(&self) {
        for (_, scope) in self.lock().running.values() {
            scope.cancel();
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut pieces = self.list.lock();
        if pieces.running.get(&self.id).is_some_and(|(number, _)| *number == self.number) {
            pieces.running.remove(&self.id);
        }
    }
}
