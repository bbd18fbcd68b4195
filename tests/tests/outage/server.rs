//! A real S3 server in this process, behind something that takes it away.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const BUCKET: &str = "logs";
const ACCESS_KEY: &str = "larch";
const SECRET_KEY: &str = "larch-secret";

/// What the server does with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mode {
    Answers,
    /// 503 to everything.
    Refuses,
    /// Connections are closed as soon as they are there.
    Closes,
}

/// Listens on the loopback until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    switch: Switch,
    /// What runs in it ends with it.
    _runtime: Runtime,
    _files: tempfile::TempDir,
}

#[derive(Clone)]
struct Switch(Arc<AtomicU8>);

impl Switch {
    fn mode(&self) -> Mode {
        match self.0.load(Ordering::Relaxed) {
            0 => Mode::Answers,
            1 => Mode::Refuses,
            _ => Mode::Closes,
        }
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        let files = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(files.path().join(BUCKET)).expect("a bucket");
        let mut builder =
            S3ServiceBuilder::new(s3s_fs::FileSystem::new(files.path()).expect("a store of files"));
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let (service, switch) = (builder.build(), Switch(Arc::default()));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        runtime.spawn(accept(listener, service, switch.clone()));
        Self { address, switch, _runtime: runtime, _files: files }
    }

    pub(crate) fn become_one_that(&self, mode: Mode) {
        self.switch.0.store(mode as u8, Ordering::Relaxed);
    }

    /// The block `common.storage` of a process that keeps its objects here.
    pub(crate) fn settings(&self) -> String {
        format!(
            "{{s3: {{endpoint: '{}', insecure: true, bucketnames: {BUCKET}, access_key_id: {ACCESS_KEY}, \
             secret_access_key: {SECRET_KEY}, s3forcepathstyle: true, \
             backoff_config: {{min_period: 20ms, max_period: 50ms, max_retries: 2}}}}}}",
            self.address
        )
    }
}

async fn accept(listener: TcpListener, service: S3Service, switch: Switch) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        if switch.mode() != Mode::Closes {
            connections.spawn(serve(stream, service.clone(), switch.clone()));
        }
    }
}

async fn serve(stream: TcpStream, service: S3Service, switch: Switch) {
    let service = service_fn(move |request| answer(service.clone(), switch.mode(), request));
    // Whatever ends a connection is the client's to tell.
    drop(auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await);
}

async fn answer(
    service: S3Service,
    mode: Mode,
    request: http::Request<Incoming>,
) -> Result<http::Response<s3s::Body>, std::io::Error> {
    match mode {
        Mode::Answers => Service::call(&service, request).await.map_err(std::io::Error::other),
        Mode::Refuses => {
            let body = "<Error><Code>ServiceUnavailable</Code><Message>away</Message></Error>".to_owned();
            let answer = http::Response::builder().status(503).body(s3s::Body::from(body));
            Ok(answer.expect("an answer"))
        }
        Mode::Closes => Err(std::io::Error::other("away")),
    }
}
