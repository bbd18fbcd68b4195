//! Peers that prove who they are. The certificates beside this file are of no use elsewhere: their
//! authority's key was thrown away, and they are valid for a century.

use std::process::Command;
use std::sync::Arc;

use larch_rpc::{GrpcClientSettings, GrpcSettings, GrpcTransport, Transport};
use larch_types::ErrorKind;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::echo::{Echo, Script};
use crate::harness::{LIMITS, Port, Server, routes, settings};
use crate::requests::{self, PATIENCE};

const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/authority.pem");
const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/server.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/server.key");

fn acceptor() -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = vec![CertificateDer::from_pem_file(CERTIFICATE).unwrap()];
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(KEY).unwrap())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

fn client(settings: GrpcClientSettings) -> GrpcTransport {
    let settings = GrpcClientSettings { tls_enabled: true, ..settings };
    GrpcTransport::new(GrpcSettings::from_client(&settings).unwrap())
}

fn trusting(ca: &str, server_name: &str) -> GrpcClientSettings {
    GrpcClientSettings {
        tls_ca_path: ca.to_owned(),
        tls_server_name: server_name.to_owned(),
        ..GrpcClientSettings::default()
    }
}

/// What is asked of a peer with the certificate beside this file, and whether it is answered.
async fn check(transport: GrpcTransport, works: bool) {
    let echo = Echo::new(Script::Answer);
    let server = Server::start(&Port::reserve(), routes(&echo, LIMITS), Some(acceptor()));
    let answer = transport.ingester(&server.address).state(requests::call(PATIENCE)).await;
    match answer {
        Ok(_) => assert!(works),
        Err(error) => {
            assert!(!works, "{error}");
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        }
    }
}

#[tokio::test]
async fn only_whom_the_certificate_names() {
    check(client(trusting(AUTHORITY, "")), true).await;
    check(client(trusting(AUTHORITY, "larch.test")), true).await;
    check(client(trusting(AUTHORITY, "other.test")), false).await;
    check(client(trusting(CERTIFICATE, "")), false).await;
    let trustful =
        GrpcClientSettings { tls_insecure_skip_verify: true, ..trusting(CERTIFICATE, "other.test") };
    check(client(trustful), true).await;
    check(GrpcTransport::new(settings(LIMITS)), false).await;
}

/// What the system trusts can be said for a whole process only, so this test runs once more in one of its
/// own.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test is told by its environment which of the two it is")]
async fn without_a_file_the_systems_certificates_count() {
    if std::env::var_os("SSL_CERT_FILE").is_some_and(|path| path == AUTHORITY) {
        return check(client(trusting("", "")), true).await;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tls::without_a_file_the_systems_certificates_count"])
        .env("SSL_CERT_FILE", AUTHORITY)
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
