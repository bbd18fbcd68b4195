//! TLS of a listener.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::{Pem, TlsError, pair_error, provider, versions};
use crate::settings::{ClientAuthType, ServerTlsSettings, TlsVersion};

/// `None` if the port speaks plain text.
pub(crate) fn server_config(
    settings: &ServerTlsSettings,
    min_version: TlsVersion,
    alpn: &[&[u8]],
) -> Result<Option<Arc<rustls::ServerConfig>>, TlsError> {
    if !settings.is_enabled() {
        return Ok(None);
    }
    let provider = provider();
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions(min_version))
        .map_err(TlsError::Versions)?
        .with_client_cert_verifier(verifier(settings, provider)?);
    let chain = given("the certificate", &settings.cert, &settings.cert_file)?;
    let key = given("the key", settings.key.reveal(), &settings.key_file)?;
    let mut config = builder
        .with_single_cert(chain.certificates()?, key.key()?)
        .map_err(|error| pair_error(&chain, &key, error))?;
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Some(Arc::new(config)))
}

fn verifier(
    settings: &ServerTlsSettings,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    if !settings.client_auth_type.verifies() {
        return Ok(WebPkiClientVerifier::no_client_auth());
    }
    let roots =
        given("the client authority", &settings.client_ca, &settings.client_ca_file)?.authorities()?;
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if settings.client_auth_type == ClientAuthType::VerifyClientCertIfGiven {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map_err(TlsError::Verifier)
}

fn given(name: &str, inline: &str, file: &str) -> Result<Pem, TlsError> {
    if file.is_empty() {
        return Ok(Pem { name: name.to_owned(), text: inline.as_bytes().to_vec() });
    }
    Pem::read(file)
}
