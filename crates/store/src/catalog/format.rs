//! The bytes of a fact. `docs/formats/catalog.md` describes them; a test holds files of every version to it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use larch_proto::{Embedded, LabelSummary, Partition, SegmentEntry};
use larch_types::{FactId, NodeId, SegmentId, Timestamp, TombstoneId};
use xxhash_rust::xxh3::xxh3_64;

use super::cursor::Cursor;
use super::sets::{CatalogSets, Removal};
use crate::key::{FactKind, FactName};

/// One object of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub id: FactId,
    pub partition: Partition,
    pub body: FactBody,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactBody {
    /// These segments exist.
    Add { entries: Vec<SegmentEntry> },
    /// These segments replace those.
    Swap { outputs: Vec<SegmentEntry>, inputs: Vec<Input> },
    /// What the facts that it folds mean together.
    Snap { sets: CatalogSets, folds: BTreeSet<FactName> },
}

/// A segment that is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Input {
    pub id: SegmentId,
    /// The add that carries the segment: that object goes in its place.
    pub carried_by: Option<FactId>,
}

/// Why bytes are no fact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("it ends too early")]
    Short,
    #[error("it does not begin as a fact does")]
    Magic,
    #[error("its version is {0}, and this program reads version {VERSION}")]
    Version(u16),
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it says that it is {0}")]
    Name(String),
    #[error("{0}")]
    Invalid(&'static str),
}

const MAGIC: [u8; 8] = *b"LARCHCAT";
const VERSION: u16 = 1;
/// Magic, version, kind, zero, length of the body.
const HEADER_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 8;

/// A day of 100,000 live segments with summaries of some hundred bytes each is half of it.
pub const MAX_FACT_BYTES: u64 = 128 << 20;

/// The least that an entry, and what is in lists, takes.
const ENTRY_BYTES: usize = 4 + 93;
const ID_BYTES: usize = 16;
const INPUT_BYTES: usize = 17;
const SUMMARY_BYTES: usize = 8;
const TEXT_BYTES: usize = 4;
const NAME_BYTES: usize = 17;
const REMOVAL_BYTES: usize = 24;

impl Fact {
    pub fn name(&self) -> FactName {
        let kind = match self.body {
            FactBody::Add { .. } => FactKind::Add,
            FactBody::Swap { .. } => FactKind::Swap,
            FactBody::Snap { .. } => FactKind::Snap,
        };
        FactName { kind, id: self.id }
    }

    /// The bytes of the object. Segments that the fact carries are put behind it when it is written.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend_from_slice(&self.id.as_u128().to_le_bytes());
        put_text(&mut body, &self.partition.to_string());
        match &self.body {
            FactBody::Add { entries } => put_entries(&mut body, entries.iter()),
            FactBody::Swap { outputs, inputs } => {
                put_entries(&mut body, outputs.iter());
                put_inputs(&mut body, inputs.iter());
            }
            FactBody::Snap { sets, folds } => {
                put_entries(&mut body, sets.live());
                put_removals(&mut body, sets.removals());
                put_count(&mut body, folds.len());
                for name in folds {
                    body.push(code(name.kind));
                    body.extend_from_slice(&name.id.as_u128().to_le_bytes());
                }
            }
        }
        let mut out = Vec::with_capacity(HEADER_BYTES + body.len() + CHECKSUM_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[code(self.name().kind), 0]);
        put_count(&mut out, body.len());
        out.extend_from_slice(&body);
        let checksum = xxh3_64(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads the object of that name. What it carries behind the fact is left to whoever reads the segments,
    /// which have checksums of their own.
    pub fn decode(name: FactName, bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_of(name, bytes, bytes.len() as u64)
    }

    /// As [`Fact::decode`], of an object of so many bytes, without what it carries.
    pub(super) fn decode_of(name: FactName, bytes: &[u8], object_bytes: u64) -> Result<Self, DecodeError> {
        let mut header = Cursor(bytes);
        if header.array()? != MAGIC {
            return Err(DecodeError::Magic);
        }
        let version = u16::from_le_bytes(header.array()?);
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let (kind, _zero) = (header.u8()?, header.u8()?);
        let length = header.u32()? as usize;
        let mut body = Cursor(header.take(length)?);
        let checksum = header.u64()?;
        if xxh3_64(&bytes[..HEADER_BYTES + length]) != checksum {
            return Err(DecodeError::Checksum);
        }
        let kind = kind_of(kind)?;
        let id = FactId::from_u128(body.u128()?);
        let said = FactName { kind, id };
        if said != name {
            return Err(DecodeError::Name(said.to_string()));
        }
        let partition = body.text()?.parse().map_err(|_| DecodeError::Invalid("it names no partition"))?;
        let within = Within { id, partition, bytes: object_bytes };
        let body = within.body(kind, &mut body)?;
        Ok(Self { id, partition, body })
    }
}

/// The bytes of an add that carries segments: the fact, and they behind it in the order of their entries.
/// The entries come back with the places they got.
pub(super) fn encode_add(
    id: FactId,
    partition: Partition,
    segments: &[(SegmentEntry, Option<Bytes>)],
) -> (Vec<u8>, Vec<SegmentEntry>) {
    let mut entries: Vec<SegmentEntry> = segments.iter().map(|(entry, _)| entry.clone()).collect();
    for ((_, carried), entry) in segments.iter().zip(&mut entries) {
        entry.embedded = carried.is_some().then_some(Embedded { add_id: id.as_u128(), offset: 0 });
    }
    // Places have a fixed width, so the fact is as long with zeros in them as with what they are.
    let length = Fact { id, partition, body: FactBody::Add { entries: entries.clone() } }.encode().len();
    let mut offset = length as u64;
    for ((_, carried), entry) in segments.iter().zip(&mut entries) {
        if let (Some(bytes), Some(place)) = (carried, &mut entry.embedded) {
            place.offset = offset;
            offset += bytes.len() as u64;
        }
    }
    let mut out = Fact { id, partition, body: FactBody::Add { entries: entries.clone() } }.encode();
    for (_, carried) in segments {
        out.extend_from_slice(carried.as_deref().unwrap_or_default());
    }
    (out, entries)
}

/// How long the fact at the beginning of an object is, by its header alone; behind it is what an add carries. `None` if
/// the header is not one.
pub(crate) fn fact_length(object: &[u8]) -> Option<usize> {
    let mut header = Cursor(object);
    let is_known = header.array() == Ok(MAGIC) && header.array().map(u16::from_le_bytes) == Ok(VERSION);
    if !is_known || header.take(2).is_err() {
        return None;
    }
    Some(HEADER_BYTES + header.u32().ok()? as usize + CHECKSUM_BYTES)
}

/// The order of entries that claim one id: whoever reads both keeps the same one.
pub(super) fn encode_entry(entry: &SegmentEntry) -> Vec<u8> {
    let mut out = Vec::new();
    put_entry(&mut out, entry);
    out
}

/// Any bytes are a fact or refused, and a fact reads as it was written. The checksum is set right first, or
/// nothing behind it would ever be tried.
pub fn fuzz_fact(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    if let Some(most) = bytes.len().checked_sub(HEADER_BYTES + CHECKSUM_BYTES) {
        let said = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]) as usize;
        let length = said.min(most);
        bytes[12..HEADER_BYTES].copy_from_slice(&(length as u32).to_le_bytes());
        let checksum = xxh3_64(&bytes[..HEADER_BYTES + length]);
        bytes[HEADER_BYTES + length..][..CHECKSUM_BYTES].copy_from_slice(&checksum.to_le_bytes());
    }
    for kind in FactKind::ALL {
        let id = bytes.get(HEADER_BYTES..HEADER_BYTES + ID_BYTES).and_then(|id| id.try_into().ok());
        let name = FactName { kind, id: FactId::from_u128(u128::from_le_bytes(id.unwrap_or_default())) };
        if let Ok(fact) = Fact::decode(name, &bytes) {
            // What it carries is behind it.
            let again = Fact::decode(name, &[&fact.encode(), &bytes[..]].concat());
            assert_eq!(again.as_ref(), Ok(&fact), "it reads otherwise than it was written");
        }
    }
}

const fn code(kind: FactKind) -> u8 {
    match kind {
        FactKind::Add => 1,
        FactKind::Swap => 2,
        FactKind::Snap => 3,
    }
}

fn kind_of(number: u8) -> Result<FactKind, DecodeError> {
    let known = FactKind::ALL.into_iter().find(|kind| code(*kind) == number);
    known.ok_or(DecodeError::Invalid("its kind is unknown"))
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    // Objects are far below 4 GiB, see MAX_FACT_BYTES; whoever writes checks it.
    out.extend_from_slice(&(count as u32).to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_count(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn put_entries<'a>(out: &mut Vec<u8>, entries: impl ExactSizeIterator<Item = &'a SegmentEntry>) {
    put_count(out, entries.len());
    for entry in entries {
        let mut bytes = Vec::new();
        put_entry(&mut bytes, entry);
        put_count(out, bytes.len());
        out.extend_from_slice(&bytes);
    }
}

fn put_entry(out: &mut Vec<u8>, entry: &SegmentEntry) {
    out.extend_from_slice(&entry.id.as_u128().to_le_bytes());
    out.extend_from_slice(&entry.first.nanos().to_le_bytes());
    out.extend_from_slice(&entry.last.nanos().to_le_bytes());
    out.extend_from_slice(&entry.rows.to_le_bytes());
    out.extend_from_slice(&entry.raw_bytes.to_le_bytes());
    out.extend_from_slice(&entry.uploader.as_u128().to_le_bytes());
    out.extend_from_slice(&entry.object_bytes.to_le_bytes());
    out.extend_from_slice(&entry.footer_offset.to_le_bytes());
    out.extend_from_slice(&entry.footer_bytes.to_le_bytes());
    match entry.embedded {
        None => out.push(0),
        Some(Embedded { add_id, offset }) => {
            out.push(1);
            out.extend_from_slice(&add_id.to_le_bytes());
            out.extend_from_slice(&offset.to_le_bytes());
        }
    }
    put_count(out, entry.tombstones_applied.len());
    for tombstone in &entry.tombstones_applied {
        out.extend_from_slice(&tombstone.as_u128().to_le_bytes());
    }
    put_count(out, entry.label_summaries.len());
    for summary in &entry.label_summaries {
        put_text(out, &summary.name);
        put_count(out, summary.values.len());
        for value in &summary.values {
            put_text(out, value);
        }
    }
}

fn put_inputs<'a>(out: &mut Vec<u8>, inputs: impl ExactSizeIterator<Item = &'a Input>) {
    put_count(out, inputs.len());
    for input in inputs {
        out.extend_from_slice(&input.id.as_u128().to_le_bytes());
        out.push(u8::from(input.carried_by.is_some()));
        if let Some(add) = input.carried_by {
            out.extend_from_slice(&add.as_u128().to_le_bytes());
        }
    }
}

fn put_removals(out: &mut Vec<u8>, removals: &BTreeMap<FactId, Removal>) {
    put_count(out, removals.len());
    for (by, removal) in removals {
        out.extend_from_slice(&by.as_u128().to_le_bytes());
        put_count(out, removal.outputs.len());
        for output in &removal.outputs {
            out.extend_from_slice(&output.as_u128().to_le_bytes());
        }
        put_inputs(out, removal.inputs.iter());
    }
}

/// The fact that bytes belong to.
struct Within {
    id: FactId,
    partition: Partition,
    /// Of the whole object.
    bytes: u64,
}

impl Within {
    fn body(&self, kind: FactKind, cursor: &mut Cursor<'_>) -> Result<FactBody, DecodeError> {
        let entries = self.entries(cursor)?;
        let body = match kind {
            FactKind::Add => FactBody::Add { entries },
            FactKind::Swap => FactBody::Swap { outputs: entries, inputs: inputs(cursor)? },
            FactKind::Snap => {
                let sets = CatalogSets::of(entries, removals(cursor)?);
                FactBody::Snap { sets, folds: names(cursor)? }
            }
        };
        cursor.finish()?;
        Ok(body)
    }

    fn entries(&self, cursor: &mut Cursor<'_>) -> Result<Vec<SegmentEntry>, DecodeError> {
        let count = cursor.count(ENTRY_BYTES)?;
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            let length = cursor.count(1)?;
            // What is behind the fields known here was added by a later version, for whoever knows it.
            entries.push(self.entry(&mut Cursor(cursor.take(length)?))?);
        }
        Ok(entries)
    }

    fn entry(&self, cursor: &mut Cursor<'_>) -> Result<SegmentEntry, DecodeError> {
        let entry = SegmentEntry {
            id: SegmentId::from_u128(cursor.u128()?),
            partition: self.partition,
            first: Timestamp::from_nanos(cursor.i64()?),
            last: Timestamp::from_nanos(cursor.i64()?),
            rows: cursor.u64()?,
            raw_bytes: cursor.u64()?,
            uploader: NodeId::from_u128(cursor.u128()?),
            object_bytes: cursor.u64()?,
            footer_offset: cursor.u64()?,
            footer_bytes: cursor.u32()?,
            embedded: embedded(cursor)?,
            tombstones_applied: tombstones(cursor)?,
            label_summaries: summaries(cursor)?,
        };
        let invalid = |what| Err(DecodeError::Invalid(what));
        let footer_end = entry.footer_offset.checked_add(u64::from(entry.footer_bytes));
        if entry.last < entry.first {
            return invalid("a segment ends before it begins");
        }
        if footer_end.is_none_or(|end| end > entry.object_bytes) {
            return invalid("a footer is not inside its segment");
        }
        if let Partition::Day(day) = self.partition
            && (entry.first.day() != day || entry.last.day() != day)
        {
            return invalid("a segment has rows of another day");
        }
        if let Some(place) = entry.embedded {
            let end = place.offset.checked_add(entry.object_bytes);
            let is_here = place.add_id == self.id.as_u128();
            if end.is_none() || (is_here && end.is_some_and(|end| end > self.bytes)) {
                return invalid("a segment is not inside the fact that carries it");
            }
        }
        Ok(entry)
    }
}

fn embedded(cursor: &mut Cursor<'_>) -> Result<Option<Embedded>, DecodeError> {
    match cursor.u8()? {
        0 => Ok(None),
        1 => Ok(Some(Embedded { add_id: cursor.u128()?, offset: cursor.u64()? })),
        _ => Err(DecodeError::Invalid("where a segment is has an unknown form")),
    }
}

fn tombstones(cursor: &mut Cursor<'_>) -> Result<Vec<TombstoneId>, DecodeError> {
    let count = cursor.count(ID_BYTES)?;
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        ids.push(TombstoneId::from_u128(cursor.u128()?));
    }
    Ok(ids)
}

fn summaries(cursor: &mut Cursor<'_>) -> Result<Vec<LabelSummary>, DecodeError> {
    let count = cursor.count(SUMMARY_BYTES)?;
    let mut summaries = Vec::with_capacity(count);
    for _ in 0..count {
        let name = cursor.text()?.to_owned();
        let count = cursor.count(TEXT_BYTES)?;
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(cursor.text()?.to_owned());
        }
        // Segments are ruled out by what is not in the list, so the list must be searchable.
        if !values.is_sorted_by(|a, b| a < b) {
            return Err(DecodeError::Invalid("the values of a label are not sorted"));
        }
        summaries.push(LabelSummary { name, values });
    }
    Ok(summaries)
}

fn inputs(cursor: &mut Cursor<'_>) -> Result<Vec<Input>, DecodeError> {
    let count = cursor.count(INPUT_BYTES)?;
    let mut inputs = Vec::with_capacity(count);
    for _ in 0..count {
        let id = SegmentId::from_u128(cursor.u128()?);
        let carried_by = match cursor.u8()? {
            0 => None,
            1 => Some(FactId::from_u128(cursor.u128()?)),
            _ => return Err(DecodeError::Invalid("where an input is has an unknown form")),
        };
        inputs.push(Input { id, carried_by });
    }
    Ok(inputs)
}

fn removals(cursor: &mut Cursor<'_>) -> Result<BTreeMap<FactId, Removal>, DecodeError> {
    let count = cursor.count(REMOVAL_BYTES)?;
    let mut removals = BTreeMap::new();
    for _ in 0..count {
        let by = FactId::from_u128(cursor.u128()?);
        let outputs = cursor.count(ID_BYTES)?;
        let mut removal = Removal::default();
        for _ in 0..outputs {
            removal.outputs.insert(SegmentId::from_u128(cursor.u128()?));
        }
        removal.inputs = inputs(cursor)?.into_iter().collect();
        removals.insert(by, removal);
    }
    Ok(removals)
}

fn names(cursor: &mut Cursor<'_>) -> Result<BTreeSet<FactName>, DecodeError> {
    let count = cursor.count(NAME_BYTES)?;
    let mut names = BTreeSet::new();
    for _ in 0..count {
        let kind = kind_of(cursor.u8()?)?;
        names.insert(FactName { kind, id: FactId::from_u128(cursor.u128()?) });
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
