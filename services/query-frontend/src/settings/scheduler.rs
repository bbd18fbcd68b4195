//! `query_scheduler`: the queue, where it stands for itself.

use larch_types::{InvalidSetting, OldKey, Section, Span, ensure};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuerySchedulerSettings {
    /// Most pieces of one tenant's queries that wait in a process that runs as a scheduler.
    pub max_outstanding_requests_per_tenant: u32,
    /// How many levels below the tenant the actors of a request may name; 0 allows none.
    pub max_queue_hierarchy_levels: u32,
    /// How long a querier that vanished keeps its place among the queriers of a tenant.
    pub querier_forget_delay: Span,
}

impl Default for QuerySchedulerSettings {
    fn default() -> Self {
        Self {
            max_outstanding_requests_per_tenant: 32_000,
            max_queue_hierarchy_levels: 3,
            querier_forget_delay: Span::ZERO,
        }
    }
}

const FOUND: &str = "the queue is found through membership";

impl Section for QuerySchedulerSettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::meaningless("use_scheduler_ring", FOUND),
        OldKey::meaningless("scheduler_ring", FOUND),
        OldKey::meaningless("grpc_client_config", "the queue is part of the query frontend"),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        ensure(
            self.max_outstanding_requests_per_tenant > 0,
            "max_outstanding_requests_per_tenant",
            "must be above 0",
        )?;
        ensure(!self.querier_forget_delay.is_negative(), "querier_forget_delay", "must not be negative")
    }
}
