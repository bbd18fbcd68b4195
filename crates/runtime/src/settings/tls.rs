//! Settings of TLS: what a server shows and asks for, and what all clients have in common.

use std::path::PathBuf;

use larch_types::{InvalidSetting, NamedFile, Secret, ensure};
use serde::{Deserialize, Serialize};

/// TLS of one port. Without a certificate the port speaks plain text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerTlsSettings {
    /// The server's certificate chain as PEM text.
    pub cert: String,
    /// The server's private key as PEM text.
    pub key: Secret,
    /// Certificates that client certificates are checked against, as PEM text.
    pub client_ca: String,
    /// File with the server's certificate chain.
    pub cert_file: String,
    /// File with the server's private key.
    pub key_file: String,
    /// Which client certificates are asked for.
    pub client_auth_type: ClientAuthType,
    /// File with the certificates that client certificates are checked against.
    pub client_ca_file: String,
}

/// What a server asks of its clients, by the names of Go's TLS library. Those that ask for a certificate
/// without looking at it parse, so that they can be refused with a reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientAuthType {
    #[default]
    #[serde(rename = "")]
    Unset,
    NoClientCert,
    RequestClientCert,
    #[serde(alias = "RequireClientCert")]
    RequireAnyClientCert,
    VerifyClientCertIfGiven,
    RequireAndVerifyClientCert,
}

/// The lowest version of TLS. Below 1.2 nothing is ever spoken, so that the two oldest mean 1.2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TlsVersion {
    #[default]
    #[serde(rename = "")]
    Unset,
    VersionTLS10,
    VersionTLS11,
    VersionTLS12,
    VersionTLS13,
}

impl ClientAuthType {
    /// Whether clients' certificates are verified at all.
    pub fn verifies(self) -> bool {
        matches!(self, Self::VerifyClientCertIfGiven | Self::RequireAndVerifyClientCert)
    }
}

impl ServerTlsSettings {
    /// Whether the port speaks TLS.
    pub fn is_enabled(&self) -> bool {
        !self.cert.is_empty() || !self.cert_file.is_empty()
    }

    pub(super) fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        let twice = "is given as text and as a file";
        ensure(self.cert.is_empty() || self.cert_file.is_empty(), &format!("{at}cert_file"), twice)?;
        ensure(self.key.is_empty() || self.key_file.is_empty(), &format!("{at}key_file"), twice)?;
        ensure(
            self.client_ca.is_empty() || self.client_ca_file.is_empty(),
            &format!("{at}client_ca_file"),
            twice,
        )?;
        let has_key = !self.key.is_empty() || !self.key_file.is_empty();
        ensure(has_key || !self.is_enabled(), &format!("{at}key_file"), "is missing beside the certificate")?;
        ensure(!has_key || self.is_enabled(), &format!("{at}cert_file"), "is missing beside the key")?;
        let kind = self.client_auth_type;
        let blind = matches!(kind, ClientAuthType::RequestClientCert | ClientAuthType::RequireAnyClientCert);
        let auth_key = format!("{at}client_auth_type");
        ensure(
            !blind,
            &auth_key,
            "asks for certificates that nobody verifies; set VerifyClientCertIfGiven or RequireAndVerifyClientCert",
        )?;
        ensure(!kind.verifies() || self.is_enabled(), &auth_key, "needs a certificate of the server")?;
        let has_ca = !self.client_ca.is_empty() || !self.client_ca_file.is_empty();
        ensure(!kind.verifies() || has_ca, &format!("{at}client_ca_file"), "is missing")
    }

    pub(super) fn files_at(&self, at: &str) -> Vec<NamedFile> {
        named_files(
            at,
            &[
                ("cert_file", &self.cert_file),
                ("key_file", &self.key_file),
                ("client_ca_file", &self.client_ca_file),
            ],
        )
    }
}

/// The files of a client's TLS, which many blocks name by the same three keys. `at` is the path of the
/// block with a dot at the end, `key` the client's own private key.
pub fn client_tls_files(at: &str, cert: &str, key: &str, ca: &str) -> Vec<NamedFile> {
    named_files(at, &[("tls_cert_path", cert), ("tls_key_path", key), ("tls_ca_path", ca)])
}

fn named_files(at: &str, files: &[(&str, &str)]) -> Vec<NamedFile> {
    let mut named = Vec::new();
    for (key, path) in files.iter().filter(|(_, path)| !path.is_empty()) {
        named.push(NamedFile { key: format!("{at}{key}"), path: PathBuf::from(path) });
    }
    named
}
