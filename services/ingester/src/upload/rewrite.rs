//! The same rows as another segment: what an earlier life began to upload must not be announced any more, and
//! the id of a segment is all over it.

use bytes::Bytes;
use larch_segment::{
    Built, Columns, Corrupt, Decoder, Effort, OpenError, Provenance, ReadError, Row, Segment, SegmentWriter,
    WriteError,
};
use larch_types::{ErrorKind, SegmentId, Timestamp};

#[derive(Debug, thiserror::Error)]
pub(crate) enum RewriteError {
    #[error("read its rows")]
    Read(#[from] ReadError),
    #[error("open what was written")]
    Open(#[from] OpenError),
    #[error("write its rows")]
    Write(#[from] WriteError),
}

impl RewriteError {
    pub(crate) const fn kind(&self) -> ErrorKind {
        match self {
            Self::Read(error) => error.kind(),
            Self::Open(error) => error.kind(),
            Self::Write(error) => error.kind(),
        }
    }
}

/// `object` is all of the segment. The same segment and id give the same bytes.
pub(super) fn rewrite(segment: &Segment, object: &Bytes, id: SegmentId) -> Result<Built, RewriteError> {
    let provenance = Provenance { id, ..segment.provenance().clone() };
    let mut writer = SegmentWriter::new(provenance, Effort::Fresh);
    let mut decoder = Decoder::new();
    let mut current = None;
    let read = |error: Corrupt| RewriteError::Read(error.into());
    for number in 0..segment.totals().chunks {
        let chunk = segment.chunk_of(object, number, Columns::ALL).map_err(read)?;
        let (times, lines) = (chunk.times()?, chunk.lines(&mut decoder)?);
        let (levels, stamps) = (chunk.levels(&mut decoder)?, chunk.stamps(&mut decoder)?);
        for run in chunk.streams(&mut decoder)? {
            // A stream may go on in the next chunk.
            if current != Some(run.stream) {
                writer.start_stream(&segment.index().labels(run.stream).map_err(read)?)?;
                current = Some(run.stream);
            }
            for row in run.range() {
                let metadata = chunk.row_metadata(row, &mut decoder)?;
                let timestamp = Timestamp::from_nanos(times[row]);
                let stored =
                    Row { timestamp, line: lines.get(row), metadata: &metadata, level: levels.get(row) };
                writer.push(&stored, stamps.get(row))?;
            }
        }
    }
    Ok(writer.finish())
}
