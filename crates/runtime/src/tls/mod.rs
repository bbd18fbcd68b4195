//! TLS from settings. Files are read when it is set up, and errors name them.

mod client;
mod server;

use std::io;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, SupportedProtocolVersion};

use crate::settings::TlsVersion;

pub use client::ClientTls;
pub(crate) use server::server_config;

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("read {path}")]
    Read {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("{name} holds no certificate in PEM form")]
    NoCertificate { name: String },
    #[error("{name} holds no private key in PEM form")]
    NoKey { name: String },
    #[error("{certificate} and {key} do not fit together")]
    Pair {
        certificate: String,
        key: String,
        #[source]
        source: rustls::Error,
    },
    #[error("{name} holds a certificate that cannot be trusted")]
    Authority {
        name: String,
        #[source]
        source: rustls::Error,
    },
    #[error("the system names no certificates to trust")]
    NoSystemAuthorities,
    #[error("the client authorities cannot be used")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
    #[error("choose versions of TLS")]
    Versions(#[source] rustls::Error),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

static SINCE_1_2: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
static SINCE_1_3: [&SupportedProtocolVersion; 1] = [&TLS13];

fn versions(lowest: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    if lowest == TlsVersion::VersionTLS13 { &SINCE_1_3 } else { &SINCE_1_2 }
}

/// Certificates or a key, and what errors call them.
struct Pem {
    name: String,
    text: Vec<u8>,
}

impl Pem {
    fn read(path: &str) -> Result<Self, TlsError> {
        let text = std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })?;
        Ok(Self { name: path.to_owned(), text })
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let missing = || TlsError::NoCertificate { name: self.name.clone() };
        let mut chain = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(&self.text) {
            chain.push(certificate.map_err(|_| missing())?);
        }
        if chain.is_empty() { Err(missing()) } else { Ok(chain) }
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&self.text).map_err(|_| TlsError::NoKey { name: self.name.clone() })
    }

    fn authorities(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates()? {
            let refused = |source| TlsError::Authority { name: self.name.clone(), source };
            roots.add(certificate).map_err(refused)?;
        }
        Ok(roots)
    }
}

fn pair_error(certificate: &Pem, key: &Pem, source: rustls::Error) -> TlsError {
    TlsError::Pair { certificate: certificate.name.clone(), key: key.name.clone(), source }
}
