//! Accepts connections and serves them until the scope stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use futures_util::future::{Either, select};
use http::header::{ALLOW, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use larch_telemetry::{Gauge, Registry, Spec};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use tracing::{debug, warn};

use crate::Scope;
use crate::server::body::KeepingBody;
use crate::server::io::{Active, GuardedIo, Silences};
use crate::server::path::{Cleaned, clean};

/// What one listener allows.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pub(crate) connections: usize,
    pub(crate) silences: Silences,
    pub(crate) head_bytes: usize,
    pub(crate) http2_only: bool,
    pub(crate) http2_streams: Option<u32>,
    /// Silence after which the other side is probed, and how long its answer may take.
    pub(crate) http2_keepalive: Option<(Duration, Duration)>,
    /// Age at which a connection is asked to end, and how long it may take then.
    pub(crate) age: Option<(Duration, Duration)>,
}

/// A bound socket and how to serve it. `protocol` names it in metrics and logs.
pub(crate) struct Listener {
    pub(crate) protocol: &'static str,
    pub(crate) socket: TcpListener,
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    pub(crate) bounds: Bounds,
    pub(crate) router: axum::Router,
    pub(crate) metrics: Registry,
}

/// Longer than a TLS handshake takes over a bad network.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What may be under way to a stream and to a connection. The default of 64 KiB would let a push wait for
/// the network after every piece; a connection holds several whole streams, so that one that is not read
/// does not stop the others.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// After a failed accept, mostly for want of file descriptors: long enough not to spin, short enough
/// not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Listener {
    /// Starts accepting. Connections are tasks of the same scope and end with it.
    pub(crate) fn spawn(self, scope: &Scope) {
        let connections = self.metrics.gauge(CONNECTIONS).with([self.protocol]);
        self.metrics
            .gauge(CONNECTIONS_LIMIT)
            .with([self.protocol])
            .set(i64::try_from(self.bounds.connections).unwrap_or(i64::MAX));
        let inner = scope.clone();
        scope.spawn("accept", async move { self.accept(inner, connections).await });
    }

    async fn accept(self, scope: Scope, connections: Gauge) {
        let room = Arc::new(Semaphore::new(self.bounds.connections.min(Semaphore::MAX_PERMITS)));
        let shared = Arc::new(Shared {
            tls: self.tls.map(TlsAcceptor::from),
            builder: builder(&self.bounds),
            bounds: self.bounds,
            router: self.router,
        });
        loop {
            // Full means that new clients wait in the kernel's queue, whose length is bounded.
            let Some(Ok(permit)) = scope.until_cancelled(Arc::clone(&room).acquire_owned()).await else {
                return;
            };
            let Some(accepted) = scope.until_cancelled(self.socket.accept()).await else { return };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(protocol = self.protocol, %error, "accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let (shared, inner, held) = (Arc::clone(&shared), scope.clone(), connections.hold(1));
            scope.spawn("connection", async move {
                if let Err(error) = shared.serve(stream, peer, &inner).await {
                    debug!(%peer, %error, "connection ended early");
                }
                drop((held, permit));
            });
        }
    }
}

/// Declares the metrics of listeners, so that they are known before one listens.
pub(crate) fn declare(metrics: &Registry) {
    metrics.gauge(CONNECTIONS);
    metrics.gauge(CONNECTIONS_LIMIT);
}

const CONNECTIONS: Spec<1> =
    Spec { name: "loki_tcp_connections", help: "Connections now open.", labels: ["protocol"] };
const CONNECTIONS_LIMIT: Spec<1> = Spec {
    name: "loki_tcp_connections_limit",
    help: "The most connections that may be open at a time.",
    labels: ["protocol"],
};

/// What all connections of a listener have in common.
struct Shared {
    tls: Option<TlsAcceptor>,
    builder: auto::Builder<TokioExecutor>,
    bounds: Bounds,
    router: axum::Router,
}

type ConnectionError = Box<dyn std::error::Error + Send + Sync>;

impl Shared {
    async fn serve(&self, stream: TcpStream, peer: SocketAddr, scope: &Scope) -> Result<(), ConnectionError> {
        // Answers are written whole; waiting for more to send only delays them.
        stream.set_nodelay(true)?;
        match &self.tls {
            None => self.serve_on(stream, peer, scope).await,
            Some(acceptor) => {
                let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
                match scope.until_cancelled(handshake).await {
                    Some(Ok(Ok(stream))) => self.serve_on(stream, peer, scope).await,
                    Some(Ok(Err(error))) => Err(error.into()),
                    Some(Err(_)) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
                    None => Ok(()),
                }
            }
        }
    }

    async fn serve_on<S>(&self, stream: S, peer: SocketAddr, scope: &Scope) -> Result<(), ConnectionError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let active = Active::default();
        let io = TokioIo::new(GuardedIo::new(stream, self.bounds.silences, active.clone()));
        let service = service_fn(|request: Request<Incoming>| {
            let (router, request_active) = (self.router.clone(), active.enter());
            async move {
                let response = answer(router, request.map(Body::new), peer).await;
                let busy = |body| KeepingBody::new(body, request_active);
                Ok::<_, std::convert::Infallible>(response.map(busy))
            }
        });
        let connection = std::pin::pin!(self.builder.serve_connection_with_upgrades(io, service));
        let stop = std::pin::pin!(self.asked_to_end(scope));
        match select(connection, stop).await {
            Either::Left((done, _)) => done,
            Either::Right((grace, mut connection)) => {
                connection.as_mut().graceful_shutdown();
                // A connection that is late is dropped; at the end of the process its scope does that.
                tokio::time::timeout(grace, connection).await.unwrap_or(Ok(()))
            }
        }
    }

    /// Resolves when the connection is to end, with the time that it may take.
    async fn asked_to_end(&self, scope: &Scope) -> Duration {
        let Some((age, grace)) = self.bounds.age else {
            scope.cancelled().await;
            return Duration::MAX;
        };
        match scope.until_cancelled(tokio::time::sleep(age)).await {
            Some(()) => grace,
            None => Duration::MAX,
        }
    }
}

fn builder(bounds: &Bounds) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    if bounds.http2_only {
        builder = builder.http2_only();
    }
    // Heads are timed by `GuardedIo`, which can tell an idle connection from a slow head.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(bounds.head_bytes.max(8192));
    let head_list = u32::try_from(bounds.head_bytes).unwrap_or(u32::MAX);
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new()).max_header_list_size(head_list);
    http2.max_concurrent_streams(bounds.http2_streams);
    http2.initial_stream_window_size(STREAM_WINDOW).initial_connection_window_size(CONNECTION_WINDOW);
    if let Some((after, within)) = bounds.http2_keepalive {
        http2.keep_alive_interval(after).keep_alive_timeout(within);
    }
    builder
}

async fn answer(router: axum::Router, mut request: Request<Body>, peer: SocketAddr) -> Response<Body> {
    match clean(request.uri()) {
        Cleaned::AsIs => {}
        Cleaned::Rewritten(uri) => *request.uri_mut() = uri,
        Cleaned::Redirect(location) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = http::StatusCode::MOVED_PERMANENTLY;
            // A cleaned path consists of characters that the request's path had.
            if let Ok(location) = location.try_into() {
                response.headers_mut().insert(http::header::LOCATION, location);
            }
            return response;
        }
    }
    request.extensions_mut().insert(ConnectInfo(peer));
    let mut response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    only_what_is_served(&mut response);
    response
}

/// The router counts HEAD among the methods of whatever has GET; it is refused where others look after it.
fn only_what_is_served(response: &mut Response<Body>) {
    let Some(allowed) = response.headers().get(ALLOW).and_then(|value| value.to_str().ok()) else { return };
    let served: Vec<&str> = allowed.split(',').map(str::trim).filter(|method| *method != "HEAD").collect();
    if let Ok(served) = HeaderValue::try_from(served.join(", ")) {
        response.headers_mut().insert(ALLOW, served);
    }
}

/// A bound of the settings, where 0 means that none is set.
pub(crate) fn bound_or(bound: u32, unset: usize) -> usize {
    if bound == 0 { unset } else { usize::try_from(bound).unwrap_or(unset) }
}
