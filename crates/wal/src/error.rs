//! Why the log refuses, in words for whoever wanted it.

use std::fmt;
use std::io;
use std::sync::Arc;

use larch_types::ErrorKind;

use crate::dir::LockError;
use crate::frame::MAX_RECORD_BYTES;

/// Why a record is not in the log. It may still come up after a restart.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    #[error("a record of {bytes} bytes is more than the {MAX_RECORD_BYTES} that the write-ahead log takes")]
    TooLarge { bytes: usize },
    #[error("the write-ahead log does not keep up: {bytes} bytes in {records} records wait for the disk")]
    Busy { bytes: u64, records: usize },
    #[error("{0}")]
    Full(Full),
    #[error("the write-ahead log is closed")]
    Closed,
    #[error("{step} the write-ahead log")]
    Failed { step: Step, source: Arc<io::Error> },
}

impl AppendError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            Self::Full(_) => ErrorKind::TooMany,
            Self::Failed { source, .. } if is_full(source) => ErrorKind::TooMany,
            Self::Busy { .. } | Self::Closed | Self::Failed { .. } => ErrorKind::Unavailable,
        }
    }
}

pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Why nothing is taken at present but what makes room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    Budget { used: u64, limit: u64 },
    Disk { used_percent: u64, limit_percent: u64 },
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Budget { used, limit } => write!(
                f,
                "the write-ahead log is full: it holds {used} bytes and takes no rows beyond {limit}; \
                 try again when some are uploaded"
            ),
            Self::Disk { used_percent, limit_percent } => write!(
                f,
                "the disk of the write-ahead log is {used_percent} % full, and from {limit_percent} % on no rows \
                 are taken; try again when there is room"
            ),
        }
    }
}

/// What was being done to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Begin,
    Write,
    Sync,
    Remove,
}

impl Step {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Remove => "remove",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begin => "begin a file of",
            Self::Write => "write to",
            Self::Sync => "sync",
            Self::Remove => "remove a file of",
        })
    }
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("take the directory of the write-ahead log")]
    Lock(#[source] LockError),
    #[error("{action} of the write-ahead log")]
    Io { action: &'static str, source: io::Error },
    #[error("read {file} of the write-ahead log")]
    Read { file: String, source: io::Error },
    #[error(
        "{file} is of version {version} of the log format, and this program reads versions up to {newest}: \
         start the program that wrote it, or a newer one"
    )]
    Version { file: String, version: u16, newest: u16 },
    #[error(
        "the file node holds no node id: put back what was in it, or remove it, which makes this a new node"
    )]
    Node,
    #[error("no number is left behind those of {file}")]
    NumbersUsedUp { file: String },
}

/// Why reading a log back has stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError<E> {
    #[error("read {file} of the write-ahead log")]
    Read { file: String, source: io::Error },
    #[error("take a record of the write-ahead log")]
    Visit(#[source] E),
}
