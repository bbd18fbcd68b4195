//! What is asked of planners, and their answers.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use bytes::Bytes;
use larch_types::{Timestamp, TombstoneId};

use crate::check::{list, missing, place, required, to_list, to_nanos, to_tombstone_ids, tombstone_ids};
use crate::matching::{direction, to_direction};
use crate::read::minutes_per_cell;
use crate::{
    CountedLabels, Direction, HistogramBatch, InvalidMessage, LabelsQuery, NeedleGroup, Part, SegmentEntry,
    Selection, TextBatch, Tombstone, wire,
};

/// What is asked about, and how fresh the planner's knowledge must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanScope {
    pub selection: Selection,
    /// Segments that ingesters handed over in the answers to the same read.
    pub announced: Vec<SegmentEntry>,
    pub max_view_age: Duration,
    pub tombstones_known: Vec<TombstoneId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRequest {
    pub scope: PlanScope,
    /// Every group must be met by a line.
    pub needles: Vec<NeedleGroup>,
    pub of: PlanOf,
}

/// What a plan is to be of; it may be of more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanOf {
    AllRows,
    /// So many rows that come first, and those of the last one's time. Every selected row that has the needles
    /// counts.
    FirstRows {
        direction: Direction,
        limit: NonZeroU64,
    },
    /// Only which segments may have selected rows: they come without chunks.
    Segments,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanLabelsRequest {
    pub scope: PlanScope,
    pub query: LabelsQuery,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanHistogramRequest {
    pub scope: PlanScope,
    pub minutes_per_cell: NonZeroU32,
    /// Rows whose metadata may have one of them are gaps.
    pub labels: CountedLabels,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanEstimateRequest {
    pub scope: PlanScope,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanHead {
    /// How old the view was that was used, at its oldest.
    pub view_age: Duration,
    /// Every accepted delete of the tenant that touches the range.
    pub tombstones: Vec<Tombstone>,
    /// Also those without a chunk to read.
    pub segments_in_range: u64,
    /// Also those that were ruled out.
    pub chunks_in_range: u64,
    /// All chunks of these segments, and those whose times touch the range; told by plans of rows only.
    pub chunks_of_segments: u64,
    pub chunks_in_time: u64,
}

/// Rows of one stream in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkStream {
    /// Place in the segment's streams.
    pub stream: u32,
    pub first_row: u32,
    pub rows: u32,
}

/// A page to fetch, from the segment's first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRange {
    /// The column's number in the segment's format.
    pub column: u32,
    pub offset: u64,
    pub bytes: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedChunk {
    pub number: u32,
    pub rows: u32,
    /// The oldest row's time, of the selected streams.
    pub first: Timestamp,
    /// The newest row's time, of the selected streams, itself included.
    pub last: Timestamp,
    /// The chunk's entry as it stands in the footer, in the segment's own format.
    pub directory: Bytes,
    pub streams: Vec<ChunkStream>,
    pub pages: Vec<PageRange>,
}

/// Places and page ranges were checked where the segment came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedSegment {
    pub entry: SegmentEntry,
    pub format_version: u32,
    /// Canonical label texts of the selected streams.
    pub streams: Vec<String>,
    pub chunks: Vec<PlannedChunk>,
}

// === conversions ===

impl From<PlanScope> for wire::plan::PlanScope {
    fn from(scope: PlanScope) -> Self {
        Self {
            selection: Some(scope.selection.into()),
            announced: to_list(scope.announced),
            max_view_age_ns: to_nanos(scope.max_view_age),
            tombstones_known: to_tombstone_ids(&scope.tombstones_known),
        }
    }
}

impl TryFrom<wire::plan::PlanScope> for PlanScope {
    type Error = InvalidMessage;

    fn try_from(scope: wire::plan::PlanScope) -> Result<Self, InvalidMessage> {
        Ok(Self {
            selection: required("selection", scope.selection)?,
            announced: list("announced", scope.announced)?,
            max_view_age: Duration::from_nanos(scope.max_view_age_ns),
            tombstones_known: tombstone_ids("tombstones_known", &scope.tombstones_known)?,
        })
    }
}

impl From<PlanRequest> for wire::plan::PlanRequest {
    fn from(request: PlanRequest) -> Self {
        let (limit, direction) = match request.of {
            PlanOf::FirstRows { direction, limit } => (limit.get(), to_direction(direction)),
            PlanOf::AllRows | PlanOf::Segments => (0, wire::types::Direction::Unspecified.into()),
        };
        Self {
            scope: Some(request.scope.into()),
            needles: to_list(request.needles),
            limit,
            direction,
            only_segments: request.of == PlanOf::Segments,
        }
    }
}

impl TryFrom<wire::plan::PlanRequest> for PlanRequest {
    type Error = InvalidMessage;

    fn try_from(request: wire::plan::PlanRequest) -> Result<Self, InvalidMessage> {
        let of = match NonZeroU64::new(request.limit) {
            _ if request.only_segments => PlanOf::Segments,
            Some(limit) => PlanOf::FirstRows { direction: direction("direction", request.direction)?, limit },
            None => PlanOf::AllRows,
        };
        Ok(Self { scope: required("scope", request.scope)?, needles: list("needles", request.needles)?, of })
    }
}

impl From<PlanLabelsRequest> for wire::plan::LabelsRequest {
    fn from(request: PlanLabelsRequest) -> Self {
        Self { scope: Some(request.scope.into()), query: Some(request.query.into()) }
    }
}

impl TryFrom<wire::plan::LabelsRequest> for PlanLabelsRequest {
    type Error = InvalidMessage;

    fn try_from(request: wire::plan::LabelsRequest) -> Result<Self, InvalidMessage> {
        Ok(Self { scope: required("scope", request.scope)?, query: required("query", request.query)? })
    }
}

impl From<PlanHistogramRequest> for wire::plan::HistogramRequest {
    fn from(request: PlanHistogramRequest) -> Self {
        Self {
            scope: Some(request.scope.into()),
            minutes_per_cell: request.minutes_per_cell.get(),
            labels: Some(request.labels.into()),
        }
    }
}

impl TryFrom<wire::plan::HistogramRequest> for PlanHistogramRequest {
    type Error = InvalidMessage;

    fn try_from(request: wire::plan::HistogramRequest) -> Result<Self, InvalidMessage> {
        Ok(Self {
            scope: required("scope", request.scope)?,
            minutes_per_cell: minutes_per_cell(request.minutes_per_cell)?,
            labels: request.labels.map(Into::into).unwrap_or_default(),
        })
    }
}

impl From<PlanEstimateRequest> for wire::plan::EstimateRequest {
    fn from(request: PlanEstimateRequest) -> Self {
        Self { scope: Some(request.scope.into()) }
    }
}

impl TryFrom<wire::plan::EstimateRequest> for PlanEstimateRequest {
    type Error = InvalidMessage;

    fn try_from(request: wire::plan::EstimateRequest) -> Result<Self, InvalidMessage> {
        Ok(Self { scope: required("scope", request.scope)? })
    }
}

impl From<PlanHead> for wire::plan::PlanHead {
    fn from(head: PlanHead) -> Self {
        Self {
            view_age_ns: to_nanos(head.view_age),
            tombstones: to_list(head.tombstones),
            segments_in_range: head.segments_in_range,
            chunks_in_range: head.chunks_in_range,
            chunks_of_segments: head.chunks_of_segments,
            chunks_in_time: head.chunks_in_time,
        }
    }
}

impl TryFrom<wire::plan::PlanHead> for PlanHead {
    type Error = InvalidMessage;

    fn try_from(head: wire::plan::PlanHead) -> Result<Self, InvalidMessage> {
        Ok(Self {
            view_age: Duration::from_nanos(head.view_age_ns),
            tombstones: list("tombstones", head.tombstones)?,
            segments_in_range: head.segments_in_range,
            chunks_in_range: head.chunks_in_range,
            chunks_of_segments: head.chunks_of_segments,
            chunks_in_time: head.chunks_in_time,
        })
    }
}

fn to_chunk(chunk: PlannedChunk) -> wire::plan::PlannedChunk {
    let to_stream = |rows: ChunkStream| wire::plan::ChunkStream {
        stream: rows.stream,
        first_row: rows.first_row,
        rows: rows.rows,
    };
    let to_page = |page: PageRange| wire::plan::PageRange {
        column: page.column,
        offset: page.offset,
        bytes: page.bytes,
    };
    wire::plan::PlannedChunk {
        number: chunk.number,
        rows: chunk.rows,
        first_ns: chunk.first.nanos(),
        last_ns: chunk.last.nanos(),
        directory: chunk.directory,
        streams: chunk.streams.into_iter().map(to_stream).collect(),
        pages: chunk.pages.into_iter().map(to_page).collect(),
    }
}

/// Checks that rows are inside the chunk and pages inside the segment, so that nobody slices past them.
fn chunk(
    chunk: wire::plan::PlannedChunk,
    streams: usize,
    object_bytes: u64,
) -> Result<PlannedChunk, InvalidMessage> {
    let mut checked = PlannedChunk {
        number: chunk.number,
        rows: chunk.rows,
        first: Timestamp::from_nanos(chunk.first_ns),
        last: Timestamp::from_nanos(chunk.last_ns),
        directory: chunk.directory,
        streams: Vec::with_capacity(chunk.streams.len()),
        pages: Vec::with_capacity(chunk.pages.len()),
    };
    if checked.last < checked.first {
        return Err(InvalidMessage::new("last_ns", "before the first"));
    }
    for (index, rows) in chunk.streams.into_iter().enumerate() {
        let field = format!("streams[{index}]");
        let stream = place(&field, rows.stream, streams)?;
        if rows.first_row.checked_add(rows.rows).is_none_or(|end| end > checked.rows) {
            return Err(InvalidMessage::new(&field, "rows beyond the chunk"));
        }
        checked.streams.push(ChunkStream { stream, first_row: rows.first_row, rows: rows.rows });
    }
    for (index, page) in chunk.pages.into_iter().enumerate() {
        if page.offset.checked_add(page.bytes.into()).is_none_or(|end| end > object_bytes) {
            return Err(InvalidMessage::new(&format!("pages[{index}]"), "beyond the segment"));
        }
        checked.pages.push(PageRange { column: page.column, offset: page.offset, bytes: page.bytes });
    }
    Ok(checked)
}

impl From<PlannedSegment> for wire::plan::PlannedSegment {
    fn from(segment: PlannedSegment) -> Self {
        Self {
            entry: Some(segment.entry.into()),
            format_version: segment.format_version,
            streams: segment.streams,
            chunks: segment.chunks.into_iter().map(to_chunk).collect(),
        }
    }
}

impl TryFrom<wire::plan::PlannedSegment> for PlannedSegment {
    type Error = InvalidMessage;

    fn try_from(segment: wire::plan::PlannedSegment) -> Result<Self, InvalidMessage> {
        let entry: SegmentEntry = required("entry", segment.entry)?;
        let mut chunks = Vec::with_capacity(segment.chunks.len());
        for (index, one) in segment.chunks.into_iter().enumerate() {
            let one = chunk(one, segment.streams.len(), entry.object_bytes);
            chunks.push(one.map_err(|error| error.inside(&format!("chunks[{index}]")))?);
        }
        Ok(Self { entry, format_version: segment.format_version, streams: segment.streams, chunks })
    }
}

impl From<Part<PlanHead, PlannedSegment>> for wire::plan::PlanPart {
    fn from(part: Part<PlanHead, PlannedSegment>) -> Self {
        use wire::plan::plan_part::Part as Wire;
        let part = match part {
            Part::Head(head) => Wire::Head(head.into()),
            Part::Body(segment) => Wire::Segment(segment.into()),
        };
        Self { part: Some(part) }
    }
}

impl TryFrom<wire::plan::PlanPart> for Part<PlanHead, PlannedSegment> {
    type Error = InvalidMessage;

    fn try_from(part: wire::plan::PlanPart) -> Result<Self, InvalidMessage> {
        use wire::plan::plan_part::Part as Wire;
        match part.part.ok_or_else(|| missing("part"))? {
            Wire::Head(head) => required("head", Some(head)).map(Part::Head),
            Wire::Segment(segment) => required("segment", Some(segment)).map(Part::Body),
        }
    }
}

impl From<Part<PlanHead, TextBatch>> for wire::plan::LabelsPart {
    fn from(part: Part<PlanHead, TextBatch>) -> Self {
        use wire::plan::labels_part::Part as Wire;
        let part = match part {
            Part::Head(head) => Wire::Head(head.into()),
            Part::Body(batch) => Wire::Batch(batch.into()),
        };
        Self { part: Some(part) }
    }
}

impl TryFrom<wire::plan::LabelsPart> for Part<PlanHead, TextBatch> {
    type Error = InvalidMessage;

    fn try_from(part: wire::plan::LabelsPart) -> Result<Self, InvalidMessage> {
        use wire::plan::labels_part::Part as Wire;
        match part.part.ok_or_else(|| missing("part"))? {
            Wire::Head(head) => required("head", Some(head)).map(Part::Head),
            Wire::Batch(batch) => Ok(Part::Body(batch.into())),
        }
    }
}

impl From<Part<PlanHead, HistogramBatch>> for wire::plan::HistogramPart {
    fn from(part: Part<PlanHead, HistogramBatch>) -> Self {
        use wire::plan::histogram_part::Part as Wire;
        let part = match part {
            Part::Head(head) => Wire::Head(head.into()),
            Part::Body(batch) => Wire::Batch(batch.into()),
        };
        Self { part: Some(part) }
    }
}

impl TryFrom<wire::plan::HistogramPart> for Part<PlanHead, HistogramBatch> {
    type Error = InvalidMessage;

    fn try_from(part: wire::plan::HistogramPart) -> Result<Self, InvalidMessage> {
        use wire::plan::histogram_part::Part as Wire;
        match part.part.ok_or_else(|| missing("part"))? {
            Wire::Head(head) => required("head", Some(head)).map(Part::Head),
            Wire::Batch(batch) => required("batch", Some(batch)).map(Part::Body),
        }
    }
}
