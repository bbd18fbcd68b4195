//! Settings of the compactor.

use larch_ring::RingSettings;
use larch_rpc::BackoffSettings;
use larch_types::{InvalidSetting, OldKey, Section, Span, ensure};
use serde::{Deserialize, Serialize};

/// The block `compactor`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompactorSettings {
    /// Directory for work in progress.
    pub working_directory: String,
    /// How often segments are merged.
    pub compaction_interval: Span,
    /// How often retention is applied; 0 means with every merge.
    pub apply_retention_interval: Span,
    /// Removes what is older than its retention, and what deletes ask for.
    pub retention_enabled: bool,
    /// Most objects that are removed at a time.
    pub retention_delete_worker_count: u32,
    /// How long retention may take for one day of a tenant; 0 means no bound.
    pub retention_table_timeout: Span,
    /// Waits between the tries of retention.
    pub retention_backoff_config: BackoffSettings,
    /// Most delete requests that one run works on.
    pub delete_batch_size: u32,
    /// How long a delete request can be taken back; so long it has no effect.
    pub delete_request_cancel_period: Span,
    /// Longest range of a delete request with a line filter; longer ones are cut.
    pub delete_max_interval: Span,
    /// How many days are merged at a time.
    pub max_compaction_parallelism: u32,
    /// How many segments of each are uploaded at a time.
    pub upload_parallelism: u32,
    /// The ring by which compactors share tenants.
    pub compactor_ring: RingSettings,
    /// Most days that one run merges, the latest first; 0 means all.
    pub tables_to_compact: u32,
    /// How many of the latest days are left alone.
    pub skip_latest_n_tables: u32,
    /// How often objects that nobody can ask for any more are looked for and deleted.
    pub sweep_interval: Span,
}

impl Default for CompactorSettings {
    fn default() -> Self {
        Self {
            working_directory: "/var/loki/compactor".to_owned(),
            compaction_interval: Span::from_mins(10),
            apply_retention_interval: Span::ZERO,
            retention_enabled: false,
            retention_delete_worker_count: 150,
            retention_table_timeout: Span::ZERO,
            retention_backoff_config: BackoffSettings::default(),
            delete_batch_size: 70,
            delete_request_cancel_period: Span::from_hours(24),
            delete_max_interval: Span::from_hours(24),
            max_compaction_parallelism: 1,
            upload_parallelism: 10,
            compactor_ring: RingSettings::default(),
            tables_to_compact: 0,
            skip_latest_n_tables: 0,
            sweep_interval: Span::from_hours(1),
        }
    }
}

const BESIDE: &str = "delete requests are kept beside the rows that they delete";
const RINGS: &str = "the members of a ring are shared through memberlist";
const SHARED: &str = "all compactors share the work through their ring";
const STORE: &str = "schema_config names the store";

const NO_DELETES: &str = "delete requests are not taken yet";
const NO_MERGES: &str = "segments are not merged yet";
const NO_RETENTION: &str = "retention is not applied yet: nothing expires";

/// Accepted, and without effect.
pub(crate) const IDLE: [(&str, &str); 11] = [
    ("compaction_interval", NO_MERGES),
    ("apply_retention_interval", NO_RETENTION),
    ("retention_enabled", NO_RETENTION),
    ("retention_table_timeout", NO_RETENTION),
    ("retention_backoff_config", NO_RETENTION),
    ("delete_batch_size", NO_DELETES),
    ("delete_max_interval", NO_DELETES),
    ("max_compaction_parallelism", NO_MERGES),
    ("upload_parallelism", NO_MERGES),
    ("tables_to_compact", NO_MERGES),
    ("skip_latest_n_tables", NO_MERGES),
];

impl Section for CompactorSettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::moved("deletion_mode", "limits_config.deletion_mode"),
        OldKey::meaningless("shared_store", STORE),
        OldKey::meaningless("shared_store_key_prefix", STORE),
        OldKey::meaningless("delete_request_store", BESIDE),
        OldKey::meaningless("delete_request_store_key_prefix", BESIDE),
        OldKey::meaningless("delete_request_store_db_type", BESIDE),
        OldKey::meaningless("backup_delete_request_store_db_type", BESIDE),
        OldKey::meaningless("deletion_marker_object_store_prefix", BESIDE),
        OldKey::meaningless("retention_delete_delay", "a replaced segment is kept for 24 hours"),
        OldKey::meaningless("horizontal_scaling_mode", SHARED),
        OldKey::meaningless("worker_config", SHARED),
        OldKey::meaningless("jobs_config", SHARED),
        OldKey::meaningless("compactor_ring.replication_factor", "one compactor works on a tenant"),
        OldKey::meaningless("compactor_ring.kvstore.prefix", RINGS),
        OldKey::meaningless("compactor_ring.kvstore.consul", RINGS),
        OldKey::meaningless("compactor_ring.kvstore.etcd", RINGS),
        OldKey::meaningless("compactor_ring.kvstore.multi", RINGS),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        ensure(!self.working_directory.is_empty(), "working_directory", "is missing")?;
        ensure(self.compaction_interval > Span::ZERO, "compaction_interval", "must be above 0")?;
        ensure(self.sweep_interval > Span::ZERO, "sweep_interval", "must be above 0")?;
        for (key, span) in [
            ("apply_retention_interval", self.apply_retention_interval),
            ("retention_table_timeout", self.retention_table_timeout),
            ("delete_request_cancel_period", self.delete_request_cancel_period),
            ("delete_max_interval", self.delete_max_interval),
        ] {
            ensure(!span.is_negative(), key, "must not be negative")?;
        }
        let remainder = self.apply_retention_interval.nanos() % self.compaction_interval.nanos();
        ensure(remainder == 0, "apply_retention_interval", "must be 0 or a multiple of compaction_interval")?;
        for (key, number) in [
            ("retention_delete_worker_count", self.retention_delete_worker_count),
            ("delete_batch_size", self.delete_batch_size),
            ("max_compaction_parallelism", self.max_compaction_parallelism),
            ("upload_parallelism", self.upload_parallelism),
        ] {
            ensure(number > 0, key, "must be above 0")?;
        }
        self.retention_backoff_config.check_at("retention_backoff_config.")?;
        self.compactor_ring.check_at("compactor_ring.")
    }
}

#[cfg(test)]
mod tests;
