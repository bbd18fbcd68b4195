//! Queries over pages: what ingesters hold comes row by row, and then the chunks of segments go through the
//! engine, several at a time.

mod logs;
mod loose;
mod plan;
mod run;
mod threads;

pub(crate) use logs::{ScannedLogs, scan_logs};
pub(crate) use run::{Scanned, scan};
pub(crate) use threads::threads_to_share;
