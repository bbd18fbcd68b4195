//! Which lines are written, changeable while the process runs.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde::{Deserialize, Serialize};
use tracing::{Level, Metadata};
use tracing_subscriber::filter::LevelFilter;

/// How much is written, under Loki's names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

/// The text that Loki's clients know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unrecognized log level {}", larch_types::quoted(.0))]
pub struct UnknownLogLevel(String);

impl LogLevel {
    pub(crate) const ALL: [Self; 4] = [Self::Error, Self::Warn, Self::Info, Self::Debug];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    /// What is finer than debug is never written, so it has no name of its own.
    pub(crate) fn of(level: Level) -> Self {
        match level {
            Level::ERROR => Self::Error,
            Level::WARN => Self::Warn,
            Level::INFO => Self::Info,
            _ => Self::Debug,
        }
    }

    const fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LogLevel {
    type Err = UnknownLogLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLogLevel> {
        let found = Self::ALL.into_iter().find(|level| level.as_str() == text);
        found.ok_or_else(|| UnknownLogLevel(text.to_owned()))
    }
}

/// The level in use. Clones change the same one.
#[derive(Debug, Clone)]
pub struct LevelHandle(Arc<AtomicU8>);

impl LevelHandle {
    pub(crate) fn new(level: LogLevel) -> Self {
        Self(Arc::new(AtomicU8::new(level as u8)))
    }

    pub fn get(&self) -> LogLevel {
        LogLevel::ALL[usize::from(self.0.load(Ordering::Relaxed)) % LogLevel::ALL.len()]
    }

    pub fn set(&self, level: LogLevel) {
        self.0.store(level as u8, Ordering::Relaxed);
        // Every call site remembers whether it is on.
        tracing::callsite::rebuild_interest_cache();
    }

    /// Whether an event is written, or a span kept. Spans that name a tenant or a request are kept at any
    /// level, or an error would lose them; other crates are heard from information upwards only, and
    /// their spans not at all, because theirs come by the frame.
    pub(crate) fn allows(&self, metadata: &Metadata<'_>) -> bool {
        let own = metadata.target().starts_with("larch");
        let filter = self.get().filter();
        if metadata.is_span() {
            return own && *metadata.level() <= filter.max(LevelFilter::INFO);
        }
        *metadata.level() <= if own { filter } else { filter.min(LevelFilter::INFO) }
    }

    /// The finest level that [`LevelHandle::allows`] may allow.
    pub(crate) fn finest(&self) -> LevelFilter {
        self.get().filter().max(LevelFilter::INFO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for level in LogLevel::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
            let handle = LevelHandle::new(LogLevel::Info);
            handle.clone().set(level);
            assert_eq!(handle.get(), level);
        }
        for text in ["", "INFO", "trace", "x"] {
            let error = text.parse::<LogLevel>().unwrap_err();
            assert_eq!(error.to_string(), format!("unrecognized log level \"{text}\""));
        }
    }
}
