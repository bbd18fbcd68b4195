//! One row as it is handed in, the bounds it must keep, and what makes two rows the same.

use larch_types::{Labels, StreamId, Timestamp};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::error::RowError;

/// A page decodes to at most 64 MiB; four such lines and their neighbours fit a chunk.
pub const MAX_LINE_BYTES: usize = 16 << 20;

/// Names and values of one row's metadata together, and a byte for each pair.
pub const MAX_METADATA_BYTES: usize = 1 << 20;

/// Names and values of a stream's labels together.
pub const MAX_LABELS_BYTES: usize = 1 << 20;

/// One row of a stream, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    pub timestamp: Timestamp,
    pub line: &'a [u8],
    /// Structured metadata as pushed, in its order.
    pub metadata: &'a [(&'a str, &'a str)],
    /// `detected_level` where Larch derived it. It is shown with the metadata and is no part of the
    /// row's identity.
    pub level: Option<&'a str>,
}

impl Row<'_> {
    /// Bytes as users count them: the line and the metadata as pushed.
    pub fn raw_bytes(&self) -> usize {
        self.line.len() + metadata_bytes(self.metadata)
    }

    /// Whether a segment can hold it.
    pub fn check(&self) -> Result<(), RowError> {
        if self.line.len() > MAX_LINE_BYTES {
            return Err(RowError::LineTooLong(self.line.len()));
        }
        let metadata = metadata_bytes(self.metadata) + self.metadata.len() + self.level.map_or(0, str::len);
        if metadata > MAX_METADATA_BYTES {
            return Err(RowError::MetadataTooLarge(metadata));
        }
        Ok(())
    }
}

pub(crate) fn check_labels(labels: &Labels) -> Result<(), RowError> {
    let bytes = label_bytes(labels);
    if bytes > MAX_LABELS_BYTES { Err(RowError::LabelsTooLarge(bytes)) } else { Ok(()) }
}

pub(crate) fn label_bytes(labels: &Labels) -> usize {
    labels.iter().map(|label| label.name.len() + label.value.len()).sum()
}

fn metadata_bytes(metadata: &[(&str, &str)]) -> usize {
    metadata.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// A hash of what makes a row itself: stream, timestamp, line, metadata as pushed. Stored histograms
/// add these up, so it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowIdentity(pub u64);

impl RowIdentity {
    /// Hashes line and metadata by themselves first, so that the common row without metadata costs one
    /// pass over its line and one over a block of fixed size.
    pub fn of<'m>(
        stream: StreamId,
        timestamp: Timestamp,
        line: &[u8],
        metadata: impl Iterator<Item = (&'m str, &'m str)>,
    ) -> Self {
        let mut block = [0_u8; 40];
        block[..16].copy_from_slice(&stream.as_u128().to_le_bytes());
        block[16..24].copy_from_slice(&timestamp.nanos().to_le_bytes());
        block[24..32].copy_from_slice(&xxh3_64(line).to_le_bytes());
        let mut hash: Option<Xxh3> = None;
        for (name, value) in metadata {
            let hash = hash.get_or_insert_with(Xxh3::new);
            for text in [name, value] {
                hash.update(&(text.len() as u64).to_le_bytes());
                hash.update(text.as_bytes());
            }
        }
        match hash {
            None => Self(xxh3_64(&block[..32])),
            Some(hash) => {
                block[32..].copy_from_slice(&hash.digest().to_le_bytes());
                Self(xxh3_64(&block))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(stream: u128, nanos: i64, line: &str, metadata: &[(&str, &str)]) -> u64 {
        let stream = StreamId::from_u128(stream);
        let timestamp = Timestamp::from_nanos(nanos);
        RowIdentity::of(stream, timestamp, line.as_bytes(), metadata.iter().copied()).0
    }

    /// Stored histograms depend on these values: they never change.
    #[test]
    fn frozen_identities() {
        assert_eq!(identity(1, 2, "line", &[]), IDENTITY_PLAIN);
        assert_eq!(identity(1, 2, "line", &[("a", "b"), ("c", "")]), IDENTITY_METADATA);
    }

    const IDENTITY_PLAIN: u64 = 15_149_616_918_352_779_536;
    const IDENTITY_METADATA: u64 = 17_091_013_014_152_929_092;

    #[test]
    fn every_part_counts() {
        let all = [
            identity(1, 2, "line", &[]),
            identity(2, 2, "line", &[]),
            identity(1, 3, "line", &[]),
            identity(1, 2, "lines", &[]),
            identity(1, 2, "line", &[("a", "b")]),
            identity(1, 2, "line", &[("ab", "")]),
            identity(1, 2, "line", &[("a", "b"), ("a", "b")]),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one), "row {index}");
        }
    }

    #[test]
    fn bounds() {
        let long = "x".repeat(MAX_METADATA_BYTES);
        let row = Row { timestamp: Timestamp::EPOCH, line: b"", metadata: &[("a", &long)], level: None };
        assert_eq!(row.check(), Err(RowError::MetadataTooLarge(MAX_METADATA_BYTES + 2)));
        assert_eq!(row.raw_bytes(), MAX_METADATA_BYTES + 1);
        let empty_pairs = vec![("", ""); MAX_METADATA_BYTES + 1];
        assert!(Row { metadata: &empty_pairs, ..row }.check().is_err());
    }
}
