//! How much an arena may still take, asked before anything is logged.

use larch_types::ErrorKind;

use crate::error::RowError;
use crate::index::MAX_LABEL_BYTES;
use crate::memory::arena::PushPart;
use crate::streams::{StreamTable, most_bytes};

/// What an arena may take between two cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArenaLimits {
    /// Lines and metadata as pushed, and [`ROW_OVERHEAD`] for each row: empty lines take memory too.
    pub row_bytes: usize,
    /// Labels and tables of streams, however few rows they have.
    pub stream_bytes: usize,
}

/// What a row takes in memory beside its own bytes: columns, and its place in the table of identities at
/// its emptiest.
pub const ROW_OVERHEAD: usize = 64;

/// What an arena can still take. Parts of one push take their shares one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub row_bytes: usize,
    pub stream_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    #[error(transparent)]
    Row(#[from] RowError),
    #[error("the tenant's recent rows take all the memory they may have")]
    Full,
    #[error("the tenant's streams take all the memory they may have")]
    TooManyStreams,
}

impl PushError {
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Row(error) => error.kind(),
            Self::Full | Self::TooManyStreams => ErrorKind::TooMany,
        }
    }
}

/// Labels that all streams may have together: half of what a segment's index holds, so that what is being
/// logged while this is reached can still be written.
const MAX_LABELS: usize = MAX_LABEL_BYTES / 2;

impl Room {
    pub(crate) fn of(limits: ArenaLimits, rows: usize, raw_bytes: usize, streams: &StreamTable) -> Self {
        let labels_left = MAX_LABELS.saturating_sub(streams.label_bytes());
        Self {
            row_bytes: limits.row_bytes.saturating_sub(raw_bytes + rows * ROW_OVERHEAD),
            stream_bytes: limits.stream_bytes.saturating_sub(streams.memory_bytes()).min(labels_left),
        }
    }

    /// The part's share, or none of it.
    pub fn take(&mut self, part: &PushPart<'_>, is_new_stream: bool) -> Result<(), PushError> {
        let raw_bytes: usize = part.rows.iter().map(crate::Row::raw_bytes).sum();
        let row_bytes = raw_bytes + part.rows.len() * ROW_OVERHEAD;
        let stream_bytes = if is_new_stream { most_bytes(part.labels) } else { 0 };
        let rows_left = self.row_bytes.checked_sub(row_bytes).ok_or(PushError::Full)?;
        let streams_left = self.stream_bytes.checked_sub(stream_bytes).ok_or(PushError::TooManyStreams)?;
        *self = Self { row_bytes: rows_left, stream_bytes: streams_left };
        Ok(())
    }
}
