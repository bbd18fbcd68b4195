//! The services in this process, and the two ways to them.

use std::future::Future;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use larch_rpc::{GrpcServices, GrpcSettings, GrpcTransport, LocalTransport, MessageLimits, Transport};
use larch_types::Address;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tonic::service::Routes;

use crate::echo::Echo;
use crate::requests::PATIENCE;

pub(crate) const LIMITS: MessageLimits =
    MessageLimits { max_send_bytes: 4 << 20, max_receive_bytes: 4 << 20 };

#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    Local,
    Grpc,
}

pub(crate) const WAYS: [Way; 2] = [Way::Local, Way::Grpc];

/// The services of one echo with a way to them. Whatever runs for it ends with it.
pub(crate) struct Harness {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) address: Address,
    _server: Option<Server>,
}

impl Harness {
    pub(crate) async fn start(way: Way, echo: &Echo) -> Self {
        match way {
            Way::Local => {
                let address: Address = "in.process:1".parse().unwrap();
                let transport = LocalTransport::new();
                let echo = Arc::new(echo.clone());
                transport.add_ingester(address.clone(), echo.clone());
                transport.add_planner(address.clone(), echo.clone());
                transport.add_work_queue(address.clone(), echo.clone());
                transport.add_tail(address.clone(), echo);
                Self { transport: Arc::new(transport), address, _server: None }
            }
            Way::Grpc => {
                let server = Server::start(&Port::reserve(), routes(echo, LIMITS), None);
                let transport = Arc::new(GrpcTransport::new(settings(LIMITS)));
                Self { transport, address: server.address.clone(), _server: Some(server) }
            }
        }
    }
}

pub(crate) fn routes(echo: &Echo, limits: MessageLimits) -> Routes {
    let echo = Arc::new(echo.clone());
    GrpcServices::new(limits)
        .ingester(echo.clone())
        .planner(echo.clone())
        .work_queue(echo.clone())
        .tail(echo)
        .into_routes()
}

pub(crate) fn settings(limits: MessageLimits) -> GrpcSettings {
    GrpcSettings {
        limits,
        connect_timeout: PATIENCE,
        keepalive_time: PATIENCE,
        keepalive_timeout: PATIENCE,
        connections_per_service: NonZeroUsize::MIN,
        max_services: NonZeroUsize::new(16).unwrap(),
        tls: None,
    }
}

/// A port that nobody else gets while this is kept, whether a server listens on it or not.
pub(crate) struct Port {
    pub(crate) address: Address,
    _reserved: TcpSocket,
}

impl Port {
    pub(crate) fn reserve() -> Self {
        let socket = socket("127.0.0.1:0".parse().unwrap());
        let address = socket.local_addr().unwrap().to_string().parse().unwrap();
        Self { address, _reserved: socket }
    }
}

fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

/// A listener with its connections, which all end when it is dropped.
pub(crate) struct Server {
    pub(crate) address: Address,
    accepting: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    pub(crate) fn start(port: &Port, routes: Routes, tls: Option<TlsAcceptor>) -> Self {
        let address = port.address.clone();
        let listener = socket(address.as_str().parse().unwrap()).listen(64).unwrap();
        #[expect(
            clippy::disallowed_methods,
            reason = "a test is its own scope: the handle is aborted on drop"
        )]
        let accepting = tokio::spawn(accept(listener, routes, tls));
        Self { address, accepting }
    }

    /// Ends it and waits until its sockets are closed.
    pub(crate) async fn stop(mut self) {
        self.accepting.abort();
        let ended = (&mut self.accepting).await;
        assert!(ended.is_err_and(|error| error.is_cancelled()));
    }
}

async fn accept(listener: TcpListener, routes: Routes, tls: Option<TlsAcceptor>) {
    // Connections end with this task, because the set is dropped with it.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let service = TowerToHyperService::new(routes.clone());
        let tls = tls.clone();
        connections.spawn(async move {
            let server = Builder::new(TokioExecutor::new());
            // How a connection ends is the client's to see.
            let _ended = match tls {
                None => server.serve_connection(TokioIo::new(stream), service).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => server.serve_connection(TokioIo::new(stream), service).await,
                    Err(_) => return,
                },
            };
        });
    }
}

/// Waits for what must come. The bound only turns a hang into a failure.
pub(crate) async fn eventually<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it never came")
}

/// For calls to what hangs for ever: how short it is decides how long a test takes, and nothing else.
pub(crate) const SHORT: Duration = Duration::from_millis(30);
