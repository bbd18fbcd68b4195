//! Settings that are accepted and change nothing, for whoever tells those that set one.

/// The key below its block, and what is so instead.
type IdleKey = (&'static str, &'static str);

const IN_MEMORY: &str = "what plans need is kept in memory, see chunk_store_config";
const NO_SERVER: &str = "pages are not kept by another server, see embedded_cache";
const ONE_CACHE: &str = "pages of all ages are in one cache";

/// Of `storage_config`.
pub const IDLE_STORAGE: [IdleKey; 4] = [
    ("tsdb_shipper.cache_location", IN_MEMORY),
    ("tsdb_shipper.cache_ttl", IN_MEMORY),
    ("tsdb_shipper.query_ready_num_days", "footers are small and fetched when a query asks for them"),
    ("tsdb_shipper.download_timeout", "the timeouts of the store hold"),
];

/// Of `chunk_store_config`.
pub const IDLE_CHUNK_STORE: [IdleKey; 7] = [
    ("chunk_cache_config.background", "pages are put into the cache at once"),
    ("chunk_cache_config.memcached", NO_SERVER),
    ("chunk_cache_config.memcached_client", NO_SERVER),
    ("chunk_cache_config.redis", NO_SERVER),
    ("chunk_cache_config_l2", ONE_CACHE),
    ("l2_chunk_cache_handoff", ONE_CACHE),
    ("skip_query_writeback_cache_older_than", ONE_CACHE),
];
