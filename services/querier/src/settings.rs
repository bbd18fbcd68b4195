//! Settings of the querier: `querier` and `frontend_worker`.

use larch_limits::IdleKey;
use larch_rpc::GrpcClientSettings;
use larch_types::{ByteSize, InvalidSetting, NamedFile, OldKey, Section, Span, ensure};
use serde::{Deserialize, Serialize};

/// The block `querier`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuerierSettings {
    /// How long a live tail may last.
    pub tail_max_duration: Span,
    /// Has no effect: all ingesters are asked at once.
    pub extra_query_delay: Span,
    /// Bounds of the evaluation.
    pub engine: EngineSettings,
    /// Most pieces of queries that are evaluated at a time.
    pub max_concurrent: u32,
    /// Asks no ingesters.
    pub query_store_only: bool,
    /// Reads no object storage.
    pub query_ingester_only: bool,
    /// Allows reads that name several tenants.
    pub multi_tenant_queries_enabled: bool,
    /// Keeps limits that a request brings in a header, if they are tighter.
    pub per_request_limits_enabled: bool,
}

/// Bounds of the evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineSettings {
    /// Has no effect: `approx_topk` is exact.
    pub max_count_min_sketch_heap_size: u32,
    /// Most memory that the evaluation of one piece of a query may take, and as much again for rows on their way
    /// to it.
    pub max_memory: ByteSize,
}

/// The block `frontend_worker`. Queriers find the queue through membership; what else it says is how they
/// speak to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FrontendWorkerSettings {
    /// Has no effect: frontends are found through membership.
    pub frontend_address: String,
    /// Has no effect: the queue is part of the frontends.
    pub scheduler_address: String,
    /// Has no effect: no address is looked up.
    pub dns_lookup_duration: Span,
    /// Has no effect: the queue knows queriers by ids of its own.
    pub id: String,
    /// The connections to them.
    pub grpc_client_config: GrpcClientSettings,
}

/// Keys of `querier` that are accepted and change nothing.
pub(crate) const IDLE: [IdleKey; 2] = [
    ("extra_query_delay", "all ingesters are asked at once, for each may be the only one that has a row"),
    ("engine.max_count_min_sketch_heap_size", "approx_topk is exact"),
];

const BY_MEMBERSHIP: &str = "queriers and frontends find each other through membership";

/// Of `frontend_worker`.
pub(crate) const IDLE_OF_WORKER: [IdleKey; 4] = [
    ("frontend_address", BY_MEMBERSHIP),
    ("scheduler_address", BY_MEMBERSHIP),
    ("dns_lookup_duration", BY_MEMBERSHIP),
    ("id", "the queue knows queriers by ids of its own"),
];

impl Default for QuerierSettings {
    fn default() -> Self {
        Self {
            tail_max_duration: Span::from_hours(1),
            extra_query_delay: Span::ZERO,
            engine: EngineSettings::default(),
            max_concurrent: 4,
            query_store_only: false,
            query_ingester_only: false,
            multi_tenant_queries_enabled: false,
            per_request_limits_enabled: false,
        }
    }
}

impl Default for EngineSettings {
    fn default() -> Self {
        // Nine million samples, and for four pieces at a time 4 GB at the very most.
        Self { max_count_min_sketch_heap_size: 10_000, max_memory: ByteSize::mib(512) }
    }
}

impl Default for FrontendWorkerSettings {
    fn default() -> Self {
        Self {
            frontend_address: String::new(),
            scheduler_address: String::new(),
            dns_lookup_duration: Span::from_secs(3),
            id: String::new(),
            grpc_client_config: GrpcClientSettings::default(),
        }
    }
}

impl Section for QuerierSettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::moved("query_timeout", "limits_config.query_timeout"),
        OldKey::moved("engine.timeout", "limits_config.query_timeout"),
        OldKey::meaningless(
            "engine.max_look_back_period",
            "instant log queries see the hour before their time",
        ),
        OldKey::meaningless("engine.enable_multi_variant_queries", "it was an experiment that has ended"),
        OldKey::meaningless("engine.enable_v2_engine", "there is one engine"),
        OldKey::meaningless("engine.batch_size", "there is one engine"),
        OldKey::meaningless("engine_v2", "there is one engine"),
        OldKey::meaningless("query_ingesters_within", "ingesters are asked whenever they can hold rows"),
        OldKey::meaningless("query_partition_ingesters", "there are no partitions"),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        ensure(self.tail_max_duration > Span::ZERO, "tail_max_duration", "must be above 0")?;
        ensure(!self.extra_query_delay.is_negative(), "extra_query_delay", "must not be negative")?;
        ensure(
            self.engine.max_count_min_sketch_heap_size > 0,
            "engine.max_count_min_sketch_heap_size",
            "must be above 0",
        )?;
        ensure(self.engine.max_memory > ByteSize::default(), "engine.max_memory", "must be above 0")?;
        ensure(self.max_concurrent > 0, "max_concurrent", "must be above 0")?;
        ensure(
            !(self.query_store_only && self.query_ingester_only),
            "query_ingester_only",
            "query_store_only is true too, and nothing would be left to read",
        )
    }
}

const RATE: &str = "the bounds are on the side of the server";

impl Section for FrontendWorkerSettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::moved("query_scheduler_grpc_client", "frontend_worker.grpc_client_config"),
        OldKey::moved("query_frontend_grpc_client", "frontend_worker.grpc_client_config"),
        OldKey::meaningless("parallelism", "set querier.max_concurrent"),
        OldKey::meaningless("match_max_concurrent", "querier.max_concurrent is always kept"),
        OldKey::meaningless("grpc_client_config.rate_limit", RATE),
        OldKey::meaningless("grpc_client_config.rate_limit_burst", RATE),
        OldKey::meaningless("grpc_client_config.backoff_on_ratelimits", RATE),
        OldKey::meaningless("grpc_client_config.tls_cipher_suites", "all that are offered are safe"),
        OldKey::meaningless("grpc_client_config.cluster_validation", "set memberlist.cluster_label"),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        ensure(
            self.frontend_address.is_empty() || self.scheduler_address.is_empty(),
            "scheduler_address",
            "frontend_address is set too, and there can be one of them only",
        )?;
        ensure(self.dns_lookup_duration > Span::ZERO, "dns_lookup_duration", "must be above 0")?;
        self.grpc_client_config.check_at("grpc_client_config.")
    }

    fn files(&self) -> Vec<NamedFile> {
        self.grpc_client_config.files_at("grpc_client_config.")
    }
}

#[cfg(test)]
mod tests;
