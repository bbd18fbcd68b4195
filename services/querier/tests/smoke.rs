//! The built binary starts on a shared configuration, is ready, and stops.

use std::net::TcpStream;
use std::process::Command;

use larch_testkit::process::{Running, configured};
use tokio_tungstenite::tungstenite::{Message, client};

#[test]
fn starts_and_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let binary = Command::new(env!("CARGO_BIN_EXE_larch-querier"));
    // A file for all roles names blocks of others, and may name another target.
    let shared = "target: all\ncommon: {path_prefix: ./data}\ningester: {}\nruler: {}\nfrontend: {}\n";
    let mut command = configured(binary, folder.path(), shared);
    command.arg("-target=querier");
    let larch = Running::start(command);
    let ready = larch.get_until("/ready", |answer| answer.status == 200);
    assert_eq!(ready.body, "ready\n");
    let services = larch.get("/services").body;
    assert!(services.lines().any(|line| line == "querier => Running"), "{services}");
    let (status, log) = larch.stop();
    assert!(status.success(), "{log:#?}");
}

/// The server lets go of a connection that becomes a websocket, and the tail says why it ends.
#[test]
fn tails_are_websockets() {
    let folder = tempfile::tempdir().expect("a folder");
    let binary = Command::new(env!("CARGO_BIN_EXE_larch-querier"));
    let command = configured(binary, folder.path(), "auth_enabled: false\ncommon: {path_prefix: ./data}\n");
    let larch = Running::start(command);
    larch.get_until("/ready", |answer| answer.status == 200);
    let url = format!("ws://{}/loki/api/v1/tail?query=%7Bapp%3D%22a%22%7D", larch.address());
    let stream = TcpStream::connect(larch.address()).expect("a connection");
    let (mut socket, _) = client(url, stream).expect("a websocket");
    let reason = loop {
        match socket.read().expect("a message") {
            Message::Close(Some(frame)) => break frame.reason.to_string(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(reason, "empty ring: there is no ingester to ask");
    let refused = larch.get("/loki/api/v1/tail?query=%7Bapp%3D%22a%22%7D");
    assert_eq!((refused.status, refused.body.as_str()), (400, "Bad Request\n"));
    let (status, log) = larch.stop();
    assert!(status.success(), "{log:#?}");
}
