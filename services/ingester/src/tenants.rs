//! The tenants that have rows on this node, or had some a while ago.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use larch_types::TenantId;

use crate::tenant::Tenant;

#[derive(Default)]
pub(crate) struct Tenants(RwLock<BTreeMap<TenantId, Arc<Tenant>>>);

impl Tenants {
    pub(crate) fn find(&self, id: &TenantId) -> Option<Arc<Tenant>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    pub(crate) fn find_or_make(&self, id: &TenantId) -> Arc<Tenant> {
        if let Some(known) = self.find(id) {
            return known;
        }
        let mut tenants = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tenants.entry(id.clone()).or_insert_with(|| Arc::new(Tenant::new(id.clone()))))
    }

    pub(crate) fn all(&self) -> Vec<Arc<Tenant>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
