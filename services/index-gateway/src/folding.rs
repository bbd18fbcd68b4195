//! Whoever has read a long catalog writes a snapshot of it, so that the next one reads less. It is done behind
//! the plan's back; that several gateways may do the same at once does no harm.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use larch_proto::Partition;
use larch_store::Catalog;
use larch_types::TenantId;
use tokio::sync::Notify;
use tracing::{debug, warn};

use crate::metrics::Metrics;

/// Days that wait. What does not fit is asked for again by the next plan that reads it.
const MAX_WAITING: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Folding {
    waiting: Mutex<BTreeSet<(TenantId, Partition)>>,
    asked: Notify,
}

impl Folding {
    pub(crate) fn ask(&self, tenant: &TenantId, partition: Partition) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MAX_WAITING && waiting.insert((tenant.clone(), partition)) {
            self.asked.notify_one();
        }
    }

    fn next(&self) -> Option<(TenantId, Partition)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_first()
    }

    /// One after the other, without end.
    ///
    /// # Cancel safety
    /// A snapshot may be written and not known; that is as good as one of another gateway.
    pub(crate) async fn run(&self, catalog: &Catalog, metrics: &Metrics) {
        loop {
            while let Some((tenant, partition)) = self.next() {
                let result = match catalog.fold(&tenant, partition).await {
                    Ok(Some(name)) => {
                        debug!(%tenant, %partition, %name, "folded");
                        "written"
                    }
                    Ok(None) => "not_needed",
                    Err(error) => {
                        warn!(%tenant, %partition, %error, "not folded");
                        "failed"
                    }
                };
                metrics.folds.with([result]).inc();
            }
            self.asked.notified().await;
        }
    }
}
