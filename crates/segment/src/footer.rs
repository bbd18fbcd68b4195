//! What the end of the object says about all of it: the footer and the trailer behind it.

use larch_types::{NodeId, SegmentId, Timestamp, TombstoneId};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Corrupt, OpenError, Section};
use crate::format::{MAGIC, OLDEST_VERSION, TRAILER_LEN, VERSION};
use crate::wire::{Cursor, put_signed, put_varint};

/// Where a segment comes from. Whoever writes it knows; the format only keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    pub id: SegmentId,
    pub uploader: NodeId,
    /// The segments that this one was merged from; empty for a fresh one.
    pub inputs: Vec<SegmentId>,
    /// The other segments that the same merge made.
    pub siblings: Vec<SegmentId>,
    /// Deletes that were applied when it was written.
    pub tombstones: Vec<TombstoneId>,
}

/// What a segment holds, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    pub rows: u64,
    /// Lines and metadata as pushed.
    pub raw_bytes: u64,
    pub streams: u32,
    pub chunks: u32,
    /// Both inclusive.
    pub first_time: Timestamp,
    pub last_time: Timestamp,
}

/// Readers that do not know a required section refuse the segment; others they skip.
const REQUIRED: u64 = 1;
/// The section has no checksum of its own, as its pages have.
const PAGED: u64 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SectionEntry {
    pub(crate) code: u64,
    pub(crate) version: u64,
    pub(crate) is_required: bool,
    pub(crate) is_paged: bool,
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) checksum: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) provenance: Provenance,
    pub(crate) totals: Totals,
    pub(crate) sections: Vec<SectionEntry>,
}

impl Footer {
    pub(crate) fn section(&self, code: u64) -> Option<&SectionEntry> {
        self.sections.iter().find(|section| section.code == code)
    }

    /// Footer and trailer; `end` is the object's length so far, `tail` where the sections begin that
    /// every reader needs.
    pub(crate) fn encode(&self, tail: u64, end: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let Provenance { id, uploader, inputs, siblings, tombstones } = &self.provenance;
        out.extend_from_slice(&id.as_u128().to_le_bytes());
        out.extend_from_slice(&uploader.as_u128().to_le_bytes());
        put_ids(&mut out, inputs.iter().map(|id| id.as_u128()));
        put_ids(&mut out, siblings.iter().map(|id| id.as_u128()));
        put_ids(&mut out, tombstones.iter().map(|id| id.as_u128()));
        let Totals { rows, raw_bytes, streams, chunks, first_time, last_time } = self.totals;
        put_varint(&mut out, rows);
        put_varint(&mut out, raw_bytes);
        put_varint(&mut out, u64::from(streams));
        put_varint(&mut out, u64::from(chunks));
        put_signed(&mut out, first_time.nanos());
        put_signed(&mut out, last_time.nanos());
        put_varint(&mut out, self.sections.len() as u64);
        for section in &self.sections {
            put_section(&mut out, section);
        }
        let footer_len = out.len() as u32;
        out.extend_from_slice(&footer_len.to_le_bytes());
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&tail.to_le_bytes());
        out.extend_from_slice(&(end + u64::from(footer_len) + TRAILER_LEN as u64).to_le_bytes());
        let checksum = xxh3_64(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out.extend_from_slice(&MAGIC);
        out
    }

    /// `end` is the offset in the object where the footer begins: sections lie before it.
    pub(crate) fn decode(bytes: &[u8], end: u64) -> Result<Self, Corrupt> {
        let mut cursor = Cursor::new(bytes, Section::Footer);
        let provenance = Provenance {
            id: SegmentId::from_u128(cursor.u128_le()?),
            uploader: NodeId::from_u128(cursor.u128_le()?),
            inputs: read_ids(&mut cursor)?.into_iter().map(SegmentId::from_u128).collect(),
            siblings: read_ids(&mut cursor)?.into_iter().map(SegmentId::from_u128).collect(),
            tombstones: read_ids(&mut cursor)?.into_iter().map(TombstoneId::from_u128).collect(),
        };
        let totals = Totals {
            rows: cursor.varint()?,
            raw_bytes: cursor.varint()?,
            streams: cursor.u32()?,
            chunks: cursor.u32()?,
            first_time: Timestamp::from_nanos(cursor.signed()?),
            last_time: Timestamp::from_nanos(cursor.signed()?),
        };
        let count = cursor.count()?;
        let mut sections = Vec::new();
        for _ in 0..count {
            sections.push(read_section(&mut cursor, end)?);
        }
        cursor.finish()?;
        Ok(Self { provenance, totals, sections })
    }
}

fn put_ids(out: &mut Vec<u8>, ids: impl ExactSizeIterator<Item = u128>) {
    put_varint(out, ids.len() as u64);
    for id in ids {
        out.extend_from_slice(&id.to_le_bytes());
    }
}

fn read_ids(cursor: &mut Cursor<'_>) -> Result<Vec<u128>, Corrupt> {
    let count = cursor.at_most(cursor.remaining() / size_of::<u128>())?;
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        ids.push(cursor.u128_le()?);
    }
    Ok(ids)
}

fn put_section(out: &mut Vec<u8>, section: &SectionEntry) {
    put_varint(out, section.code);
    put_varint(out, section.version);
    let required = if section.is_required { REQUIRED } else { 0 };
    put_varint(out, required | if section.is_paged { PAGED } else { 0 });
    put_varint(out, section.offset);
    put_varint(out, section.len);
    out.extend_from_slice(&section.checksum.to_le_bytes());
}

fn read_section(cursor: &mut Cursor<'_>, end: u64) -> Result<SectionEntry, Corrupt> {
    let code = cursor.varint()?;
    let version = cursor.varint()?;
    let flags = cursor.varint()?;
    let offset = cursor.varint()?;
    let len = cursor.varint()?;
    let checksum = cursor.u64_le()?;
    if offset.checked_add(len).is_none_or(|section_end| section_end > end) {
        return Err(cursor.corrupt("a section lies outside"));
    }
    let is_required = flags & REQUIRED != 0;
    Ok(SectionEntry { code, version, is_required, is_paged: flags & PAGED != 0, offset, len, checksum })
}

/// The trailer, checked against the object's length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trailer {
    pub(crate) footer_offset: u64,
    pub(crate) footer_len: usize,
    pub(crate) tail: u64,
    checksum: u64,
}

impl Trailer {
    /// `end` holds the last bytes of the object, the trailer at least.
    pub(crate) fn decode(end: &[u8], object_len: u64) -> Result<Self, OpenError> {
        let corrupt = |what| OpenError::Corrupt(Corrupt::new(Section::Trailer, what));
        let bytes = end.last_chunk::<TRAILER_LEN>().ok_or(corrupt("the object is too short"))?;
        let mut cursor = Cursor::new(bytes, Section::Trailer);
        let footer_len = u32::from_le_bytes(cursor.array()?);
        let version = u16::from_le_bytes(cursor.array()?);
        let zero = cursor.array::<2>()?;
        let tail = cursor.u64_le()?;
        let stated_len = cursor.u64_le()?;
        let checksum = cursor.u64_le()?;
        if cursor.rest() != MAGIC {
            return Err(corrupt("the last bytes are not those of a segment"));
        }
        if !(OLDEST_VERSION..=VERSION).contains(&version) {
            return Err(OpenError::Version { found: version, oldest: OLDEST_VERSION, newest: VERSION });
        }
        let footer_offset = object_len.checked_sub(TRAILER_LEN as u64 + u64::from(footer_len));
        match footer_offset {
            Some(footer_offset) if stated_len == object_len && tail <= footer_offset && zero == [0; 2] => {
                Ok(Self { footer_offset, footer_len: footer_len as usize, tail, checksum })
            }
            _ => Err(corrupt("lengths do not fit the object")),
        }
    }

    /// `bytes` are footer and trailer.
    pub(crate) fn check(&self, bytes: &[u8]) -> Result<(), Corrupt> {
        let checked = bytes.len().saturating_sub(MAGIC.len() + size_of::<u64>());
        if xxh3_64(&bytes[..checked]) == self.checksum {
            Ok(())
        } else {
            Err(Corrupt::new(Section::Footer, "the checksum does not match"))
        }
    }
}
