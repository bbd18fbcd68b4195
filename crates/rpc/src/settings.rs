//! Settings of clients: gRPC between services, and TLS where a block holds nothing else.

use larch_runtime::{TlsVersion, client_tls_files};
use larch_types::{ByteSize, InvalidSetting, NamedFile, OldKey, Section, Span, ensure};
use serde::{Deserialize, Serialize};

/// A gRPC client. The blocks that hold one name it `grpc_client_config` or similar;
/// `compactor_grpc_client` is one by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GrpcClientSettings {
    /// Largest message to accept.
    pub max_recv_msg_size: ByteSize,
    /// Largest message to send.
    pub max_send_msg_size: ByteSize,
    /// Has no effect: messages are not compressed.
    pub grpc_compression: GrpcCompression,
    /// Waits between the tries of a call.
    pub backoff_config: BackoffSettings,
    /// Has no effect: a call has a window that fits it.
    pub initial_stream_window_size: ByteSize,
    /// Has no effect: a connection has room for all its calls.
    pub initial_connection_window_size: ByteSize,
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
    /// How long connecting may take; 0 means a day.
    pub connect_timeout: Span,
    /// Has no effect: a call connects at once, and whoever repeats it waits in between.
    pub connect_backoff_base_delay: Span,
    /// Has no effect, as `connect_backoff_base_delay`.
    pub connect_backoff_max_delay: Span,
    /// Silence on a connection after which it is probed.
    pub keepalive_time: Span,
    /// How long the answer to a probe may take.
    pub keepalive_timeout: Span,
}

/// How clients of Loki compress messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GrpcCompression {
    #[default]
    #[serde(rename = "")]
    None,
    Gzip,
    Snappy,
}

/// Waits between tries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackoffSettings {
    /// First wait.
    pub min_period: Span,
    /// Longest wait.
    pub max_period: Span,
    /// How often it is tried.
    pub max_retries: u32,
}

/// TLS of a client that has no other settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsClientSettings {
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

/// The block `ingester_client`: how distributors and queriers reach ingesters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngesterClientSettings {
    /// Connections that are kept.
    pub pool_config: PoolSettings,
    /// How long a call may take.
    pub remote_timeout: Span,
    /// The connections themselves; index gateways are reached with the same.
    pub grpc_client_config: GrpcClientSettings,
}

/// Connections that are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolSettings {
    /// How often connections to members that are gone are closed.
    pub client_cleanup_period: Span,
    /// Asks the other side for its health each time, and closes on a bad answer.
    pub health_check_ingesters: bool,
    /// How long that answer may take.
    pub remote_timeout: Span,
}

impl Default for GrpcClientSettings {
    fn default() -> Self {
        Self {
            max_recv_msg_size: ByteSize::mib(100),
            max_send_msg_size: ByteSize::mib(100),
            grpc_compression: GrpcCompression::default(),
            backoff_config: BackoffSettings::default(),
            // HTTP/2 starts every window with this size.
            initial_stream_window_size: ByteSize::bytes(65_535),
            initial_connection_window_size: ByteSize::bytes(65_535),
            tls_enabled: false,
            tls_cert_path: String::new(),
            tls_key_path: String::new(),
            tls_ca_path: String::new(),
            tls_server_name: String::new(),
            tls_insecure_skip_verify: false,
            tls_min_version: TlsVersion::default(),
            connect_timeout: Span::from_secs(5),
            connect_backoff_base_delay: Span::from_secs(1),
            connect_backoff_max_delay: Span::from_secs(5),
            keepalive_time: Span::from_secs(10),
            keepalive_timeout: Span::from_secs(5),
        }
    }
}

impl Default for BackoffSettings {
    fn default() -> Self {
        Self { min_period: Span::from_millis(100), max_period: Span::from_secs(10), max_retries: 10 }
    }
}

impl Default for IngesterClientSettings {
    fn default() -> Self {
        Self {
            pool_config: PoolSettings::default(),
            remote_timeout: Span::from_secs(5),
            grpc_client_config: GrpcClientSettings::default(),
        }
    }
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            client_cleanup_period: Span::from_secs(15),
            health_check_ingesters: true,
            remote_timeout: Span::from_secs(1),
        }
    }
}

const CLUSTER: &str = "memberlist.cluster_label keeps clusters apart";
const RATE: &str = "the bounds are on the side of the server";
const SUITES: &str = "all cipher suites that are offered are safe";

impl Section for GrpcClientSettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::meaningless("rate_limit", RATE),
        OldKey::meaningless("rate_limit_burst", RATE),
        OldKey::meaningless("backoff_on_ratelimits", RATE),
        OldKey::meaningless("tls_cipher_suites", SUITES),
        OldKey::meaningless("cluster_validation", CLUSTER),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        self.check_at("")
    }

    fn files(&self) -> Vec<NamedFile> {
        self.files_at("")
    }
}

impl Section for IngesterClientSettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::meaningless("grpc_client_config.rate_limit", RATE),
        OldKey::meaningless("grpc_client_config.rate_limit_burst", RATE),
        OldKey::meaningless("grpc_client_config.backoff_on_ratelimits", RATE),
        OldKey::meaningless("grpc_client_config.tls_cipher_suites", SUITES),
        OldKey::meaningless("grpc_client_config.cluster_validation", CLUSTER),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        for (key, span) in [
            ("remote_timeout", self.remote_timeout),
            ("pool_config.client_cleanup_period", self.pool_config.client_cleanup_period),
            ("pool_config.remote_timeout", self.pool_config.remote_timeout),
        ] {
            ensure(span > Span::ZERO, key, "must be above 0")?;
        }
        self.grpc_client_config.check_at("grpc_client_config.")
    }

    fn files(&self) -> Vec<NamedFile> {
        self.grpc_client_config.files_at("grpc_client_config.")
    }
}

impl GrpcClientSettings {
    /// Checks a client inside another block; `at` is its path there with a dot at the end.
    pub fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        for (key, size) in
            [("max_recv_msg_size", self.max_recv_msg_size), ("max_send_msg_size", self.max_send_msg_size)]
        {
            ensure(size.as_u64() > 0, &format!("{at}{key}"), "must be above 0")?;
        }
        for (key, span) in [
            ("connect_backoff_base_delay", self.connect_backoff_base_delay),
            ("keepalive_time", self.keepalive_time),
            ("keepalive_timeout", self.keepalive_timeout),
        ] {
            ensure(span > Span::ZERO, &format!("{at}{key}"), "must be above 0")?;
        }
        ensure(!self.connect_timeout.is_negative(), &format!("{at}connect_timeout"), "must not be negative")?;
        ensure(
            self.connect_backoff_max_delay >= self.connect_backoff_base_delay,
            &format!("{at}connect_backoff_max_delay"),
            "must not be below connect_backoff_base_delay",
        )?;
        self.backoff_config.check_at(&format!("{at}backoff_config."))?;
        check_pair(at, &self.tls_cert_path, &self.tls_key_path)
    }

    pub fn files_at(&self, at: &str) -> Vec<NamedFile> {
        client_tls_files(at, &self.tls_cert_path, &self.tls_key_path, &self.tls_ca_path)
    }
}

impl BackoffSettings {
    /// As [`GrpcClientSettings::check_at`].
    pub fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        ensure(self.min_period > Span::ZERO, &format!("{at}min_period"), "must be above 0")?;
        ensure(self.max_period >= self.min_period, &format!("{at}max_period"), "must not be below min_period")
    }
}

impl TlsClientSettings {
    /// As [`GrpcClientSettings::check_at`].
    pub fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        check_pair(at, &self.tls_cert_path, &self.tls_key_path)
    }

    pub fn files_at(&self, at: &str) -> Vec<NamedFile> {
        client_tls_files(at, &self.tls_cert_path, &self.tls_key_path, &self.tls_ca_path)
    }
}

fn check_pair(at: &str, cert: &str, key: &str) -> Result<(), InvalidSetting> {
    ensure(
        cert.is_empty() == key.is_empty(),
        &format!("{at}tls_key_path"),
        "must be set exactly if tls_cert_path is",
    )
}

#[cfg(test)]
mod tests;
