//! The index: which streams a segment has, their labels, and in which chunks their rows are. Four
//! sections: symbols, stream ids, series, postings. Nothing of them is decoded but what is asked for.

mod builder;
mod postings;
mod reader;
mod selector;
mod series;
mod symbols;
mod walk;

pub(crate) use builder::{IndexBuilder, IndexSections, MAX_LABEL_BYTES};
pub use reader::Index;
pub(crate) use reader::IndexBytes;
pub use selector::{Selector, Test};
pub use series::{SeriesSpan, StreamInfo};
pub use walk::StreamWalk;

#[cfg(test)]
mod tests;
