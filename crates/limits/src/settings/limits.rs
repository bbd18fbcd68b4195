//! `limits_config`: what one tenant may do. Every field can be overridden for a tenant.

use std::collections::BTreeMap;

use larch_types::{ByteSize, InvalidSetting, NamedFile, OldKey, Section, Span};
use serde::{Deserialize, Serialize};

use super::{
    AlertmanagerSettings, BlockedQuery, BlockedUntil, DeletionMode, GenericFields, LabelRules, OtlpLimits,
    PolicyLimits, PriorityStream, RemoteWriteSettings, ShardStreamsSettings, StreamRetention, check,
    old_keys,
};

/// The limits of a tenant. `0` means "no limit" for counts, sizes and lengths of time unless the field
/// says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSettings {
    /// Whether the ingestion rate is shared by all distributors or granted by each.
    pub ingestion_rate_strategy: RateStrategy,
    /// MB of lines and metadata that may be pushed a second; 0 lets nothing in.
    pub ingestion_rate_mb: f64,
    /// MB that may be pushed at once, of each distributor; no push may be larger.
    pub ingestion_burst_size_mb: f64,
    /// Longest name of a label, in bytes.
    pub max_label_name_length: u32,
    /// Longest value of a label, in bytes.
    pub max_label_value_length: u32,
    /// Most labels of a stream, `service_name` not counted.
    pub max_label_names_per_series: u32,
    /// Refuses rows older than `reject_old_samples_max_age`.
    pub reject_old_samples: bool,
    /// Greatest age of a row when it is pushed.
    pub reject_old_samples_max_age: Span,
    /// How far in the future a row may be when it is pushed.
    pub creation_grace_period: Span,
    /// Longest line.
    pub max_line_size: ByteSize,
    /// Cuts longer lines instead of refusing them.
    pub max_line_size_truncate: bool,
    /// Put at the end of a line that was cut.
    pub max_line_size_truncate_identifier: String,
    /// Moves a row by a nanosecond if the row before it in the push has the same time.
    pub increment_duplicate_timestamp: bool,
    /// Takes rows with structured metadata.
    pub allow_structured_metadata: bool,
    /// Most metadata of a row.
    pub max_structured_metadata_size: ByteSize,
    /// Most metadata entries of a row.
    pub max_structured_metadata_entries_count: u32,
    /// What becomes of the attributes of OTLP logs.
    pub otlp_config: OtlpLimits,
    /// Labels of which the first that a stream has becomes its `service_name`; an empty list adds none.
    pub discover_service_name: Vec<String>,
    /// Adds `detected_level` to the metadata of each row.
    pub discover_log_levels: bool,
    /// Labels, metadata and fields of the line that the level is looked for in.
    pub log_level_fields: Vec<String>,
    /// How deep in a JSON line the level is looked for; 0 or less means all the way.
    pub log_level_from_json_max_depth: i32,
    /// Adds fields of the line to the metadata of each row.
    pub discover_generic_fields: GenericFields,
    /// Puts labels of pushed streams right, and keeps labels out that make too many streams.
    pub label_rules: LabelRules,
    /// Labels by whose values accepted lines and bytes are counted, for who pays for them.
    pub usage_labels: Vec<String>,
    /// Spreads fast streams over several ingesters.
    pub shard_streams: ShardStreamsSettings,
    /// Labels that every stream must have.
    pub enforced_labels: Vec<String>,
    /// Labels that the streams of a policy must have; `*` holds those of all streams.
    pub policy_enforced_labels: BTreeMap<String, Vec<String>>,
    /// Until when nothing may be pushed.
    pub block_ingestion_until: BlockedUntil,
    /// Until when nothing may be pushed to a policy; `*` means streams without one.
    pub block_ingestion_policy_until: BTreeMap<String, BlockedUntil>,
    /// HTTP status of a push while it is blocked; 200 drops it silently.
    pub block_ingestion_status_code: u16,
    /// Which streams belong to a policy.
    pub policy_stream_mapping: BTreeMap<String, Vec<PriorityStream>>,
    /// Limits of their own for the streams of a policy.
    pub policy_override_limits: BTreeMap<String, PolicyLimits>,
    /// Delays every push, for tests of clients.
    pub simulated_push_latency: Span,
    /// Most streams on one ingester.
    pub max_streams_per_user: u32,
    /// Most streams on all ingesters.
    pub max_global_streams_per_user: u32,
    /// Bytes that may be pushed to one stream a second.
    pub per_stream_rate_limit: ByteSize,
    /// Bytes that may be pushed to one stream at once.
    pub per_stream_rate_limit_burst: ByteSize,
    /// Longest time range of a query.
    pub max_query_length: Span,
    /// How far back queries see.
    pub max_query_lookback: Span,
    /// Longest range of a range aggregation.
    pub max_query_range: Span,
    /// Most pieces of a query at a time, where the two limits below do not apply; 0 forbids queries.
    pub max_query_parallelism: u32,
    /// Most pieces of a query at a time; 0 forbids queries.
    pub tsdb_max_query_parallelism: u32,
    /// Bytes that one piece of a query should read; never 0.
    pub tsdb_max_bytes_per_shard: ByteSize,
    /// How a query is cut by streams.
    pub tsdb_sharding_strategy: ShardingStrategy,
    /// Time that a piece of a query covers; 0 does not cut by time.
    pub split_queries_by_interval: Span,
    /// The same for queries of labels and series.
    pub split_metadata_queries_by_interval: Span,
    /// The same for the part of them inside `recent_metadata_query_window`.
    pub split_recent_metadata_queries_by_interval: Span,
    /// How far back that part reaches; 0 means that there is none.
    pub recent_metadata_query_window: Span,
    /// Time that a piece of an instant metric query covers.
    pub split_instant_metric_queries_by_interval: Span,
    /// Time that a piece of a query covers where ingesters are asked; 0 means as elsewhere.
    pub split_ingester_queries_by_interval: Span,
    /// Queries that end closer to now than this are not cut by streams.
    pub min_sharding_lookback: Span,
    /// Most bytes that a query may read.
    pub max_query_bytes_read: ByteSize,
    /// Most bytes that one piece of a query may read.
    pub max_querier_bytes_read: ByteSize,
    /// Most series in the result of a query.
    pub max_query_series: u32,
    /// Most log lines in the result of a query.
    pub max_entries_limit_per_query: u32,
    /// Most matchers in the selector of a query.
    pub max_streams_matchers_per_query: u32,
    /// Most chunks that a query may read.
    pub max_chunks_per_query: u32,
    /// Most series that the selector of a query may match.
    pub cardinality_limit: u32,
    /// Most live tails at a time.
    pub max_concurrent_tail_requests: u32,
    /// How long a query may take; never 0.
    pub query_timeout: Span,
    /// Most queriers that work for the tenant; 0 means all.
    pub max_queriers_per_tenant: u32,
    /// Share of the queriers that work for the tenant, from 0 to 1; 0 means all.
    pub max_query_capacity: f64,
    /// Results closer to now than this are not cached.
    pub max_cache_freshness_per_query: Span,
    /// The same for labels and series.
    pub max_metadata_cache_freshness: Span,
    /// The same for statistics and volumes.
    pub max_stats_cache_freshness: Span,
    /// Queries that start within one such interval share cached results.
    pub engine_results_cache_time_bucket_interval: Span,
    /// Labels that every selector must have a matcher for.
    pub required_labels: Vec<String>,
    /// Fewest matchers of a selector.
    pub minimum_labels_number: u32,
    /// Queries that are refused.
    pub blocked_queries: Vec<BlockedQuery>,
    /// How many days index gateways fetch before a query asks for them.
    pub query_ready_index_num_days: u32,
    /// How many index gateways work for the tenant; 0 means all.
    pub index_gateway_shard_size: u32,
    /// Share of the index gateways that work for the tenant, from 0 to 1; 0 means all.
    pub index_gateway_max_capacity: f64,
    /// Serves the volume endpoints.
    pub volume_enabled: bool,
    /// Most series in an answer of the volume endpoints.
    pub volume_max_series: u32,
    /// How long rows are kept; 0 means for ever.
    pub retention_period: Span,
    /// The same for the streams of a selector.
    pub retention_stream: Vec<StreamRetention>,
    /// What a delete request may do.
    pub deletion_mode: DeletionMode,
    /// Most rules in a rule group.
    pub ruler_max_rules_per_rule_group: u32,
    /// Most rule groups.
    pub ruler_max_rule_groups_per_tenant: u32,
    /// Alertmanagers of this tenant; without a URL those of the ruler are used.
    pub ruler_alertmanager_config: AlertmanagerSettings,
    /// How many rulers work for the tenant; 0 means all.
    pub ruler_tenant_shard_size: u32,
    /// Sends nothing by remote write.
    pub ruler_remote_write_disabled: bool,
    /// Remote-write targets of this tenant, over those of the ruler.
    pub ruler_remote_write_config: BTreeMap<String, RemoteWriteSettings>,
    /// How long evaluating a rule elsewhere may take; 0 means `query_timeout`.
    pub ruler_remote_evaluation_timeout: Span,
    /// Largest result of a rule that is evaluated elsewhere.
    pub ruler_remote_evaluation_max_response_size: ByteSize,
    /// Aggregations that are cut by streams although their merged result is approximate.
    pub shard_aggregations: Vec<String>,
    /// JSON fields that patterns are mined in.
    pub pattern_ingester_tokenizable_json_fields_default: Vec<String>,
    /// More of them.
    pub pattern_ingester_tokenizable_json_fields_append: Vec<String>,
    /// Those of the first list that are not mined.
    pub pattern_ingester_tokenizable_json_fields_delete: Vec<String>,
    /// Writes counts of rows and bytes of each stream as rows of their own.
    pub metric_aggregation_enabled: bool,
    /// Writes mined patterns as rows of their own.
    pub pattern_persistence_enabled: bool,
    /// Time that one such row covers; 0 means the pattern ingester's own.
    pub pattern_persistence_granularity: Span,
    /// Rows a second below which a pattern is not written.
    pub pattern_rate_threshold: f64,
    /// Encryption of the tenant's objects; empty means that of the store.
    pub s3_sse_type: SseType,
    /// Its key in the key management service.
    pub s3_sse_kms_key_id: String,
    /// Its encryption context, as a JSON object.
    pub s3_sse_kms_encryption_context: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RateStrategy {
    /// Each distributor grants its share.
    #[default]
    Global,
    /// Each distributor grants the whole rate.
    Local,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShardingStrategy {
    #[default]
    PowerOfTwo,
    Bounded,
}

/// Encryption at rest by an S3 store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SseType {
    #[default]
    #[serde(rename = "")]
    Unset,
    #[serde(rename = "SSE-KMS")]
    Kms,
    #[serde(rename = "SSE-S3")]
    S3,
}

impl Section for LimitsSettings {
    const OLD_KEYS: &'static [OldKey] = old_keys::OLD_KEYS;

    fn check(&self) -> Result<(), InvalidSetting> {
        check::check(self)
    }

    fn files(&self) -> Vec<NamedFile> {
        let client = &self.ruler_alertmanager_config.alertmanager_client;
        let mut files = client.files_at("ruler_alertmanager_config.alertmanager_client.");
        for (name, target) in &self.ruler_remote_write_config {
            files.extend(target.files_at(&format!("ruler_remote_write_config.{name}.")));
        }
        files
    }
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

const SERVICE_NAME_LABELS: [&str; 13] = [
    "service",
    "app",
    "application",
    "app_name",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
];

const LEVEL_FIELDS: [&str; 14] = [
    "level",
    "LEVEL",
    "Level",
    "log.level",
    "severity",
    "SEVERITY",
    "Severity",
    "SeverityText",
    "lvl",
    "LVL",
    "Lvl",
    "severity_text",
    "Severity_Text",
    "SEVERITY_TEXT",
];

const PATTERN_FIELDS: [&str; 6] = ["log", "message", "msg", "msg_", "_msg", "content"];

impl Default for LimitsSettings {
    fn default() -> Self {
        Self {
            ingestion_rate_strategy: RateStrategy::default(),
            ingestion_rate_mb: 4.0,
            ingestion_burst_size_mb: 6.0,
            max_label_name_length: 1024,
            max_label_value_length: 2048,
            max_label_names_per_series: 15,
            reject_old_samples: true,
            reject_old_samples_max_age: Span::from_days(7),
            creation_grace_period: Span::from_mins(10),
            max_line_size: ByteSize::kib(256),
            max_line_size_truncate: false,
            max_line_size_truncate_identifier: String::new(),
            increment_duplicate_timestamp: false,
            allow_structured_metadata: true,
            max_structured_metadata_size: ByteSize::kib(64),
            max_structured_metadata_entries_count: 128,
            otlp_config: OtlpLimits::default(),
            discover_service_name: names(&SERVICE_NAME_LABELS),
            discover_log_levels: true,
            log_level_fields: names(&LEVEL_FIELDS),
            log_level_from_json_max_depth: 2,
            discover_generic_fields: GenericFields::default(),
            label_rules: LabelRules::default(),
            usage_labels: Vec::new(),
            shard_streams: ShardStreamsSettings::default(),
            enforced_labels: Vec::new(),
            policy_enforced_labels: BTreeMap::new(),
            block_ingestion_until: BlockedUntil::default(),
            block_ingestion_policy_until: BTreeMap::new(),
            block_ingestion_status_code: 260,
            policy_stream_mapping: BTreeMap::new(),
            policy_override_limits: BTreeMap::new(),
            simulated_push_latency: Span::ZERO,
            max_streams_per_user: 0,
            max_global_streams_per_user: 5000,
            per_stream_rate_limit: ByteSize::mib(3),
            per_stream_rate_limit_burst: ByteSize::mib(15),
            max_query_length: Span::from_hours(721),
            max_query_lookback: Span::ZERO,
            max_query_range: Span::ZERO,
            max_query_parallelism: 32,
            tsdb_max_query_parallelism: 128,
            tsdb_max_bytes_per_shard: ByteSize::mib(600),
            tsdb_sharding_strategy: ShardingStrategy::default(),
            split_queries_by_interval: Span::from_hours(1),
            split_metadata_queries_by_interval: Span::from_hours(24),
            split_recent_metadata_queries_by_interval: Span::from_hours(1),
            recent_metadata_query_window: Span::ZERO,
            split_instant_metric_queries_by_interval: Span::from_hours(1),
            split_ingester_queries_by_interval: Span::ZERO,
            min_sharding_lookback: Span::ZERO,
            max_query_bytes_read: ByteSize::default(),
            max_querier_bytes_read: ByteSize::gib(150),
            max_query_series: 500,
            max_entries_limit_per_query: 5000,
            max_streams_matchers_per_query: 1000,
            max_chunks_per_query: 2_000_000,
            cardinality_limit: 100_000,
            max_concurrent_tail_requests: 10,
            query_timeout: Span::from_mins(1),
            max_queriers_per_tenant: 0,
            max_query_capacity: 0.0,
            max_cache_freshness_per_query: Span::from_mins(10),
            max_metadata_cache_freshness: Span::from_hours(24),
            max_stats_cache_freshness: Span::from_mins(10),
            engine_results_cache_time_bucket_interval: Span::from_hours(24),
            required_labels: Vec::new(),
            minimum_labels_number: 0,
            blocked_queries: Vec::new(),
            query_ready_index_num_days: 0,
            index_gateway_shard_size: 0,
            index_gateway_max_capacity: 1.0,
            volume_enabled: true,
            volume_max_series: 1000,
            retention_period: Span::ZERO,
            retention_stream: Vec::new(),
            deletion_mode: DeletionMode::default(),
            ruler_max_rules_per_rule_group: 0,
            ruler_max_rule_groups_per_tenant: 0,
            ruler_alertmanager_config: AlertmanagerSettings::default(),
            ruler_tenant_shard_size: 0,
            ruler_remote_write_disabled: false,
            ruler_remote_write_config: BTreeMap::new(),
            ruler_remote_evaluation_timeout: Span::ZERO,
            ruler_remote_evaluation_max_response_size: ByteSize::default(),
            shard_aggregations: Vec::new(),
            pattern_ingester_tokenizable_json_fields_default: names(&PATTERN_FIELDS),
            pattern_ingester_tokenizable_json_fields_append: Vec::new(),
            pattern_ingester_tokenizable_json_fields_delete: Vec::new(),
            metric_aggregation_enabled: false,
            pattern_persistence_enabled: false,
            pattern_persistence_granularity: Span::ZERO,
            pattern_rate_threshold: 1.0,
            s3_sse_type: SseType::default(),
            s3_sse_kms_key_id: String::new(),
            s3_sse_kms_encryption_context: String::new(),
        }
    }
}
