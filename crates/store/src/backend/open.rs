//! What opening a remote store needs of the outside world, and what all of them have in common.

use std::sync::Arc;
use std::time::Duration;

use larch_runtime::ClientTls;
use larch_telemetry::{Registry, Spec};
use larch_types::Span;
use object_store::RetryConfig;

use super::OpenError;
use crate::http::{Connections, HttpOptions};

/// Looks up variables of the environment: stores of the clouds tell their machines' credentials there.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

pub(super) struct Outside<'a> {
    pub(super) variables: Variables<'a>,
    pub(super) registry: &'a Registry,
}

impl Outside<'_> {
    /// A variable that is set to something.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name).filter(|value| !value.is_empty())
    }
}

/// How a store is spoken to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct HttpPlace {
    /// The path of the keys below, with a dot at the end.
    pub(super) at: String,
    pub(super) cert_path: String,
    pub(super) key_path: String,
    pub(super) ca_path: String,
    pub(super) insecure_skip_verify: bool,
    pub(super) handshake_timeout: Duration,
    pub(super) head_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) max_idle_per_host: usize,
}

/// A server of the same region answers in milliseconds; beyond it something is wrong on the way.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);

const REQUESTS: Spec<2> = Spec {
    name: "loki_objstore_bucket_transport_requests_total",
    help: "HTTP requests to the object store and to whoever gives out credentials for it.",
    labels: ["status_code", "method"],
};

impl HttpPlace {
    pub(super) fn new(at: &str) -> Self {
        Self {
            at: at.to_owned(),
            cert_path: String::new(),
            key_path: String::new(),
            ca_path: String::new(),
            insecure_skip_verify: false,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            head_timeout: HEAD_TIMEOUT,
            idle_timeout: Duration::from_secs(90),
            max_idle_per_host: 100,
        }
    }

    /// Certificates are read only where something is asked for over TLS.
    pub(super) fn connections(
        &self,
        speaks_tls: bool,
        outside: &Outside<'_>,
    ) -> Result<Connections, OpenError> {
        let tls = ClientTls {
            cert_path: &self.cert_path,
            key_path: &self.key_path,
            ca_path: &self.ca_path,
            insecure_skip_verify: self.insecure_skip_verify,
            ..ClientTls::default()
        };
        let key = self.at.trim_end_matches('.').to_owned();
        let failed = |source| OpenError::Tls { key, source: Box::new(source) };
        let tls = if speaks_tls { Some(Arc::new(tls.config().map_err(failed)?)) } else { None };
        let options = HttpOptions {
            tls,
            connect_timeout: CONNECT_TIMEOUT,
            handshake_timeout: self.handshake_timeout,
            head_timeout: self.head_timeout,
            idle_timeout: self.idle_timeout,
            max_idle_per_host: self.max_idle_per_host,
        };
        Ok(Connections::new(&options, outside.registry.counter(REQUESTS)))
    }
}

/// Trying again is done above, with a clock and a budget of ours.
pub(super) fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

/// Settings in which 0 means none of their own.
pub(super) fn set(span: Span) -> Option<Duration> {
    u64::try_from(span.nanos()).ok().filter(|nanos| *nanos > 0).map(Duration::from_nanos)
}

/// The place of a client's settings in errors.
pub(super) fn client_error(at: &str) -> impl Fn(object_store::Error) -> OpenError {
    move |source| OpenError::Client { key: at.trim_end_matches('.').to_owned(), source }
}

/// A URL for an endpoint that may be a bare host.
pub(super) fn endpoint_url(key: &str, endpoint: &str, insecure: bool) -> Result<url::Url, OpenError> {
    let scheme = if insecure { "http" } else { "https" };
    let text = if endpoint.contains("://") { endpoint.to_owned() } else { format!("{scheme}://{endpoint}") };
    let invalid = || OpenError::setting(key, "must be a host, host:port, or an http or https URL");
    let url = url::Url::parse(&text).map_err(|_| invalid())?;
    let usable = matches!(url.scheme(), "http" | "https") && url.host().is_some() && url.query().is_none();
    if !url.username().is_empty() || url.password().is_some() || !usable {
        return Err(invalid());
    }
    Ok(url)
}
