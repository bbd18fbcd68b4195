//! What the threads of one query have at hand while no thread has it.

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{Either, select};
use larch_rpc::CallError;
use larch_segment::Decoder;
use larch_types::ErrorKind;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(super) struct Threads<G> {
    idle: Mutex<Vec<Thread<G>>>,
    /// Every query has one thread.
    own: Arc<Semaphore>,
    /// Others go to whichever query comes first.
    more: Arc<Semaphore>,
    pub(super) count: usize,
}

pub(super) struct Thread<G> {
    pub(super) gathered: G,
    pub(super) decoder: Decoder,
}

impl<G> Threads<G> {
    /// `more` are those that all queries share: see [`threads_to_share`].
    pub(super) fn new(more: &Arc<Semaphore>, gathered: impl Fn() -> G) -> Self {
        let count = cores();
        let idle = (0..count).map(|_| Thread { gathered: gathered(), decoder: Decoder::new() }).collect();
        Self { idle: Mutex::new(idle), own: Arc::new(Semaphore::new(1)), more: Arc::clone(more), count }
    }

    /// Waits until one is idle. It is given back by `put_back`; one that is not is lost, and so is the query.
    pub(super) async fn take(&self) -> Result<(Thread<G>, OwnedSemaphorePermit), CallError> {
        let own = pin!(Arc::clone(&self.own).acquire_owned());
        let more = pin!(Arc::clone(&self.more).acquire_owned());
        let (Either::Left((free, _)) | Either::Right((free, _))) = select(own, more).await;
        let free = free.map_err(|_| lost_thread())?;
        let thread = self.idle().pop().ok_or_else(lost_thread)?;
        Ok((thread, free))
    }

    pub(super) fn put_back(&self, thread: Thread<G>, free: OwnedSemaphorePermit) {
        self.idle().push(thread);
        drop(free);
    }

    /// What all of them have gathered.
    pub(super) fn gathered(&self) -> Vec<G> {
        std::mem::take(&mut *self.idle()).into_iter().map(|one| one.gathered).collect()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Thread<G>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One query alone keeps all cores busy. With several, each has one thread and few have two, so that a short
/// one need not share the cores with all threads of all long ones.
pub(crate) fn threads_to_share() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(cores() - 1))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn lost_thread() -> CallError {
    CallError::new(ErrorKind::Internal, "a part of the query has failed")
}
