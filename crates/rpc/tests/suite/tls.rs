//! Peers that prove who they are.

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

/// An authority and a server that it vouches for, made anew for each run.
struct Issued {
    authority: String,
    certificate: String,
    key: String,
}

fn issue() -> Issued {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = rcgen::Issuer::from_params(&authority, &authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned(), "larch.test".to_owned()];
    let server = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let authority = authority.self_signed(&authority_key).unwrap().pem();
    Issued { authority, certificate: server.pem(), key: key.serialize_pem() }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_reader_iter(BufReader::new(pem)).map(Result::unwrap).collect()
}

fn acceptor(issued: &Issued) -> TlsAcceptor {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            certificates(issued.certificate.as_bytes()),
            PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap(),
        )
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
    let issued = issue();
    let authority = issued.authority.as_bytes();
    let echo = Echo::new(Script::Answer);
    let server = Server::start(&Port::reserve(), routes(&echo, LIMITS), Some(acceptor(&issued)));
    for (transport, works) in [
        (client(authority, None), true),
        (client(authority, Some("larch.test")), true),
        (client(authority, Some("other.test")), false),
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
