//! TLS of a listener, from its settings.

use std::io;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::settings::{ClientAuthType, ServerTlsSettings, TlsVersion};

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("read {path}")]
    Read {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("{what} holds no usable PEM")]
    Pem { what: &'static str },
    #[error("certificate, key or client authorities do not fit together")]
    Rustls(#[source] rustls::Error),
    #[error("the client authorities cannot be used")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
}

/// `None` if the port speaks plain text.
pub(crate) fn server_config(
    settings: &ServerTlsSettings,
    min_version: TlsVersion,
    alpn: &[&[u8]],
) -> Result<Option<Arc<rustls::ServerConfig>>, TlsError> {
    if !settings.is_enabled() {
        return Ok(None);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions: &[&rustls::SupportedProtocolVersion] = match min_version {
        TlsVersion::VersionTLS13 => &[&rustls::version::TLS13],
        _ => &[&rustls::version::TLS13, &rustls::version::TLS12],
    };
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(TlsError::Rustls)?
        .with_client_cert_verifier(verifier(settings, provider)?);
    let chain = certificates("the certificate", &text_of(&settings.cert, &settings.cert_file)?)?;
    let key_text = text_of(settings.key.reveal(), &settings.key_file)?;
    let key = PrivateKeyDer::from_pem_slice(&key_text).map_err(|_| TlsError::Pem { what: "the key" })?;
    let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Rustls)?;
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Some(Arc::new(config)))
}

fn verifier(
    settings: &ServerTlsSettings,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    if !settings.client_auth_type.verifies() {
        return Ok(WebPkiClientVerifier::no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    let text = text_of(&settings.client_ca, &settings.client_ca_file)?;
    for certificate in certificates("the client authority", &text)? {
        roots.add(certificate).map_err(TlsError::Rustls)?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if settings.client_auth_type == ClientAuthType::VerifyClientCertIfGiven {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map_err(TlsError::Verifier)
}

fn text_of(inline: &str, file: &str) -> Result<Vec<u8>, TlsError> {
    if file.is_empty() {
        return Ok(inline.as_bytes().to_vec());
    }
    std::fs::read(file).map_err(|source| TlsError::Read { path: file.to_owned(), source })
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let mut chain = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        chain.push(certificate.map_err(|_| TlsError::Pem { what })?);
    }
    if chain.is_empty() { Err(TlsError::Pem { what }) } else { Ok(chain) }
}
