//! A durable sequence of opaque records in a directory.
//!
//! [`Recovery`] takes the directory, reads back what is there and goes on behind it; [`Log`] takes records,
//! writes all that wait together, syncs once, and hands them out in order through [`Committed`]. [`Dir`] is
//! all file access, as few calls with a stated durability each, so that a hostile twin in the test kit can
//! lose exactly what a power cut may lose.
//!
//! It does not know what a log line is, and it decides nothing about when a record is no longer needed.
//! What it must never do: hand out a record as durable that is not, use a number twice, append to a file
//! that has failed or that another process wrote, give back bytes that were not a record.

mod copy;
mod dir;
mod error;
mod file_header;
mod frame;
mod fuzz;
mod log;
mod metrics;
mod node;
mod os_dir;
mod position;
mod recovery;
mod replay;
mod scan;
mod settings;
mod task;
mod writer;

pub use copy::{CopyError, CopyWriter, read_copy, read_records};
pub use dir::{Dir, DirFile, DirLock, FileName, InvalidFileName, LockError, Space};
pub use error::{AppendError, Full, OpenError, ReplayError, Step};
pub use frame::MAX_RECORD_BYTES;
pub use fuzz::fuzz_replay;
pub use log::{Committed, Log, Outcome};
pub use metrics::LogMetrics;
pub use node::forget_node;
pub use os_dir::OsDir;
pub use position::Position;
pub use recovery::Recovery;
pub use replay::Replayed;
pub use settings::{LogSettings, SyncMode};
pub use writer::LogFile;
