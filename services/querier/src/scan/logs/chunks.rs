//! The chunks of a read in the order of the answer.

use std::sync::Arc;

use larch_engine::{ChunkRows, LogQuery, Overlaps};
use larch_proto::Direction;
use larch_rpc::CallError;
use larch_types::Timestamp;

use super::rank;
use crate::rows::{ChunkPlace, Reader};
use crate::scan::plan::PlannedUnit;

/// A planned chunk.
pub(super) struct LogChunk {
    pub(super) reader: Arc<Reader>,
    pub(super) place: Arc<ChunkPlace>,
    pub(super) rows: ChunkRows,
    /// Those of its rows that are selected span these times, both included.
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

/// The next one is the last.
pub(super) struct LogChunks(Vec<LogChunk>);

impl LogChunks {
    pub(super) fn new(
        units: Vec<PlannedUnit>,
        overlaps: &Overlaps,
        window: (Timestamp, Timestamp),
        direction: Direction,
    ) -> Result<Self, CallError> {
        let mut chunks = Vec::new();
        for planned in units {
            for (place, chunk) in &planned.unit.chunks {
                let rows = planned.rows(chunk, overlaps, window)?;
                let (reader, place) = (Arc::clone(&planned.reader), Arc::clone(place));
                chunks.push(LogChunk { reader, place, rows, first: chunk.first, last: chunk.last });
            }
        }
        // Of chunks that begin at one time those stay side by side whose pages are.
        chunks.sort_by_key(|chunk| {
            let place = (chunk.place.entry.id, chunk.rows.order);
            std::cmp::Reverse((rank((chunk.first, chunk.last), direction), place))
        });
        Ok(Self(chunks))
    }

    /// So many of those that can still have a row that is shown; none once no other can.
    pub(super) fn next(&mut self, most: usize, query: &LogQuery) -> Vec<LogChunk> {
        let mut batch = Vec::with_capacity(most.min(self.0.len()));
        while batch.len() < most
            && let Some(chunk) = self.0.pop()
        {
            if !query.wants(chunk.first, chunk.last) {
                // All that are left come behind it.
                self.0.clear();
                break;
            }
            batch.push(chunk);
        }
        batch
    }
}
