//! The HTTP listener as a module of the process.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use futures_util::future::BoxFuture;
use http::StatusCode;
use larch_telemetry::Registry;
use tokio::net::TcpListener;
use tracing::info;

use crate::server::answers::{method_not_allowed, not_found, plain, turned_away};
use crate::server::body::{BoundedBody, KeepingBody};
use crate::server::gate::{Gate, Pass};
use crate::server::io::Silences;
use crate::server::listener::{Bounds, Listener, declare};
use crate::server::observe::{Observer, Protocol, observe};
use crate::settings::ServerSettings;
use crate::tls::server_config;
use crate::{Env, Module, Scope, Stage, StartError};

/// What is served, in two halves.
pub struct Routes {
    /// Operational pages: answered as long as the process lives, also while it stops or is full.
    pub admin: Router,
    /// Everything else: refused while the process stops, bounded in number.
    pub data: Router,
}

/// The HTTP port.
pub struct HttpServer {
    settings: ServerSettings,
    metrics: Registry,
    gate: Gate,
    observer: Arc<Observer>,
    routes: Mutex<Option<Routes>>,
    address: Mutex<Option<SocketAddr>>,
}

/// Go's servers take so much by default; clients with large cookies and long queries fit.
pub(crate) const MAX_HEAD_BYTES: usize = 1 << 20;
/// No endpoint takes more, whatever its own bound is: the default bound of a push.
const MAX_BODY_BYTES: u64 = 100 << 20;
/// If no bound is set. Each idle connection costs some kilobytes.
const DEFAULT_CONNECTIONS: usize = 20_000;
/// Requests beyond it would wait for memory and processors; endpoints have tighter bounds of their own.
const MAX_REQUESTS_IN_FLIGHT: usize = 4_096;
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Go's default, which proxies expect.
const HTTP2_STREAMS: u32 = 250;

impl HttpServer {
    pub fn new(settings: ServerSettings, env: Env, metrics: Registry, routes: Routes) -> Self {
        let gate = Gate::new(MAX_REQUESTS_IN_FLIGHT);
        declare(&metrics);
        let observer = Observer::new(env, Protocol::Http, &settings, &metrics);
        let routes = Mutex::new(Some(routes));
        Self { settings, metrics, gate, observer, routes, address: Mutex::new(None) }
    }

    /// Where it listens, once it was started.
    pub fn address(&self) -> Option<SocketAddr> {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn listen(&self, scope: &Scope) -> Result<(), StartError> {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner).take();
        let routes = routes.ok_or_else(|| StartError::new("the HTTP server was started before"))?;
        let tls = server_config(
            &self.settings.http_tls_config,
            self.settings.tls_min_version,
            &[b"h2", b"http/1.1"],
        )
        .map_err(|error| StartError::caused_by("set up TLS of the HTTP port", error))?;
        let is_tls = tls.is_some();
        let socket = bind(&self.settings.http_listen_address, self.settings.http_listen_port).await?;
        let address =
            socket.local_addr().map_err(|error| StartError::caused_by("read the address", error))?;
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
        let listener = Listener {
            protocol: "http",
            socket,
            tls,
            bounds: self.bounds(),
            router: self.router(routes),
            metrics: self.metrics.clone(),
        };
        listener.spawn(scope);
        info!(%address, tls = is_tls, "serving HTTP");
        Ok(())
    }

    fn bounds(&self) -> Bounds {
        let settings = &self.settings;
        let head = if settings.http_server_read_header_timeout.is_zero() {
            settings.http_server_read_timeout
        } else {
            settings.http_server_read_header_timeout
        };
        Bounds {
            connections: bound_or(settings.http_listen_conn_limit, DEFAULT_CONNECTIONS),
            silences: Silences {
                idle: time_or_unbounded(settings.http_server_idle_timeout),
                head: time_or_unbounded(head),
                write: time_or_unbounded(settings.http_server_write_timeout),
            },
            handshake: HANDSHAKE_TIMEOUT,
            head_bytes: MAX_HEAD_BYTES,
            http2_only: false,
            http2_streams: Some(HTTP2_STREAMS),
            http2_keepalive: None,
            age: None,
        }
    }

    fn router(&self, routes: Routes) -> Router {
        let gated = routes.data.layer(from_fn_with_state(self.gate.clone(), pass_gate));
        let mut router = routes.admin.merge(gated);
        router =
            router.fallback(async || not_found()).method_not_allowed_fallback(async || method_not_allowed());
        let prefix = self.settings.http_path_prefix.trim_end_matches('/');
        if !prefix.is_empty() {
            router = Router::new().nest(prefix, router).fallback(async || not_found());
        }
        let read_timeout = self.settings.http_server_read_timeout.to_std();
        router
            .layer(from_fn(move |request: Request, next: Next| bound_body(request, next, read_timeout)))
            .layer(from_fn_with_state(Arc::clone(&self.observer), observe))
    }
}

/// The socket of an address as settings write it; empty means all.
pub(crate) async fn bind(address: &str, port: u16) -> Result<TcpListener, StartError> {
    let host = if address.is_empty() { "0.0.0.0" } else { address };
    TcpListener::bind((host, port))
        .await
        .map_err(|error| StartError::caused_by(format!("listen on {host}:{port}"), error))
}

pub(crate) fn bound_or(bound: u32, unset: usize) -> usize {
    if bound == 0 { unset } else { usize::try_from(bound).unwrap_or(unset) }
}

/// Zero means no bound in the settings.
fn time_or_unbounded(span: larch_types::Span) -> Duration {
    if span.is_zero() { Duration::MAX } else { span.to_std() }
}

async fn bound_body(request: Request, next: Next, read_timeout: Duration) -> Response {
    let announced = request.headers().get(http::header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES) {
        let text = "http: request body too large\n";
        return plain(StatusCode::PAYLOAD_TOO_LARGE, text);
    }
    let bounded = |body| Body::new(BoundedBody::new(body, MAX_BODY_BYTES, read_timeout));
    next.run(request.map(bounded)).await
}

async fn pass_gate(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    match gate.enter() {
        Ok(pass) => hold_with_body(next.run(request).await, pass),
        Err(refused) => turned_away(&refused.to_string()),
    }
}

/// The pass goes with the body, which may be written long after the handler is done.
pub(crate) fn hold_with_body(response: Response, pass: Pass) -> Response {
    response.map(|body| Body::new(KeepingBody::new(body, pass)))
}

impl Module for HttpServer {
    fn name(&self) -> &'static str {
        "server"
    }

    fn start<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(), StartError>> {
        Box::pin(self.listen(scope))
    }

    fn stop(&self, stage: Stage) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match stage {
                Stage::Refuse => self.gate.close(),
                Stage::Drain => self.gate.empty().await,
                Stage::Cut | Stage::Leave | Stage::Close => {}
            }
        })
    }
}
