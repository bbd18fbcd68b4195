//! Whether a fact is there, asked by its name.

use larch_proto::{Partition, SegmentEntry};
use larch_types::{FactId, TenantId};

use super::format::FactBody;
use super::view::{Catalog, CatalogError};
use crate::key::{FactKind, FactName};

impl Catalog {
    /// The entries of an add; `None` if there is none of that name. It is asked for by its key, so that a
    /// listing that lags does not hide it.
    pub async fn find_add(
        &self,
        tenant: &TenantId,
        partition: Partition,
        id: FactId,
    ) -> Result<Option<Vec<SegmentEntry>>, CatalogError> {
        let name = FactName { kind: FactKind::Add, id };
        let fact = match self.read(tenant, partition, name).await {
            Ok(fact) => fact,
            Err(CatalogError::Store(error)) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error),
        };
        self.learn(tenant, &fact).await;
        match fact.body {
            FactBody::Add { entries } => Ok(Some(entries)),
            FactBody::Swap { .. } | FactBody::Snap { .. } => Ok(None),
        }
    }
}
