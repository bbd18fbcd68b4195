//! The filter: which chunks can hold a needle. It is sound for every substring: a chunk that is left
//! out does not have it. A chunk that is named may not have it either.
//!
//! Two things are kept of each chunk: how long its longest words are, by the kinds of bytes in them, and
//! in one map for the segment the hashes of those words that are worth it. A needle is cut into pieces
//! at what is no word byte; what each piece must be in a line that holds the needle, the two decide.

mod builder;
mod map;
mod needle;
mod reader;
mod words;

pub(crate) use builder::{ChunkWords, FilterBuilder};
pub use reader::{Filter, Probe};

#[cfg(test)]
mod tests;
