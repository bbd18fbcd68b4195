//! Stores for tests, and a real S3 server in this process.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use larch_runtime::{Clock, Env, Random, Scope};
use larch_store::{Backend, Backing, OpenError, Patience, Store, StoreOptions};
use larch_telemetry::{Format, Registry};
use larch_types::{Monotonic, Timestamp};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

pub(crate) const BUCKET: &str = "logs";
pub(crate) const ACCESS_KEY: &str = "larch";
pub(crate) const SECRET_KEY: &str = "larch-secret";

pub(crate) fn env() -> Env {
    Env {
        clock: Arc::new(TimerClock(Instant::now())),
        random: Arc::new(Random::from_seed(1)),
        compute: larch_runtime::Compute::Threads,
    }
}

/// The clock of timers, which a test may pause.
#[derive(Debug)]
struct TimerClock(Instant);

impl Clock for TimerClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_767_225_600).plus(self.0.elapsed().into())
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic::from_start(self.0.elapsed())
    }
}

/// Fails fast, so that what is tested is that it fails.
pub(crate) fn impatient() -> Patience {
    let millis = std::time::Duration::from_millis;
    Patience { tries: 3, first_wait: millis(1), longest_wait: millis(2), ..Patience::default() }
}

pub(crate) fn store(backing: Backing, options: StoreOptions) -> Store {
    Store::new(backing, options, env(), &Registry::default())
}

pub(crate) fn backend(storage: &Value, kind: &str) -> Result<Backend, OpenError> {
    let schema = json!({"configs": [{"from": "2020-01-01", "object_store": kind}]});
    Backend::choose(
        &Default::default(),
        &serde_json::from_value(storage.clone()).unwrap(),
        &serde_json::from_value(schema).unwrap(),
    )
}

/// A store as the settings mean it.
pub(crate) fn open(storage: &Value, kind: &str) -> Store {
    let registry = Registry::default();
    let backend = backend(storage, kind).unwrap();
    let backing = backend.open(&|_| None, &registry).unwrap();
    let options = backend.options(&serde_json::from_value(storage.clone()).unwrap());
    Store::new(
        backing,
        StoreOptions { patience: Patience { tries: 8, ..impatient() }, ..options },
        env(),
        &registry,
    )
}

pub(crate) fn metrics(registry: &Registry) -> String {
    registry.encode(Format::Prometheus)
}

/// What a server does to requests on their way.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    /// Every so many requests one is refused with 503; 0 means none.
    pub(crate) refuse_every: u64,
    /// Every so many requests one is done, and the connection is closed in place of the answer.
    pub(crate) lose_every: u64,
    /// What is answered to everything: a status and a body.
    pub(crate) always: Option<(u16, &'static str)>,
    pub(crate) seen: AtomicU64,
}

/// One request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Listens on the loopback until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    scope: Scope,
    _files: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.scope.cancel();
    }
}

impl Server {
    pub(crate) async fn start(trouble: Trouble) -> Self {
        Self::start_with(trouble, None).await
    }

    pub(crate) async fn start_with(trouble: Trouble, tls: Option<Arc<ServerConfig>>) -> Self {
        let files = tempfile::tempdir().unwrap();
        std::fs::create_dir(files.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(files.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scope = Scope::default();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Shared { service, trouble: Arc::new(trouble), seen: Arc::clone(&seen) };
        let inner = scope.clone();
        scope.spawn("accept", async move {
            while let Some(Ok((stream, _))) = inner.until_cancelled(listener.accept()).await {
                let (connection, shared, tls) = (inner.child(), shared.clone(), tls.clone());
                inner.spawn("connection", async move {
                    connection.until_cancelled(shared.serve(stream, tls)).await;
                });
            }
        });
        Self { address, seen, scope, _files: files }
    }

    /// Settings of a store in this server.
    pub(crate) fn settings(&self) -> Value {
        json!({"object_store": {"s3": {
            "endpoint": self.address.to_string(),
            "insecure": true,
            "bucket_name": BUCKET,
            "access_key_id": ACCESS_KEY,
            "secret_access_key": SECRET_KEY,
        }}})
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

#[derive(Clone)]
struct Shared {
    service: S3Service,
    trouble: Arc<Trouble>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Shared {
    async fn serve(self, stream: TcpStream, tls: Option<Arc<ServerConfig>>) {
        let service = service_fn(move |request| {
            let shared = self.clone();
            async move { shared.answer(request).await }
        });
        let connection = auto::Builder::new(TokioExecutor::new());
        // Whatever ends a connection is the client's to tell.
        match tls {
            None => drop(connection.serve_connection(TokioIo::new(stream), service).await),
            Some(tls) => {
                if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                    drop(connection.serve_connection(TokioIo::new(stream), service).await);
                }
            }
        }
    }

    async fn answer(
        self,
        request: http::Request<Incoming>,
    ) -> Result<http::Response<s3s::Body>, std::io::Error> {
        let headers = request.headers().iter();
        self.seen.lock().unwrap().push(Seen {
            method: request.method().to_string(),
            uri: request.uri().to_string(),
            headers: headers
                .map(|(name, value)| {
                    (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                })
                .collect(),
        });
        let number = self.trouble.seen.fetch_add(1, Ordering::Relaxed) + 1;
        let due = |every: u64| every > 0 && number.is_multiple_of(every);
        if due(self.trouble.refuse_every) {
            let body = "<Error><Code>SlowDown</Code><Message>later</Message></Error>".to_owned();
            let response = http::Response::builder().status(503).body(s3s::Body::from(body));
            return Ok(response.unwrap());
        }
        if let Some((status, body)) = self.trouble.always {
            return Ok(http::Response::builder()
                .status(status)
                .body(s3s::Body::from(body.to_owned()))
                .unwrap());
        }
        // This server panics over the last bytes of an empty object; others answer so.
        let range = request.headers().get(http::header::RANGE).map(|range| range.as_bytes().to_vec());
        let of_end = range.is_some_and(|range| range.starts_with(b"bytes=-"));
        let answer = AssertUnwindSafe(Service::call(&self.service, request)).catch_unwind().await;
        let failed = !matches!(&answer, Ok(Ok(answer)) if answer.status() != 500);
        if of_end && failed {
            return Ok(http::Response::builder().status(416).body(s3s::Body::empty()).unwrap());
        }
        let answer = answer.map_err(|_| std::io::Error::other("panicked"))?.map_err(std::io::Error::other)?;
        if due(self.trouble.lose_every) {
            return Err(std::io::Error::other("lost"));
        }
        Ok(answer)
    }
}

/// A certificate for the loopback, in PEM, and a server that shows it.
pub(crate) fn certificate() -> (String, Arc<ServerConfig>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    (certificate.pem(), Arc::new(config))
}

/// Accepts connections and never says anything.
pub(crate) async fn silent_server() -> (SocketAddr, Scope) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let scope = Scope::default();
    let inner = scope.clone();
    scope.spawn("accept", async move {
        let mut held = Vec::new();
        while let Some(Ok((stream, _))) = inner.until_cancelled(listener.accept()).await {
            held.push(stream);
        }
    });
    (address, scope)
}
