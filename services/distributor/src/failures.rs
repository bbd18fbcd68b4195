//! What operators read of refused pushes: a few lines a second for each tenant, since clients can cause any
//! number of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use larch_limits::TokenBucket;
use larch_telemetry::{Counter, Family, Registry, Spec};
use larch_types::{Monotonic, TenantId};
use tracing::warn;

use crate::settings::WriteFailureSettings;

pub(crate) struct FailureLog {
    /// Bytes of lines a second and tenant.
    rate: u64,
    insight: bool,
    buckets: Mutex<HashMap<TenantId, TokenBucket>>,
    logged: Family<Counter, 1>,
    discarded: Family<Counter, 1>,
}

/// Tenants with failures at a time; with more, all begin anew.
const MAX_TENANTS: usize = 10_000;
/// A text may name thousands of rows.
const MAX_LINE_BYTES: usize = 1024;

const LOGGED: Spec<1> = Spec {
    name: "loki_write_failures_logged_total",
    help: "Refused pushes that were logged.",
    labels: ["org_id"],
};
const DISCARDED: Spec<1> = Spec {
    name: "loki_write_failures_discarded_total",
    help: "Refused pushes that were not logged, because there were too many.",
    labels: ["org_id"],
};

impl FailureLog {
    pub(crate) fn new(settings: &WriteFailureSettings, metrics: &Registry) -> Self {
        Self {
            rate: settings.rate.as_u64(),
            insight: settings.add_insights_label,
            buckets: Mutex::default(),
            logged: metrics.counter(LOGGED),
            discarded: metrics.counter(DISCARDED),
        }
    }

    /// Tells why a tenant's push was refused, or a part of it, if the tenant's lines are not too many.
    pub(crate) fn note(&self, now: Monotonic, tenant: &TenantId, error: &str) {
        let error = &error[..error.floor_char_boundary(MAX_LINE_BYTES)];
        if !self.admit(now, tenant, error.len() as u64) {
            self.discarded.with([tenant.as_str()]).inc();
            return;
        }
        self.logged.with([tenant.as_str()]).inc();
        if self.insight {
            warn!(%tenant, error, insight = true, "write operation failed");
        } else {
            warn!(%tenant, error, "write operation failed");
        }
    }

    fn admit(&self, now: Monotonic, tenant: &TenantId, bytes: u64) -> bool {
        if self.rate == 0 {
            return false;
        }
        // The longest line passes at least once.
        let burst = self.rate.max(MAX_LINE_BYTES as u64);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_TENANTS && !buckets.contains_key(tenant) {
            buckets.clear();
        }
        let new = || TokenBucket::new(self.rate as f64, burst, now);
        buckets.entry(tenant.clone()).or_insert_with(new).allow(now, bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use larch_types::ByteSize;

    use super::*;

    #[test]
    fn a_few_lines_for_each_tenant() {
        let at = |seconds| Monotonic::from_start(Duration::from_secs(seconds));
        let metrics = Registry::default();
        let log = FailureLog::new(&WriteFailureSettings::default(), &metrics);
        let (one, other): (TenantId, TenantId) = ("t".parse().unwrap(), "u".parse().unwrap());
        let long = "ä".repeat(600);
        for (seconds, tenant, text) in
            [(0, &one, long.as_str()), (0, &one, "short"), (0, &other, "short"), (1, &one, "short")]
        {
            log.note(at(seconds), tenant, text);
        }
        let counts = |family: &Family<Counter, 1>| ["t", "u"].map(|tenant| family.with([tenant]).get());
        assert_eq!((counts(&log.logged), counts(&log.discarded)), ([2, 1], [1, 0]));
        let settings = WriteFailureSettings { rate: ByteSize::bytes(0), ..WriteFailureSettings::default() };
        let silent = FailureLog::new(&settings, &metrics);
        silent.note(at(9), &one, "x");
        assert_eq!(counts(&silent.discarded), [2, 0]);
    }
}
