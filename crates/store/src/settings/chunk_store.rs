//! `chunk_store_config`: the caches of pages read from object storage.

use larch_types::{InvalidSetting, NamedFile, OldKey, Section, Span, ensure};
use serde::{Deserialize, Serialize};

use super::{CacheSettings, DiskCacheSettings};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChunkStoreSettings {
    /// Cache of pages.
    pub chunk_cache_config: CacheSettings,
    /// Second cache, for older pages.
    pub chunk_cache_config_l2: CacheSettings,
    /// Age from which pages go to the second cache; 0 means that there is none.
    pub l2_chunk_cache_handoff: Span,
    /// Age from which pages that a query reads are not put into the cache; 0 means any age is.
    pub skip_query_writeback_cache_older_than: Span,
    /// Cache of footers and pages on a disk of this machine, behind the one in memory.
    pub disk_cache: DiskCacheSettings,
}

const SUITES: &str = "all cipher suites that are offered are safe";
const WRITE_BACK: &str = "set background.writeback_goroutines and background.writeback_buffer";

impl Section for ChunkStoreSettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::moved("max_look_back_period", "limits_config.max_query_lookback"),
        OldKey::meaningless("write_dedupe_cache_config", "segments need no cache of written index entries"),
        OldKey::meaningless("cache_lookups_older_than", "segments need no cache of index lookups"),
        OldKey::meaningless("chunk_cache_config.async_cache_write_back_concurrency", WRITE_BACK),
        OldKey::meaningless("chunk_cache_config.async_cache_write_back_buffer_size", WRITE_BACK),
        OldKey::meaningless("chunk_cache_config.memcached_client.tls_cipher_suites", SUITES),
        OldKey::meaningless("chunk_cache_config_l2.async_cache_write_back_concurrency", WRITE_BACK),
        OldKey::meaningless("chunk_cache_config_l2.async_cache_write_back_buffer_size", WRITE_BACK),
        OldKey::meaningless("chunk_cache_config_l2.memcached_client.tls_cipher_suites", SUITES),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        self.chunk_cache_config.check_at("chunk_cache_config.")?;
        self.chunk_cache_config_l2.check_at("chunk_cache_config_l2.")?;
        self.disk_cache.check_at("disk_cache.")?;
        for (key, span) in [
            ("l2_chunk_cache_handoff", self.l2_chunk_cache_handoff),
            ("skip_query_writeback_cache_older_than", self.skip_query_writeback_cache_older_than),
        ] {
            ensure(!span.is_negative(), key, "must not be negative")?;
        }
        Ok(())
    }

    fn files(&self) -> Vec<NamedFile> {
        let mut files = self.chunk_cache_config.files_at("chunk_cache_config.");
        files.extend(self.chunk_cache_config_l2.files_at("chunk_cache_config_l2."));
        files
    }
}
