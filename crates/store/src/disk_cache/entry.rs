//! One range of a segment as it lies in a slab.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | kind: 1 a range, 2 that a range is not to be read any more |
//! | 1 | length of the tenant's name |
//! | 2 | zeros |
//! | 4 | length of the range |
//! | 8 | where it begins in the segment |
//! | 16 | id of the segment |
//! | 8 | checksum of the range's bytes; 0 with kind 2 |
//! | so many | the tenant's name |
//! | 8 | checksum of all before |
//! | length | the range's bytes; none with kind 2 |
//!
//! Little-endian; checksums are xxh3-64.

use std::ops::Range;

use larch_types::{SegmentId, TenantId};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

const FIXED_BYTES: usize = 40;
const CHECKSUM_BYTES: usize = 8;

/// What stands before the bytes is never longer.
pub(super) const MAX_HEAD_BYTES: usize = FIXED_BYTES + u8::MAX as usize + CHECKSUM_BYTES;

/// Which bytes of which segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryKey<'a> {
    pub(super) tenant: &'a [u8],
    pub(super) segment: SegmentId,
    pub(super) start: u64,
    pub(super) length: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    Range,
    Removed,
}

/// What stands before the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) kind: EntryKind,
    pub(super) key: EntryKey<'a>,
    /// Of the head itself.
    pub(super) bytes: usize,
    checksum: u64,
}

impl<'a> EntryKey<'a> {
    /// `None` for what is never kept: nothing, and more than any entry holds.
    pub(super) fn of(tenant: &'a TenantId, segment: SegmentId, range: &Range<u64>) -> Option<Self> {
        let length = u32::try_from(range.end.checked_sub(range.start)?).ok()?;
        (length > 0).then_some(Self {
            tenant: tenant.as_str().as_bytes(),
            segment,
            start: range.start,
            length,
        })
    }

    /// Under which the index knows it. Two keys with one digest cost a miss: each read compares the keys themselves.
    pub(super) fn digest(&self) -> u128 {
        let mut hash = Xxh3::new();
        hash.update(&self.segment.as_u128().to_le_bytes());
        hash.update(&self.start.to_le_bytes());
        hash.update(&self.length.to_le_bytes());
        hash.update(self.tenant);
        hash.digest128()
    }

    /// Of a range with its head.
    pub(super) fn entry_bytes(&self) -> u64 {
        self.head_bytes() as u64 + u64::from(self.length)
    }

    pub(super) fn head_bytes(&self) -> usize {
        FIXED_BYTES + self.tenant.len() + CHECKSUM_BYTES
    }
}

/// Writes a range behind what is there. A tenant's name has at most 150 bytes.
pub(super) fn encode_range(out: &mut Vec<u8>, key: &EntryKey<'_>, bytes: &[u8]) {
    encode_head(out, EntryKind::Range, key, xxh3_64(bytes));
    out.extend_from_slice(bytes);
}

pub(super) fn encode_removed(out: &mut Vec<u8>, key: &EntryKey<'_>) {
    encode_head(out, EntryKind::Removed, key, 0);
}

fn encode_head(out: &mut Vec<u8>, kind: EntryKind, key: &EntryKey<'_>, checksum: u64) {
    let begin = out.len();
    out.push(match kind {
        EntryKind::Range => 1,
        EntryKind::Removed => 2,
    });
    out.extend_from_slice(&[key.tenant.len() as u8, 0, 0]);
    out.extend_from_slice(&key.length.to_le_bytes());
    out.extend_from_slice(&key.start.to_le_bytes());
    out.extend_from_slice(&key.segment.as_u128().to_le_bytes());
    out.extend_from_slice(&checksum.to_le_bytes());
    out.extend_from_slice(key.tenant);
    let checksum = xxh3_64(&out[begin..]);
    out.extend_from_slice(&checksum.to_le_bytes());
}

impl<'a> Head<'a> {
    /// `None` if the bytes do not begin with a head that somebody wrote.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let fixed: &[u8; FIXED_BYTES] = bytes.first_chunk()?;
        let named = FIXED_BYTES + usize::from(fixed[1]);
        let head_bytes = named + CHECKSUM_BYTES;
        if u64_at(bytes.get(..head_bytes)?, named) != xxh3_64(&bytes[..named]) || fixed[2..4] != [0, 0] {
            return None;
        }
        let kind = match fixed[0] {
            1 => EntryKind::Range,
            2 => EntryKind::Removed,
            _ => return None,
        };
        let segment: &[u8; 16] = fixed[16..].first_chunk()?;
        let key = EntryKey {
            tenant: &bytes[FIXED_BYTES..named],
            segment: SegmentId::from_u128(u128::from_le_bytes(*segment)),
            start: u64_at(bytes, 8),
            length: u32_at(bytes, 4),
        };
        (key.length > 0).then_some(Self { kind, key, bytes: head_bytes, checksum: u64_at(bytes, 32) })
    }

    /// Of the whole entry.
    pub(super) fn entry_bytes(&self) -> u64 {
        match self.kind {
            EntryKind::Range => self.key.entry_bytes(),
            EntryKind::Removed => self.bytes as u64,
        }
    }
}

/// Where in the entry the range's bytes are, if it is the one that is wanted and nothing in it has changed.
pub(super) fn check_range(entry: &[u8], wanted: &EntryKey<'_>) -> Option<Range<usize>> {
    let head = Head::parse(entry)?;
    let bytes = head.bytes..entry.len();
    let is_wanted = head.kind == EntryKind::Range && head.key == *wanted;
    let is_whole = bytes.len() as u64 == u64::from(wanted.length);
    (is_wanted && is_whole && xxh3_64(&entry[bytes.clone()]) == head.checksum).then_some(bytes)
}

/// The callers have looked that the bytes are there.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}
