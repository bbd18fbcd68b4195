//! The catalog: which segments a tenant has, a day at a time.
//!
//! A day is two grow-only sets of segments, *added* and *removed*; live is what was added and not removed.
//! Facts are small objects that are written once under names that nobody else can choose, and they commute:
//! whatever order, repetition or delay they are read in, the sets are the same. No clock, generation or
//! lock decides anything. A snapshot is only a cache: it carries both sets and names the facts it folds.
//!
//! `format` is the bytes of a fact, `sets` what facts together mean; neither does any IO. `view` reads a day
//! and keeps it, `days` says which are kept, `write` announces.

mod cursor;
mod days;
mod find;
mod format;
mod sets;
#[cfg(test)]
mod testing;
mod view;
mod write;

pub(crate) use format::fact_length;
pub use format::{DecodeError, Fact, FactBody, Input, MAX_FACT_BYTES, fuzz_fact};
pub use sets::{CatalogSets, Removal};
pub use view::{Catalog, CatalogError, DayView, MAX_UNFOLDED, MAX_VIEW_AGE};
pub use write::{EMBED_BELOW_BYTES, NewSegment, SegmentPlace};
