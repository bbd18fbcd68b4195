//! Writes a segment front to back: streams in their order, rows of a stream in theirs.

mod assemble;
mod builder;
mod chunk;
mod pages;
mod sections;

use larch_types::{ErrorKind, Labels, StreamId, Timestamp};

pub(crate) use assemble::assemble;
pub use builder::{BuilderStream, SegmentBuilder};

use crate::compress::Encoder;
use crate::error::RowError;
use crate::filter::FilterBuilder;
use crate::footer::{Provenance, Totals};
use crate::format::{HEADER, MAX_CHUNK_ROWS};
use crate::histogram::{HistogramBuilder, RowBytes};
use crate::index::{IndexBuilder, MAX_LABEL_BYTES, SeriesSpan};
use crate::memory::batch::{Batch, RowView, read_extras};
use crate::page::lines::Care;
use crate::page::stamps::RowStamp;
use crate::row::{Row, RowIdentity, check_labels, label_bytes};
use crate::streams::StreamRank;
use chunk::ChunkEncoder;
use pages::PageWriter;

/// How much work goes into making a segment small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// While rows arrive: as fast as they do.
    Fresh,
    /// When segments are merged: written once, kept long.
    Merged,
}

impl Effort {
    /// zstd levels. On request logs and system logs, 1 is smaller than 3 and faster than it, 9 saves a
    /// tenth more, and what is above 9 takes several times as long for the next two hundredths.
    const fn zstd_level(self) -> i32 {
        match self {
            Self::Fresh => 1,
            Self::Merged => 9,
        }
    }

    const fn care(self) -> Care {
        match self {
            Self::Fresh => Care::Quick,
            Self::Merged => Care::Thorough,
        }
    }
}

/// A chunk closes at this many bytes of rows: small enough that its lines decode into a core's own
/// cache, large enough that compression is within two hundredths of what twice the size gives.
const CHUNK_BYTES: usize = 1 << 20;

/// Where a stream ends, a chunk of this size closes: it is not worth a page less to read rows of two
/// streams when one is asked for.
const CHUNK_BYTES_AT_STREAM: usize = CHUNK_BYTES / 2;

/// A segment that was written whole.
#[derive(Debug, Clone)]
pub struct Built {
    pub bytes: Vec<u8>,
    pub totals: Totals,
}

/// Why rows or streams were refused: they must come in the segment's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Row(#[from] RowError),
    #[error("a stream comes after one that is behind it in the order of segments")]
    StreamOrder,
    #[error("a row comes after one of its stream that is later")]
    RowOrder,
    #[error("a row comes before any stream")]
    NoStream,
    #[error("a segment cannot hold more rows or streams")]
    Full,
}

impl WriteError {
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Row(error) => error.kind(),
            Self::Full => ErrorKind::TooLarge,
            Self::StreamOrder | Self::RowOrder | Self::NoStream => ErrorKind::Internal,
        }
    }
}

/// The stream whose rows come.
struct Current {
    rank: StreamRank,
    id: StreamId,
    ordinal: u32,
    last: Option<Timestamp>,
    /// The part of it in the chunk that is being filled.
    span: Option<SeriesSpan>,
}

/// Writes with the memory of one chunk, the index and the filter's entries; the rest can be taken away
/// while it writes.
pub struct SegmentWriter {
    provenance: Provenance,
    effort: Effort,
    encoder: Encoder,
    pages: PageWriter,
    index: IndexBuilder,
    histograms: HistogramBuilder,
    filter: FilterBuilder,
    chunk: Batch,
    current: Option<Current>,
    rows: u64,
    raw_bytes: u64,
    times: Option<(Timestamp, Timestamp)>,
}

impl SegmentWriter {
    pub fn new(provenance: Provenance, effort: Effort) -> Self {
        let filter = FilterBuilder::new(provenance.id);
        Self {
            provenance,
            effort,
            encoder: Encoder::new(effort.zstd_level()),
            pages: PageWriter::new(HEADER.to_vec()),
            index: IndexBuilder::default(),
            histograms: HistogramBuilder::default(),
            filter,
            chunk: Batch::default(),
            current: None,
            rows: 0,
            raw_bytes: 0,
            times: None,
        }
    }

    /// Rows of this stream follow. Streams come in the order of their ranks.
    pub fn start_stream(&mut self, labels: &Labels) -> Result<(), WriteError> {
        let id = StreamId::of(labels);
        let rank = StreamRank::of(labels, id);
        if self.current.as_ref().is_some_and(|current| current.rank >= rank) {
            return Err(WriteError::StreamOrder);
        }
        let ordinal = self.index.len();
        check_labels(labels)?;
        let bytes = label_bytes(labels);
        if ordinal == u32::MAX || self.index.label_bytes() + bytes > MAX_LABEL_BYTES {
            return Err(WriteError::Full);
        }
        self.end_stream();
        if self.chunk.held_bytes() >= CHUNK_BYTES_AT_STREAM {
            self.end_chunk();
        }
        self.index.add_stream(id, labels.clone());
        self.current = Some(Current { rank, id, ordinal, last: None, span: None });
        Ok(())
    }

    /// The next row of the stream, in the order of time and, where times are equal, of stamps. Every row
    /// keeps its stamp: rows of other segments, of a cut before or of another replica, may have its time, and
    /// of rows that are the same the smallest stamp stays.
    pub fn push(&mut self, row: &Row<'_>, stamp: Option<RowStamp>) -> Result<(), WriteError> {
        row.check()?;
        let current = self.current.as_ref().ok_or(WriteError::NoStream)?;
        let id = current.id;
        let identity = RowIdentity::of(id, row.timestamp, row.line, row.metadata.iter().copied());
        let bytes = RowBytes::new(row.line.len(), row.raw_bytes());
        let level = level_of(row.metadata, row.level);
        let ordinal = self.prepare(row.timestamp, identity, bytes, level)?;
        self.chunk.push(ordinal, row, identity, stamp);
        Ok(())
    }

    /// A row that was checked and hashed before.
    pub(crate) fn push_view(&mut self, row: &RowView<'_>) -> Result<(), WriteError> {
        let mut metadata = Vec::new();
        let level = read_extras(row.extras, &mut metadata);
        let level = level_of(&metadata, level);
        let bytes = RowBytes::new(row.line.len(), row.raw_bytes());
        let ordinal = self.prepare(row.timestamp, row.identity, bytes, level)?;
        self.chunk.push_view(ordinal, row);
        Ok(())
    }

    /// Makes room for the row and counts it; returns its stream's place.
    fn prepare(
        &mut self,
        time: Timestamp,
        identity: RowIdentity,
        bytes: RowBytes,
        level: &str,
    ) -> Result<u32, WriteError> {
        let current = self.current.as_ref().ok_or(WriteError::NoStream)?;
        let (ordinal, last) = (current.ordinal, current.last);
        if last.is_some_and(|last| last > time) {
            return Err(WriteError::RowOrder);
        }
        if self.rows == u64::from(u32::MAX) {
            return Err(WriteError::Full);
        }
        if self.chunk.len() >= MAX_CHUNK_ROWS || self.chunk.held_bytes() >= CHUNK_BYTES {
            self.end_chunk();
        }
        self.count(time, bytes.line + bytes.metadata);
        self.histograms.add(time, identity, bytes, level);
        Ok(ordinal)
    }

    fn count(&mut self, time: Timestamp, raw_bytes: u64) {
        self.rows += 1;
        self.raw_bytes += raw_bytes;
        let (first, last) = self.times.unwrap_or((time, time));
        self.times = Some((first.min(time), last.max(time)));
        let Some(current) = &mut self.current else { return };
        current.last = Some(time);
        let chunk = self.pages.chunks();
        let span = current.span.get_or_insert(SeriesSpan {
            chunk,
            rows: 0,
            raw_bytes: 0,
            first_time: time,
            last_time: time,
        });
        span.rows += 1;
        span.raw_bytes += raw_bytes;
        span.last_time = time;
    }

    fn end_stream(&mut self) {
        self.end_span();
        if let Some(current) = self.current.take() {
            self.histograms.finish_stream(current.ordinal);
        }
    }

    fn end_span(&mut self) {
        if let Some(current) = &mut self.current
            && let Some(span) = current.span.take()
        {
            self.index.add_span(current.ordinal, span);
        }
    }

    fn end_chunk(&mut self) {
        self.end_span();
        if self.chunk.is_empty() {
            return;
        }
        let words = self.filter.next_chunk(&self.chunk);
        let with = ChunkEncoder { encoder: &mut self.encoder, care: self.effort.care(), words };
        self.pages.add(&self.chunk, with);
        self.chunk.clear();
    }

    /// Bytes that are final. Whoever takes them keeps them in order; what [`SegmentWriter::finish`]
    /// returns comes behind.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        self.pages.take_bytes()
    }

    /// Gives out the bytes that are final, where they are worth a call.
    fn drain<E>(&mut self, put: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.pages.drain(put)
    }

    /// The last bytes of the segment.
    pub fn finish(mut self) -> Built {
        self.end_stream();
        self.end_chunk();
        let (first_time, last_time) = self.times.unwrap_or_default();
        let totals = Totals {
            rows: self.rows,
            raw_bytes: self.raw_bytes,
            streams: self.index.len(),
            chunks: self.pages.chunks(),
            first_time,
            last_time,
        };
        let bytes = sections::finish(self, &totals);
        Built { bytes, totals }
    }
}

/// The level that counts are split by.
pub(crate) fn level_of<'a>(metadata: &[(&'a str, &'a str)], derived: Option<&'a str>) -> &'a str {
    let pushed =
        || metadata.iter().rev().find(|(name, _)| *name == "detected_level").map(|(_, level)| *level);
    derived.or_else(pushed).unwrap_or_default()
}

#[cfg(test)]
mod tests;
