//! Whoever has read a long catalog writes a snapshot of it, so that the next one reads less. It is done behind
//! the plan's back; that several gateways may do the same at once does no harm. A store that takes no snapshot of a day
//! is not asked for it by every plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use larch_proto::Partition;
use larch_runtime::Env;
use larch_store::Catalog;
use larch_types::{Monotonic, TenantId};
use tokio::sync::Notify;
use tracing::{debug, warn};

use crate::metrics::Metrics;

/// Days that wait. What does not fit is asked for again by the next plan that reads it.
const MAX_WAITING: usize = 256;

/// After which a day is tried again that could not be folded: as long as a plan may use what it knows.
const AFTER_FAILURE: Duration = Duration::from_secs(5 * 60);

#[derive(Debug, Default)]
pub(crate) struct Folding {
    days: Mutex<Days>,
    asked: Notify,
}

type Day = (TenantId, Partition);

#[derive(Debug, Default)]
struct Days {
    waiting: BTreeSet<Day>,
    /// Those that were tried in vain, with when they may be tried again.
    failed: BTreeMap<Day, Monotonic>,
}

impl Folding {
    pub(crate) fn ask(&self, tenant: &TenantId, partition: Partition, now: Monotonic) {
        let mut days = self.lock();
        let day = (tenant.clone(), partition);
        let is_put_off = days.failed.get(&day).is_some_and(|until| now < *until);
        if !is_put_off && days.waiting.len() < MAX_WAITING && days.waiting.insert(day) {
            self.asked.notify_one();
        }
    }

    fn put_off(&self, day: Day, now: Monotonic) {
        let mut days = self.lock();
        days.failed.retain(|_, until| now < *until);
        if days.failed.len() < MAX_WAITING {
            days.failed.insert(day, now.plus(AFTER_FAILURE));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Days> {
        self.days.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One after the other, without end.
    ///
    /// # Cancel safety
    /// A snapshot may be written and not known; that is as good as one of another gateway.
    pub(crate) async fn run(&self, catalog: &Catalog, env: &Env, metrics: &Metrics) {
        loop {
            self.fold_waiting(catalog, env, metrics).await;
            self.asked.notified().await;
        }
    }

    async fn fold_waiting(&self, catalog: &Catalog, env: &Env, metrics: &Metrics) {
        loop {
            let next = self.lock().waiting.pop_first();
            let Some((tenant, partition)) = next else { return };
            let result = match catalog.fold(&tenant, partition).await {
                Ok(Some(name)) => {
                    debug!(%tenant, %partition, %name, "folded");
                    "written"
                }
                Ok(None) => "not_needed",
                Err(error) => {
                    warn!(%tenant, %partition, %error, "not folded");
                    self.put_off((tenant, partition), env.clock.monotonic());
                    "failed"
                }
            };
            metrics.folds.with([result]).inc();
        }
    }
}

#[cfg(test)]
mod tests;
