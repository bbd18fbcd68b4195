//! TLS of a client.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::{Pem, TlsError, pair_error, provider, versions};
use crate::settings::TlsVersion;

/// What the clients' blocks of the configuration say of TLS. Paths that are not set are empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClientTls<'a> {
    /// The client's own certificate.
    pub cert_path: &'a str,
    pub key_path: &'a str,
    /// The certificates to trust instead of the system's.
    pub ca_path: &'a str,
    /// Trusts any certificate.
    pub insecure_skip_verify: bool,
    pub min_version: TlsVersion,
}

impl ClientTls<'_> {
    /// Reads the files.
    pub fn config(&self) -> Result<ClientConfig, TlsError> {
        let provider = provider();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions(self.min_version))
            .map_err(TlsError::Versions)?;
        let builder = if self.insecure_skip_verify {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        } else {
            builder.with_root_certificates(self.authorities()?)
        };
        if self.cert_path.is_empty() {
            return Ok(builder.with_no_client_auth());
        }
        let (chain, key) = (Pem::read(self.cert_path)?, Pem::read(self.key_path)?);
        builder
            .with_client_auth_cert(chain.certificates()?, key.key()?)
            .map_err(|error| pair_error(&chain, &key, error))
    }

    fn authorities(&self) -> Result<RootCertStore, TlsError> {
        if !self.ca_path.is_empty() {
            return Pem::read(self.ca_path)?.authorities();
        }
        let mut roots = RootCertStore::empty();
        // A system has many, and some of an age or a form that nothing here understands.
        let (usable, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if usable == 0 { Err(TlsError::NoSystemAuthorities) } else { Ok(roots) }
    }
}

/// Asks only that the server has the key of the certificate that it shows, whichever that is.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (key, other_key) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
        let certificate = rcgen::CertificateParams::new([]).unwrap().self_signed(&key).unwrap();
        let good = file("good.pem", &certificate.pem());
        let good_key = file("good.key", &key.serialize_pem());
        let other_key = file("other.key", &other_key.serialize_pem());
        let broken = file("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        let missing = folder.path().join("missing.pem").to_str().unwrap().to_owned();
        for ([cert_path, key_path, ca_path], text) in [
            ([&good, &good_key, &good], String::new()),
            ([&good, &good_key, &missing], format!("read {missing}")),
            ([&missing, &good_key, &good], format!("read {missing}")),
            ([&good, &missing, &good], format!("read {missing}")),
            ([&good, &good_key, &good_key], format!("{good_key} holds no certificate in PEM form")),
            ([&good, &good, &good], format!("{good} holds no private key in PEM form")),
            ([&good, &other_key, &good], format!("{good} and {other_key} do not fit together")),
            ([&good, &good_key, &broken], format!("{broken} holds a certificate that cannot be trusted")),
        ] {
            let tls = ClientTls { cert_path, key_path, ca_path, ..ClientTls::default() };
            let refused = tls.config().err().map(|error| error.to_string());
            assert_eq!(refused.unwrap_or_default(), text);
        }
    }
}
