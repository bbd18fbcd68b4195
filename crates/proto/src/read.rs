//! What is asked of ingesters, and the head of their answers.

use std::num::NonZeroU32;

use larch_types::{NodeId, TombstoneId};

use crate::check::{list, missing, node_id, required, to_id, to_list, to_tombstone_ids, tombstone_ids};
use crate::matching::{direction, to_direction};
use crate::{
    CountedLabels, Direction, HistogramBatch, InvalidMessage, LabelsQuery, NeedleGroup, Part, RingDigest,
    RowBatch, SegmentEntry, Selection, TextBatch, WalPosition, wire,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRequest {
    pub selection: Selection,
    /// Every group must be met by a line.
    pub needles: Vec<NeedleGroup>,
    pub direction: Direction,
    /// So many rows, and those of the last one's time; 0: all rows.
    pub limit: u64,
    pub tombstones_known: Vec<TombstoneId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelsRequest {
    pub selection: Selection,
    pub query: LabelsQuery,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistogramRequest {
    pub selection: Selection,
    pub minutes_per_cell: NonZeroU32,
    pub tombstones_known: Vec<TombstoneId>,
    /// Rows whose metadata have one of them are gaps.
    pub labels: CountedLabels,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EstimateRequest {
    pub selection: Selection,
}

/// The facts that make an answer one moment of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadHead {
    pub node: NodeId,
    pub ring_digest: RingDigest,
    /// Rows up to here are in the answer, or in the segments handed over.
    pub wal_position: WalPosition,
    /// Segments that the node announced a short while ago.
    pub handed_over: Vec<SegmentEntry>,
    /// Deletes that were applied to the rows.
    pub tombstones_applied: Vec<TombstoneId>,
}

// === conversions ===

impl From<ReadRequest> for wire::ingest::ReadRequest {
    fn from(request: ReadRequest) -> Self {
        Self {
            selection: Some(request.selection.into()),
            needles: to_list(request.needles),
            direction: to_direction(request.direction),
            limit: request.limit,
            tombstones_known: to_tombstone_ids(&request.tombstones_known),
        }
    }
}

impl TryFrom<wire::ingest::ReadRequest> for ReadRequest {
    type Error = InvalidMessage;

    fn try_from(request: wire::ingest::ReadRequest) -> Result<Self, InvalidMessage> {
        Ok(Self {
            selection: required("selection", request.selection)?,
            needles: list("needles", request.needles)?,
            direction: direction("direction", request.direction)?,
            limit: request.limit,
            tombstones_known: tombstone_ids("tombstones_known", &request.tombstones_known)?,
        })
    }
}

impl From<LabelsRequest> for wire::ingest::LabelsRequest {
    fn from(request: LabelsRequest) -> Self {
        Self { selection: Some(request.selection.into()), query: Some(request.query.into()) }
    }
}

impl TryFrom<wire::ingest::LabelsRequest> for LabelsRequest {
    type Error = InvalidMessage;

    fn try_from(request: wire::ingest::LabelsRequest) -> Result<Self, InvalidMessage> {
        Ok(Self {
            selection: required("selection", request.selection)?,
            query: required("query", request.query)?,
        })
    }
}

pub(crate) fn minutes_per_cell(minutes: u32) -> Result<NonZeroU32, InvalidMessage> {
    NonZeroU32::new(minutes).ok_or_else(|| InvalidMessage::new("minutes_per_cell", "0"))
}

impl From<HistogramRequest> for wire::ingest::HistogramRequest {
    fn from(request: HistogramRequest) -> Self {
        Self {
            selection: Some(request.selection.into()),
            minutes_per_cell: request.minutes_per_cell.get(),
            tombstones_known: to_tombstone_ids(&request.tombstones_known),
            labels: Some(request.labels.into()),
        }
    }
}

impl TryFrom<wire::ingest::HistogramRequest> for HistogramRequest {
    type Error = InvalidMessage;

    fn try_from(request: wire::ingest::HistogramRequest) -> Result<Self, InvalidMessage> {
        Ok(Self {
            selection: required("selection", request.selection)?,
            minutes_per_cell: minutes_per_cell(request.minutes_per_cell)?,
            tombstones_known: tombstone_ids("tombstones_known", &request.tombstones_known)?,
            labels: request.labels.map(Into::into).unwrap_or_default(),
        })
    }
}

impl From<EstimateRequest> for wire::ingest::EstimateRequest {
    fn from(request: EstimateRequest) -> Self {
        Self { selection: Some(request.selection.into()) }
    }
}

impl TryFrom<wire::ingest::EstimateRequest> for EstimateRequest {
    type Error = InvalidMessage;

    fn try_from(request: wire::ingest::EstimateRequest) -> Result<Self, InvalidMessage> {
        Ok(Self { selection: required("selection", request.selection)? })
    }
}

impl From<ReadHead> for wire::ingest::ReadHead {
    fn from(head: ReadHead) -> Self {
        Self {
            node_id: to_id(head.node.as_u128()),
            ring_digest: head.ring_digest.0,
            wal_position: head.wal_position.0,
            handed_over: to_list(head.handed_over),
            tombstones_applied: to_tombstone_ids(&head.tombstones_applied),
        }
    }
}

impl TryFrom<wire::ingest::ReadHead> for ReadHead {
    type Error = InvalidMessage;

    fn try_from(head: wire::ingest::ReadHead) -> Result<Self, InvalidMessage> {
        Ok(Self {
            node: node_id("node_id", &head.node_id)?,
            ring_digest: RingDigest(head.ring_digest),
            wal_position: WalPosition(head.wal_position),
            handed_over: list("handed_over", head.handed_over)?,
            tombstones_applied: tombstone_ids("tombstones_applied", &head.tombstones_applied)?,
        })
    }
}

impl From<Part<ReadHead, RowBatch>> for wire::ingest::ReadPart {
    fn from(part: Part<ReadHead, RowBatch>) -> Self {
        use wire::ingest::read_part::Part as Wire;
        let part = match part {
            Part::Head(head) => Wire::Head(head.into()),
            Part::Body(batch) => Wire::Batch(batch.into()),
        };
        Self { part: Some(part) }
    }
}

impl TryFrom<wire::ingest::ReadPart> for Part<ReadHead, RowBatch> {
    type Error = InvalidMessage;

    fn try_from(part: wire::ingest::ReadPart) -> Result<Self, InvalidMessage> {
        use wire::ingest::read_part::Part as Wire;
        match part.part.ok_or_else(|| missing("part"))? {
            Wire::Head(head) => required("head", Some(head)).map(Part::Head),
            Wire::Batch(batch) => required("batch", Some(batch)).map(Part::Body),
        }
    }
}

impl From<Part<ReadHead, TextBatch>> for wire::ingest::LabelsPart {
    fn from(part: Part<ReadHead, TextBatch>) -> Self {
        use wire::ingest::labels_part::Part as Wire;
        let part = match part {
            Part::Head(head) => Wire::Head(head.into()),
            Part::Body(batch) => Wire::Batch(batch.into()),
        };
        Self { part: Some(part) }
    }
}

impl TryFrom<wire::ingest::LabelsPart> for Part<ReadHead, TextBatch> {
    type Error = InvalidMessage;

    fn try_from(part: wire::ingest::LabelsPart) -> Result<Self, InvalidMessage> {
        use wire::ingest::labels_part::Part as Wire;
        match part.part.ok_or_else(|| missing("part"))? {
            Wire::Head(head) => required("head", Some(head)).map(Part::Head),
            Wire::Batch(batch) => Ok(Part::Body(batch.into())),
        }
    }
}

impl From<Part<ReadHead, HistogramBatch>> for wire::ingest::HistogramPart {
    fn from(part: Part<ReadHead, HistogramBatch>) -> Self {
        use wire::ingest::histogram_part::Part as Wire;
        let part = match part {
            Part::Head(head) => Wire::Head(head.into()),
            Part::Body(batch) => Wire::Batch(batch.into()),
        };
        Self { part: Some(part) }
    }
}

impl TryFrom<wire::ingest::HistogramPart> for Part<ReadHead, HistogramBatch> {
    type Error = InvalidMessage;

    fn try_from(part: wire::ingest::HistogramPart) -> Result<Self, InvalidMessage> {
        use wire::ingest::histogram_part::Part as Wire;
        match part.part.ok_or_else(|| missing("part"))? {
            Wire::Head(head) => required("head", Some(head)).map(Part::Head),
            Wire::Batch(batch) => required("batch", Some(batch)).map(Part::Body),
        }
    }
}
