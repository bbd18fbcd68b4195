//! A listening port as a module of the process.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use futures_util::future::BoxFuture;
use larch_telemetry::Registry;
use tokio::net::TcpListener;
use tracing::info;

use crate::server::gate::Gate;
use crate::server::listener::{Listener, declare};
use crate::server::observe::{Observer, Protocol};
use crate::server::{grpc, http};
use crate::settings::ServerSettings;
use crate::tls::server_config;
use crate::{Env, Module, Scope, Stage, StartError};

/// What is served.
#[derive(Default)]
pub struct Routes {
    /// Operational: answered as long as the process lives, also while it stops or is full.
    pub admin: Router,
    /// Everything else: refused while the process stops, bounded in number.
    pub data: Router,
    /// The same, but for bodies: each of these routes has a bound of its own, which may be larger than that
    /// of the port, and words of its own for what is beyond.
    pub self_bounded: Router,
}

/// The HTTP or the gRPC port.
pub struct Server {
    protocol: Protocol,
    settings: ServerSettings,
    metrics: Registry,
    gate: Gate,
    observer: Arc<Observer>,
    routes: Mutex<Option<Routes>>,
    address: Mutex<Option<SocketAddr>>,
}

/// Requests in flight beyond it would wait for memory and processors; endpoints have tighter bounds of
/// their own.
const MAX_IN_FLIGHT: usize = 4_096;

impl Server {
    pub fn http(settings: ServerSettings, env: Env, metrics: Registry, routes: Routes) -> Self {
        Self::new(Protocol::Http, settings, env, metrics, routes)
    }

    pub fn grpc(settings: ServerSettings, env: Env, metrics: Registry, routes: Routes) -> Self {
        Self::new(Protocol::Grpc, settings, env, metrics, routes)
    }

    fn new(
        protocol: Protocol,
        settings: ServerSettings,
        env: Env,
        metrics: Registry,
        routes: Routes,
    ) -> Self {
        declare(&metrics);
        let observer = Observer::new(env, protocol, &settings, &metrics);
        let (gate, routes) = (Gate::new(MAX_IN_FLIGHT), Mutex::new(Some(routes)));
        Self { protocol, settings, metrics, gate, observer, routes, address: Mutex::new(None) }
    }

    /// Where it listens, once it was started.
    pub fn address(&self) -> Option<SocketAddr> {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn listen(&self, scope: &Scope) -> Result<(), StartError> {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner).take();
        let routes = routes.ok_or_else(|| StartError::new("a server cannot be started twice"))?;
        let (settings, observer) = (&self.settings, Arc::clone(&self.observer));
        let (host, port, tls, alpn, bounds, router) = match self.protocol {
            Protocol::Http => (
                &settings.http_listen_address,
                settings.http_listen_port,
                &settings.http_tls_config,
                http::ALPN,
                http::bounds(settings),
                http::router(settings, routes, self.gate.clone(), observer),
            ),
            Protocol::Grpc => (
                &settings.grpc_listen_address,
                settings.grpc_listen_port,
                &settings.grpc_tls_config,
                grpc::ALPN,
                grpc::bounds(settings),
                grpc::router(routes, self.gate.clone(), observer),
            ),
        };
        let name = self.protocol.name();
        let tls = server_config(tls, settings.tls_min_version, alpn)
            .map_err(|error| StartError::caused_by(format!("set up TLS of the {name} port"), error))?;
        let socket = bind(host, port).await?;
        let address =
            socket.local_addr().map_err(|error| StartError::caused_by("read the address", error))?;
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
        info!(%address, tls = tls.is_some(), "serving {name}");
        let protocol = self.protocol.label();
        Listener { protocol, socket, tls, bounds, router, metrics: self.metrics.clone() }.spawn(scope);
        Ok(())
    }
}

/// The socket of an address as settings write it; empty means all.
async fn bind(address: &str, port: u16) -> Result<TcpListener, StartError> {
    let host = if address.is_empty() { "0.0.0.0" } else { address };
    TcpListener::bind((host, port))
        .await
        .map_err(|error| StartError::caused_by(format!("listen on {host}:{port}"), error))
}

impl Module for Server {
    fn name(&self) -> &'static str {
        match self.protocol {
            Protocol::Http => "server",
            Protocol::Grpc => "grpc-server",
        }
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
