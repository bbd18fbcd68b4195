//! The HTTP listener as clients see it, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::routing::{get, post};
use axum::{Extension, Router};
use http_body_util::BodyExt;
use larch_runtime::{
    AdminPages, Budgets, BuildFacts, ClientTls, Env, Module, Process, Routes, Server, ServerSettings,
    ServerTlsSettings, Stage, TlsVersion,
};
use larch_telemetry::Registry;
use larch_types::{RequestId, Secret, Span};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

const BUDGETS: Budgets = Budgets {
    refuse: Duration::from_secs(1),
    drain: Duration::from_secs(10),
    cut: Duration::from_secs(1),
    leave: Duration::from_secs(1),
    close: Duration::from_secs(10),
};

struct Started {
    process: Process,
    http: Arc<Server>,
    address: SocketAddr,
}

/// Some data routes: one that echoes, one that panics, one that waits to be released, one that names its
/// request.
fn data_routes(started: Arc<Notify>, release: Arc<Notify>) -> Router {
    let slow = move || {
        let (started, release) = (Arc::clone(&started), Arc::clone(&release));
        async move {
            started.notify_one();
            release.notified().await;
            "released"
        }
    };
    Router::new()
        .route("/echo/{name}/x", post(echo))
        .route("/deaf", post(async || "what?"))
        .route("/panic", get(lose_a_shoe))
        .route("/slow", get(slow))
        .route("/id", get(async |Extension(id): Extension<RequestId>| id.to_string()))
}

async fn lose_a_shoe() -> String {
    panic!("left {}", "shoe")
}

async fn echo(body: Body) -> String {
    match body.collect().await {
        Ok(bytes) => String::from_utf8_lossy(&bytes.to_bytes()).into_owned(),
        Err(error) => format!("failed: {error}"),
    }
}

async fn start(settings: ServerSettings, data: Router) -> Started {
    let env = Env::system();
    let metrics = Registry::default();
    let process = Process::new(env.clone());
    let build = BuildFacts {
        interface_version: "3.7.0",
        revision: "r",
        branch: "b",
        user: "u",
        date: "d",
        compiler: "rustc",
    };
    let pages = AdminPages {
        process: process.clone(),
        metrics: metrics.clone(),
        level: None,
        build,
        show_metrics: true,
    };
    let self_bounded = Router::new().route("/mine", post(async || "as large as I like"));
    let settings =
        ServerSettings { http_listen_address: "127.0.0.1".to_owned(), http_listen_port: 0, ..settings };
    let http =
        Arc::new(Server::http(settings, env, metrics, Routes { admin: pages.routes(), data, self_bounded }));
    process.add(Arc::clone(&http) as Arc<dyn Module>);
    process.start().await.unwrap();
    let address = http.address().unwrap();
    Started { process, http, address }
}

async fn plain_server() -> Started {
    start(ServerSettings::default(), data_routes(Arc::default(), Arc::default())).await
}

struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite, request: &str) -> Answer {
    let mut stream = std::pin::pin!(stream);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    Answer { head: head.to_owned(), body: body.to_owned() }
}

async fn send(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    talk(TcpStream::connect(address).await.unwrap(), &request).await
}

async fn fetch(address: SocketAddr, path: &str) -> Answer {
    send(address, "GET", path, "", "").await
}

#[tokio::test]
async fn operational_pages() {
    let server = plain_server().await;
    let ready = fetch(server.address, "/ready").await;
    assert_eq!((ready.status(), ready.body.as_str()), (200, "ready\n"));
    assert_eq!(ready.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(fetch(server.address, "/services").await.body, "server => Running\n");
    let build = fetch(server.address, "/loki/api/v1/status/buildinfo").await;
    assert_eq!(build.header("content-type"), Some("application/json"));
    assert_eq!(
        build.body,
        r#"{"version":"3.7.0","revision":"r","branch":"b","buildUser":"u","buildDate":"d","goVersion":"rustc"}"#
    );
    assert_eq!(fetch(server.address, "/log_level").await.body, r#"{"message":"Current log level is info"}"#);
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let set = send(server.address, "POST", "/log_level", form, "log_level=debug").await;
    assert_eq!(
        (set.status(), set.body.as_str()),
        (200, r#"{"status":"success","message":"Log level set to debug"}"#)
    );
    let set = send(server.address, "POST", "/log_level?log_level=warn", "", "").await;
    assert_eq!(set.body, r#"{"status":"success","message":"Log level set to warn"}"#);
    let refused = send(server.address, "POST", "/log_level", form, "log_level=x").await;
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.body, r#"{"status":"failed","message":"unrecognized log level \"x\""}"#);
}

#[tokio::test]
async fn routing_as_clients_of_loki_expect() {
    let server = plain_server().await;
    for (method, path, status, body) in [
        ("GET", "/nowhere", 404, "404 page not found\n"),
        ("GET", "/ready/", 404, "404 page not found\n"),
        ("POST", "/ready", 405, ""),
        ("HEAD", "/ready", 405, ""),
        ("GET", "/%72eady", 200, "ready\n"),
        ("POST", "/echo/a%2Fb/x", 200, "hello"),
    ] {
        let answer = send(server.address, method, path, "", "hello").await;
        assert_eq!((answer.status(), answer.body.as_str()), (status, body), "{method} {path}");
    }
    let moved = fetch(server.address, "//x/../ready?a=b").await;
    assert_eq!((moved.status(), moved.header("location")), (301, Some("/ready?a=b")));
    let prefix = ServerSettings { http_path_prefix: "/loki".to_owned(), ..ServerSettings::default() };
    let server = start(prefix, Router::new()).await;
    assert_eq!(fetch(server.address, "/loki/ready").await.body, "ready\n");
    assert_eq!(fetch(server.address, "/ready").await.status(), 404);
}

#[tokio::test]
async fn request_ids_are_taken_or_made_and_given_back() {
    let server = plain_server().await;
    let own = send(server.address, "GET", "/ready", "x-request-id: abc-7\r\n", "").await;
    assert_eq!(own.header("x-request-id"), Some("abc-7"));
    let made = fetch(server.address, "/nowhere").await;
    assert_eq!(made.header("x-request-id").map(str::len), Some(16));
    for headers in ["", "x-request-id: abc-7\r\n", "x-request-id: two words\r\n"] {
        let seen = send(server.address, "GET", "/id", headers, "").await;
        assert_eq!(seen.header("x-request-id"), Some(seen.body.as_str()), "handlers know it too: {headers}");
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_and_is_counted() {
    let server = plain_server().await;
    let answer = fetch(server.address, "/panic").await;
    assert_eq!(answer.status(), 500);
    assert_eq!(answer.body, "error while processing request: left shoe\n");
    send(server.address, "POST", "/echo/n/x", "", "12345").await;
    let metrics = fetch(server.address, "/metrics").await.body;
    for line in [
        "loki_panic_total 1",
        "loki_request_duration_seconds_count{method=\"GET\",route=\"panic\",status_code=\"500\",ws=\"false\"} 1",
        "loki_request_duration_seconds_count{method=\"POST\",route=\"echo_name_x\",status_code=\"200\",ws=\"false\"} 1",
        "loki_request_message_bytes_sum{method=\"POST\",route=\"echo_name_x\"} 5",
        "loki_response_message_bytes_sum{method=\"POST\",route=\"echo_name_x\"} 5",
        "loki_inflight_requests{method=\"GET\",route=\"metrics\"} 1",
        "loki_inflight_requests{method=\"GET\",route=\"panic\"} 0",
        "loki_tcp_connections_limit{protocol=\"http\"} 20000",
    ] {
        assert!(metrics.lines().any(|found| found.replace(".0", "") == line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn large_bodies_and_slow_clients_are_cut_off() {
    let settings =
        ServerSettings { http_server_read_timeout: Span::from_millis(50), ..ServerSettings::default() };
    let server = start(settings, data_routes(Arc::default(), Arc::default())).await;
    let head = "POST /echo/n/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let stream = TcpStream::connect(server.address).await.unwrap();
    let answer = talk(stream, &format!("{head}content-length: 104857601\r\n\r\n")).await;
    assert_eq!((answer.status(), answer.body.as_str()), (413, "http: request body too large\n"));
    let stream = TcpStream::connect(server.address).await.unwrap();
    let own = "POST /mine HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 104857601\r\n\r\n";
    assert_eq!(talk(stream, own).await.body, "as large as I like");
    let stream = TcpStream::connect(server.address).await.unwrap();
    let malformed = talk(stream, &format!("{head}transfer-encoding: chunked\r\n\r\nzz\r\n")).await;
    assert_eq!(malformed.body, "failed: the request's body is malformed");
    let stream = TcpStream::connect(server.address).await.unwrap();
    let late = talk(stream, &format!("{head}content-length: 10\r\n\r\nabc")).await;
    assert_eq!(late.body, "failed: the request's body did not arrive in time");
    let stream = TcpStream::connect(server.address).await.unwrap();
    let silent = talk(stream, "GET /ready HTTP/1.1\r\nhost").await;
    assert_eq!(silent.head, "", "a head that never ends is not answered");
    let long = format!("x-long: {}\r\n", "y".repeat(2 << 20));
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let request = format!("GET /ready HTTP/1.1\r\nhost: x\r\n{long}\r\n");
    let sending = async { drop(write.write_all(request.as_bytes()).await) };
    let mut answer = Vec::new();
    let reading = async { drop(read.read_to_end(&mut answer).await) };
    futures_util::future::join(sending, reading).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
}

/// What a handler does not read is read for it, so that the client can go on.
#[tokio::test]
async fn bodies_that_nobody_reads_do_not_cost_the_connection() {
    let server = plain_server().await;
    let next = "POST /echo/n/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 4\r\n\r\nnext";
    let (small, large) = (vec![b'x'; 200 << 10], vec![b'x'; 300 << 10]);
    for (target, headers, body, is_kept) in [
        ("/deaf", "", &small, true),
        ("/nowhere", "", &small, true),
        ("/slow", "", &small, true),
        ("/deaf", "", &large, false),
        ("/deaf", "expect: 100-continue\r\n", &small, false),
    ] {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        let length = body.len();
        let head = format!("POST {target} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n");
        // The server may be gone before all is sent.
        let sending = async {
            for part in [head.as_bytes(), body, next.as_bytes()] {
                if write.write_all(part).await.is_err() {
                    return;
                }
            }
        };
        let mut answers = Vec::new();
        let reading = async { drop(read.read_to_end(&mut answers).await) };
        futures_util::future::join(sending, reading).await;
        let answers = String::from_utf8(answers).unwrap();
        assert_eq!(answers.ends_with("next"), is_kept, "{target} {headers} {length}: {answers}");
        // What was sent in vain may reset the connection before the answer is through.
        assert!(is_kept || answers.is_empty() || answers.contains("connection: close"), "{answers}");
    }
}

#[tokio::test]
async fn stopping_refuses_drains_and_closes() {
    let (started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let server =
        start(ServerSettings::default(), data_routes(Arc::clone(&started), Arc::clone(&release))).await;
    let address = server.address;
    let stopping = async {
        started.notified().await;
        server.process.announce_stop();
        server.http.stop(Stage::Refuse).await;
        let refused = send(address, "POST", "/echo/n/x", "", "x").await;
        assert_eq!((refused.status(), refused.body.as_str()), (503, "Application is stopping\n"));
        assert_eq!(refused.header("retry-after"), Some("1"));
        let ready = fetch(address, "/ready").await;
        assert_eq!((ready.status(), ready.body.as_str()), (503, "Application is stopping\n"));
        release.notify_one();
        server.process.stop(&BUDGETS).await;
    };
    let (slow, ()) = futures_util::future::join(fetch(address, "/slow"), stopping).await;
    assert_eq!(slow.body, "released", "a request that was in is finished");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn tls_with_certificates_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let [own, other] = ["own", "other"].map(|name| {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["larch.test".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        let path = folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(&path, format!("{certificate}{}", key.serialize_pem())).unwrap();
        path
    });
    let tls = ServerTlsSettings {
        cert: std::fs::read_to_string(&own).unwrap(),
        key: Secret::new(std::fs::read_to_string(&own).unwrap()),
        client_ca_file: own.clone(),
        client_auth_type: larch_runtime::ClientAuthType::RequireAndVerifyClientCert,
        ..ServerTlsSettings::default()
    };
    let settings = ServerSettings { http_tls_config: tls, ..ServerSettings::default() };
    let server = start(settings, Router::new()).await;
    let request = "GET /ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let known = ClientTls { cert_path: &own, key_path: &own, ca_path: &own, ..ClientTls::default() };
    for (client, works) in [
        (known, true),
        (ClientTls { min_version: TlsVersion::VersionTLS13, ..known }, true),
        (ClientTls { ca_path: &other, ..known }, false),
        (ClientTls { ca_path: &other, insecure_skip_verify: true, ..known }, true),
        (ClientTls { cert_path: &other, key_path: &other, ..known }, false),
        (ClientTls { cert_path: "", key_path: "", ..known }, false),
    ] {
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client.config().unwrap()));
        let stream = TcpStream::connect(server.address).await.unwrap();
        let mut answer = Vec::new();
        if let Ok(mut stream) = connector.connect("larch.test".try_into().unwrap(), stream).await {
            // TLS 1.3 tells a client that its certificate is refused only when it reads.
            drop(stream.write_all(request.as_bytes()).await);
            drop(stream.read_to_end(&mut answer).await);
        }
        let text = String::from_utf8_lossy(&answer);
        assert!(
            if works { text.ends_with("\r\n\r\nready\n") } else { text.is_empty() },
            "{client:?}: {text}"
        );
    }
}
