//! Who evaluates the queries of rules.

use larch_rpc::{BackoffSettings, GrpcClientSettings, GrpcCompression};
use larch_runtime::TlsVersion;
use larch_types::{ByteSize, InvalidSetting, NamedFile, Span, ensure};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationSettings {
    /// Who evaluates.
    pub mode: EvaluationMode,
    /// Delays each rule by a time up to this that is its own, so that not all run at once.
    pub max_jitter: Span,
    /// The query frontends, with `mode: remote`.
    pub query_frontend: QueryFrontendSettings,
}

/// Who evaluates the queries of rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvaluationMode {
    /// The ruler itself.
    #[default]
    Local,
    /// Query frontends.
    Remote,
}

/// The query frontends: their address, and beside it the keys of a gRPC client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueryFrontendSettings {
    /// Address as `host:port` or `dns:///host:port`; empty finds them through membership.
    pub address: String,
    /// Largest message to accept.
    pub max_recv_msg_size: ByteSize,
    /// Largest message to send.
    pub max_send_msg_size: ByteSize,
    /// Compression of messages that are sent.
    pub grpc_compression: GrpcCompression,
    /// Waits between the tries of a call.
    pub backoff_config: BackoffSettings,
    /// Bytes of one call that may be under way.
    pub initial_stream_window_size: ByteSize,
    /// Bytes of one connection that may be under way.
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
    /// How long connecting may take; 0 means no bound.
    pub connect_timeout: Span,
    /// Wait before connecting is tried again.
    pub connect_backoff_base_delay: Span,
    /// Longest wait before connecting is tried again.
    pub connect_backoff_max_delay: Span,
    /// Silence on a connection after which it is probed.
    pub keepalive_time: Span,
    /// How long the answer to a probe may take.
    pub keepalive_timeout: Span,
}

impl Default for QueryFrontendSettings {
    fn default() -> Self {
        let client = GrpcClientSettings::default();
        Self {
            address: String::new(),
            max_recv_msg_size: client.max_recv_msg_size,
            max_send_msg_size: client.max_send_msg_size,
            grpc_compression: client.grpc_compression,
            backoff_config: client.backoff_config,
            initial_stream_window_size: client.initial_stream_window_size,
            initial_connection_window_size: client.initial_connection_window_size,
            tls_enabled: client.tls_enabled,
            tls_cert_path: client.tls_cert_path,
            tls_key_path: client.tls_key_path,
            tls_ca_path: client.tls_ca_path,
            tls_server_name: client.tls_server_name,
            tls_insecure_skip_verify: client.tls_insecure_skip_verify,
            tls_min_version: client.tls_min_version,
            connect_timeout: client.connect_timeout,
            connect_backoff_base_delay: client.connect_backoff_base_delay,
            connect_backoff_max_delay: client.connect_backoff_max_delay,
            keepalive_time: client.keepalive_time,
            keepalive_timeout: client.keepalive_timeout,
        }
    }
}

impl QueryFrontendSettings {
    /// The keys of the gRPC client alone.
    pub fn grpc_client(&self) -> GrpcClientSettings {
        GrpcClientSettings {
            max_recv_msg_size: self.max_recv_msg_size,
            max_send_msg_size: self.max_send_msg_size,
            grpc_compression: self.grpc_compression,
            backoff_config: self.backoff_config.clone(),
            initial_stream_window_size: self.initial_stream_window_size,
            initial_connection_window_size: self.initial_connection_window_size,
            tls_enabled: self.tls_enabled,
            tls_cert_path: self.tls_cert_path.clone(),
            tls_key_path: self.tls_key_path.clone(),
            tls_ca_path: self.tls_ca_path.clone(),
            tls_server_name: self.tls_server_name.clone(),
            tls_insecure_skip_verify: self.tls_insecure_skip_verify,
            tls_min_version: self.tls_min_version,
            connect_timeout: self.connect_timeout,
            connect_backoff_base_delay: self.connect_backoff_base_delay,
            connect_backoff_max_delay: self.connect_backoff_max_delay,
            keepalive_time: self.keepalive_time,
            keepalive_timeout: self.keepalive_timeout,
        }
    }
}

impl EvaluationSettings {
    pub(super) fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        ensure(!self.max_jitter.is_negative(), &format!("{at}max_jitter"), "must not be negative")?;
        self.query_frontend.grpc_client().check_at(&format!("{at}query_frontend."))
    }

    pub(super) fn files_at(&self, at: &str) -> Vec<NamedFile> {
        self.query_frontend.grpc_client().files_at(&format!("{at}query_frontend."))
    }
}
