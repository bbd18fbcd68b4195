//! What the threads of one query have at hand while no thread has it.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larch_rpc::CallError;
use larch_segment::Decoder;
use larch_types::ErrorKind;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(super) struct Threads<G> {
    idle: Mutex<Vec<Thread<G>>>,
    free: Arc<Semaphore>,
    pub(super) count: usize,
}

pub(super) struct Thread<G> {
    pub(super) gathered: G,
    pub(super) decoder: Decoder,
}

impl<G> Threads<G> {
    /// As many as there are cores.
    pub(super) fn new(gathered: impl Fn() -> G) -> Self {
        let count = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let idle = (0..count).map(|_| Thread { gathered: gathered(), decoder: Decoder::new() }).collect();
        Self { idle: Mutex::new(idle), free: Arc::new(Semaphore::new(count)), count }
    }

    /// Waits until one is idle. It is given back by `put_back`; one that is not is lost, and so is the query.
    pub(super) async fn take(&self) -> Result<(Thread<G>, OwnedSemaphorePermit), CallError> {
        let free = Arc::clone(&self.free).acquire_owned().await.map_err(|_| lost_thread())?;
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

fn lost_thread() -> CallError {
    CallError::new(ErrorKind::Internal, "a part of the query has failed")
}
