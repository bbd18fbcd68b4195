//! Rows on their way from ingesters to readers.

use bytes::Bytes;
use larch_types::{PushStamp, Timestamp};

use crate::check::{id, list, optional, place, place_if_set, to_id, to_list};
use crate::{InvalidMessage, Text, wire};

/// A name with its value: structured metadata, or a label of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pair {
    pub name: Text,
    pub value: Text,
}

/// The place of a row among rows of its stream that have the same timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TieOrder {
    pub stamp: PushStamp,
    pub index: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Place in the batch's streams.
    pub stream: u32,
    pub timestamp: Timestamp,
    pub line: Bytes,
    pub metadata: Vec<Pair>,
    /// Place in the batch's levels.
    pub level: Option<u32>,
    /// Set where another row of the stream has the same timestamp.
    pub tie: Option<TieOrder>,
}

/// Rows with the texts that they share. Places were checked where the batch came in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowBatch {
    /// Canonical label texts.
    pub streams: Vec<String>,
    /// Detected levels.
    pub levels: Vec<String>,
    pub rows: Vec<Row>,
}

// === conversions ===

impl From<Pair> for wire::types::Pair {
    fn from(pair: Pair) -> Self {
        Self { name: pair.name.into_bytes(), value: pair.value.into_bytes() }
    }
}

impl TryFrom<wire::types::Pair> for Pair {
    type Error = InvalidMessage;

    fn try_from(pair: wire::types::Pair) -> Result<Self, InvalidMessage> {
        Ok(Self { name: Text::checked("name", pair.name)?, value: Text::checked("value", pair.value)? })
    }
}

impl From<TieOrder> for wire::types::TieOrder {
    fn from(tie: TieOrder) -> Self {
        Self { push_stamp: to_id(tie.stamp.0), index: tie.index }
    }
}

impl TryFrom<wire::types::TieOrder> for TieOrder {
    type Error = InvalidMessage;

    fn try_from(tie: wire::types::TieOrder) -> Result<Self, InvalidMessage> {
        Ok(Self { stamp: PushStamp(id("push_stamp", &tie.push_stamp)?), index: tie.index })
    }
}

impl From<RowBatch> for wire::types::RowBatch {
    fn from(batch: RowBatch) -> Self {
        let wire_row = |row: Row| wire::types::Row {
            stream: row.stream,
            timestamp_ns: row.timestamp.nanos(),
            line: row.line,
            metadata: to_list(row.metadata),
            level: row.level,
            tie: row.tie.map(Into::into),
        };
        Self {
            streams: batch.streams,
            levels: batch.levels,
            rows: batch.rows.into_iter().map(wire_row).collect(),
        }
    }
}

impl TryFrom<wire::types::RowBatch> for RowBatch {
    type Error = InvalidMessage;

    fn try_from(batch: wire::types::RowBatch) -> Result<Self, InvalidMessage> {
        let mut rows = Vec::with_capacity(batch.rows.len());
        for (index, one) in batch.rows.into_iter().enumerate() {
            let one = row(one, batch.streams.len(), batch.levels.len());
            rows.push(one.map_err(|error| error.inside(&format!("rows[{index}]")))?);
        }
        Ok(Self { streams: batch.streams, levels: batch.levels, rows })
    }
}

fn row(row: wire::types::Row, streams: usize, levels: usize) -> Result<Row, InvalidMessage> {
    Ok(Row {
        stream: place("stream", row.stream, streams)?,
        timestamp: Timestamp::from_nanos(row.timestamp_ns),
        line: row.line,
        metadata: list("metadata", row.metadata)?,
        level: place_if_set("level", row.level, levels)?,
        tie: optional("tie", row.tie)?,
    })
}
