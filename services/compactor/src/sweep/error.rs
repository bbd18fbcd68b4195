//! Why nothing was swept.

use std::time::Duration;

use larch_store::{CareError, CatalogError, StoreError};
use larch_types::ErrorKind;

#[derive(Debug, thiserror::Error)]
pub(crate) enum SweepError {
    #[error(transparent)]
    Care(#[from] CareError),
    #[error("this machine's clock and the store's differ by {difference:?}, more than {most:?}")]
    Clock { difference: Duration, most: Duration },
}

impl SweepError {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Care(error) => error.kind(),
            Self::Clock { .. } => ErrorKind::Unavailable,
        }
    }
}

impl From<StoreError> for SweepError {
    fn from(error: StoreError) -> Self {
        Self::Care(error.into())
    }
}

impl From<CatalogError> for SweepError {
    fn from(error: CatalogError) -> Self {
        Self::Care(error.into())
    }
}
