//! Metric queries over pages: what ingesters hold comes row by row, and then the chunks of segments go
//! through the engine, several at a time.

mod loose;
mod plan;
mod run;

pub(crate) use run::{Scanned, scan};
