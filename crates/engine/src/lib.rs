//! Runs LogQL over chunks of pages.
//!
//! A query is built once ([`MetricQuery`]), shown one chunk after the other by as many threads as there are
//! ([`MetricQuery::read_chunk`], each into its own [`Gathered`]), and finished. A chunk is read as columns: its
//! times say which rows are in the range, its line filters run over whole pages, and only what is left is put
//! together and looked at row by row. The meaning is that of the reference evaluator in `larch-logql`, whose
//! stages and arithmetic run here too.
//!
//! A log query ([`LogQuery`]) is shown chunks in the order of the answer, tells which it still wants, and puts
//! together no more rows than it can show.
//!
//! It cannot tell memory from storage, and does not know who asked. It reads no clock and fetches nothing:
//! whoever has pages hands them in.

mod by_form;
mod chunk;
mod counts;
mod error;
mod filter;
mod finish;
mod form_value;
mod forms;
mod gather;
mod logs;
mod loose;
mod memory;
mod metadata;
mod outcome;
mod overlap;
mod query;
mod range;
mod seen;
mod series;
mod span;
mod streams;
mod values;
mod windows;

pub use chunk::{ChunkRows, StreamRows};
pub use error::ReadFailure;
pub use gather::Gathered;
pub use logs::{ChunkPages, LogEntries, LogQuery, Survivors};
pub use loose::LooseRow;
pub use memory::SharedMemory;
pub use overlap::{Contested, Covered, Overlaps};
pub use query::MetricQuery;
pub use range::Needed;
pub use seen::Seen;
pub use streams::{KnownStream, StreamTable};
