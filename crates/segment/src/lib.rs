//! The bytes of a segment: arena, builder, writer and reader; pages, filters, index, footer.
//!
//! It never opens a file, reads a clock or names a runtime: bytes in, bytes out. Bytes that come in are
//! hostile: what is wrong with them is a [`Corrupt`] that names the section, never a panic.

mod compress;
mod distinct;
mod error;
mod filter;
mod footer;
mod format;
mod fuzz;
mod histogram;
mod index;
mod memory;
mod names;
mod numbers;
mod pack;
mod page;
mod reader;
mod row;
mod set;
mod streams;
#[cfg(test)]
mod testing;
mod text;
mod wire;
mod writer;

pub use compress::Decoder;
pub use distinct::{Tally, distinct};
pub use error::{Corrupt, OpenError, ReadError, RowError, Section};
pub use filter::{Filter, Probe};
pub use footer::{Provenance, Totals};
pub use format::{Column, VERSION as FORMAT_VERSION};
pub use fuzz::fuzz_reader;
pub use histogram::{Counts, Histograms, LevelCount, MinuteCount};
pub use index::{Index, Selector, SeriesSpan, StreamInfo, StreamWalk, Test};
pub use memory::arena::{Arena, Frozen, Held, PushPart, Pushed};
pub use memory::room::{ArenaLimits, PushError, ROW_OVERHEAD, Room};
pub use memory::snapshot::Snapshot;
pub use memory::spares::Spares;
pub use names::MetadataNames;
pub use page::lines::{Lines, PickedLines};
pub use page::optional::OptionalTexts;
pub use page::runs::StreamRun;
pub use page::stamps::{RowStamp, Stamps};
pub use page::templates::{Digits, SlotKind, SlotValues, Templates};
pub use reader::chunk::{Chunk, ChunkInfo, NamedColumn};
pub use reader::directory::ChunkDirectory;
pub use reader::inspect::{Inspection, SectionSize, inspect};
pub use reader::placement::RowFinder;
pub use reader::presence::Presence;
pub use reader::verify::verify;
pub use reader::{Columns, PageRef, Segment, TAIL_GUESS_BYTES};
pub use row::{MAX_LABELS_BYTES, MAX_LINE_BYTES, MAX_METADATA_BYTES, Row, RowIdentity};
pub use set::OrdinalSet;
pub use streams::StreamRank;
pub use text::Texts;
pub use writer::{BuilderStream, Built, Effort, SegmentBuilder, SegmentWriter, WriteError};
