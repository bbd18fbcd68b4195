//! Tasks that somebody waits for.
//!
//! Every task belongs to a scope. Closing a scope asks its tasks to stop, waits, and names those that
//! are late. A task that panics fails its scope and every scope around it, which ends the process: a
//! part that died silently is worse than a restart.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tracing::error;

/// Cheap to clone; all clones are the same scope.
#[derive(Debug, Clone)]
pub struct Scope {
    token: CancellationToken,
    tasks: Arc<Tasks>,
    failure: Arc<watch::Sender<Option<Failure>>>,
    /// Somebody wants all of it to end.
    end: Arc<watch::Sender<bool>>,
}

/// Which task panicked, and with what words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("task {task} panicked: {message}")]
pub struct Failure {
    pub task: &'static str,
    pub message: String,
}

/// The tasks that did not stop in time. They were aborted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("still running: {}", .0.join(", "))]
pub struct Late(pub Vec<&'static str>);

#[derive(Debug)]
struct Tasks {
    running: Mutex<Running>,
    /// Told whenever a task ends.
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Running {
    next: u64,
    tasks: BTreeMap<u64, (&'static str, Option<AbortHandle>)>,
    closed: bool,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            token: CancellationToken::new(),
            tasks: Arc::new(Tasks { running: Mutex::default(), count: watch::Sender::new(0) }),
            failure: Arc::new(watch::Sender::new(None)),
            end: Arc::new(watch::Sender::new(false)),
        }
    }
}

impl Scope {
    /// A scope that stops when this one stops, and whose failures are this one's.
    pub fn child(&self) -> Self {
        Self {
            token: self.token.child_token(),
            failure: Arc::clone(&self.failure),
            end: Arc::clone(&self.end),
            ..Self::default()
        }
    }

    /// Starts a task. In a closed scope it never runs. It has no span: what it works for may be over
    /// before it is.
    #[expect(clippy::disallowed_methods, reason = "the one place where tasks are spawned")]
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let Some(id) = self.tasks.enter(name) else { return };
        let guard = Guard { tasks: Arc::clone(&self.tasks), id };
        let failure = Arc::clone(&self.failure);
        let task = async move {
            let _guard = guard;
            if let Err(panic) = AssertUnwindSafe(future).catch_unwind().await {
                let failed = Failure { task: name, message: panic_message(&*panic) };
                error!(task = name, error = %failed.message, "task panicked");
                failure.send_if_modified(|first| first.is_none().then(|| *first = Some(failed)).is_some());
            }
        };
        let handle = tokio::spawn(task);
        self.tasks.remember(id, handle.abort_handle());
    }

    /// Asks all tasks to stop, without waiting.
    pub fn cancel(&self) {
        self.token.cancel();
    }

    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Resolves once the scope is asked to stop.
    ///
    /// # Cancel safety
    /// May be dropped and asked for again.
    pub async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    /// Runs a future until the scope is asked to stop; `None` if it was. The future is dropped then, so
    /// it must be safe to drop at any await.
    pub async fn until_cancelled<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let stopped = std::pin::pin!(self.token.cancelled());
        let future = std::pin::pin!(future);
        match select(stopped, future).await {
            Either::Left(_) => None,
            Either::Right((value, _)) => Some(value),
        }
    }

    /// Resolves with the first panic of this scope or of any scope that shares its failures.
    pub async fn failed(&self) -> Failure {
        let mut changes = self.failure.subscribe();
        loop {
            if let Some(failure) = changes.borrow_and_update().clone() {
                return failure;
            }
            if changes.changed().await.is_err() {
                // The sender lives in `self`; it cannot have gone.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Wants the process that the scope is part of to stop, in order.
    pub fn ask_for_end(&self) {
        self.end.send_replace(true);
    }

    /// Resolves once somebody has asked for the end of this scope or of any that shares its failures.
    pub async fn asked_to_end(&self) {
        // The sender lives in `self`; it cannot have gone.
        drop(self.end.subscribe().wait_for(|asked| *asked).await);
    }

    /// The names of the tasks that run now, in the order in which they were started.
    pub fn running(&self) -> Vec<&'static str> {
        self.tasks.names()
    }

    /// Stops all tasks and waits for them, at most so long. Tasks that are late are aborted and named.
    pub async fn close(&self, budget: Duration) -> Result<(), Late> {
        self.token.cancel();
        self.tasks.refuse_new();
        let mut count = self.tasks.count.subscribe();
        let all_gone = count.wait_for(|running| *running == 0);
        if tokio::time::timeout(budget, all_gone).await.is_ok() {
            return Ok(());
        }
        let names = self.tasks.names();
        if names.is_empty() {
            return Ok(());
        }
        self.tasks.abort();
        Err(Late(names))
    }
}

impl Tasks {
    fn lock(&self) -> std::sync::MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, name: &'static str) -> Option<u64> {
        let mut running = self.lock();
        if running.closed {
            return None;
        }
        let id = running.next;
        running.next += 1;
        running.tasks.insert(id, (name, None));
        self.count.send_replace(running.tasks.len());
        Some(id)
    }

    fn remember(&self, id: u64, handle: AbortHandle) {
        if let Some(task) = self.lock().tasks.get_mut(&id) {
            task.1 = Some(handle);
        }
    }

    fn leave(&self, id: u64) {
        let mut running = self.lock();
        running.tasks.remove(&id);
        self.count.send_replace(running.tasks.len());
    }

    fn names(&self) -> Vec<&'static str> {
        self.lock().tasks.values().map(|(name, _)| *name).collect()
    }

    fn refuse_new(&self) {
        self.lock().closed = true;
    }

    fn abort(&self) {
        for (_, handle) in self.lock().tasks.values() {
            if let Some(handle) = handle {
                handle.abort();
            }
        }
    }
}

/// Leaves also when the task is aborted.
struct Guard {
    tasks: Arc<Tasks>,
    id: u64,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.tasks.leave(self.id);
    }
}

/// The words of a panic, whichever way it was raised.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn close_waits_for_tasks() {
        let scope = Scope::default();
        let inner = scope.clone();
        scope.spawn("polite", async move {
            inner.cancelled().await;
            tokio::time::sleep(Duration::from_secs(3)).await;
        });
        assert_eq!(scope.running(), ["polite"]);
        assert_eq!(scope.close(Duration::from_secs(5)).await, Ok(()));
        assert!(scope.running().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn close_names_and_aborts_who_is_late() {
        let scope = Scope::default();
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        scope.spawn("deaf", async move {
            let _held = sender;
            std::future::pending::<()>().await;
        });
        let late = scope.close(Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(late.to_string(), "still running: deaf");
        assert!(receiver.await.is_err(), "an aborted task drops what it holds");
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_scope_starts_nothing() {
        let scope = Scope::default();
        scope.close(Duration::ZERO).await.unwrap();
        scope.spawn("never", async { panic!("ran") });
        assert!(scope.running().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn children_stop_with_their_parent_and_fail_it() {
        let scope = Scope::default();
        let child = scope.child();
        scope.cancel();
        child.cancelled().await;
        child.spawn("clumsy", async { panic!("dropped {}", "it") });
        assert_eq!(scope.failed().await, Failure { task: "clumsy", message: "dropped it".to_owned() });
    }

    #[tokio::test(start_paused = true)]
    async fn until_cancelled_ends_a_wait() {
        let scope = Scope::default();
        assert_eq!(scope.until_cancelled(async { 1 }).await, Some(1));
        scope.cancel();
        assert_eq!(scope.until_cancelled(std::future::pending::<()>()).await, None);
    }
}
