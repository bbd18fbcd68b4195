//! A part of a process that is started and stopped.

use futures_util::future::BoxFuture;

use crate::Scope;
use crate::process::stage::Stage;

/// A listener, a role, or something they lean on.
pub trait Module: Send + Sync {
    /// As `/services` shows it.
    fn name(&self) -> &'static str;

    /// Resolves once the module does its work. Tasks go into the scope, which is the module's own.
    fn start<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(), StartError>>;

    /// Why it cannot take requests now, although it runs.
    fn unready(&self) -> Option<String> {
        None
    }

    /// One stage of stopping. What is not done within the stage's budget is abandoned, so it must be
    /// safe to drop at any await.
    fn stop(&self, _stage: Stage) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// Why a module did not start.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StartError {
    pub message: String,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StartError {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    pub fn caused_by(
        message: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self { message: message.into(), source: Some(Box::new(source)) }
    }

    /// The message and what caused it, in one line.
    pub(super) fn with_causes(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        text
    }
}

/// Where a module is in its life, in the words of `/services`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    New,
    Starting,
    Running,
    Stopping,
    Terminated,
    Failed,
}

impl State {
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Starting => "Starting",
            Self::Running => "Running",
            Self::Stopping => "Stopping",
            Self::Terminated => "Terminated",
            Self::Failed => "Failed",
        }
    }
}
