//! `frontend`: the query API and the queue behind it.

use larch_rpc::{GrpcClientSettings, TlsClientSettings};
use larch_types::{ByteSize, InvalidSetting, NamedFile, OldKey, Section, Span, ensure};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FrontendSettings {
    /// Logs queries that take longer; 0 logs none, less than 0 logs all.
    pub log_queries_longer_than: Span,
    /// Headers of the request that these log lines hold.
    pub log_query_request_headers: Vec<String>,
    /// Largest body of a query.
    pub max_body_size: ByteSize,
    /// Logs statistics of every query.
    pub query_stats_enabled: bool,
    /// Most pieces of one tenant's queries that wait in the queue of this process; more get 429.
    pub max_outstanding_per_tenant: u32,
    /// How long a querier that vanished keeps its place among the queriers of a tenant.
    pub querier_forget_delay: Span,
    /// Address of the processes that hold the queue; empty keeps it in the frontends.
    pub scheduler_address: String,
    /// How often DNS is asked for that address again.
    pub scheduler_dns_lookup_period: Span,
    /// The connections to them.
    pub grpc_client_config: GrpcClientSettings,
    /// How long open queries may take to finish when the process stops.
    pub graceful_shutdown_timeout: Span,
    /// Network interfaces to take the advertised address from; empty means any with a private address.
    pub instance_interface_names: Vec<String>,
    /// Allows an IPv6 address to be taken from the interfaces.
    pub instance_enable_ipv6: bool,
    /// Address that answers are sent to; empty takes it from the interfaces.
    pub instance_addr: String,
    /// Port that answers are sent to; 0 means `server.grpc_listen_port`.
    pub instance_port: u16,
    /// Compresses answers for clients that accept it.
    pub compress_responses: bool,
    /// URL of another server that queries are passed to as they are.
    pub downstream_url: String,
    /// URL of a querier that live tails are passed to; empty finds one through membership.
    pub tail_proxy_url: String,
    /// TLS towards that querier.
    pub tail_tls_config: TlsClientSettings,
    /// Allows reads that name several tenants; unless it is set, as `querier.multi_tenant_queries_enabled`.
    pub multi_tenant_queries_enabled: bool,
    /// Keeps limits that a request brings in a header, if they are tighter; unless it is set, as
    /// `querier.per_request_limits_enabled`.
    pub per_request_limits_enabled: bool,
    /// Serves patterns; unless it is set, as `pattern_ingester.enabled`.
    pub pattern_ingester_enabled: bool,
}

impl Default for FrontendSettings {
    fn default() -> Self {
        Self {
            log_queries_longer_than: Span::ZERO,
            log_query_request_headers: Vec::new(),
            max_body_size: ByteSize::mib(10),
            query_stats_enabled: false,
            max_outstanding_per_tenant: 2048,
            querier_forget_delay: Span::ZERO,
            scheduler_address: String::new(),
            scheduler_dns_lookup_period: Span::from_secs(10),
            grpc_client_config: GrpcClientSettings::default(),
            graceful_shutdown_timeout: Span::from_mins(5),
            instance_interface_names: Vec::new(),
            instance_enable_ipv6: false,
            instance_addr: String::new(),
            instance_port: 0,
            compress_responses: true,
            downstream_url: String::new(),
            tail_proxy_url: String::new(),
            tail_tls_config: TlsClientSettings::default(),
            multi_tenant_queries_enabled: false,
            per_request_limits_enabled: false,
            pattern_ingester_enabled: false,
        }
    }
}

const CLUSTER: &str = "memberlist.cluster_label keeps clusters apart";
const RATE: &str = "the bounds are on the side of the server";
const SUITES: &str = "all cipher suites that are offered are safe";

impl Section for FrontendSettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::moved("tenant_query_timeout", "limits_config.query_timeout"),
        OldKey::moved("address", "frontend.instance_addr"),
        OldKey::meaningless("encoding", "pieces of queries are always encoded as protobuf"),
        OldKey::meaningless("scheduler_worker_concurrency", "one connection carries any number of pieces"),
        OldKey::meaningless("support_parquet_encoding", "answers are JSON or protobuf"),
        OldKey::meaningless("grpc_client_config.rate_limit", RATE),
        OldKey::meaningless("grpc_client_config.rate_limit_burst", RATE),
        OldKey::meaningless("grpc_client_config.backoff_on_ratelimits", RATE),
        OldKey::meaningless("grpc_client_config.tls_cipher_suites", SUITES),
        OldKey::meaningless("grpc_client_config.cluster_validation", CLUSTER),
        OldKey::meaningless("tail_tls_config.tls_cipher_suites", SUITES),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        ensure(self.max_body_size.as_u64() > 0, "max_body_size", "must be above 0")?;
        ensure(self.max_outstanding_per_tenant > 0, "max_outstanding_per_tenant", "must be above 0")?;
        for (key, span) in [
            ("querier_forget_delay", self.querier_forget_delay),
            ("graceful_shutdown_timeout", self.graceful_shutdown_timeout),
        ] {
            ensure(!span.is_negative(), key, "must not be negative")?;
        }
        ensure(
            self.scheduler_dns_lookup_period > Span::ZERO,
            "scheduler_dns_lookup_period",
            "must be above 0",
        )?;
        for (key, url) in [("downstream_url", &self.downstream_url), ("tail_proxy_url", &self.tail_proxy_url)]
        {
            let is_url = url.starts_with("http://") || url.starts_with("https://");
            ensure(url.is_empty() || is_url, key, "must be a URL such as http://querier:3100")?;
        }
        self.grpc_client_config.check_at("grpc_client_config.")?;
        self.tail_tls_config.check_at("tail_tls_config.")
    }

    fn files(&self) -> Vec<NamedFile> {
        let mut files = self.grpc_client_config.files_at("grpc_client_config.");
        files.extend(self.tail_tls_config.files_at("tail_tls_config."));
        files
    }
}
