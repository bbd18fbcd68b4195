//! Ordered start with readiness, ordered stop with time budgets.
//!
//! Modules start one after another in the order given, so that each finds what it leans on; they stop
//! stage by stage, within a stage in the opposite order. If a module fails to start or a task panics,
//! the whole process stops: half a process is worse than none.

mod module;
mod stage;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tracing::{Instrument, debug, error, error_span, info, warn};

pub use module::{Module, StartError, State};
pub use stage::{Budgets, Stage};

use crate::{Env, Failure, Scope};

/// The modules of one process and their states. Cheap to clone.
#[derive(Clone)]
pub struct Process(Arc<Inner>);

struct Inner {
    env: Env,
    scope: Scope,
    parts: RwLock<Vec<Arc<Part>>>,
    stopping: AtomicBool,
}

struct Part {
    module: Arc<dyn Module>,
    scope: Scope,
    state: Mutex<State>,
}

impl Process {
    pub fn new(env: Env) -> Self {
        let (scope, parts, stopping) = (Scope::default(), RwLock::default(), AtomicBool::new(false));
        Self(Arc::new(Inner { env, scope, parts, stopping }))
    }

    /// Adds a module behind those that are there. To be called before the start.
    pub fn add(&self, module: Arc<dyn Module>) {
        let part = Part { module, scope: self.0.scope.child(), state: Mutex::new(State::New) };
        self.0.parts.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(part));
    }

    fn parts(&self) -> Vec<Arc<Part>> {
        self.0.parts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts all modules in order. After an error the process is to be stopped all the same: what had
    /// started still runs.
    pub async fn start(&self) -> Result<(), StartError> {
        let begun = self.0.env.clock.monotonic();
        let parts = self.parts();
        for part in &parts {
            let module = part.module.name();
            part.set(State::Starting);
            let span = error_span!("start", module);
            if let Err(error) = part.module.start(&part.scope).instrument(span).await {
                part.set(State::Failed);
                error!(module, error = %error.with_causes(), "module failed to start");
                return Err(error);
            }
            part.set(State::Running);
            debug!(module, "module started");
        }
        let took = self.0.env.clock.monotonic().since(begun);
        info!(modules = parts.len(), took_ms = took.as_millis(), "started");
        Ok(())
    }

    /// Resolves when a task of any module has panicked.
    pub async fn failed(&self) -> Failure {
        self.0.scope.failed().await
    }

    /// Resolves when a module has asked for the end of the process.
    pub async fn asked_to_end(&self) {
        self.0.scope.asked_to_end().await;
    }

    /// Says from now on that the process is stopping, while it still serves.
    pub fn announce_stop(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    /// Stops everything that was started, stage by stage.
    pub async fn stop(&self, budgets: &Budgets) {
        self.announce_stop();
        let begun = self.0.env.clock.monotonic();
        let mut parts = self.parts();
        parts.retain(|part| matches!(part.get(), State::Running | State::Failed));
        for stage in Stage::ALL {
            for part in parts.iter().rev() {
                if part.get() != State::Failed {
                    part.set(State::Stopping);
                }
                self.stop_part(part, stage, budgets).await;
            }
        }
        let took = self.0.env.clock.monotonic().since(begun);
        info!(took_ms = took.as_millis(), "stopped");
    }

    async fn stop_part(&self, part: &Part, stage: Stage, budgets: &Budgets) {
        let (module, budget) = (part.module.name(), budgets.of(stage));
        let span = error_span!("stop", module, stage = stage.name());
        if tokio::time::timeout(budget, part.module.stop(stage)).instrument(span).await.is_err() {
            warn!(
                module,
                stage = stage.name(),
                budget_ms = budget.as_millis(),
                "module is late, left behind"
            );
        }
        if stage != Stage::Close {
            return;
        }
        if let Err(late) = part.scope.close(budget).await {
            warn!(module, tasks = %late, "tasks are late, aborted");
        }
        if part.get() != State::Failed {
            part.set(State::Terminated);
        }
    }

    /// The reason in the words of `/ready` if the process is not ready.
    pub fn readiness(&self) -> Result<(), String> {
        if self.0.stopping.load(Ordering::Relaxed) {
            return Err("Application is stopping".to_owned());
        }
        let mut others: BTreeMap<State, usize> = BTreeMap::new();
        for part in self.parts() {
            if part.get() != State::Running {
                *others.entry(part.get()).or_default() += 1;
            }
        }
        if !others.is_empty() {
            let mut text = "Some services are not Running:".to_owned();
            for (state, count) in others {
                text.push_str(&format!("\n{}: {count}", state.name()));
            }
            return Err(text);
        }
        for part in self.parts() {
            if let Some(reason) = part.module.unready() {
                return Err(reason);
            }
        }
        Ok(())
    }

    /// Every module with its state, in starting order.
    pub fn states(&self) -> Vec<(&'static str, State)> {
        self.parts().iter().map(|part| (part.module.name(), part.get())).collect()
    }
}

impl Part {
    fn get(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

#[cfg(test)]
mod tests;
