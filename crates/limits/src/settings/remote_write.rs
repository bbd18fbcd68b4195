//! A target of remote write, by the keys of Prometheus.

use std::collections::BTreeMap;

use larch_types::{InvalidSetting, NamedFile, Secret, Span, ensure};
use serde::{Deserialize, Serialize};

use super::RelabelSettings;
use super::alertmanager::named_files;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemoteWriteSettings {
    /// Where samples are sent; a tenant may leave it out to keep that of the ruler.
    pub url: String,
    /// Name of the target in metrics and logs.
    pub name: String,
    /// How long sending may take.
    pub remote_timeout: Span,
    /// Further headers of each request.
    pub headers: BTreeMap<String, String>,
    /// Changes to the labels of samples before they are sent.
    pub write_relabel_configs: Vec<RelabelSettings>,
    /// Basic authentication.
    pub basic_auth: BasicAuthSettings,
    /// The `Authorization` header.
    pub authorization: AuthorizationSettings,
    /// TLS.
    pub tls_config: RemoteWriteTls,
    /// URL of a proxy.
    pub proxy_url: String,
    /// Follows redirects.
    pub follow_redirects: bool,
    /// How samples wait, and how many are sent at once.
    pub queue_config: QueueSettings,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BasicAuthSettings {
    pub username: String,
    pub password: Secret,
    /// File with the password, read again for every request.
    pub password_file: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthorizationSettings {
    /// Scheme of the header.
    #[serde(rename = "type")]
    pub scheme: String,
    pub credentials: Secret,
    /// File with the credentials, read again for every request.
    pub credentials_file: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemoteWriteTls {
    /// File with the certificates to trust instead of the system's.
    pub ca_file: String,
    /// File with the client's own certificate.
    pub cert_file: String,
    /// File with the client's own private key.
    pub key_file: String,
    /// Name that the server's certificate must have, if not its host name.
    pub server_name: String,
    /// Trusts any certificate.
    pub insecure_skip_verify: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueSettings {
    /// Most samples that wait in one shard.
    pub capacity: u32,
    /// Most senders.
    pub max_shards: u32,
    /// Fewest senders.
    pub min_shards: u32,
    /// Most samples in one request.
    pub max_samples_per_send: u32,
    /// How long samples wait for a request to fill.
    pub batch_send_deadline: Span,
    /// First wait before a request is tried again.
    pub min_backoff: Span,
    /// Longest wait before a request is tried again.
    pub max_backoff: Span,
    /// Tries again after 429 too.
    pub retry_on_http_429: bool,
    /// Age from which samples are dropped instead of sent; 0 means never.
    pub sample_age_limit: Span,
}

impl Default for RemoteWriteSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            name: String::new(),
            remote_timeout: Span::from_secs(30),
            headers: BTreeMap::new(),
            write_relabel_configs: Vec::new(),
            basic_auth: BasicAuthSettings::default(),
            authorization: AuthorizationSettings::default(),
            tls_config: RemoteWriteTls::default(),
            proxy_url: String::new(),
            follow_redirects: true,
            queue_config: QueueSettings::default(),
        }
    }
}

impl Default for AuthorizationSettings {
    fn default() -> Self {
        Self { scheme: "Bearer".to_owned(), credentials: Secret::default(), credentials_file: String::new() }
    }
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            capacity: 10_000,
            max_shards: 50,
            min_shards: 1,
            max_samples_per_send: 2000,
            batch_send_deadline: Span::from_secs(5),
            min_backoff: Span::from_millis(30),
            max_backoff: Span::from_secs(5),
            retry_on_http_429: false,
            sample_age_limit: Span::ZERO,
        }
    }
}

impl RemoteWriteSettings {
    /// `at` is the path of the block with a dot at the end.
    pub fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        let auth = &self.authorization;
        let header = !auth.credentials.is_empty() || !auth.credentials_file.is_empty();
        ensure(
            !header || self.basic_auth == BasicAuthSettings::default(),
            &format!("{at}basic_auth"),
            "authorization is set too, and there can be one of them only",
        )?;
        ensure(self.remote_timeout > Span::ZERO, &format!("{at}remote_timeout"), "must be above 0")?;
        self.queue_config.check_at(&format!("{at}queue_config."))
    }

    pub fn files_at(&self, at: &str) -> Vec<NamedFile> {
        named_files(
            at,
            &[
                ("basic_auth.password_file", &self.basic_auth.password_file),
                ("authorization.credentials_file", &self.authorization.credentials_file),
                ("tls_config.ca_file", &self.tls_config.ca_file),
                ("tls_config.cert_file", &self.tls_config.cert_file),
                ("tls_config.key_file", &self.tls_config.key_file),
            ],
        )
    }
}

impl QueueSettings {
    fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        for (key, number) in [
            ("capacity", self.capacity),
            ("min_shards", self.min_shards),
            ("max_samples_per_send", self.max_samples_per_send),
        ] {
            ensure(number > 0, &format!("{at}{key}"), "must be above 0")?;
        }
        ensure(
            self.max_shards >= self.min_shards,
            &format!("{at}max_shards"),
            "must not be below min_shards",
        )?;
        ensure(self.min_backoff > Span::ZERO, &format!("{at}min_backoff"), "must be above 0")?;
        ensure(
            self.max_backoff >= self.min_backoff,
            &format!("{at}max_backoff"),
            "must not be below min_backoff",
        )
    }
}
