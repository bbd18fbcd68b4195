//! The planned chunks of one read, with the streams of all of them numbered and what several cover.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use larch_engine::{ChunkRows, Covered, KnownStream, Overlaps, StreamRows, StreamTable};
use larch_proto::{Direction, PlannedChunk, PlannedSegment};
use larch_rpc::CallError;
use larch_types::{SegmentId, StreamId, TenantId, Timestamp};

use crate::rows::{Budget, Reader, Stream, Streams, Unit, units, unplanned};

/// No segment or chunk has this number as a source.
pub(super) const INGESTERS: u32 = u32::MAX;

/// What is told apart as a source of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Sources {
    /// Within one no row comes twice.
    #[default]
    Segments,
    /// Within one all rows of a stream and time are in the order of their pushes.
    Chunks,
}

/// All streams of the question, by their ids.
pub(super) struct KnownStreams {
    pub(super) met: Streams,
    pub(super) table: StreamTable,
    by_id: HashMap<StreamId, Arc<KnownStream>>,
}

impl KnownStreams {
    pub(super) fn new(has_several_tenants: bool) -> Self {
        let met = Streams::new(has_several_tenants);
        Self { met, table: StreamTable::default(), by_id: HashMap::new() }
    }

    pub(super) fn of(&mut self, stream: &Stream) -> Arc<KnownStream> {
        let table = &mut self.table;
        let known = self.by_id.entry(stream.id).or_insert_with(|| match stream.made_labels() {
            Some(labels) => table.add(stream.id, labels.clone()),
            None => table.add_text(stream.id, Arc::clone(&stream.text)),
        });
        Arc::clone(known)
    }
}

/// Chunks that are fetched together.
pub(super) struct PlannedUnit {
    pub(super) reader: Arc<Reader>,
    pub(super) unit: Unit,
    /// The streams of the unit's part of the plan.
    streams: Arc<Vec<Arc<KnownStream>>>,
}

/// What one read has to look at.
#[derive(Default)]
pub(super) struct ReadPlan {
    pub(super) units: Vec<PlannedUnit>,
    pub(super) covered: Vec<Covered>,
    by: Sources,
    sources: u32,
}

impl ReadPlan {
    pub(super) fn by(sources: Sources) -> Self {
        Self { by: sources, ..Self::default() }
    }

    pub(super) fn add(
        &mut self,
        (tenant, reader, segments): (TenantId, Reader, Vec<PlannedSegment>),
        streams: &mut KnownStreams,
        budget: &mut Budget,
    ) -> Result<(), CallError> {
        let reader = Arc::new(reader);
        let (texts, found) = units(segments, Direction::Forward)?;
        let mut parts = Vec::with_capacity(texts.len());
        for of_part in texts {
            let mut known = Vec::with_capacity(of_part.len());
            for text in of_part {
                let stream = streams.met.meet(&tenant, &text, budget)?;
                known.push(streams.of(&stream));
            }
            parts.push(Arc::new(known));
        }
        let mut sources: BTreeMap<SegmentId, u32> = BTreeMap::new();
        // The first to be read is the last.
        for unit in found.into_iter().rev() {
            let Some(known) = parts.get(unit.part) else { return Err(unplanned()) };
            for (place, chunk) in &unit.chunks {
                let source = match self.by {
                    Sources::Segments => *sources.entry(place.entry.id).or_insert(self.sources),
                    Sources::Chunks => self.sources,
                };
                self.sources += u32::from(source == self.sources);
                self.cover(chunk, known, source)?;
            }
            let streams = Arc::clone(known);
            self.units.push(PlannedUnit { reader: Arc::clone(&reader), unit, streams });
        }
        Ok(())
    }

    fn cover(
        &mut self,
        chunk: &PlannedChunk,
        streams: &[Arc<KnownStream>],
        source: u32,
    ) -> Result<(), CallError> {
        let (first, last) = (chunk.first.nanos(), chunk.last.nanos());
        for part in &chunk.streams {
            let stream = streams.get(part.stream as usize).ok_or_else(unplanned)?.place;
            self.covered.push(Covered { stream, source, first, last });
        }
        Ok(())
    }
}

impl PlannedUnit {
    pub(super) fn rows(
        &self,
        chunk: &PlannedChunk,
        overlaps: &Overlaps,
        (start, end): (Timestamp, Timestamp),
    ) -> Result<ChunkRows, CallError> {
        let mut streams = Vec::with_capacity(chunk.streams.len());
        for part in &chunk.streams {
            let stream = Arc::clone(self.streams.get(part.stream as usize).ok_or_else(unplanned)?);
            let contested = overlaps.of_stream(stream.place);
            streams.push(StreamRows { stream, first_row: part.first_row, rows: part.rows, contested });
        }
        Ok(ChunkRows { streams, order: chunk.number, start, end })
    }
}
