//! The tenants that have rows on this node, or had some a while ago.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use larch_segment::Spares;
use larch_types::TenantId;

use crate::cut::CUT_BYTES;
use crate::tail::Feeds;
use crate::tenant::Tenant;

/// Columns of rows that were cut, kept for rows that come: those of one usual cut, with what they take
/// besides their lines.
const SPARE_BYTES: usize = CUT_BYTES + CUT_BYTES / 2;

/// Tenants that are looked at under the lock for which pushes wait: a millisecond's work.
const FORGOTTEN_AT_ONCE: usize = 1000;

pub(crate) struct Tenants {
    known: RwLock<BTreeMap<TenantId, Arc<Tenant>>>,
    /// For the rows of all of them.
    spares: Spares,
    feeds: Feeds,
}

impl Default for Tenants {
    fn default() -> Self {
        Self { known: RwLock::default(), spares: Spares::new(SPARE_BYTES), feeds: Feeds::default() }
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
        let make = || Arc::new(Tenant::new(id.clone(), self.spares.clone(), self.feeds.clone()));
        Arc::clone(tenants.entry(id.clone()).or_insert_with(make))
    }

    pub(crate) fn count(&self) -> usize {
        self.known.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Takes those out that have nothing here and that nobody works with. Whoever works with a tenant holds it, and
    /// gets hold of it under the lock only, so what is taken out is nobody's.
    pub(crate) fn forget_idle(&self) -> Vec<Arc<Tenant>> {
        let mut idle = Vec::new();
        for tenant in self.all() {
            if tenant.is_idle() {
                idle.push(tenant.id.clone());
            }
        }
        let mut forgotten = Vec::new();
        for some in idle.chunks(FORGOTTEN_AT_ONCE) {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            for id in some {
                if known.get(id).is_some_and(|tenant| Arc::strong_count(tenant) == 1 && tenant.is_idle()) {
                    forgotten.extend(known.remove(id));
                }
            }
        }
        forgotten
    }

    /// Gives back columns that no rows have needed for a while.
    pub(crate) fn forget_spares(&self) {
        self.spares.forget_idle();
    }

    pub(crate) fn all(&self) -> Vec<Arc<Tenant>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
