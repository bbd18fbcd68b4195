//! The gRPC listener as a module of the process. It serves what the roles bring as routes; messages are
//! none of its business.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use futures_util::future::BoxFuture;
use http::HeaderValue;
use larch_telemetry::Registry;
use larch_types::ErrorKind;
use tracing::info;

use crate::server::gate::Gate;
use crate::server::http::{HANDSHAKE_TIMEOUT, MAX_HEAD_BYTES, Routes, bind, bound_or, hold_with_body};
use crate::server::io::Silences;
use crate::server::listener::{Bounds, Listener, declare};
use crate::server::observe::{Observer, Protocol, observe};
use crate::settings::ServerSettings;
use crate::tls::server_config;
use crate::{Env, Module, Scope, Stage, StartError};

/// The gRPC port.
pub struct GrpcServer {
    settings: ServerSettings,
    metrics: Registry,
    gate: Gate,
    observer: Arc<Observer>,
    routes: Mutex<Option<Routes>>,
    address: Mutex<Option<SocketAddr>>,
}

/// If no bound is set. Only Larch's own processes connect, a few times each.
const DEFAULT_CONNECTIONS: usize = 4_096;
/// All connections together; calls beyond it would wait for memory and processors.
const MAX_CALLS_IN_FLIGHT: usize = 4_096;

impl GrpcServer {
    pub fn new(settings: ServerSettings, env: Env, metrics: Registry, routes: Routes) -> Self {
        let gate = Gate::new(MAX_CALLS_IN_FLIGHT);
        declare(&metrics);
        let observer = Observer::new(env, Protocol::Grpc, &settings, &metrics);
        let routes = Mutex::new(Some(routes));
        Self { settings, metrics, gate, observer, routes, address: Mutex::new(None) }
    }

    /// Where it listens, once it was started.
    pub fn address(&self) -> Option<SocketAddr> {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn listen(&self, scope: &Scope) -> Result<(), StartError> {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner).take();
        let routes = routes.ok_or_else(|| StartError::new("the gRPC server was started before"))?;
        let settings = &self.settings;
        let tls = server_config(&settings.grpc_tls_config, settings.tls_min_version, &[b"h2"])
            .map_err(|error| StartError::caused_by("set up TLS of the gRPC port", error))?;
        let is_tls = tls.is_some();
        let socket = bind(&settings.grpc_listen_address, settings.grpc_listen_port).await?;
        let address =
            socket.local_addr().map_err(|error| StartError::caused_by("read the address", error))?;
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
        let gated = routes.data.layer(from_fn_with_state(self.gate.clone(), pass_gate));
        let router = routes
            .admin
            .merge(gated)
            .fallback(async || status(ErrorKind::NotFound, "no such service"))
            .layer(from_fn_with_state(Arc::clone(&self.observer), observe));
        let listener = Listener {
            protocol: "grpc",
            socket,
            tls,
            bounds: self.bounds(),
            router,
            metrics: self.metrics.clone(),
        };
        listener.spawn(scope);
        info!(%address, tls = is_tls, "serving gRPC");
        Ok(())
    }

    fn bounds(&self) -> Bounds {
        let settings = &self.settings;
        Bounds {
            connections: bound_or(settings.grpc_listen_conn_limit, DEFAULT_CONNECTIONS),
            silences: Silences {
                idle: settings.grpc_server_max_connection_idle.to_std(),
                head: settings.grpc_server_max_connection_idle.to_std(),
                write: settings.grpc_server_keepalive_timeout.to_std(),
            },
            handshake: HANDSHAKE_TIMEOUT,
            head_bytes: MAX_HEAD_BYTES,
            http2_only: true,
            http2_streams: Some(settings.grpc_server_max_concurrent_streams).filter(|streams| *streams > 0),
            http2_keepalive: Some((
                settings.grpc_server_keepalive_time.to_std(),
                settings.grpc_server_keepalive_timeout.to_std(),
            )),
            age: Some((
                settings.grpc_server_max_connection_age.to_std(),
                settings.grpc_server_max_connection_age_grace.to_std(),
            )),
        }
    }
}

/// An answer without a message.
fn status(kind: ErrorKind, text: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(kind.grpc()));
    headers.insert("grpc-message", HeaderValue::from_static(text));
    response
}

async fn pass_gate(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    match gate.enter() {
        Ok(pass) => hold_with_body(next.run(request).await, pass),
        Err(_) => status(ErrorKind::Unavailable, "stopping or too many calls in flight"),
    }
}

impl Module for GrpcServer {
    fn name(&self) -> &'static str {
        "grpc-server"
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
