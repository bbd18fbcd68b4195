//! Why nothing was swept.

use std::time::Duration;

use larch_proto::Partition;
use larch_store::{CareError, CatalogError, StoreError};
use larch_types::{ErrorKind, TenantId};

#[derive(Debug, thiserror::Error)]
pub(crate) enum SweepError {
    #[error(transparent)]
    Care(#[from] CareError),
    #[error("this machine's clock and the store's differ by {difference:?}, more than {most:?}")]
    Clock { difference: Duration, most: Duration },
    #[error(
        "{unnamed} of {segments} segments of {tenant} {partition} are named by no fact, so facts may be lost and nothing \
         of that day is deleted; larchctl catalog rebuild --tenant {tenant} announces the segments again"
    )]
    Unannounced { tenant: TenantId, partition: Partition, unnamed: usize, segments: usize },
}

impl SweepError {
    /// For the metric.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Care(error) => error.kind().name(),
            Self::Clock { .. } => ErrorKind::Unavailable.name(),
            Self::Unannounced { .. } => "unannounced",
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
