//! What is fetched at once: neighbouring chunks of a segment, whose pages lie together.

use std::sync::Arc;

use larch_proto::{Direction, PlannedChunk, PlannedSegment};
use larch_rpc::CallError;
use larch_segment::{ChunkDirectory, FORMAT_VERSION};
use larch_types::{ErrorKind, Timestamp};

use super::reader::ChunkPlace;

/// The writer puts pages of one column together for some 4 MiB of chunks.
const UNIT_BYTES: u64 = 4 << 20;
const UNIT_CHUNKS: usize = 16;

/// Chunks, and the time that they span.
#[derive(Debug)]
pub(crate) struct Unit {
    /// Place of the segment's list of streams.
    pub(crate) part: usize,
    pub(crate) chunks: Vec<(Arc<ChunkPlace>, PlannedChunk)>,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    bytes: u64,
}

/// The texts of streams by part of the plan, and the units, those to be opened first at the end.
pub(crate) fn units(
    segments: Vec<PlannedSegment>,
    direction: Direction,
) -> Result<(Vec<Vec<String>>, Vec<Unit>), CallError> {
    let (mut texts, mut units) = (Vec::with_capacity(segments.len()), Vec::new());
    for (part, segment) in segments.into_iter().enumerate() {
        if segment.format_version != u32::from(FORMAT_VERSION) {
            let text = format!(
                "segment {} is of format {}, and this querier reads {FORMAT_VERSION}",
                segment.entry.id, segment.format_version
            );
            return Err(CallError::new(ErrorKind::Unprocessable, text));
        }
        let entry = Arc::new(segment.entry);
        let mut unit: Option<Unit> = None;
        for chunk in segment.chunks {
            let directory = ChunkDirectory::decode(&chunk.directory, entry.object_bytes)
                .map_err(|error| CallError::new(error.kind(), format!("segment {}: {error}", entry.id)))?;
            let bytes: u64 = chunk.pages.iter().map(|page| u64::from(page.bytes)).sum();
            let place = Arc::new(ChunkPlace { entry: Arc::clone(&entry), directory });
            match &mut unit {
                Some(unit) if unit.has_room_for(bytes) => unit.add(place, chunk, bytes),
                _ => units.extend(unit.replace(Unit::of(part, place, chunk, bytes))),
            }
        }
        units.extend(unit);
        texts.push(segment.streams);
    }
    match direction {
        Direction::Forward => units.sort_by_key(|unit| std::cmp::Reverse(unit.first)),
        Direction::Backward => units.sort_by_key(|unit| unit.last),
    }
    Ok((texts, units))
}

impl Unit {
    fn of(part: usize, place: Arc<ChunkPlace>, chunk: PlannedChunk, bytes: u64) -> Self {
        let (first, last) = (chunk.first, chunk.last);
        Self { part, chunks: vec![(place, chunk)], first, last, bytes }
    }

    fn has_room_for(&self, bytes: u64) -> bool {
        self.bytes + bytes <= UNIT_BYTES && self.chunks.len() < UNIT_CHUNKS
    }

    fn add(&mut self, place: Arc<ChunkPlace>, chunk: PlannedChunk, bytes: u64) {
        (self.first, self.last) = (self.first.min(chunk.first), self.last.max(chunk.last));
        self.bytes += bytes;
        self.chunks.push((place, chunk));
    }
}
