//! One cache: inside the process, in memcached or in redis. Several blocks hold one each.

use larch_runtime::{TlsVersion, client_tls_files};
use larch_types::{ByteSize, InvalidSetting, NamedFile, Secret, Span, ensure};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheSettings {
    /// How long an entry stays where the backend has no setting of its own; 0 means until its space is
    /// needed.
    pub default_validity: Span,
    /// Writing to the cache behind the requests' backs.
    pub background: BackgroundSettings,
    /// How entries are kept in memcached.
    pub memcached: MemcachedSettings,
    /// How memcached is reached; without a host and addresses it is not used.
    pub memcached_client: MemcachedClientSettings,
    /// How redis is reached; without an endpoint it is not used.
    pub redis: RedisSettings,
    /// The cache inside the process.
    pub embedded_cache: EmbeddedCacheSettings,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackgroundSettings {
    /// How many writers there are.
    pub writeback_goroutines: u32,
    /// How many batches may wait for a writer.
    pub writeback_buffer: u32,
    /// How many bytes may wait for a writer; what comes on top is not cached.
    pub writeback_size_limit: ByteSize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemcachedSettings {
    /// How long an entry stays; 0 means the cache's `default_validity`.
    pub expiration: Span,
    /// How many keys are fetched at once.
    pub batch_size: u32,
    /// How many batches are fetched at a time.
    pub parallelism: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemcachedClientSettings {
    /// Host name whose servers are found through DNS.
    pub host: String,
    /// Name of the DNS service record under that host.
    pub service: String,
    /// Addresses as `host:port`, `dns+host:port` or `dnssrv+name`; wins over `host`.
    pub addresses: Vec<String>,
    /// How long a request may take before it counts as a miss.
    pub timeout: Span,
    /// How many idle connections are kept for a server.
    pub max_idle_conns: u32,
    /// Largest entry to store; 0 means no bound.
    pub max_item_size: ByteSize,
    /// How often DNS is asked for the servers.
    pub update_interval: Span,
    /// Spreads keys so that few move when a server comes or goes.
    pub consistent_hash: bool,
    /// Failed connections in a row after which a server is left alone; 0 means never.
    pub circuit_breaker_consecutive_failures: u32,
    /// How long it is left alone.
    pub circuit_breaker_timeout: Span,
    /// How long a failure counts.
    pub circuit_breaker_interval: Span,
    /// Speaks TLS.
    pub tls_enabled: bool,
    /// File with the client's own certificate.
    pub tls_cert_path: String,
    /// File with the client's own private key.
    pub tls_key_path: String,
    /// File with the certificates to trust instead of the system's.
    pub tls_ca_path: String,
    /// Name that the server's certificate must have, if not its host name.
    pub tls_server_name: String,
    /// Trusts any certificate.
    pub tls_insecure_skip_verify: bool,
    /// Lowest TLS version to speak.
    pub tls_min_version: TlsVersion,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisSettings {
    /// Addresses of a server, a cluster, or its sentinels.
    pub endpoint: Vec<String>,
    /// Name of the master that the sentinels watch.
    pub master_name: String,
    /// How long a request may take before it counts as a miss.
    pub timeout: Span,
    /// How long an entry stays; 0 means the cache's `default_validity`.
    pub expiration: Span,
    /// Number of the database.
    pub db: u32,
    /// How many connections there may be; 0 lets it follow from the number of processors.
    pub pool_size: u32,
    /// User name.
    pub username: String,
    /// Password.
    pub password: Secret,
    /// Speaks TLS.
    pub tls_enabled: bool,
    /// Trusts any certificate.
    pub tls_insecure_skip_verify: bool,
    /// How long an idle connection is kept; 0 means for ever.
    pub idle_timeout: Span,
    /// How long any connection is kept; 0 means for ever.
    pub max_connection_age: Span,
    /// Reads from replicas too.
    pub route_randomly: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddedCacheSettings {
    /// Caches inside the process.
    pub enabled: bool,
    /// Most memory for entries, in MB; 0 means that only their number bounds them.
    pub max_size_mb: f64,
    /// Most entries; 0 means that only memory bounds them.
    pub max_size_items: u64,
    /// How long an entry stays; 0 means the cache's `default_validity`.
    pub ttl: Span,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            default_validity: Span::from_hours(1),
            background: BackgroundSettings::default(),
            memcached: MemcachedSettings::default(),
            memcached_client: MemcachedClientSettings::default(),
            redis: RedisSettings::default(),
            embedded_cache: EmbeddedCacheSettings::default(),
        }
    }
}

impl Default for BackgroundSettings {
    fn default() -> Self {
        Self { writeback_goroutines: 1, writeback_buffer: 500_000, writeback_size_limit: ByteSize::mib(500) }
    }
}

impl Default for MemcachedSettings {
    fn default() -> Self {
        Self { expiration: Span::ZERO, batch_size: 4, parallelism: 5 }
    }
}

impl Default for MemcachedClientSettings {
    fn default() -> Self {
        Self {
            host: String::new(),
            service: "memcached".to_owned(),
            addresses: Vec::new(),
            timeout: Span::from_millis(100),
            max_idle_conns: 16,
            max_item_size: ByteSize::default(),
            update_interval: Span::from_mins(1),
            consistent_hash: true,
            circuit_breaker_consecutive_failures: 10,
            circuit_breaker_timeout: Span::from_secs(10),
            circuit_breaker_interval: Span::from_secs(10),
            tls_enabled: false,
            tls_cert_path: String::new(),
            tls_key_path: String::new(),
            tls_ca_path: String::new(),
            tls_server_name: String::new(),
            tls_insecure_skip_verify: false,
            tls_min_version: TlsVersion::default(),
        }
    }
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            endpoint: Vec::new(),
            master_name: String::new(),
            timeout: Span::from_millis(500),
            expiration: Span::ZERO,
            db: 0,
            pool_size: 0,
            username: String::new(),
            password: Secret::default(),
            tls_enabled: false,
            tls_insecure_skip_verify: false,
            idle_timeout: Span::ZERO,
            max_connection_age: Span::ZERO,
            route_randomly: false,
        }
    }
}

impl Default for EmbeddedCacheSettings {
    fn default() -> Self {
        Self { enabled: false, max_size_mb: 100.0, max_size_items: 0, ttl: Span::from_hours(1) }
    }
}

impl CacheSettings {
    /// Whether any backend is set.
    pub fn is_configured(&self) -> bool {
        self.embedded_cache.enabled || self.memcached_client.is_configured() || self.redis.is_configured()
    }

    /// `at` is the path of the block with a dot at the end.
    pub fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        ensure(
            !(self.memcached_client.is_configured() && self.redis.is_configured()),
            &format!("{at}redis.endpoint"),
            "memcached_client is set too, and there can be one of them only",
        )?;
        let background = &self.background;
        for (key, number) in [
            ("background.writeback_goroutines", background.writeback_goroutines),
            ("background.writeback_buffer", background.writeback_buffer),
            ("memcached.batch_size", self.memcached.batch_size),
            ("memcached.parallelism", self.memcached.parallelism),
        ] {
            ensure(number > 0, &format!("{at}{key}"), "must be above 0")?;
        }
        let embedded = &self.embedded_cache;
        let size_key = format!("{at}embedded_cache.max_size_mb");
        let sane = embedded.max_size_mb >= 0.0 && embedded.max_size_mb.is_finite();
        ensure(sane, &size_key, "must be 0 or more")?;
        ensure(
            embedded.max_size_mb > 0.0 || embedded.max_size_items > 0,
            &size_key,
            "must be above 0, or max_size_items must be",
        )?;
        for (key, span) in [
            ("memcached_client.timeout", self.memcached_client.timeout),
            ("memcached_client.update_interval", self.memcached_client.update_interval),
            ("redis.timeout", self.redis.timeout),
        ] {
            ensure(span > Span::ZERO, &format!("{at}{key}"), "must be above 0")?;
        }
        for (key, span) in [
            ("default_validity", self.default_validity),
            ("embedded_cache.ttl", embedded.ttl),
            ("memcached.expiration", self.memcached.expiration),
            ("redis.expiration", self.redis.expiration),
        ] {
            ensure(!span.is_negative(), &format!("{at}{key}"), "must not be negative")?;
        }
        let client = &self.memcached_client;
        ensure(
            client.tls_cert_path.is_empty() == client.tls_key_path.is_empty(),
            &format!("{at}memcached_client.tls_key_path"),
            "must be set exactly if tls_cert_path is",
        )
    }

    pub fn files_at(&self, at: &str) -> Vec<NamedFile> {
        let client = &self.memcached_client;
        let at = format!("{at}memcached_client.");
        client_tls_files(&at, &client.tls_cert_path, &client.tls_key_path, &client.tls_ca_path)
    }
}

impl MemcachedClientSettings {
    pub fn is_configured(&self) -> bool {
        !self.host.is_empty() || !self.addresses.is_empty()
    }
}

impl RedisSettings {
    pub fn is_configured(&self) -> bool {
        !self.endpoint.is_empty()
    }
}
