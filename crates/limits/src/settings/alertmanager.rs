//! Alertmanagers, and the relabelling of what is sent to them.

use std::path::PathBuf;

use larch_types::{InvalidSetting, NamedFile, Secret, Span, ensure};
use serde::{Deserialize, Serialize};

/// The Alertmanagers of one tenant, instead of those in the ruler's own block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertmanagerSettings {
    /// URLs of Alertmanagers, all of which get every alert; without one the rest of the block is not used.
    pub alertmanager_url: Vec<String>,
    /// Takes the host names in the URLs as DNS service records.
    pub enable_alertmanager_discovery: bool,
    /// How often DNS is asked again.
    pub alertmanager_refresh_interval: Span,
    /// Must stay on: the first version of the API is gone.
    pub enable_alertmanager_v2: bool,
    /// Changes to the labels of alerts before they are sent.
    pub alert_relabel_configs: Vec<RelabelSettings>,
    /// Most alerts that wait for sending; the oldest go first.
    pub notification_queue_capacity: u32,
    /// How long sending may take.
    pub notification_timeout: Span,
    /// How the Alertmanagers are reached.
    pub alertmanager_client: AlertmanagerClientSettings,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertmanagerClientSettings {
    /// File with the client's own certificate.
    pub tls_cert_path: String,
    /// File with the client's own private key.
    pub tls_key_path: String,
    /// File with the certificates to trust instead of the system's.
    pub tls_ca_path: String,
    /// Name that the server's certificate must have, if not its host name.
    pub tls_server_name: String,
    /// Trusts any certificate.
    pub tls_insecure_skip_verify: bool,
    /// User name of basic authentication; wins over that in the URL.
    pub basic_auth_username: String,
    /// Password of basic authentication.
    pub basic_auth_password: Secret,
    /// Scheme of the `Authorization` header.
    #[serde(rename = "type")]
    pub scheme: String,
    /// Credentials of the `Authorization` header.
    pub credentials: Secret,
    /// File with these credentials, read again for every request.
    pub credentials_file: String,
}

/// One step of relabelling, as Prometheus has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelabelSettings {
    pub source_labels: Vec<String>,
    pub separator: String,
    pub target_label: String,
    pub regex: String,
    pub modulus: u64,
    pub replacement: String,
    pub action: RelabelAction,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RelabelAction {
    #[default]
    Replace,
    Keep,
    Drop,
    KeepEqual,
    DropEqual,
    HashMod,
    LabelMap,
    LabelDrop,
    LabelKeep,
    Lowercase,
    Uppercase,
}

impl Default for AlertmanagerSettings {
    fn default() -> Self {
        Self {
            alertmanager_url: Vec::new(),
            enable_alertmanager_discovery: false,
            alertmanager_refresh_interval: Span::from_mins(1),
            enable_alertmanager_v2: true,
            alert_relabel_configs: Vec::new(),
            notification_queue_capacity: 10_000,
            notification_timeout: Span::from_secs(10),
            alertmanager_client: AlertmanagerClientSettings::default(),
        }
    }
}

impl Default for AlertmanagerClientSettings {
    fn default() -> Self {
        Self {
            tls_cert_path: String::new(),
            tls_key_path: String::new(),
            tls_ca_path: String::new(),
            tls_server_name: String::new(),
            tls_insecure_skip_verify: false,
            basic_auth_username: String::new(),
            basic_auth_password: Secret::default(),
            scheme: "Bearer".to_owned(),
            credentials: Secret::default(),
            credentials_file: String::new(),
        }
    }
}

impl Default for RelabelSettings {
    fn default() -> Self {
        Self {
            source_labels: Vec::new(),
            separator: ";".to_owned(),
            target_label: String::new(),
            regex: "(.*)".to_owned(),
            modulus: 0,
            replacement: "$1".to_owned(),
            action: RelabelAction::default(),
        }
    }
}

impl AlertmanagerClientSettings {
    /// `at` is the path of the block with a dot at the end.
    pub fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        ensure(
            self.tls_cert_path.is_empty() == self.tls_key_path.is_empty(),
            &format!("{at}tls_key_path"),
            "must be set exactly if tls_cert_path is",
        )?;
        ensure(
            self.credentials.is_empty() || self.credentials_file.is_empty(),
            &format!("{at}credentials_file"),
            "credentials are given as text too",
        )?;
        let header = !self.credentials.is_empty() || !self.credentials_file.is_empty();
        ensure(
            !header || self.basic_auth_username.is_empty(),
            &format!("{at}basic_auth_username"),
            "credentials are set too, and there can be one of them only",
        )
    }

    pub fn files_at(&self, at: &str) -> Vec<NamedFile> {
        named_files(
            at,
            &[
                ("tls_cert_path", &self.tls_cert_path),
                ("tls_key_path", &self.tls_key_path),
                ("tls_ca_path", &self.tls_ca_path),
                ("credentials_file", &self.credentials_file),
            ],
        )
    }
}

pub(super) fn named_files(at: &str, files: &[(&str, &str)]) -> Vec<NamedFile> {
    let mut named = Vec::new();
    for (key, path) in files.iter().filter(|(_, path)| !path.is_empty()) {
        named.push(NamedFile { key: format!("{at}{key}"), path: PathBuf::from(path) });
    }
    named
}
