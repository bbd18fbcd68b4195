//! Rows as sources hand them over.

use larch_types::{Labels, PushStamp, RowOrder, StreamId, Timestamp};
use xxhash_rust::xxh3::Xxh3;

use crate::stage::Row;

/// One stored row, borrowed. Sources may give rows in any order and the same row several times.
#[derive(Debug, Clone, Copy)]
pub struct InputRow<'a> {
    /// The id of `labels`, so that nobody has to compare labels.
    pub stream: StreamId,
    pub labels: &'a Labels,
    pub order: RowOrder,
    pub line: &'a [u8],
    /// Structured metadata as pushed.
    pub metadata: &'a [(&'a str, &'a str)],
    /// `detected_level` where it was derived: shown with the metadata, no part of what makes two rows the
    /// same.
    pub level: Option<&'a str>,
}

/// Rows of one stream of which nothing is known but how many they are. They stand for rows with equal
/// labels: those of the stream, and the level, where the query looks at levels.
#[derive(Debug, Clone, Copy)]
pub struct CountedRows<'a> {
    pub stream: StreamId,
    pub labels: &'a Labels,
    pub level: Option<&'a str>,
    /// The time that they count at, rows, bytes of their lines. A time comes once for each stream and level.
    pub counts: &'a [(Timestamp, u64, u64)],
}

impl<'a> CountedRows<'a> {
    /// A row with their labels.
    pub(crate) fn row(&self) -> InputRow<'a> {
        InputRow {
            stream: self.stream,
            labels: self.labels,
            order: RowOrder { timestamp: Timestamp::EPOCH, stamp: PushStamp(0), index: 0 },
            line: b"",
            metadata: &[],
            level: self.level,
        }
    }

    /// No row has it, and of those that are counted at one time each has its own.
    pub(crate) fn identity(&self) -> Identity {
        let mut hash = Xxh3::with_seed(1);
        hash.update(&self.stream.as_u128().to_le_bytes());
        hash.update(self.level.unwrap_or_default().as_bytes());
        hash.update(&[u8::from(self.level.is_some())]);
        Identity(hash.digest128())
    }
}

/// Two rows of one time with the same identity are one row. It means nothing outside the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity(u128);

impl<'a> InputRow<'a> {
    pub(crate) fn timestamp(&self) -> Timestamp {
        self.order.timestamp
    }

    /// Puts it at the head of a pipeline.
    pub(crate) fn load_into(&self, work: &mut Row<'a>) {
        work.load(self.labels, self.order.timestamp, self.line);
        for (name, value) in self.metadata {
            work.add_metadata(name, value.as_bytes());
        }
        if let Some(level) = self.level {
            work.add_metadata("detected_level", level.as_bytes());
        }
    }

    /// A hash of 128 bits stands for stream, line and metadata: no two rows that anybody will ever store
    /// share it.
    pub fn identity(&self) -> Identity {
        let mut hash = Xxh3::new();
        hash.update(&self.stream.as_u128().to_le_bytes());
        hash.update(&(self.line.len() as u64).to_le_bytes());
        hash.update(self.line);
        for (name, value) in self.metadata {
            for text in [name, value] {
                hash.update(&(text.len() as u64).to_le_bytes());
                hash.update(text.as_bytes());
            }
        }
        Identity(hash.digest128())
    }
}
