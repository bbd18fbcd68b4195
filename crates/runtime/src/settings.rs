//! Settings of the servers: addresses, timeouts, bounds, TLS, and what is logged about requests.

mod tls;

use larch_telemetry::{LogFormat, LogLevel};
use larch_types::{ByteSize, InvalidSetting, NamedFile, OldKey, Section, Span, ensure};
use serde::{Deserialize, Serialize};

pub use tls::{ClientAuthType, ServerTlsSettings, TlsVersion, client_tls_files};

/// The block `server`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Address to serve HTTP on; empty means all.
    pub http_listen_address: String,
    /// Port to serve HTTP on; 0 takes a free one.
    pub http_listen_port: u16,
    /// Most HTTP connections at a time; 0 means no bound.
    pub http_listen_conn_limit: u32,
    /// Address to serve gRPC on; empty means all.
    pub grpc_listen_address: String,
    /// Port to serve gRPC on; 0 takes a free one.
    pub grpc_listen_port: u16,
    /// Most gRPC connections at a time; 0 means no bound.
    pub grpc_listen_conn_limit: u32,
    /// Must stay off: the PROXY protocol is not understood.
    pub proxy_protocol_enabled: bool,
    /// Lowest TLS version to accept; never below 1.2, whatever is set.
    pub tls_min_version: TlsVersion,
    /// Certificate of the HTTP port, and which client certificates it asks for.
    pub http_tls_config: ServerTlsSettings,
    /// Certificate of the gRPC port, and which client certificates it asks for.
    pub grpc_tls_config: ServerTlsSettings,
    /// Serves `/metrics` and the other pages for operators.
    pub register_instrumentation: bool,
    /// How long open requests may take to finish when the process stops.
    pub graceful_shutdown_timeout: Span,
    /// How long reading a request may take, body included; 0 means no bound.
    pub http_server_read_timeout: Span,
    /// How long reading a request's headers may take; 0 means as long as the whole request.
    pub http_server_read_header_timeout: Span,
    /// How long answering a request may take; 0 means no bound.
    pub http_server_write_timeout: Span,
    /// How long a connection may stay open without a request.
    pub http_server_idle_timeout: Span,
    /// Largest gRPC message to accept.
    pub grpc_server_max_recv_msg_size: ByteSize,
    /// Largest gRPC message to send.
    pub grpc_server_max_send_msg_size: ByteSize,
    /// Most calls at a time on one gRPC connection; 0 means no bound.
    pub grpc_server_max_concurrent_streams: u32,
    /// How long a gRPC connection may stay open without a call.
    pub grpc_server_max_connection_idle: Span,
    /// Age at which a gRPC connection is asked to end.
    pub grpc_server_max_connection_age: Span,
    /// How long after that it is cut.
    pub grpc_server_max_connection_age_grace: Span,
    /// Silence on a gRPC connection after which it is probed.
    pub grpc_server_keepalive_time: Span,
    /// How long the answer to a probe may take.
    pub grpc_server_keepalive_timeout: Span,
    /// Form of this process's own log lines.
    pub log_format: LogFormat,
    /// Least severity of this process's own log lines.
    pub log_level: LogLevel,
    /// Adds the client's address to the log line of a request.
    pub log_source_ips_enabled: bool,
    /// Adds all addresses that proxies have noted, not the first alone.
    pub log_source_ips_full: bool,
    /// Header that holds the client's address; empty means the usual three.
    pub log_source_ips_header: String,
    /// Adds the headers to the log line of a request.
    pub log_request_headers: bool,
    /// Logs every request at level info instead of debug.
    pub log_request_at_info_level_enabled: bool,
    /// Headers that are never logged.
    pub log_request_exclude_headers_list: Vec<String>,
    /// Path under which everything is served, such as `/loki`.
    pub http_path_prefix: String,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            http_listen_address: String::new(),
            http_listen_port: 3100,
            http_listen_conn_limit: 0,
            grpc_listen_address: String::new(),
            grpc_listen_port: 9095,
            grpc_listen_conn_limit: 0,
            proxy_protocol_enabled: false,
            tls_min_version: TlsVersion::default(),
            http_tls_config: ServerTlsSettings::default(),
            grpc_tls_config: ServerTlsSettings::default(),
            register_instrumentation: true,
            graceful_shutdown_timeout: Span::from_secs(30),
            http_server_read_timeout: Span::from_secs(30),
            http_server_read_header_timeout: Span::ZERO,
            http_server_write_timeout: Span::from_secs(30),
            http_server_idle_timeout: Span::from_mins(2),
            grpc_server_max_recv_msg_size: ByteSize::mib(4),
            grpc_server_max_send_msg_size: ByteSize::mib(4),
            grpc_server_max_concurrent_streams: 100,
            grpc_server_max_connection_idle: Span::MAX,
            grpc_server_max_connection_age: Span::MAX,
            grpc_server_max_connection_age_grace: Span::MAX,
            grpc_server_keepalive_time: Span::from_hours(2),
            grpc_server_keepalive_timeout: Span::from_secs(20),
            log_format: LogFormat::default(),
            log_level: LogLevel::default(),
            log_source_ips_enabled: false,
            log_source_ips_full: false,
            log_source_ips_header: String::new(),
            log_request_headers: false,
            log_request_at_info_level_enabled: false,
            log_request_exclude_headers_list: Vec::new(),
            http_path_prefix: String::new(),
        }
    }
}

const BUFFERS: &str = "buffers and workers look after themselves";
const NETWORK: &str = "TCP over IPv4 or IPv6 follows from the address";
const HEADERLESS: &str = "spans hold no headers";
const PINGS: &str = "keepalive pings are always answered";

impl Section for ServerSettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::meaningless("http_listen_network", NETWORK),
        OldKey::meaningless("grpc_listen_network", NETWORK),
        OldKey::meaningless("tls_cipher_suites", "all cipher suites that are offered are safe"),
        OldKey::meaningless("grpc_server_min_time_between_pings", PINGS),
        OldKey::meaningless("grpc_server_ping_without_stream_allowed", PINGS),
        OldKey::meaningless("grpc_server_num_workers", BUFFERS),
        OldKey::meaningless("grpc_server_recv_buffer_pools_enabled", BUFFERS),
        OldKey::meaningless("grpc_server_read_buffer_size", BUFFERS),
        OldKey::meaningless("grpc_server_write_buffer_size", BUFFERS),
        OldKey::meaningless("grpc_server_stats_tracking_enabled", "the metrics are always kept"),
        OldKey::meaningless("grpc_collect_max_streams_by_conn", "there is no such metric"),
        OldKey::meaningless(
            "report_grpc_codes_in_instrumentation_label_enabled",
            "codes are always reported",
        ),
        OldKey::meaningless("http_log_closed_connections_without_response_enabled", "they are counted only"),
        OldKey::meaningless("log_source_ips_regex", "the first address in the header is taken"),
        OldKey::meaningless("trace_request_headers", HEADERLESS),
        OldKey::meaningless("trace_request_exclude_headers_list", HEADERLESS),
        OldKey::meaningless("cluster_validation", "memberlist.cluster_label keeps clusters apart"),
        OldKey::meaningless("create_new_traces", "a request continues its caller's trace"),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        self.check_ports()?;
        self.check_spans()?;
        for (key, size) in [
            ("grpc_server_max_recv_msg_size", self.grpc_server_max_recv_msg_size),
            ("grpc_server_max_send_msg_size", self.grpc_server_max_send_msg_size),
        ] {
            ensure(size.as_u64() > 0, key, "must be above 0")?;
        }
        ensure(
            !self.proxy_protocol_enabled,
            "proxy_protocol_enabled",
            "the PROXY protocol is not understood; set it to false, and let the proxy send X-Forwarded-For",
        )?;
        ensure(
            self.http_path_prefix.is_empty() || self.http_path_prefix.starts_with('/'),
            "http_path_prefix",
            "must begin with /",
        )?;
        self.http_tls_config.check_at("http_tls_config.")?;
        self.grpc_tls_config.check_at("grpc_tls_config.")
    }

    fn files(&self) -> Vec<NamedFile> {
        let mut files = self.http_tls_config.files_at("http_tls_config.");
        files.extend(self.grpc_tls_config.files_at("grpc_tls_config."));
        files
    }
}

impl ServerSettings {
    fn check_ports(&self) -> Result<(), InvalidSetting> {
        let same_port = self.http_listen_port != 0 && self.http_listen_port == self.grpc_listen_port;
        let same_address = self.http_listen_address == self.grpc_listen_address
            || self.http_listen_address.is_empty()
            || self.grpc_listen_address.is_empty();
        ensure(!(same_port && same_address), "grpc_listen_port", "must differ from http_listen_port")
    }

    fn check_spans(&self) -> Result<(), InvalidSetting> {
        for (key, span) in [
            ("graceful_shutdown_timeout", self.graceful_shutdown_timeout),
            ("http_server_read_timeout", self.http_server_read_timeout),
            ("http_server_read_header_timeout", self.http_server_read_header_timeout),
            ("http_server_write_timeout", self.http_server_write_timeout),
            ("http_server_idle_timeout", self.http_server_idle_timeout),
            ("grpc_server_max_connection_age_grace", self.grpc_server_max_connection_age_grace),
        ] {
            ensure(!span.is_negative(), key, "must not be negative")?;
        }
        for (key, span) in [
            ("grpc_server_max_connection_idle", self.grpc_server_max_connection_idle),
            ("grpc_server_max_connection_age", self.grpc_server_max_connection_age),
            ("grpc_server_keepalive_time", self.grpc_server_keepalive_time),
            ("grpc_server_keepalive_timeout", self.grpc_server_keepalive_timeout),
        ] {
            ensure(span > Span::ZERO, key, "must be above 0")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
