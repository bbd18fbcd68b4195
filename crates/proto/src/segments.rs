//! Segments as catalog and ingesters list them, and the deletes that readers apply.

use std::fmt;
use std::str::FromStr;

use larch_types::{Day, InvalidDay, NodeId, SegmentId, Timestamp, TombstoneId};

use crate::check::{
    id, list, missing, node_id, optional, required, to_id, to_list, to_tombstone_ids, tombstone_ids,
};
use crate::matching::range;
use crate::{InvalidMessage, wire};

const SECONDS_PER_DAY: i64 = 86_400;

/// The part of a tenant's catalog that holds a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Partition {
    Day(Day),
    /// Rows of many days; part of every plan.
    Wide,
}

/// Where a small segment is that travels inside the catalog object that announces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedded {
    /// The ULID of that object.
    pub add_id: u128,
    pub offset: u64,
}

/// All values of one label in a segment, sorted; the empty value stands for streams without the label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSummary {
    pub name: String,
    pub values: Vec<String>,
}

/// What a plan needs to know of a segment before reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentEntry {
    pub id: SegmentId,
    pub partition: Partition,
    /// The oldest row's time.
    pub first: Timestamp,
    /// The newest row's time, itself included.
    pub last: Timestamp,
    pub rows: u64,
    /// Lines and metadata as pushed.
    pub raw_bytes: u64,
    pub uploader: NodeId,
    pub object_bytes: u64,
    pub footer_offset: u64,
    pub footer_bytes: u32,
    /// `None`: an object of its own.
    pub embedded: Option<Embedded>,
    /// Names that are not listed may have any value.
    pub label_summaries: Vec<LabelSummary>,
    /// Deletes that are physical in the segment.
    pub tombstones_applied: Vec<TombstoneId>,
}

/// An accepted delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    pub id: TombstoneId,
    /// LogQL: a stream selector with optional line filters.
    pub query: String,
    /// Included.
    pub start: Timestamp,
    /// Not included.
    pub end: Timestamp,
}

/// In names of objects: `yyyymmdd` or `wide`.
impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => fmt::Display::fmt(day, f),
            Self::Wide => f.write_str("wide"),
        }
    }
}

impl FromStr for Partition {
    type Err = InvalidDay;

    /// Only the one text that it prints as.
    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        if text == "wide" { Ok(Self::Wide) } else { text.parse().map(Self::Day) }
    }
}

// === conversions ===

fn day(number: i32) -> Result<Day, InvalidMessage> {
    let start = Timestamp::from_secs(i64::from(number).saturating_mul(SECONDS_PER_DAY));
    let day = start.day();
    if to_day(day) != number {
        return Err(InvalidMessage::new("day", "beyond the range of timestamps"));
    }
    Ok(day)
}

fn to_day(day: Day) -> i32 {
    let seconds = day.start().nanos().div_euclid(1_000_000_000);
    // Timestamps reach 106,752 days either way.
    seconds.div_euclid(SECONDS_PER_DAY) as i32
}

impl From<Partition> for wire::types::Partition {
    fn from(partition: Partition) -> Self {
        use wire::types::partition::Kind;
        let kind = match partition {
            Partition::Day(day) => Kind::Day(to_day(day)),
            Partition::Wide => Kind::Wide(true),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<wire::types::Partition> for Partition {
    type Error = InvalidMessage;

    fn try_from(partition: wire::types::Partition) -> Result<Self, InvalidMessage> {
        use wire::types::partition::Kind;
        match partition.kind {
            Some(Kind::Day(number)) => day(number).map(Self::Day),
            Some(Kind::Wide(true)) => Ok(Self::Wide),
            Some(Kind::Wide(false)) | None => Err(missing("kind")),
        }
    }
}

impl From<Embedded> for wire::types::Embedded {
    fn from(embedded: Embedded) -> Self {
        Self { add_id: to_id(embedded.add_id), offset: embedded.offset }
    }
}

impl TryFrom<wire::types::Embedded> for Embedded {
    type Error = InvalidMessage;

    fn try_from(embedded: wire::types::Embedded) -> Result<Self, InvalidMessage> {
        Ok(Self { add_id: id("add_id", &embedded.add_id)?, offset: embedded.offset })
    }
}

impl From<LabelSummary> for wire::types::LabelSummary {
    fn from(summary: LabelSummary) -> Self {
        Self { name: summary.name, values: summary.values }
    }
}

impl TryFrom<wire::types::LabelSummary> for LabelSummary {
    type Error = InvalidMessage;

    fn try_from(summary: wire::types::LabelSummary) -> Result<Self, InvalidMessage> {
        // A plan rules segments out by what is not in the list, so the list must be searchable.
        if !summary.values.is_sorted_by(|a, b| a < b) {
            return Err(InvalidMessage::new("values", "not sorted"));
        }
        Ok(Self { name: summary.name, values: summary.values })
    }
}

impl From<SegmentEntry> for wire::types::SegmentEntry {
    fn from(entry: SegmentEntry) -> Self {
        Self {
            id: to_id(entry.id.as_u128()),
            partition: Some(entry.partition.into()),
            first_ns: entry.first.nanos(),
            last_ns: entry.last.nanos(),
            rows: entry.rows,
            raw_bytes: entry.raw_bytes,
            uploader: to_id(entry.uploader.as_u128()),
            object_bytes: entry.object_bytes,
            footer_offset: entry.footer_offset,
            footer_bytes: entry.footer_bytes,
            embedded: entry.embedded.map(Into::into),
            label_summaries: to_list(entry.label_summaries),
            tombstones_applied: to_tombstone_ids(&entry.tombstones_applied),
        }
    }
}

impl TryFrom<wire::types::SegmentEntry> for SegmentEntry {
    type Error = InvalidMessage;

    fn try_from(entry: wire::types::SegmentEntry) -> Result<Self, InvalidMessage> {
        if entry.last_ns < entry.first_ns {
            return Err(InvalidMessage::new("last_ns", "before the first"));
        }
        let footer_end = entry.footer_offset.checked_add(entry.footer_bytes.into());
        if footer_end.is_none_or(|end| end > entry.object_bytes) {
            return Err(InvalidMessage::new("footer_offset", "the footer is not inside the segment"));
        }
        Ok(Self {
            id: SegmentId::from_u128(id("id", &entry.id)?),
            partition: required("partition", entry.partition)?,
            first: Timestamp::from_nanos(entry.first_ns),
            last: Timestamp::from_nanos(entry.last_ns),
            rows: entry.rows,
            raw_bytes: entry.raw_bytes,
            uploader: node_id("uploader", &entry.uploader)?,
            object_bytes: entry.object_bytes,
            footer_offset: entry.footer_offset,
            footer_bytes: entry.footer_bytes,
            embedded: optional("embedded", entry.embedded)?,
            label_summaries: list("label_summaries", entry.label_summaries)?,
            tombstones_applied: tombstone_ids("tombstones_applied", &entry.tombstones_applied)?,
        })
    }
}

impl From<Tombstone> for wire::types::Tombstone {
    fn from(tombstone: Tombstone) -> Self {
        Self {
            id: to_id(tombstone.id.as_u128()),
            query: tombstone.query,
            start_ns: tombstone.start.nanos(),
            end_ns: tombstone.end.nanos(),
        }
    }
}

impl TryFrom<wire::types::Tombstone> for Tombstone {
    type Error = InvalidMessage;

    fn try_from(tombstone: wire::types::Tombstone) -> Result<Self, InvalidMessage> {
        let (start, end) = range(tombstone.start_ns, tombstone.end_ns)?;
        Ok(Self { id: TombstoneId::from_u128(id("id", &tombstone.id)?), query: tombstone.query, start, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_have_one_name() {
        for text in ["wide", "20260701", "16770921"] {
            assert_eq!(text.parse::<Partition>().unwrap().to_string(), text);
        }
        for text in ["", "Wide", "2026-07-01", "wide "] {
            assert!(text.parse::<Partition>().is_err(), "{text}");
        }
    }

    #[test]
    fn days_come_back_at_the_ends_of_time() {
        for time in [Timestamp::MIN, Timestamp::from_nanos(-1), Timestamp::EPOCH, Timestamp::MAX] {
            assert_eq!(day(to_day(time.day())), Ok(time.day()));
        }
        assert_eq!(to_day(Timestamp::EPOCH.day()), 0);
        for number in [i32::MIN, -106_753, 106_752, i32::MAX] {
            assert!(day(number).is_err(), "{number}");
        }
    }
}
