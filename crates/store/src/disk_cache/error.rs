//! Why the directory of the cache cannot be used.

use std::io;

use larch_wal::LockError;

#[derive(Debug, thiserror::Error)]
pub enum OpenCacheError {
    #[error("take the directory")]
    Lock(#[source] LockError),
    #[error("read the directory")]
    Read(#[source] io::Error),
    #[error("the cache is open already")]
    Twice,
    #[error("the process stops")]
    Stopped,
}
