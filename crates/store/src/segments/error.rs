//! Why a segment cannot be read.

use std::sync::Arc;

use larch_segment::{Corrupt, OpenError, ReadError};
use larch_types::{ErrorKind, SegmentId};

use crate::catalog::CatalogError;

/// Cheap to clone, so that all who wait for one footer can be told.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SegmentError {
    #[error(transparent)]
    Fetch(Arc<CatalogError>),
    #[error("open {key}: {source}")]
    Open {
        key: Arc<str>,
        #[source]
        source: OpenError,
    },
    #[error("read {key}: {source}")]
    Read {
        key: Arc<str>,
        #[source]
        source: ReadError,
    },
    #[error("{key} is said to be segment {wanted}, and is {found}")]
    Other { key: Arc<str>, wanted: SegmentId, found: SegmentId },
    #[error("{key} is said to have a footer of {bytes} bytes")]
    LongFooter { key: Arc<str>, bytes: u64 },
}

impl SegmentError {
    pub(super) fn read(key: &str, source: impl Into<ReadError>) -> Self {
        Self::Read { key: key.into(), source: source.into() }
    }

    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Fetch(error) => error.kind(),
            Self::Open { source, .. } => source.kind(),
            Self::Read { source, .. } => source.kind(),
            Self::Other { .. } | Self::LongFooter { .. } => ErrorKind::Corrupt,
        }
    }
}

impl From<CatalogError> for SegmentError {
    fn from(error: CatalogError) -> Self {
        Self::Fetch(Arc::new(error))
    }
}

/// Something in a chunk or footer, with the name of its object.
pub(super) fn named(key: &str) -> impl Fn(Corrupt) -> SegmentError {
    move |corrupt| SegmentError::read(key, corrupt)
}
