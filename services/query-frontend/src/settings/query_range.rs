//! `query_range`: retries, and which results are kept.

use larch_store::CacheSettings;
use larch_types::{InvalidSetting, NamedFile, OldKey, Section};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueryRangeSettings {
    /// Moves the start and end of metric queries to multiples of their step.
    pub align_queries_with_step: bool,
    /// The cache of results. Of the caches below, each without a backend of its own is this one.
    pub results_cache: ResultsCacheSettings,
    /// Keeps results of queries.
    pub cache_results: bool,
    /// How often a piece of a query is tried.
    pub max_retries: u32,
    /// Cuts queries by streams.
    pub parallelise_shardable_queries: bool,
    /// Aggregations that are cut by streams although their merged result is approximate.
    pub shard_aggregations: Vec<String>,
    /// Keeps statistics.
    pub cache_index_stats_results: bool,
    /// The cache of statistics.
    pub index_stats_results_cache: ResultsCacheSettings,
    /// Keeps volumes.
    pub cache_volume_results: bool,
    /// The cache of volumes.
    pub volume_results_cache: ResultsCacheSettings,
    /// Keeps results of instant metric queries.
    pub cache_instant_metric_results: bool,
    /// The cache of results of instant metric queries.
    pub instant_metric_results_cache: ResultsCacheSettings,
    /// Cuts instant metric queries at multiples of the interval, so that more of them are found again.
    pub instant_metric_query_split_align: bool,
    /// Keeps lists of series.
    pub cache_series_results: bool,
    /// The cache of lists of series.
    pub series_results_cache: ResultsCacheSettings,
    /// Keeps lists of labels and values.
    pub cache_label_results: bool,
    /// The cache of lists of labels and values.
    pub label_results_cache: ResultsCacheSettings,
}

/// One cache of results.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResultsCacheSettings {
    /// Where it is kept.
    pub cache: CacheSettings,
    /// How entries are compressed.
    pub compression: CacheCompression,
}

/// How entries of a cache are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheCompression {
    #[default]
    #[serde(rename = "")]
    None,
    Snappy,
}

impl Default for QueryRangeSettings {
    fn default() -> Self {
        Self {
            align_queries_with_step: false,
            results_cache: ResultsCacheSettings::default(),
            cache_results: false,
            max_retries: 5,
            parallelise_shardable_queries: true,
            shard_aggregations: Vec::new(),
            cache_index_stats_results: true,
            index_stats_results_cache: ResultsCacheSettings::default(),
            cache_volume_results: true,
            volume_results_cache: ResultsCacheSettings::default(),
            cache_instant_metric_results: false,
            instant_metric_results_cache: ResultsCacheSettings::default(),
            instant_metric_query_split_align: false,
            cache_series_results: true,
            series_results_cache: ResultsCacheSettings::default(),
            cache_label_results: true,
            label_results_cache: ResultsCacheSettings::default(),
        }
    }
}

const SUITES: &str = "all cipher suites that are offered are safe";
const WRITE_BACK: &str = "set background.writeback_goroutines and background.writeback_buffer";

impl Section for QueryRangeSettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::moved("split_queries_by_interval", "limits_config.split_queries_by_interval"),
        OldKey::moved("results_cache.max_freshness", "limits_config.max_cache_freshness_per_query"),
        OldKey::meaningless("results_cache.cache.async_cache_write_back_concurrency", WRITE_BACK),
        OldKey::meaningless("results_cache.cache.async_cache_write_back_buffer_size", WRITE_BACK),
        OldKey::meaningless("results_cache.cache.memcached_client.tls_cipher_suites", SUITES),
        OldKey::meaningless("index_stats_results_cache.cache.memcached_client.tls_cipher_suites", SUITES),
        OldKey::meaningless("volume_results_cache.cache.memcached_client.tls_cipher_suites", SUITES),
        OldKey::meaningless("instant_metric_results_cache.cache.memcached_client.tls_cipher_suites", SUITES),
        OldKey::meaningless("series_results_cache.cache.memcached_client.tls_cipher_suites", SUITES),
        OldKey::meaningless("label_results_cache.cache.memcached_client.tls_cipher_suites", SUITES),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        for (name, results) in self.caches() {
            results.cache.check_at(&format!("{name}.cache."))?;
        }
        Ok(())
    }

    fn files(&self) -> Vec<NamedFile> {
        let mut files = Vec::new();
        for (name, results) in self.caches() {
            files.extend(results.cache.files_at(&format!("{name}.cache.")));
        }
        files
    }
}

impl QueryRangeSettings {
    fn caches(&self) -> [(&'static str, &ResultsCacheSettings); 6] {
        [
            ("results_cache", &self.results_cache),
            ("index_stats_results_cache", &self.index_stats_results_cache),
            ("volume_results_cache", &self.volume_results_cache),
            ("instant_metric_results_cache", &self.instant_metric_results_cache),
            ("series_results_cache", &self.series_results_cache),
            ("label_results_cache", &self.label_results_cache),
        ]
    }
}
