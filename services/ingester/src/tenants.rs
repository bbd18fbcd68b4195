//! The tenants that have rows on this node, or had some a while ago.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use larch_segment::Spares;
use larch_types::TenantId;

use crate::cut::CUT_BYTES;
use crate::tenant::Tenant;

/// Columns of rows that were cut, kept for rows that come: those of one usual cut, with what they take
/// besides their lines.
const SPARE_BYTES: usize = CUT_BYTES + CUT_BYTES / 2;

pub(crate) struct Tenants {
    known: RwLock<BTreeMap<TenantId, Arc<Tenant>>>,
    /// For the rows of all of them.
    spares: Spares,
}

impl Default for Tenants {
    fn default() -> Self {
        Self { known: RwLock::default(), spares: Spares::new(SPARE_BYTES) }
    }
}

impl Tenants {
    pub(crate) fn find(&self, id: &TenantId) -> Option<Arc<Tenant>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    pub(crate) fn find_or_make(&self, id: &TenantId) -> Arc<Tenant> {
        if let Some(known) = self.find(id) {
            return known;
        }
        let mut tenants = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(Tenant::new(id.clone(), self.spares.clone()));
        Arc::clone(tenants.entry(id.clone()).or_insert_with(make))
    }

    /// Gives back columns that no rows have needed for a while.
    pub(crate) fn forget_spares(&self) {
        self.spares.forget_idle();
    }

    pub(crate) fn all(&self) -> Vec<Arc<Tenant>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
