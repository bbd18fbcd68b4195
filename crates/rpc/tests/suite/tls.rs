//! Peers that prove who they are. The certificates beside this file are of no use elsewhere: their
//! authority's key was thrown away, and they are valid for a century.

use std::io::BufReader;
use std::sync::Arc;

use larch_rpc::{GrpcSettings, GrpcTls, GrpcTransport, Transport};
use larch_types::ErrorKind;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::echo::{Echo, Script};
use crate::harness::{LIMITS, Port, Server, routes, settings};
use crate::requests::{self, PATIENCE};

const AUTHORITY: &[u8] = include_bytes!("../tls/authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("../tls/server.pem");
const KEY: &[u8] = include_bytes!("../tls/server.key");

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_reader_iter(BufReader::new(pem)).map(Result::unwrap).collect()
}

fn acceptor() -> TlsAcceptor {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates(CERTIFICATE), PrivateKeyDer::from_pem_slice(KEY).unwrap())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

fn client(authority: &[u8], server_name: Option<&str>) -> GrpcTransport {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authority) {
        roots.add(certificate).unwrap();
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = GrpcTls { config: Arc::new(config), server_name: server_name.map(str::to_owned) };
    GrpcTransport::new(GrpcSettings { tls: Some(tls), ..settings(LIMITS) })
}

#[tokio::test]
async fn only_whom_the_certificate_names() {
    let echo = Echo::new(Script::Answer);
    let server = Server::start(&Port::reserve(), routes(&echo, LIMITS), Some(acceptor()));
    for (transport, works) in [
        (client(AUTHORITY, None), true),
        (client(AUTHORITY, Some("larch.test")), true),
        (client(AUTHORITY, Some("other.test")), false),
        (client(b"", None), false),
        (GrpcTransport::new(settings(LIMITS)), false),
    ] {
        let answer = transport.ingester(&server.address).state(requests::call(PATIENCE)).await;
        match answer {
            Ok(_) => assert!(works),
            Err(error) => {
                assert!(!works, "{error}");
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            }
        }
    }
}
