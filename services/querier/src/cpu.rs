//! Work that would block the runtime, in bounded steps where such work is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use larch_rpc::CallError;
use larch_runtime::Env;
use larch_telemetry::Counter;
use larch_types::ErrorKind;
use tokio::sync::OwnedSemaphorePermit;
use tracing::error;

/// The steps of one answer, one after the other. Dropping it lets the step that runs know that nobody
/// waits.
pub(crate) struct Cpu {
    env: Env,
    stop: Stop,
    panics: Counter,
    /// Kept by every step too: the slot is free only when the last step has really ended.
    slot: Option<Arc<OwnedSemaphorePermit>>,
}

/// Asks a long step to end, because nobody waits for it any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Cpu {
    pub(crate) fn new(env: &Env, panics: Counter, slot: Option<OwnedSemaphorePermit>) -> Self {
        Self { env: env.clone(), stop: Stop::default(), panics, slot: slot.map(Arc::new) }
    }

    /// Runs one step, which is bounded or asks now and then whether it should end. A panic fails the query
    /// that caused it and not the process: a query can be sent again and again, to one querier after the
    /// other.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        step: impl FnOnce(&Stop) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        let (stop, slot) = (self.stop.clone(), self.slot.clone());
        let running = self.env.compute(move || {
            let done = step(&stop);
            drop(slot);
            done
        });
        running.await.map_err(|failure| {
            self.panics.inc();
            error!(error = %failure, "evaluating a query panicked");
            CallError::new(ErrorKind::Internal, "evaluating the query failed")
        })
    }
}

impl Drop for Cpu {
    fn drop(&mut self) {
        self.stop.0.store(true, Ordering::Relaxed);
    }
}
