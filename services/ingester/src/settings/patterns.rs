//! `pattern_ingester`: the mining of patterns, which is part of the ingester.

use larch_rpc::BackoffSettings;
use larch_types::{InvalidSetting, OldKey, Secret, Section, Span, ensure};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PatternIngesterSettings {
    /// Mines patterns.
    pub enabled: bool,
    /// Most patterns of a stream and level.
    pub max_clusters: u32,
    /// Share of new patterns that push old ones out, from 0 to 1, from which mining of a stream pauses.
    pub max_eviction_ratio: f64,
    /// How long counts of patterns are kept.
    pub retain_for: Span,
    /// Time that one block of counts covers.
    pub max_chunk_age: Span,
    /// Time that one count covers.
    pub pattern_sample_interval: Span,
    /// Lines above this many bytes are not mined.
    pub max_allowed_line_length: u32,
    /// Share of all rows, from 0 to 1, whose most frequent patterns are written as rows.
    pub volume_threshold: f64,
    /// How lines wait for being mined; a push never waits for them.
    pub tee_config: TeeSettings,
    /// Counts of rows and bytes of each stream as rows of their own.
    pub metric_aggregation: AggregationSettings,
    /// Patterns as rows of their own.
    pub pattern_persistence: PatternPersistenceSettings,
}

/// How lines wait for being mined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TeeSettings {
    /// Most lines of one batch.
    pub batch_size: u32,
    /// How long a batch waits for more lines.
    pub batch_flush_interval: Span,
    /// Most batches that wait; what comes on top is not mined.
    pub flush_queue_size: u32,
    /// How many miners there are.
    pub flush_worker_count: u32,
}

/// Counts of rows and bytes of each stream as rows of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AggregationSettings {
    /// Time that one count covers.
    pub sample_period: Span,
    /// Address that the rows are pushed to; empty pushes to this process's own distributors.
    pub loki_address: String,
    /// How long a push may take.
    pub timeout: Span,
    /// Wait between pushes.
    pub push_period: Span,
    /// Pushes over TLS.
    pub use_tls: bool,
    /// User name and password of the pushes.
    pub basic_auth: PushAuthSettings,
    /// Waits between the tries of a push.
    pub backoff_config: BackoffSettings,
}

/// Patterns as rows of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PatternPersistenceSettings {
    /// Address that the rows are pushed to; empty pushes to this process's own distributors.
    pub loki_address: String,
    /// How long a push may take.
    pub timeout: Span,
    /// Wait between pushes.
    pub push_period: Span,
    /// Most patterns of one push.
    pub batch_size: u32,
    /// Pushes over TLS.
    pub use_tls: bool,
    /// User name and password of the pushes.
    pub basic_auth: PushAuthSettings,
    /// Waits between the tries of a push.
    pub backoff_config: BackoffSettings,
}

/// User name and password of pushes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PushAuthSettings {
    pub username: String,
    pub password: Secret,
}

impl Default for PatternIngesterSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            max_clusters: 300,
            max_eviction_ratio: 0.25,
            retain_for: Span::from_hours(3),
            max_chunk_age: Span::from_hours(1),
            pattern_sample_interval: Span::from_secs(10),
            max_allowed_line_length: 3000,
            volume_threshold: 0.99,
            tee_config: TeeSettings::default(),
            metric_aggregation: AggregationSettings::default(),
            pattern_persistence: PatternPersistenceSettings::default(),
        }
    }
}

impl Default for TeeSettings {
    fn default() -> Self {
        Self {
            batch_size: 5000,
            batch_flush_interval: Span::from_secs(1),
            flush_queue_size: 1000,
            flush_worker_count: 100,
        }
    }
}

impl Default for AggregationSettings {
    fn default() -> Self {
        Self {
            sample_period: Span::from_secs(10),
            loki_address: String::new(),
            timeout: Span::from_secs(10),
            push_period: Span::from_secs(30),
            use_tls: false,
            basic_auth: PushAuthSettings::default(),
            backoff_config: BackoffSettings::default(),
        }
    }
}

impl Default for PatternPersistenceSettings {
    fn default() -> Self {
        Self {
            loki_address: String::new(),
            timeout: Span::from_secs(10),
            push_period: Span::from_mins(1),
            batch_size: 1000,
            use_tls: false,
            basic_auth: PushAuthSettings::default(),
            backoff_config: BackoffSettings::default(),
        }
    }
}

const CLIENT: &str = "set use_tls and basic_auth beside it";
const PART: &str = "patterns are mined in the ingester, with its own ring and connections";

impl Section for PatternIngesterSettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::meaningless("lifecycler", PART),
        OldKey::meaningless("client_config", PART),
        OldKey::meaningless("connection_timeout", PART),
        OldKey::meaningless("concurrent_flushes", PART),
        OldKey::meaningless("flush_check_period", PART),
        OldKey::meaningless("tee_config.stop_flush_timeout", "patterns do not outlive the process"),
        OldKey::meaningless("metric_aggregation.enabled", "set limits_config.metric_aggregation_enabled"),
        OldKey::meaningless("metric_aggregation.log_push_observations", "set server.log_level to debug"),
        OldKey::meaningless("metric_aggregation.downsample_period", "set sample_period"),
        OldKey::meaningless("metric_aggregation.http_client_config", CLIENT),
        OldKey::meaningless("pattern_persistence.http_client_config", CLIENT),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        ensure(self.max_clusters > 0, "max_clusters", "must be above 0")?;
        for (key, share) in
            [("max_eviction_ratio", self.max_eviction_ratio), ("volume_threshold", self.volume_threshold)]
        {
            ensure((0.0..=1.0).contains(&share), key, "must be between 0 and 1")?;
        }
        for (key, span) in [
            ("retain_for", self.retain_for),
            ("max_chunk_age", self.max_chunk_age),
            ("pattern_sample_interval", self.pattern_sample_interval),
            ("tee_config.batch_flush_interval", self.tee_config.batch_flush_interval),
            ("metric_aggregation.sample_period", self.metric_aggregation.sample_period),
            ("metric_aggregation.timeout", self.metric_aggregation.timeout),
            ("metric_aggregation.push_period", self.metric_aggregation.push_period),
            ("pattern_persistence.timeout", self.pattern_persistence.timeout),
            ("pattern_persistence.push_period", self.pattern_persistence.push_period),
        ] {
            ensure(span > Span::ZERO, key, "must be above 0")?;
        }
        ensure(
            self.max_chunk_age >= self.pattern_sample_interval,
            "max_chunk_age",
            "must not be below pattern_sample_interval",
        )?;
        for (key, number) in [
            ("tee_config.batch_size", self.tee_config.batch_size),
            ("tee_config.flush_queue_size", self.tee_config.flush_queue_size),
            ("tee_config.flush_worker_count", self.tee_config.flush_worker_count),
            ("pattern_persistence.batch_size", self.pattern_persistence.batch_size),
        ] {
            ensure(number > 0, key, "must be above 0")?;
        }
        self.metric_aggregation.backoff_config.check_at("metric_aggregation.backoff_config.")?;
        self.pattern_persistence.backoff_config.check_at("pattern_persistence.backoff_config.")
    }
}
