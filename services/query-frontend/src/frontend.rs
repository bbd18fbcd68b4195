//! What all handlers share: whose requests they serve, within which limits, and who does the work.

use std::sync::Arc;

use larch_api::Tenancy;
use larch_launch::{Frame, TenantLimits};
use larch_runtime::Env;
use larch_types::{Span, TenantSet};

use crate::limits::ReadLimits;
use crate::queue::Queue;
use crate::role::Config;
use crate::run::{Caches, Runner};
use crate::watch::{Metrics, QueueMetrics, Watched};

pub(crate) struct Frontend {
    pub(crate) env: Env,
    pub(crate) tenancy: Tenancy,
    pub(crate) limits: TenantLimits,
    pub(crate) config: Config,
    /// Names of the limits that tenants may read.
    pub(crate) published: Vec<String>,
    pub(crate) runner: Runner,
    pub(crate) caches: Caches,
    pub(crate) watched: Arc<Watched>,
}

impl Frontend {
    pub(crate) fn new(frame: &Frame, config: &Config) -> Arc<Self> {
        let metrics = Metrics::new(&frame.metrics);
        let max_waiting = usize::try_from(config.frontend.max_outstanding_per_tenant).unwrap_or(usize::MAX);
        // Where frontends keep the queue themselves the one setting counts, in a scheduler the other.
        let forget = config.frontend.querier_forget_delay.max(config.scheduler.querier_forget_delay);
        let metrics_of_queue = QueueMetrics::new(&frame.metrics);
        let queue = Queue::new(frame.env.clone(), metrics_of_queue, max_waiting, forget.to_std());
        let slow: Span = config.frontend.log_queries_longer_than;
        let tells_times = config.frontend.query_stats_enabled;
        let watched = Watched { env: frame.env.clone(), metrics: metrics.clone(), slow, tells_times };
        Arc::new(Self {
            env: frame.env.clone(),
            tenancy: frame.tenancy.clone(),
            limits: frame.limits.clone(),
            config: config.clone(),
            published: frame.settings.top.tenant_limits_allow_publish.clone(),
            runner: Runner::new(queue, metrics, config.query_range.max_retries.max(1)),
            caches: Caches::new(&config.query_range, &frame.env, &frame.metrics),
            watched: Arc::new(watched),
        })
    }

    pub(crate) fn limits_of(&self, tenants: &TenantSet) -> ReadLimits {
        ReadLimits::of(&self.limits, tenants)
    }
}
