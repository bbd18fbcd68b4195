//! What can be wrong with a segment's bytes, and with a row that somebody wants to store.

use std::fmt;

use larch_types::ErrorKind;

/// Where in a segment the damage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Section {
    Header,
    Trailer,
    Footer,
    Directory,
    Symbols,
    StreamIds,
    Series,
    Postings,
    Histograms,
    MetadataNames,
    Filter,
    FilterPages,
    Pages,
    Times,
    Streams,
    Stamps,
    Levels,
    Shapes,
    Metadata,
    Lines,
}

impl Section {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Trailer => "trailer",
            Self::Footer => "footer",
            Self::Directory => "directory",
            Self::Symbols => "symbols",
            Self::StreamIds => "stream ids",
            Self::Series => "series",
            Self::Postings => "postings",
            Self::Histograms => "histograms",
            Self::MetadataNames => "metadata names",
            Self::Filter => "filter",
            Self::FilterPages => "filter pages",
            Self::Pages => "pages",
            Self::Times => "times",
            Self::Streams => "streams",
            Self::Stamps => "stamps",
            Self::Levels => "levels",
            Self::Shapes => "shapes",
            Self::Metadata => "metadata",
            Self::Lines => "lines",
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Bytes that are not what a writer of this format wrote. Whoever knows the object's name adds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("corrupt segment: {section}: {what}")]
pub struct Corrupt {
    pub section: Section,
    pub what: &'static str,
}

impl Corrupt {
    pub(crate) const fn new(section: Section, what: &'static str) -> Self {
        Self { section, what }
    }

    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Corrupt
    }
}

/// Why the end of an object did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// The caller guessed too short a tail; one more read from there to the end will do.
    #[error("the tail is too short: read from byte {from}")]
    Short { from: u64 },
    #[error("segment format {found} is not one of {oldest} to {newest}, which this program reads")]
    Version { found: u16, oldest: u16, newest: u16 },
    #[error("the segment needs section {section}, which this program does not know")]
    UnknownSection { section: u64 },
}

impl OpenError {
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Corrupt(_) => ErrorKind::Corrupt,
            Self::Short { .. } => ErrorKind::Internal,
            Self::Version { .. } | Self::UnknownSection { .. } => ErrorKind::Unprocessable,
        }
    }
}

/// Why a chunk did not give what was asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// The caller reads a column whose page it did not fetch.
    #[error("the page of {0} was not fetched")]
    NotFetched(Section),
}

impl ReadError {
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Corrupt(_) => ErrorKind::Corrupt,
            Self::NotFetched(_) => ErrorKind::Internal,
        }
    }
}

/// Why a row cannot be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    #[error("the line has {0} bytes, more than {max}", max = crate::row::MAX_LINE_BYTES)]
    LineTooLong(usize),
    #[error("the metadata has {0} bytes, more than {max}", max = crate::row::MAX_METADATA_BYTES)]
    MetadataTooLarge(usize),
    #[error("the stream's labels have {0} bytes, more than {max}", max = crate::row::MAX_LABELS_BYTES)]
    LabelsTooLarge(usize),
}

impl RowError {
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::TooLarge
    }
}
