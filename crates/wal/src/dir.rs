//! A directory of flat files, and what of it survives a power cut.
//!
//! | call | survives a power cut |
//! |---|---|
//! | [`DirFile::append`] | nothing before [`DirFile::sync`] of that file |
//! | [`Dir::create`], [`Dir::rename`], [`Dir::remove`] | nothing before [`Dir::sync`] |
//!
//! All calls block, if the directory says so of itself. They belong on threads of their own then, never
//! on those that serve requests.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

/// The name of a file in a [`Dir`]: letters, digits, `-`, `_` and `.`, not beginning with a dot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileName(Box<str>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a file name: {0:?}")]
pub struct InvalidFileName(String);

/// Room on the disk that holds a directory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Used and available together.
    pub total: u64,
    pub available: u64,
}

/// A directory that one process owns.
pub trait Dir: Send + Sync + fmt::Debug {
    /// Whether calls can take long. A directory in memory answers at once, and its calls may be made from
    /// where nothing may block; this is how a simulation keeps everything in one thread.
    fn blocks(&self) -> bool;

    /// Takes the directory for this process, until the lock is dropped or the process ends.
    fn lock(&self) -> Result<Box<dyn DirLock>, LockError>;

    /// The files in it, by name. Whatever has no valid name is none of ours and left out.
    fn list(&self) -> io::Result<Vec<FileName>>;

    /// Makes an empty file to append to. Fails if there is one of that name.
    fn create(&self, name: &FileName) -> io::Result<Box<dyn DirFile>>;

    /// Opens a file to read it.
    fn open(&self, name: &FileName) -> io::Result<Box<dyn DirFile>>;

    /// Gives a file another name. A file that had it is gone.
    fn rename(&self, from: &FileName, to: &FileName) -> io::Result<()>;

    fn remove(&self, name: &FileName) -> io::Result<()>;

    /// Makes the names durable: what was created, renamed and removed so far.
    fn sync(&self) -> io::Result<()>;

    fn space(&self) -> io::Result<Space>;

    /// Where the operating system has a file, for whoever can use it without reading it. `None` if the
    /// directory is none of the system's.
    fn path_of(&self, _name: &FileName) -> Option<PathBuf> {
        None
    }
}

/// Holds a directory as long as it lives.
pub trait DirLock: Send + Sync + fmt::Debug {}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("in use by {holder}")]
    Held { holder: String },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One open file.
pub trait DirFile: Send + fmt::Debug {
    /// Writes all bytes behind those that are there. After an error an unknown part may have been
    /// written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes the bytes durable. After an error nothing is known about any byte since the last success, and
    /// no later success says anything about them.
    fn sync(&mut self) -> io::Result<()>;

    /// Reads up to the buffer's length from an offset. Fewer bytes mean the end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    fn size(&self) -> io::Result<u64>;
}

impl FileName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for FileName {
    type Err = InvalidFileName;

    fn from_str(text: &str) -> Result<Self, InvalidFileName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        // 255 bytes is what common file systems take.
        let valid =
            !text.is_empty() && text.len() <= 255 && !text.starts_with('.') && text.bytes().all(allowed);
        if valid { Ok(Self(text.into())) } else { Err(InvalidFileName(text.to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_directory() {
        for name in ["00000001.wal", "node-id", "a_b"] {
            assert_eq!(name.parse::<FileName>().unwrap().as_str(), name);
        }
        for name in ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "\u{e4}", &"x".repeat(256)] {
            assert!(name.parse::<FileName>().is_err(), "{name}");
        }
    }
}
