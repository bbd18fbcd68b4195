//! Takes rows of any streams in any order, and writes them as one segment.

use larch_types::{Labels, StreamId};

use crate::error::RowError;
use crate::footer::Provenance;
use crate::memory::batch::Batch;
use crate::page::stamps::RowStamp;
use crate::row::{Row, RowIdentity};
use crate::streams::StreamTable;
use crate::writer::{Built, Effort, WriteError, assemble};

/// Columns of a batch grow by doubling, so a batch closes before that costs; offsets in it stay far
/// below 32 bits even if its last row is the largest that is allowed.
const BATCH_BYTES: usize = 8 << 20;

/// Holds all rows in memory until it writes them.
#[derive(Default)]
pub struct SegmentBuilder {
    streams: StreamTable,
    batches: Vec<Batch>,
    rows: usize,
    raw_bytes: usize,
}

/// A stream of a builder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuilderStream {
    place: u32,
    id: StreamId,
}

impl SegmentBuilder {
    pub fn new() -> Self {
        Self::default()
    }

    /// The stream with these labels; the same one every time.
    pub fn stream(&mut self, labels: &Labels) -> Result<BuilderStream, RowError> {
        let id = StreamId::of(labels);
        Ok(BuilderStream { place: self.streams.insert(id, labels)?, id })
    }

    pub fn push(
        &mut self,
        stream: BuilderStream,
        row: &Row<'_>,
        stamp: Option<RowStamp>,
    ) -> Result<(), RowError> {
        row.check()?;
        let identity = RowIdentity::of(stream.id, row.timestamp, row.line, row.metadata.iter().copied());
        if self.batches.last().is_none_or(|batch| batch.held_bytes() >= BATCH_BYTES) {
            self.batches.push(Batch::default());
        }
        if let Some(batch) = self.batches.last_mut() {
            batch.push(stream.place, row, identity, stamp);
        }
        self.rows += 1;
        self.raw_bytes += row.raw_bytes();
        Ok(())
    }

    /// Rows pushed, doubles included.
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn raw_bytes(&self) -> usize {
        self.raw_bytes
    }

    pub fn finish(self, provenance: Provenance, effort: Effort) -> Result<Built, WriteError> {
        let batches: Vec<&Batch> = self.batches.iter().collect();
        let mut bytes = Vec::new();
        let totals = assemble(
            &self.streams,
            &batches,
            |_| true,
            (provenance, effort),
            |piece| {
                bytes.extend_from_slice(piece);
                Ok::<(), WriteError>(())
            },
        )?;
        Ok(Built { bytes, totals })
    }
}
