//! HTTP to object stores, under the clients of `object_store`.
//!
//! It is here, not in that crate, so that the process has one way to speak TLS, so that every setting of
//! the clients' blocks means something, and so that an answer that is no success arrives as a typed error
//! with what the store says of it. Nothing is tried again here.

mod answer;
mod connect;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::USER_AGENT;
use http::uri::Scheme;
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Body;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use larch_telemetry::{Counter, Family};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};
use rustls::ClientConfig;

pub(crate) use answer::Answer;
pub use answer::fuzz_answer;
use connect::Connect;

/// The slowest transfer that is waited for: a fifth of what stores give a single connection.
pub(crate) const SLOWEST_BYTES_PER_SECOND: u64 = 1 << 20;

/// How connections are made and kept.
#[derive(Debug, Clone)]
pub(crate) struct HttpOptions {
    /// `None` where nothing is asked for over TLS.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) connect_timeout: Duration,
    pub(crate) handshake_timeout: Duration,
    /// For the head of an answer, once the request is sent.
    pub(crate) head_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_idle_per_host: usize,
}

/// A pool of connections, for a store and for whoever gives out credentials to it.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    client: Client<Connect, HttpRequestBody>,
    head_timeout: Duration,
    requests: Family<Counter, 2>,
}

impl Connections {
    /// `requests` counts by status and method.
    pub(crate) fn new(options: &HttpOptions, requests: Family<Counter, 2>) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(options.idle_timeout)
            .pool_max_idle_per_host(options.max_idle_per_host)
            .build(Connect::new(options));
        Self { client, head_timeout: options.head_timeout, requests }
    }
}

impl HttpConnector for Connections {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let allowed = options.get_config_value(&ClientConfigKey::AllowHttp);
        let allows_plain = allowed.is_some_and(|value| value == "true");
        Ok(HttpClient::new(Requests { connections: self.clone(), allows_plain }))
    }
}

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestFailure {
    #[error("credentials are not sent without TLS")]
    Plain,
    #[error("no answer within {0:?}")]
    Late(Duration),
}

#[derive(Debug)]
struct Requests {
    connections: Connections,
    allows_plain: bool,
}

#[async_trait]
impl HttpService for Requests {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if !self.allows_plain && request.uri().scheme() == Some(&Scheme::HTTP) {
            return Err(HttpError::new(HttpErrorKind::Unknown, RequestFailure::Plain));
        }
        let name = concat!("larch/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(name));
        let method = request.method().as_str().to_owned();
        let answered = self.exchange(request).await;
        let status = answered.as_ref().map_or("error", |response| status_name(response.status()));
        self.connections.requests.with([status, &method]).inc();
        let (head, body) = answered?.into_parts();
        if Answer::is_handled_above(head.status) {
            let body = body.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error));
            return Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body)));
        }
        let (answer, body) = Answer::read(head.status, body).await;
        if answer.is_missing_object() {
            return Ok(HttpResponse::from_parts(head, body.into()));
        }
        Err(HttpError::new(HttpErrorKind::Unknown, answer))
    }
}

impl Requests {
    async fn exchange(
        &self,
        request: HttpRequest,
    ) -> Result<http::Response<hyper::body::Incoming>, HttpError> {
        let to_send = request.body().size_hint().exact().unwrap_or(0);
        let sending = Duration::from_secs(to_send / SLOWEST_BYTES_PER_SECOND);
        let limit = self.connections.head_timeout + sending;
        match tokio::time::timeout(limit, self.connections.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() => Err(HttpError::new(HttpErrorKind::Connect, error)),
            Ok(Err(error)) => Err(HttpError::new(HttpErrorKind::Request, error)),
            Err(_) => Err(HttpError::new(HttpErrorKind::Timeout, RequestFailure::Late(limit))),
        }
    }
}

/// A store can answer anything; what is no status that servers use is counted as one.
fn status_name(status: StatusCode) -> &'static str {
    const KNOWN: [(u16, &str); 16] = [
        (200, "200"),
        (201, "201"),
        (202, "202"),
        (204, "204"),
        (206, "206"),
        (304, "304"),
        (400, "400"),
        (401, "401"),
        (403, "403"),
        (404, "404"),
        (409, "409"),
        (412, "412"),
        (416, "416"),
        (429, "429"),
        (500, "500"),
        (503, "503"),
    ];
    let known = KNOWN.iter().find(|(code, _)| *code == status.as_u16());
    known.map_or("other", |(_, name)| name)
}
