//! For each stream its labels and where its rows are.
//!
//! `streams varint · offset of each block of 32 u32* · records`, a record `length varint · pairs varint ·
//! (name · value, symbols, varint)* · spans varint · (step to the chunk · rows · bytes · first time
//! signed · duration, varint)*`.

use bytes::Bytes;
use larch_types::{Labels, StreamId, Timestamp};

use crate::error::{Corrupt, Section};
use crate::index::symbols::Symbols;
use crate::wire::{Cursor, put_bytes, put_signed, put_varint};

const BLOCK: usize = 32;

/// The rows of a stream that one chunk has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesSpan {
    pub chunk: u32,
    pub rows: u32,
    pub raw_bytes: u64,
    /// Both inclusive.
    pub first_time: Timestamp,
    pub last_time: Timestamp,
}

/// A stream of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    pub ordinal: u32,
    pub id: StreamId,
    pub labels: Labels,
    /// Ascending by chunk and by time.
    pub spans: Vec<SeriesSpan>,
}

/// Labels as symbols, and the spans.
pub(super) struct Record<'a> {
    pub(super) labels: Vec<(u32, u32)>,
    pub(super) spans: &'a [SeriesSpan],
}

pub(super) fn encode<'a>(records: impl ExactSizeIterator<Item = Record<'a>>) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, records.len() as u64);
    let (mut offsets, mut data) = (Vec::new(), Vec::new());
    let mut body = Vec::new();
    for (ordinal, record) in records.enumerate() {
        if ordinal % BLOCK == 0 {
            offsets.extend_from_slice(&(data.len() as u32).to_le_bytes());
        }
        body.clear();
        put_varint(&mut body, record.labels.len() as u64);
        for (name, value) in record.labels {
            put_varint(&mut body, u64::from(name));
            put_varint(&mut body, u64::from(value));
        }
        put_varint(&mut body, record.spans.len() as u64);
        let mut next = 0;
        for span in record.spans {
            put_varint(&mut body, u64::from(span.chunk - next));
            put_varint(&mut body, u64::from(span.rows));
            put_varint(&mut body, span.raw_bytes);
            put_signed(&mut body, span.first_time.nanos());
            put_varint(&mut body, span.last_time.nanos().wrapping_sub(span.first_time.nanos()) as u64);
            next = span.chunk + 1;
        }
        put_bytes(&mut data, &body);
    }
    out.extend_from_slice(&offsets);
    out.extend_from_slice(&data);
    out
}

#[derive(Debug, Clone)]
pub(super) struct Series {
    count: u32,
    offsets: Bytes,
    data: Bytes,
}

impl Series {
    pub(super) fn new(bytes: &Bytes) -> Result<Self, Corrupt> {
        let mut cursor = Cursor::new(bytes, Section::Series);
        let count = cursor.count()?;
        let offsets = bytes.slice_ref(cursor.take(count.div_ceil(BLOCK) * size_of::<u32>())?);
        let count = u32::try_from(count).map_err(|_| cursor.corrupt("too many streams"))?;
        Ok(Self { count, offsets, data: bytes.slice_ref(cursor.rest()) })
    }

    pub(super) fn len(&self) -> u32 {
        self.count
    }

    pub(super) fn labels(&self, ordinal: u32, symbols: &Symbols) -> Result<Labels, Corrupt> {
        read_labels(&mut self.walk().record(ordinal)?, symbols)
    }

    pub(super) const fn walk(&self) -> SeriesWalk<'_> {
        SeriesWalk { series: self, at: None }
    }

    /// Where a block begins.
    fn block(&self, block: usize) -> Result<Cursor<'_>, Corrupt> {
        let mut cursor = Cursor::new(&self.offsets, Section::Series);
        cursor.take(block * size_of::<u32>())?;
        let offset = u32::from_le_bytes(cursor.array()?) as usize;
        let mut cursor = Cursor::new(&self.data, Section::Series);
        cursor.take(offset)?;
        Ok(cursor)
    }
}

/// Reads records one after the other; those that ascend cost no second reading of what lies before them.
pub(super) struct SeriesWalk<'a> {
    series: &'a Series,
    /// The next stream, and its record and all that follow.
    at: Option<(u32, Cursor<'a>)>,
}

impl<'a> SeriesWalk<'a> {
    pub(super) fn record(&mut self, ordinal: u32) -> Result<Cursor<'a>, Corrupt> {
        if ordinal >= self.series.count {
            return Err(Corrupt::new(Section::Series, "a stream is out of range"));
        }
        let block = ordinal as usize / BLOCK;
        let is_near = |next: u32| next == ordinal || (next < ordinal && next as usize / BLOCK == block);
        let (next, mut cursor) = match self.at.take() {
            Some((next, cursor)) if is_near(next) => (next, cursor),
            _ => ((block * BLOCK) as u32, self.series.block(block)?),
        };
        for _ in next..ordinal {
            cursor.bytes()?;
        }
        let record = Cursor::new(cursor.bytes()?, Section::Series);
        self.at = Some((ordinal + 1, cursor));
        Ok(record)
    }

    /// Symbols of name and value of each label.
    pub(super) fn labels(&mut self, ordinal: u32, mut take: impl FnMut(u32, u32)) -> Result<(), Corrupt> {
        let mut cursor = self.record(ordinal)?;
        for _ in 0..cursor.count()? {
            take(cursor.u32()?, cursor.u32()?);
        }
        Ok(())
    }

    /// Puts the stream's spans in the place of what is in the list.
    pub(super) fn spans(
        &mut self,
        ordinal: u32,
        chunks: u32,
        spans: &mut Vec<SeriesSpan>,
    ) -> Result<(), Corrupt> {
        let mut cursor = self.record(ordinal)?;
        for _ in 0..2 * cursor.count()? {
            cursor.u32()?;
        }
        spans.clear();
        read_spans(&mut cursor, chunks, spans)
    }
}

fn read_labels(cursor: &mut Cursor<'_>, symbols: &Symbols) -> Result<Labels, Corrupt> {
    let mut pairs = Vec::new();
    for _ in 0..cursor.count()? {
        pairs.push((symbols.get(cursor.u32()?)?, symbols.get(cursor.u32()?)?));
    }
    Labels::from_pairs(pairs).map_err(|_| cursor.corrupt("labels are not valid"))
}

/// Numbers of a span, each of which takes a byte or more.
const SPAN_NUMBERS: usize = 5;

fn read_spans(cursor: &mut Cursor<'_>, chunks: u32, spans: &mut Vec<SeriesSpan>) -> Result<(), Corrupt> {
    let count = cursor.at_most(cursor.remaining() / SPAN_NUMBERS)?;
    spans.reserve(count);
    let mut next = 0_u32;
    for _ in 0..count {
        let chunk = next.checked_add(cursor.u32()?).filter(|chunk| *chunk < chunks);
        let chunk = chunk.ok_or(cursor.corrupt("a chunk is out of range"))?;
        let rows = cursor.u32()?;
        let raw_bytes = cursor.varint()?;
        let first = cursor.signed()?;
        let last = first.checked_add_unsigned(cursor.varint()?);
        let last = last.ok_or(cursor.corrupt("a time is out of range"))?;
        let (first_time, last_time) = (Timestamp::from_nanos(first), Timestamp::from_nanos(last));
        spans.push(SeriesSpan { chunk, rows, raw_bytes, first_time, last_time });
        next = chunk + 1;
    }
    cursor.finish()
}
