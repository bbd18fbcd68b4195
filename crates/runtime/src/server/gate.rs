//! Lets requests in while there is room and the process is not stopping.

use std::sync::Arc;

use tokio::sync::watch;

/// Counts the requests that are in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bound: usize,
    state: watch::Sender<GateState>,
}

#[derive(Debug, Clone, Copy)]
struct GateState {
    inside: usize,
    open: bool,
}

/// Why a request was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("too many requests in flight, try again later")]
    Full,
    #[error("Application is stopping")]
    Stopping,
}

/// Travels with a request until its answer is written.
#[derive(Debug)]
pub struct Pass(Gate);

impl Gate {
    pub fn new(bound: usize) -> Self {
        let state = GateState { inside: 0, open: true };
        Self(Arc::new(Inner { bound, state: watch::Sender::new(state) }))
    }

    pub fn enter(&self) -> Result<Pass, Refused> {
        let mut outcome = Ok(());
        self.0.state.send_if_modified(|state| {
            if !state.open {
                outcome = Err(Refused::Stopping);
            } else if state.inside >= self.0.bound {
                outcome = Err(Refused::Full);
            } else {
                state.inside += 1;
            }
            outcome.is_ok()
        });
        outcome.map(|()| Pass(self.clone()))
    }

    /// Lets nobody in from now on.
    pub fn close(&self) {
        self.0.state.send_modify(|state| state.open = false);
    }

    /// Resolves once nobody is inside.
    ///
    /// # Cancel safety
    /// May be dropped and asked for again.
    pub async fn empty(&self) {
        let mut state = self.0.state.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        drop(state.wait_for(|state| state.inside == 0).await);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.0.state.send_modify(|state| state.inside = state.inside.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn counts_bounds_and_empties() {
        let gate = Gate::new(2);
        let first = gate.enter().unwrap();
        let second = gate.enter().unwrap();
        assert_eq!(gate.enter().err(), Some(Refused::Full));
        drop(first);
        let third = gate.enter().unwrap();
        gate.close();
        assert_eq!(gate.enter().err(), Some(Refused::Stopping));
        let leaving = async {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            drop((second, third));
        };
        futures_util::future::join(gate.empty(), leaving).await;
    }
}
