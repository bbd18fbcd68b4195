//! Peers that prove who they are.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use larch_rpc::{GrpcClientSettings, GrpcSettings, GrpcTransport, Transport};
use larch_types::ErrorKind;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::echo::{Echo, Script};
use crate::harness::{LIMITS, Port, Server, routes, settings};
use crate::requests::{self, PATIENCE};

/// An authority and a server that it vouches for, as files in a folder.
struct Issued {
    folder: PathBuf,
}

/// Names the folder to the process that a test starts.
const FOLDER: &str = "LARCH_TEST_CERTIFICATES";

/// Made once in each run; a process that a test starts takes those of that test.
#[expect(clippy::disallowed_methods, reason = "a test is told by its environment whose certificates to take")]
fn issued() -> &'static Issued {
    static ISSUED: OnceLock<Issued> = OnceLock::new();
    ISSUED.get_or_init(|| match std::env::var_os(FOLDER) {
        Some(folder) => Issued { folder: folder.into() },
        None => issue(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("certificates")),
    })
}

fn issue(folder: PathBuf) -> Issued {
    std::fs::create_dir_all(&folder).unwrap();
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = rcgen::Issuer::from_params(&authority, &authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned(), "larch.test".to_owned()];
    let server = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let authority = authority.self_signed(&authority_key).unwrap();
    std::fs::write(folder.join("authority.pem"), authority.pem()).unwrap();
    std::fs::write(folder.join("server.pem"), server.pem()).unwrap();
    std::fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
    Issued { folder }
}

impl Issued {
    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

fn acceptor() -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = vec![CertificateDer::from_pem_file(issued().file("server.pem")).unwrap()];
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(issued().file("server.key")).unwrap())
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
    let (authority, other) = (issued().file("authority.pem"), issued().file("server.pem"));
    check(client(trusting(&authority, "")), true).await;
    check(client(trusting(&authority, "larch.test")), true).await;
    check(client(trusting(&authority, "other.test")), false).await;
    check(client(trusting(&other, "")), false).await;
    let trustful = GrpcClientSettings { tls_insecure_skip_verify: true, ..trusting(&other, "other.test") };
    check(client(trustful), true).await;
    check(GrpcTransport::new(settings(LIMITS)), false).await;
}

/// What the system trusts can be said for a whole process only, so this test runs once more in one of its
/// own.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test is told by its environment which of the two it is")]
async fn without_a_file_the_systems_certificates_count() {
    if std::env::var_os(FOLDER).is_some() {
        return check(client(trusting("", "")), true).await;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tls::without_a_file_the_systems_certificates_count"])
        .env(FOLDER, &issued().folder)
        .env("SSL_CERT_FILE", issued().file("authority.pem"))
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
