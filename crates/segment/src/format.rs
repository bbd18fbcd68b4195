//! The numbers of the format: magic bytes, versions, codes of columns and sections, and the table of a
//! chunk's pages. `docs/formats/segment.md` tells it whole.

use larch_types::Timestamp;

use crate::error::{Corrupt, Section};
use crate::wire::{Cursor, put_signed, put_varint};

/// First bytes of the object.
pub(crate) const HEADER: [u8; 8] = *b"LARCHSEG";

/// Last bytes of the object.
pub(crate) const MAGIC: [u8; 8] = *b"GESHCRAL";

/// What this program writes, and the oldest that it reads.
pub const VERSION: u16 = 1;
pub(crate) const OLDEST_VERSION: u16 = 1;

/// footer length u32 · version u16 · zero u16 · tail offset u64 · object length u64 · checksum u64 ·
/// magic. The checksum is over the footer and what of the trailer precedes it.
pub(crate) const TRAILER_LEN: usize = 40;

/// Rows that a chunk holds at most. Readers accept four times as many.
pub(crate) const MAX_CHUNK_ROWS: usize = 16_384;
pub(crate) const MAX_READ_ROWS: usize = 4 * MAX_CHUNK_ROWS;

/// Codes of sections. They are stored: numbers are never used again for something else.
pub(crate) mod section {
    pub(crate) const PAGES: u64 = 1;
    pub(crate) const DIRECTORY: u64 = 2;
    pub(crate) const SYMBOLS: u64 = 3;
    pub(crate) const STREAM_IDS: u64 = 4;
    pub(crate) const SERIES: u64 = 5;
    pub(crate) const POSTINGS: u64 = 6;
    pub(crate) const HISTOGRAMS: u64 = 7;
    pub(crate) const FILTER: u64 = 8;
    pub(crate) const FILTER_PAGES: u64 = 9;
    pub(crate) const METADATA_NAMES: u64 = 10;
}

/// One column of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Column {
    Times,
    Streams,
    Stamps,
    Levels,
    Shapes,
    MetadataRest,
    /// The n-th column of metadata, as the shapes number them.
    Metadata(u32),
    Lines,
}

/// Columns below this number are the fixed ones.
const FIRST_METADATA: u64 = 16;

impl Column {
    /// The number that stands for it in files.
    pub const fn code(self) -> u64 {
        match self {
            Self::Times => 1,
            Self::Streams => 2,
            Self::Stamps => 3,
            Self::Levels => 4,
            Self::Shapes => 5,
            Self::MetadataRest => 6,
            Self::Lines => 7,
            Self::Metadata(number) => FIRST_METADATA + number as u64,
        }
    }

    const fn from_code(code: u64) -> Option<Self> {
        Some(match code {
            1 => Self::Times,
            2 => Self::Streams,
            3 => Self::Stamps,
            4 => Self::Levels,
            5 => Self::Shapes,
            6 => Self::MetadataRest,
            7 => Self::Lines,
            code if code >= FIRST_METADATA && code - FIRST_METADATA <= u32::MAX as u64 => {
                Self::Metadata((code - FIRST_METADATA) as u32)
            }
            _ => return None,
        })
    }

    pub const fn section(self) -> Section {
        match self {
            Self::Times => Section::Times,
            Self::Streams => Section::Streams,
            Self::Stamps => Section::Stamps,
            Self::Levels => Section::Levels,
            Self::Shapes => Section::Shapes,
            Self::MetadataRest | Self::Metadata(_) => Section::Metadata,
            Self::Lines => Section::Lines,
        }
    }
}

/// Where a page lies in the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageEntry {
    pub(crate) column: Column,
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) checksum: u64,
}

/// What the directory says about a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChunkEntry {
    pub(crate) rows: u32,
    pub(crate) raw_bytes: u64,
    pub(crate) first_time: Timestamp,
    pub(crate) last_time: Timestamp,
    pub(crate) first_stream: u32,
    pub(crate) last_stream: u32,
    pub(crate) pages: Vec<PageEntry>,
}

pub(crate) fn put_directory(chunks: &[ChunkEntry]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, chunks.len() as u64);
    for chunk in chunks {
        put_chunk(&mut out, chunk);
    }
    out
}

pub(crate) fn put_chunk(out: &mut Vec<u8>, chunk: &ChunkEntry) {
    put_varint(out, u64::from(chunk.rows));
    put_varint(out, chunk.raw_bytes);
    put_signed(out, chunk.first_time.nanos());
    put_varint(out, chunk.last_time.nanos().wrapping_sub(chunk.first_time.nanos()) as u64);
    put_varint(out, u64::from(chunk.first_stream));
    put_varint(out, u64::from(chunk.last_stream - chunk.first_stream));
    put_varint(out, chunk.pages.len() as u64);
    for page in &chunk.pages {
        put_varint(out, page.column.code());
        put_varint(out, page.offset);
        put_varint(out, page.len);
        out.extend_from_slice(&page.checksum.to_le_bytes());
    }
}

/// Pages lie within the first `pages_end` bytes of the object.
pub(crate) fn read_directory(bytes: &[u8], streams: u32, pages_end: u64) -> Result<Vec<ChunkEntry>, Corrupt> {
    let mut cursor = Cursor::new(bytes, Section::Directory);
    let count = cursor.count()?;
    let mut chunks = Vec::with_capacity(count.min(cursor.remaining() / 8));
    for _ in 0..count {
        chunks.push(read_chunk(&mut cursor, streams, pages_end)?);
    }
    cursor.finish()?;
    Ok(chunks)
}

pub(crate) fn read_chunk(
    cursor: &mut Cursor<'_>,
    streams: u32,
    pages_end: u64,
) -> Result<ChunkEntry, Corrupt> {
    let rows = cursor.at_most(MAX_READ_ROWS)? as u32;
    let raw_bytes = cursor.varint()?;
    let first = cursor.signed()?;
    let last =
        first.checked_add_unsigned(cursor.varint()?).ok_or(cursor.corrupt("a time is out of range"))?;
    let first_stream = cursor.u32()?;
    let last_stream = first_stream.saturating_add(cursor.u32()?);
    if last_stream >= streams || rows == 0 {
        return Err(cursor.corrupt("a chunk without rows or with a stream that is not there"));
    }
    let page_count = cursor.count()?;
    let mut pages = Vec::with_capacity(page_count.min(cursor.remaining() / 8));
    for _ in 0..page_count {
        pages.push(read_page(cursor, pages_end)?);
    }
    Ok(ChunkEntry {
        rows,
        raw_bytes,
        first_time: Timestamp::from_nanos(first),
        last_time: Timestamp::from_nanos(last),
        first_stream,
        last_stream,
        pages,
    })
}

fn read_page(cursor: &mut Cursor<'_>, pages_end: u64) -> Result<PageEntry, Corrupt> {
    let column = Column::from_code(cursor.varint()?).ok_or(cursor.corrupt("unknown column"))?;
    let offset = cursor.varint()?;
    let len = cursor.varint()?;
    let checksum = cursor.u64_le()?;
    if offset.checked_add(len).is_none_or(|end| end > pages_end) {
        return Err(cursor.corrupt("a page lies outside"));
    }
    Ok(PageEntry { column, offset, len, checksum })
}
