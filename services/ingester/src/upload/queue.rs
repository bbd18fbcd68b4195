//! Files that wait for their upload. How many there can be is bounded by the disk that holds them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larch_types::Monotonic;
use tokio::sync::{Notify, watch};

use crate::segment_file::SegmentFile;
use crate::tenant::Tenant;

/// A file to be uploaded.
pub(crate) struct Task {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) file: Arc<SegmentFile>,
    /// That failed.
    pub(crate) tries: u32,
}

pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Notify,
    /// Counts tries that ended, for whoever waits for some of them.
    ended: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Task>,
    /// Those that failed, by when they are tried again.
    later: BTreeMap<(Monotonic, u64), Task>,
    /// Tells those apart that are due at the same time.
    next: u64,
    /// Of the last try, if it failed.
    failure: Option<String>,
}

impl Default for Queue {
    fn default() -> Self {
        Self { state: Mutex::default(), wake: Notify::new(), ended: watch::Sender::new(0) }
    }
}

impl Queue {
    /// Nothing that runs under the lock can panic halfway through a change.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, tenant: &Arc<Tenant>, files: &[Arc<SegmentFile>]) {
        let task = |file| Task { tenant: Arc::clone(tenant), file: Arc::clone(file), tries: 0 };
        self.lock().ready.extend(files.iter().map(task));
        self.wake.notify_one();
    }

    /// The next that is due.
    pub(crate) fn take(&self, now: Monotonic) -> Option<Task> {
        let mut state = self.lock();
        if state.later.first_key_value().is_some_and(|((due, _), _)| *due <= now) {
            return state.later.pop_first().map(|(_, task)| task);
        }
        state.ready.pop_front()
    }

    /// A try has failed.
    pub(crate) fn put_back(&self, task: Task, due: Monotonic, failure: String) {
        let mut state = self.lock();
        state.failure = Some(failure);
        let number = state.next;
        state.next += 1;
        state.later.insert((due, number), task);
        drop(state);
        self.ended.send_modify(|count| *count += 1);
    }

    /// A try has succeeded.
    pub(crate) fn end(&self) {
        self.lock().failure = None;
        self.ended.send_modify(|count| *count += 1);
    }

    /// Why uploads do not get on, if they do not.
    pub(crate) fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    /// When the first of those that failed is due.
    pub(crate) fn next_due(&self) -> Option<Monotonic> {
        self.lock().later.first_key_value().map(|((due, _), _)| *due)
    }

    /// What failed is tried again at once.
    pub(crate) fn hurry(&self) {
        let mut state = self.lock();
        let later = std::mem::take(&mut state.later);
        state.ready.extend(later.into_values());
        drop(state);
        self.wake.notify_one();
    }

    /// Resolves when something may be due that was not.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Changes with every try that ends.
    pub(crate) fn ends(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }
}
