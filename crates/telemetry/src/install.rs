//! The one call that makes events of this process visible.

use std::io;
use std::time::Duration;

use tracing_subscriber::layer::SubscriberExt;

use crate::log::{LevelHandle, LogLayer, LogOptions, Queue};

/// What a process says of itself, and how.
#[derive(Debug, Clone)]
pub struct Options {
    pub log: LogOptions,
}

#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("start the thread that writes logs")]
    Thread(#[source] io::Error),
    #[error("logging is already set up in this process")]
    Installed,
}

/// Holds what was installed. Events are written as long as the process lives.
pub struct Telemetry {
    level: LevelHandle,
    lines: Queue,
}

/// Sets the subscriber of the whole process, once.
pub fn install(options: Options) -> Result<Telemetry, InstallError> {
    let Options { log } = options;
    let (layer, lines) = LogLayer::over_stderr(log).map_err(InstallError::Thread)?;
    let level = layer.level.clone();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| InstallError::Installed)?;
    Ok(Telemetry { level, lines })
}

impl Telemetry {
    pub fn level(&self) -> &LevelHandle {
        &self.level
    }

    /// Waits until the lines logged so far are written, at most as long as the budget. False if that was
    /// too short. It blocks, so it belongs to the end of `main`.
    pub fn flush(&self, budget: Duration) -> bool {
        self.lines.flush(budget)
    }
}
