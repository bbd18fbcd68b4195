//! Rows as they arrive.

use larch_types::{NodeId, Timestamp};

use crate::check::{list, missing, node_id, optional, required, to_id, to_list};
use crate::{InvalidMessage, NeedleGroup, Part, RingDigest, RowBatch, Selection, WalPosition, wire};

/// A position with the node that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalPoint {
    pub node: NodeId,
    /// The last record that was seen.
    pub position: WalPosition,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeRequest {
    pub selection: Selection,
    /// Every group must be met by a line.
    pub needles: Vec<NeedleGroup>,
    /// `None`: from now on.
    pub from: Option<WalPoint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TailStart {
    pub node: NodeId,
    /// The last record before the first event.
    pub position: WalPosition,
    pub ring_digest: RingDigest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TailEvent {
    /// In the order of the WAL. Without rows: the node is alive and this far.
    Rows { batch: RowBatch, position: WalPosition },
    /// What the caller did not get because it was too slow.
    Dropped { rows: u64, examples: Vec<DroppedRow>, position: WalPosition },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedRow {
    /// Canonical label text.
    pub labels: String,
    pub timestamp: Timestamp,
}

// === conversions ===

impl From<WalPoint> for wire::ingest::WalPoint {
    fn from(point: WalPoint) -> Self {
        Self { node_id: to_id(point.node.as_u128()), wal_position: point.position.0 }
    }
}

impl TryFrom<wire::ingest::WalPoint> for WalPoint {
    type Error = InvalidMessage;

    fn try_from(point: wire::ingest::WalPoint) -> Result<Self, InvalidMessage> {
        Ok(Self { node: node_id("node_id", &point.node_id)?, position: WalPosition(point.wal_position) })
    }
}

impl From<SubscribeRequest> for wire::ingest::SubscribeRequest {
    fn from(request: SubscribeRequest) -> Self {
        Self {
            selection: Some(request.selection.into()),
            needles: to_list(request.needles),
            from: request.from.map(Into::into),
        }
    }
}

impl TryFrom<wire::ingest::SubscribeRequest> for SubscribeRequest {
    type Error = InvalidMessage;

    fn try_from(request: wire::ingest::SubscribeRequest) -> Result<Self, InvalidMessage> {
        Ok(Self {
            selection: required("selection", request.selection)?,
            needles: list("needles", request.needles)?,
            from: optional("from", request.from)?,
        })
    }
}

fn start(start: wire::ingest::TailStart) -> Result<TailStart, InvalidMessage> {
    Ok(TailStart {
        node: node_id("node_id", &start.node_id)?,
        position: WalPosition(start.wal_position),
        ring_digest: RingDigest(start.ring_digest),
    })
}

fn to_start(start: TailStart) -> wire::ingest::TailStart {
    wire::ingest::TailStart {
        node_id: to_id(start.node.as_u128()),
        wal_position: start.position.0,
        ring_digest: start.ring_digest.0,
    }
}

fn dropped(dropped: wire::ingest::TailDropped) -> TailEvent {
    let example = |row: wire::ingest::DroppedRow| DroppedRow {
        labels: row.labels,
        timestamp: Timestamp::from_nanos(row.timestamp_ns),
    };
    TailEvent::Dropped {
        rows: dropped.rows,
        examples: dropped.examples.into_iter().map(example).collect(),
        position: WalPosition(dropped.wal_position),
    }
}

fn to_event(event: TailEvent) -> wire::ingest::tail_part::Part {
    match event {
        TailEvent::Rows { batch, position } => wire::ingest::tail_part::Part::Rows(wire::ingest::TailRows {
            batch: Some(batch.into()),
            wal_position: position.0,
        }),
        TailEvent::Dropped { rows, examples, position } => {
            let to_example = |row: DroppedRow| wire::ingest::DroppedRow {
                labels: row.labels,
                timestamp_ns: row.timestamp.nanos(),
            };
            wire::ingest::tail_part::Part::Dropped(wire::ingest::TailDropped {
                rows,
                examples: examples.into_iter().map(to_example).collect(),
                wal_position: position.0,
            })
        }
    }
}

impl From<Part<TailStart, TailEvent>> for wire::ingest::TailPart {
    fn from(part: Part<TailStart, TailEvent>) -> Self {
        use wire::ingest::tail_part::Part as Wire;
        let part = match part {
            Part::Head(head) => Wire::Start(to_start(head)),
            Part::Body(event) => to_event(event),
        };
        Self { part: Some(part) }
    }
}

impl TryFrom<wire::ingest::TailPart> for Part<TailStart, TailEvent> {
    type Error = InvalidMessage;

    fn try_from(part: wire::ingest::TailPart) -> Result<Self, InvalidMessage> {
        use wire::ingest::tail_part::Part as Wire;
        match part.part.ok_or_else(|| missing("part"))? {
            Wire::Start(head) => start(head).map(Part::Head).map_err(|error| error.inside("start")),
            Wire::Rows(rows) => {
                let batch = required("batch", rows.batch).map_err(|error| error.inside("rows"))?;
                Ok(Part::Body(TailEvent::Rows { batch, position: WalPosition(rows.wal_position) }))
            }
            Wire::Dropped(rows) => Ok(Part::Body(dropped(rows))),
        }
    }
}
