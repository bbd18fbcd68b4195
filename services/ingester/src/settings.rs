//! Settings of the ingester: `ingester` and `pattern_ingester`.

mod lifecycler;
mod patterns;
mod wal;

use larch_types::{InvalidSetting, OldKey, Section, Span, ensure};
use serde::{Deserialize, Serialize};

pub use lifecycler::{LifecyclerRingSettings, LifecyclerSettings};
pub use patterns::{
    AggregationSettings, PatternIngesterSettings, PatternPersistenceSettings, PushAuthSettings, TeeSettings,
};
pub use wal::{WalSettings, WalSync};

/// The block `ingester`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngesterSettings {
    /// How the ingester joins the ring and leaves it.
    pub lifecycler: LifecyclerSettings,
    /// How many segments are uploaded at a time.
    pub concurrent_flushes: u32,
    /// How often it is looked for rows that have to be cut.
    pub flush_check_period: Span,
    /// Waits between the tries of an upload.
    pub flush_op_backoff: FlushBackoffSettings,
    /// How long one try of an upload may take.
    pub flush_op_timeout: Span,
    /// How long readers are told of a segment after its upload. Views of the catalog are up to 5 minutes old, and
    /// some stores list what is new 20 minutes late.
    pub keep_handed_over: Span,
    /// Age at which held rows are cut into a segment.
    pub max_chunk_age: Span,
    /// Forgets members of the ring that have been silent for the heartbeat timeout.
    pub autoforget_unhealthy: bool,
    /// Most refused rows of a stream that an answer names; 0 means all.
    pub max_returned_stream_errors: u32,
    /// Most dropped streams that a live tail names.
    pub max_dropped_streams: u32,
    /// Directory of the mark that asks for a flush on the next stop; empty means `common.path_prefix`.
    pub shutdown_marker_path: String,
    /// How often streams are counted again after a change of the ring.
    pub owned_streams_check_interval: Span,
    /// The write-ahead log.
    pub wal: WalSettings,
}

/// Waits between the tries of an upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlushBackoffSettings {
    /// First wait.
    pub min_period: Span,
    /// Longest wait.
    pub max_period: Span,
    /// How often an upload is tried before it waits for the next look.
    pub max_retries: u32,
}

impl Default for IngesterSettings {
    fn default() -> Self {
        Self {
            lifecycler: LifecyclerSettings::default(),
            concurrent_flushes: 32,
            flush_check_period: Span::from_secs(30),
            flush_op_backoff: FlushBackoffSettings::default(),
            flush_op_timeout: Span::from_mins(10),
            keep_handed_over: Span::from_mins(30),
            max_chunk_age: Span::from_hours(2),
            autoforget_unhealthy: false,
            max_returned_stream_errors: 10,
            max_dropped_streams: 10,
            shutdown_marker_path: String::new(),
            owned_streams_check_interval: Span::from_secs(30),
            wal: WalSettings::default(),
        }
    }
}

impl Default for FlushBackoffSettings {
    fn default() -> Self {
        Self { min_period: Span::from_secs(10), max_period: Span::from_mins(1), max_retries: 10 }
    }
}

const CHUNKS: &str = "segments are cut by size, age and pressure, not stream by stream";
const JOINING: &str = "a member is active once all live members know of it";
const RINGS: &str = "the members of a ring are shared through memberlist";
const TRANSFER: &str = "ingesters never hand rows to one another";

/// Accepted, and without effect.
pub(crate) const IDLE: [(&str, &str); 2] = [
    ("autoforget_unhealthy", "no other members are known yet"),
    ("owned_streams_check_interval", "streams are counted with every push"),
];

impl Section for IngesterSettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::meaningless("chunk_idle_period", CHUNKS),
        OldKey::meaningless("chunk_block_size", CHUNKS),
        OldKey::meaningless("chunk_target_size", CHUNKS),
        OldKey::meaningless("chunk_encoding", "segments choose a codec for each column"),
        OldKey::meaningless("chunk_retain_period", "keep_handed_over says how long"),
        OldKey::meaningless("sync_period", CHUNKS),
        OldKey::meaningless("sync_min_utilization", CHUNKS),
        OldKey::meaningless("query_store_max_look_back_period", "ingesters do not read the store"),
        OldKey::meaningless("index_shards", "there is no separate index"),
        OldKey::meaningless("delegate_stream_limits_enabled", "ingesters count streams themselves"),
        OldKey::meaningless("max_transfer_retries", TRANSFER),
        OldKey::meaningless("kafka_ingestion", "there is no Kafka between distributors and ingesters"),
        OldKey::meaningless("lifecycler.join_after", TRANSFER),
        OldKey::meaningless("lifecycler.observe_period", JOINING),
        OldKey::meaningless("lifecycler.ring.kvstore.prefix", RINGS),
        OldKey::meaningless("lifecycler.ring.kvstore.consul", RINGS),
        OldKey::meaningless("lifecycler.ring.kvstore.etcd", RINGS),
        OldKey::meaningless("lifecycler.ring.kvstore.multi", RINGS),
        OldKey::meaningless("wal.checkpoint_duration", "files go once all their rows are cut"),
        OldKey::meaningless("wal.recover", "the write-ahead log is always replayed"),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        self.lifecycler.check_at("lifecycler.")?;
        ensure(self.concurrent_flushes > 0, "concurrent_flushes", "must be above 0")?;
        for (key, span) in [
            ("flush_check_period", self.flush_check_period),
            ("flush_op_timeout", self.flush_op_timeout),
            ("flush_op_backoff.min_period", self.flush_op_backoff.min_period),
            ("keep_handed_over", self.keep_handed_over),
            ("max_chunk_age", self.max_chunk_age),
            ("owned_streams_check_interval", self.owned_streams_check_interval),
        ] {
            ensure(span > Span::ZERO, key, "must be above 0")?;
        }
        ensure(
            self.flush_op_backoff.max_period >= self.flush_op_backoff.min_period,
            "flush_op_backoff.max_period",
            "must not be below min_period",
        )?;
        self.wal.check_at("wal.")
    }
}

#[cfg(test)]
mod tests;
