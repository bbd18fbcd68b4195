//! Settings of the distributor.

use std::collections::BTreeMap;

use larch_limits::{IdleKey, PriorityStream};
use larch_ring::{KvStoreSettings, check_heartbeats};
use larch_types::{ByteSize, InvalidSetting, OldKey, Section, Span, ensure};
use serde::{Deserialize, Serialize};

/// The block `distributor`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DistributorSettings {
    /// The ring of distributors, by which they share a tenant's rate.
    pub ring: DistributorRingSettings,
    /// Most calls to ingesters at a time.
    pub push_worker_count: u32,
    /// Largest push as it comes in.
    pub max_recv_msg_size: ByteSize,
    /// Largest push once decompressed.
    pub max_decompressed_size: ByteSize,
    /// Most bytes of pushes at a time, compressed or decompressed as they are held; 0 means 1GB. A push that
    /// is alone may be larger.
    pub max_inflight_bytes: ByteSize,
    /// Most pushes at a time; 0 means 10000.
    pub max_inflight_pushes: u32,
    /// How the rates of streams are measured.
    pub rate_store: RateStoreSettings,
    /// What is logged about refused pushes.
    pub write_failures_logging: WriteFailureSettings,
    /// What becomes of OTLP attributes where a tenant does not say.
    pub otlp_config: OtlpSettings,
    /// Policies of tenants, under those of their own.
    pub default_policy_stream_mappings: BTreeMap<String, Vec<PriorityStream>>,
}

/// The ring of distributors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DistributorRingSettings {
    /// Where the members of the ring are kept.
    pub kvstore: KvStoreSettings,
    /// How often a distributor tells that it is alive.
    pub heartbeat_period: Span,
    /// How long a silent distributor still counts; 0 means for ever.
    pub heartbeat_timeout: Span,
    /// Network interfaces to take the advertised address from; empty means any with a private address.
    pub instance_interface_names: Vec<String>,
}

/// How the rates of streams are measured. Each distributor measures those of its own pushes, and asks nobody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateStoreSettings {
    /// Has no effect.
    pub max_request_parallelism: u32,
    /// How long bytes are counted before they become a rate.
    pub stream_rate_update_interval: Span,
    /// Has no effect.
    pub ingester_request_timeout: Span,
}

/// What is logged about refused pushes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WriteFailureSettings {
    /// Bytes of such log lines a second and tenant; 0 logs none.
    pub rate: ByteSize,
    /// Marks these lines with `insight=true`.
    pub add_insights_label: bool,
}

/// What becomes of OTLP attributes where a tenant does not say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OtlpSettings {
    /// Attributes of the resource that become labels.
    pub default_resource_attributes_as_index_labels: Vec<String>,
}

const MEASURED: &str = "each distributor measures the rates of streams itself";

/// Keys that are accepted and change nothing.
pub(crate) const IDLE: [IdleKey; 2] =
    [("rate_store.max_request_parallelism", MEASURED), ("rate_store.ingester_request_timeout", MEASURED)];

const LABEL_ATTRIBUTES: [&str; 18] = [
    "service.name",
    "service.namespace",
    "service.instance.id",
    "deployment.environment",
    "deployment.environment.name",
    "cloud.region",
    "cloud.availability_zone",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.container.name",
    "container.name",
    "k8s.replicaset.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
];

impl Default for DistributorSettings {
    fn default() -> Self {
        Self {
            ring: DistributorRingSettings::default(),
            push_worker_count: 256,
            max_recv_msg_size: ByteSize::mib(100),
            max_decompressed_size: ByteSize::mib(5000),
            max_inflight_bytes: ByteSize::default(),
            max_inflight_pushes: 0,
            rate_store: RateStoreSettings::default(),
            write_failures_logging: WriteFailureSettings::default(),
            otlp_config: OtlpSettings::default(),
            default_policy_stream_mappings: BTreeMap::new(),
        }
    }
}

impl Default for DistributorRingSettings {
    fn default() -> Self {
        Self {
            kvstore: KvStoreSettings::default(),
            heartbeat_period: Span::from_secs(5),
            heartbeat_timeout: Span::from_mins(1),
            instance_interface_names: Vec::new(),
        }
    }
}

impl Default for RateStoreSettings {
    fn default() -> Self {
        Self {
            max_request_parallelism: 200,
            stream_rate_update_interval: Span::from_secs(1),
            ingester_request_timeout: Span::from_millis(500),
        }
    }
}

impl Default for WriteFailureSettings {
    fn default() -> Self {
        Self { rate: ByteSize::kib(1), add_insights_label: false }
    }
}

impl Default for OtlpSettings {
    fn default() -> Self {
        let names = LABEL_ATTRIBUTES.map(str::to_owned).to_vec();
        Self { default_resource_attributes_as_index_labels: names }
    }
}

const INGESTERS: &str = "pushes go to ingesters, and to nothing else";
const LIMITS: &str = "limits are kept by distributors and ingesters themselves";
const RINGS: &str = "the members of a ring are shared through memberlist";

impl Section for DistributorSettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::meaningless("ring.kvstore.prefix", RINGS),
        OldKey::meaningless("ring.kvstore.consul", RINGS),
        OldKey::meaningless("ring.kvstore.etcd", RINGS),
        OldKey::meaningless("ring.kvstore.multi", RINGS),
        OldKey::meaningless("rate_store.debug", "set server.log_level to debug"),
        OldKey::meaningless("kafka_writes_enabled", INGESTERS),
        OldKey::meaningless("kafka_config", INGESTERS),
        OldKey::meaningless("ingester_writes_enabled", INGESTERS),
        OldKey::meaningless("dataobj_tee", INGESTERS),
        OldKey::meaningless("inmemory_dataobj_push_timeout", INGESTERS),
        OldKey::meaningless("ingest_limits_enabled", LIMITS),
        OldKey::meaningless("ingest_limits_dry_run_enabled", LIMITS),
        OldKey::meaningless("tenant_topic", INGESTERS),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        self.ring.kvstore.check_at("ring.kvstore.")?;
        check_heartbeats("ring.", self.ring.heartbeat_period, self.ring.heartbeat_timeout)?;
        ensure(self.push_worker_count > 0, "push_worker_count", "must be above 0")?;
        ensure(self.max_recv_msg_size.as_u64() > 0, "max_recv_msg_size", "must be above 0")?;
        ensure(
            self.max_decompressed_size >= self.max_recv_msg_size,
            "max_decompressed_size",
            "must not be below max_recv_msg_size",
        )?;
        let inflight = self.max_inflight_bytes;
        ensure(
            inflight.as_u64() == 0 || inflight >= self.max_recv_msg_size,
            "max_inflight_bytes",
            "must be 0 or not below max_recv_msg_size, or the largest pushes would pass only alone",
        )?;
        let store = &self.rate_store;
        ensure(store.max_request_parallelism > 0, "rate_store.max_request_parallelism", "must be above 0")?;
        for (key, span) in [
            ("rate_store.stream_rate_update_interval", store.stream_rate_update_interval),
            ("rate_store.ingester_request_timeout", store.ingester_request_timeout),
        ] {
            ensure(span > Span::ZERO, key, "must be above 0")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
