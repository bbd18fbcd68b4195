//! A durable sequence of opaque records in a directory.
//!
//! So far it holds the directory itself: [`Dir`] is all file access that the log will do, as few calls
//! with a stated durability each, so that a hostile twin in the test kit can lose exactly what a power
//! cut may lose. It does not know what a log line is.

mod dir;
mod os_dir;

pub use dir::{Dir, DirFile, FileName, InvalidFileName, Space};
pub use os_dir::OsDir;
