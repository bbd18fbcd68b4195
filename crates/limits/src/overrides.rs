//! Limits and logging of single tenants, over those of all.
//!
//! Whoever reads the files of overrides knows their lines and brings typed settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use larch_types::TenantId;

use crate::{LimitsSettings, OperationalSettings};

/// Limits and logging by tenant. A tenant without overrides has those of all.
#[derive(Debug, Clone, PartialEq)]
pub struct Overrides {
    limits: Arc<LimitsSettings>,
    operational: Arc<OperationalSettings>,
    tenant_limits: BTreeMap<TenantId, Arc<LimitsSettings>>,
    tenant_operational: BTreeMap<TenantId, Arc<OperationalSettings>>,
}

impl Overrides {
    /// Nobody has overrides.
    pub fn none(limits: LimitsSettings, operational: OperationalSettings) -> Self {
        Self {
            limits: Arc::new(limits),
            operational: Arc::new(operational),
            tenant_limits: BTreeMap::new(),
            tenant_operational: BTreeMap::new(),
        }
    }

    /// Gives a tenant limits of its own, all of them.
    pub fn set_limits(&mut self, tenant: TenantId, limits: LimitsSettings) {
        self.tenant_limits.insert(tenant, Arc::new(limits));
    }

    pub fn set_operational(&mut self, tenant: TenantId, operational: OperationalSettings) {
        self.tenant_operational.insert(tenant, Arc::new(operational));
    }

    pub fn limits(&self, tenant: &TenantId) -> &Arc<LimitsSettings> {
        self.tenant_limits.get(tenant).unwrap_or(&self.limits)
    }

    pub fn operational(&self, tenant: &TenantId) -> &Arc<OperationalSettings> {
        self.tenant_operational.get(tenant).unwrap_or(&self.operational)
    }

    /// The limits of a tenant without overrides.
    pub fn default_limits(&self) -> &Arc<LimitsSettings> {
        &self.limits
    }

    /// The tenants whose limits are overridden.
    pub fn tenants(&self) -> impl Iterator<Item = (&TenantId, &Arc<LimitsSettings>)> {
        self.tenant_limits.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_without_overrides_has_the_limits_of_all() {
        let all = LimitsSettings { max_query_series: 7, ..Default::default() };
        let mut overrides = Overrides::none(all, OperationalSettings::default());
        let (own, other): (TenantId, TenantId) = ("own".parse().unwrap(), "other".parse().unwrap());
        overrides.set_limits(own.clone(), LimitsSettings { max_query_series: 8, ..Default::default() });
        overrides.set_operational(
            own.clone(),
            OperationalSettings { log_push_request: true, ..Default::default() },
        );
        assert_eq!(overrides.limits(&own).max_query_series, 8);
        assert_eq!(overrides.limits(&other).max_query_series, 7);
        assert_eq!(overrides.default_limits().max_query_series, 7);
        assert!(overrides.operational(&own).log_push_request);
        assert!(!overrides.operational(&other).log_push_request);
        assert_eq!(overrides.tenants().count(), 1);
    }
}
