//! Rows and bytes by stream and minute, as footers and arenas know them.

use std::collections::BTreeSet;

use larch_types::{NodeId, SegmentId, Timestamp};

use crate::check::{id, list, node_id, place, place_if_set, to_id, to_list};
use crate::{InvalidMessage, wire};

const NANOS_PER_MINUTE: i64 = 60_000_000_000;

/// Where the rows of cells are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HistogramSource {
    pub uploader: NodeId,
    /// `None`: not announced yet.
    pub segment: Option<SegmentId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelCount {
    /// Place in the batch's levels; `None` for rows without one.
    pub level: Option<u32>,
    pub rows: u64,
    pub bytes: u64,
}

/// What one source holds of one stream in some whole minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistogramCell {
    /// Place in the batch's streams.
    pub stream: u32,
    /// Place in the batch's sources.
    pub source: u32,
    /// The last nanosecond of the cell: a whole minute.
    pub end: Timestamp,
    pub rows: u64,
    pub bytes: u64,
    /// Sum, modulo 2^64, of the rows' identity hashes, if it is known.
    pub digest: Option<u64>,
    /// Of none but one of the labels that matter.
    pub levels: Vec<LevelCount>,
    /// No row is older, and none is newer than the last. Both are inside the cell.
    pub first: Timestamp,
    pub last: Timestamp,
}

/// Rows that are there and are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistogramGap {
    /// Place in the batch's streams.
    pub stream: u32,
    /// The rows are behind it: a whole minute.
    pub start: Timestamp,
    /// Included: a whole minute.
    pub end: Timestamp,
    /// About, with all copies.
    pub rows: u64,
}

/// The labels that a question tells rows apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CountedLabels {
    All,
    Only(BTreeSet<String>),
}

impl Default for CountedLabels {
    /// None of them.
    fn default() -> Self {
        Self::Only(BTreeSet::new())
    }
}

impl CountedLabels {
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }
}

/// Cells with what they share. Places were checked where the batch came in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistogramBatch {
    /// Canonical label texts.
    pub streams: Vec<String>,
    /// Detected levels.
    pub levels: Vec<String>,
    pub sources: Vec<HistogramSource>,
    pub cells: Vec<HistogramCell>,
    pub gaps: Vec<HistogramGap>,
}

// === conversions ===

impl From<HistogramSource> for wire::types::HistogramSource {
    fn from(source: HistogramSource) -> Self {
        let segment = source.segment.map(|id| to_id(id.as_u128()));
        Self { uploader: to_id(source.uploader.as_u128()), segment: segment.unwrap_or_default() }
    }
}

impl TryFrom<wire::types::HistogramSource> for HistogramSource {
    type Error = InvalidMessage;

    fn try_from(source: wire::types::HistogramSource) -> Result<Self, InvalidMessage> {
        let segment = if source.segment.is_empty() {
            None
        } else {
            Some(SegmentId::from_u128(id("segment", &source.segment)?))
        };
        Ok(Self { uploader: node_id("uploader", &source.uploader)?, segment })
    }
}

impl From<HistogramBatch> for wire::types::HistogramBatch {
    fn from(batch: HistogramBatch) -> Self {
        Self {
            streams: batch.streams,
            levels: batch.levels,
            sources: to_list(batch.sources),
            cells: batch.cells.into_iter().map(to_cell).collect(),
            gaps: batch.gaps.into_iter().map(to_gap).collect(),
        }
    }
}

fn to_gap(gap: HistogramGap) -> wire::types::HistogramGap {
    wire::types::HistogramGap {
        stream: gap.stream,
        start_ns: gap.start.nanos(),
        end_ns: gap.end.nanos(),
        rows: gap.rows,
    }
}

impl From<CountedLabels> for wire::types::CountedLabels {
    fn from(labels: CountedLabels) -> Self {
        match labels {
            CountedLabels::All => Self { all: true, names: Vec::new() },
            CountedLabels::Only(names) => Self { all: false, names: names.into_iter().collect() },
        }
    }
}

impl From<wire::types::CountedLabels> for CountedLabels {
    fn from(labels: wire::types::CountedLabels) -> Self {
        if labels.all { Self::All } else { Self::Only(labels.names.into_iter().collect()) }
    }
}

fn to_cell(cell: HistogramCell) -> wire::types::HistogramCell {
    let to_level = |count: LevelCount| wire::types::LevelCount {
        level: count.level,
        rows: count.rows,
        bytes: count.bytes,
    };
    wire::types::HistogramCell {
        stream: cell.stream,
        source: cell.source,
        end_ns: cell.end.nanos(),
        rows: cell.rows,
        bytes: cell.bytes,
        digest: cell.digest.unwrap_or_default(),
        no_digest: cell.digest.is_none(),
        levels: cell.levels.into_iter().map(to_level).collect(),
        first_ns: cell.first.nanos(),
        last_ns: cell.last.nanos(),
    }
}

impl TryFrom<wire::types::HistogramBatch> for HistogramBatch {
    type Error = InvalidMessage;

    fn try_from(batch: wire::types::HistogramBatch) -> Result<Self, InvalidMessage> {
        let mut checked = Self {
            streams: batch.streams,
            levels: batch.levels,
            sources: list("sources", batch.sources)?,
            cells: Vec::with_capacity(batch.cells.len()),
            gaps: Vec::with_capacity(batch.gaps.len()),
        };
        for (index, one) in batch.cells.into_iter().enumerate() {
            let one = cell(one, &checked).map_err(|error| error.inside(&format!("cells[{index}]")))?;
            checked.cells.push(one);
        }
        for (index, one) in batch.gaps.into_iter().enumerate() {
            let one = gap(&one, &checked).map_err(|error| error.inside(&format!("gaps[{index}]")))?;
            checked.gaps.push(one);
        }
        Ok(checked)
    }
}

fn gap(gap: &wire::types::HistogramGap, batch: &HistogramBatch) -> Result<HistogramGap, InvalidMessage> {
    for (field, nanos) in [("start_ns", gap.start_ns), ("end_ns", gap.end_ns)] {
        if nanos % NANOS_PER_MINUTE != 0 {
            return Err(InvalidMessage::new(field, "not a whole minute"));
        }
    }
    if gap.start_ns >= gap.end_ns {
        return Err(InvalidMessage::new("end_ns", "not behind start_ns"));
    }
    Ok(HistogramGap {
        stream: place("stream", gap.stream, batch.streams.len())?,
        start: Timestamp::from_nanos(gap.start_ns),
        end: Timestamp::from_nanos(gap.end_ns),
        rows: gap.rows,
    })
}

fn cell(cell: wire::types::HistogramCell, batch: &HistogramBatch) -> Result<HistogramCell, InvalidMessage> {
    if cell.end_ns % NANOS_PER_MINUTE != 0 {
        return Err(InvalidMessage::new("end_ns", "not a whole minute"));
    }
    if cell.first_ns > cell.last_ns || cell.last_ns > cell.end_ns {
        return Err(InvalidMessage::new("last_ns", "not between first_ns and end_ns"));
    }
    let mut levels = Vec::with_capacity(cell.levels.len());
    for (index, count) in cell.levels.into_iter().enumerate() {
        let level = place_if_set("level", count.level, batch.levels.len())
            .map_err(|error| error.inside(&format!("levels[{index}]")))?;
        levels.push(LevelCount { level, rows: count.rows, bytes: count.bytes });
    }
    Ok(HistogramCell {
        stream: place("stream", cell.stream, batch.streams.len())?,
        source: place("source", cell.source, batch.sources.len())?,
        end: Timestamp::from_nanos(cell.end_ns),
        rows: cell.rows,
        bytes: cell.bytes,
        digest: (!cell.no_digest).then_some(cell.digest),
        levels,
        first: Timestamp::from_nanos(cell.first_ns),
        last: Timestamp::from_nanos(cell.last_ns),
    })
}
