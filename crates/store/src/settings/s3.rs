//! S3 and stores that speak its protocol, in the two forms that configuration files know.

use larch_limits::SseType;
use larch_runtime::client_tls_files;
use larch_types::{ByteSize, InvalidSetting, NamedFile, Secret, Span, ensure};
use serde::{Deserialize, Serialize};

/// The older form, under `storage_config.aws`, `common.storage.s3` and `ruler.storage.s3`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Settings {
    /// Everything in one URL, `s3://key:secret@region/bucket`; the keys below win over its parts.
    pub s3: Secret,
    /// Puts the bucket's name into the path instead of the host name.
    pub s3forcepathstyle: bool,
    /// Name of the bucket.
    pub bucketnames: String,
    /// Host, or URL, of the store; empty means AWS.
    pub endpoint: String,
    /// Region of the bucket.
    pub region: String,
    /// Access key; empty takes credentials from the environment, a web identity or the machine.
    pub access_key_id: String,
    /// Secret of the access key.
    pub secret_access_key: Secret,
    /// Token of temporary credentials.
    pub session_token: Secret,
    /// Speaks HTTP without TLS.
    pub insecure: bool,
    /// How requests are signed.
    pub signature_version: SignatureVersion,
    /// Encryption at rest by the store.
    pub sse: SseSettings,
    /// Connections.
    pub http_config: S3Http,
    /// Waits between the tries of a request.
    pub backoff_config: S3Backoff,
    /// Storage class of new objects.
    pub storage_class: String,
}

/// The newer form, under `object_store.s3` and `ruler_storage.s3`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3BucketSettings {
    /// Host, or URL, of the store; empty means AWS.
    pub endpoint: String,
    /// Region of the bucket.
    pub region: String,
    /// Name of the bucket.
    pub bucket_name: String,
    /// Secret of the access key.
    pub secret_access_key: Secret,
    /// Access key; empty takes credentials from the environment, a web identity or the machine.
    pub access_key_id: String,
    /// Token of temporary credentials.
    pub session_token: Secret,
    /// Speaks HTTP without TLS.
    pub insecure: bool,
    /// Whether the bucket's name is in the path or in the host name.
    pub bucket_lookup_type: BucketLookup,
    /// Storage class of new objects; empty means the bucket's own.
    pub storage_class: String,
    /// Size of the parts of a large upload; 0 lets it follow from the object.
    pub part_size: ByteSize,
    /// Where temporary credentials are fetched for a web identity; empty means AWS.
    pub sts_endpoint: String,
    /// How often a request is tried.
    pub max_retries: u32,
    /// Encryption at rest by the store.
    pub sse: SseSettings,
    /// Connections.
    pub http: S3BucketHttp,
}

/// The only way of signing that stores still accept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignatureVersion {
    #[default]
    V4,
}

/// Where the bucket's name goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BucketLookup {
    /// Into the path if an endpoint is set.
    #[default]
    Auto,
    Path,
    VirtualHosted,
}

/// Encryption at rest by the store.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SseSettings {
    /// Kind of encryption; empty leaves it to the bucket.
    #[serde(rename = "type")]
    pub kind: SseType,
    /// Key in the key management service; empty means the account's default key.
    pub kms_key_id: String,
    /// Encryption context, as a JSON object.
    pub kms_encryption_context: String,
}

/// Connections in the older form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Http {
    /// How long a request may take; 0 means no bound.
    pub timeout: Span,
    /// How long an idle connection is kept.
    pub idle_conn_timeout: Span,
    /// How long the head of an answer may take; 0 means no bound.
    pub response_header_timeout: Span,
    /// Trusts any certificate.
    pub insecure_skip_verify: bool,
    /// File with the certificates to trust instead of the system's.
    pub ca_file: String,
}

/// Connections in the newer form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3BucketHttp {
    /// How long an idle connection is kept.
    pub idle_conn_timeout: Span,
    /// How long the head of an answer may take; 0 means no bound.
    pub response_header_timeout: Span,
    /// Trusts any certificate.
    pub insecure_skip_verify: bool,
    /// How long connecting may take, TLS included; 0 means no bound.
    pub tls_handshake_timeout: Span,
    /// How many idle connections are kept.
    pub max_idle_connections_per_host: u32,
    /// File with the certificates to trust instead of the system's.
    pub tls_ca_path: String,
    /// File with the client's own certificate.
    pub tls_cert_path: String,
    /// File with the client's own private key.
    pub tls_key_path: String,
}

/// Waits between the tries of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Backoff {
    /// First wait.
    pub min_period: Span,
    /// Longest wait.
    pub max_period: Span,
    /// How often a request is tried.
    pub max_retries: u32,
}

impl Default for S3Settings {
    fn default() -> Self {
        Self {
            s3: Secret::default(),
            s3forcepathstyle: false,
            bucketnames: String::new(),
            endpoint: String::new(),
            region: String::new(),
            access_key_id: String::new(),
            secret_access_key: Secret::default(),
            session_token: Secret::default(),
            insecure: false,
            signature_version: SignatureVersion::default(),
            sse: SseSettings::default(),
            http_config: S3Http::default(),
            backoff_config: S3Backoff::default(),
            storage_class: "STANDARD".to_owned(),
        }
    }
}

impl Default for S3BucketSettings {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            region: String::new(),
            bucket_name: String::new(),
            secret_access_key: Secret::default(),
            access_key_id: String::new(),
            session_token: Secret::default(),
            insecure: false,
            bucket_lookup_type: BucketLookup::default(),
            storage_class: String::new(),
            part_size: ByteSize::default(),
            sts_endpoint: String::new(),
            max_retries: 10,
            sse: SseSettings::default(),
            http: S3BucketHttp::default(),
        }
    }
}

impl Default for S3Http {
    fn default() -> Self {
        Self {
            timeout: Span::ZERO,
            idle_conn_timeout: Span::from_secs(90),
            response_header_timeout: Span::ZERO,
            insecure_skip_verify: false,
            ca_file: String::new(),
        }
    }
}

impl Default for S3BucketHttp {
    fn default() -> Self {
        Self {
            idle_conn_timeout: Span::from_secs(90),
            response_header_timeout: Span::from_mins(2),
            insecure_skip_verify: false,
            tls_handshake_timeout: Span::from_secs(10),
            max_idle_connections_per_host: 100,
            tls_ca_path: String::new(),
            tls_cert_path: String::new(),
            tls_key_path: String::new(),
        }
    }
}

impl Default for S3Backoff {
    fn default() -> Self {
        Self { min_period: Span::from_millis(100), max_period: Span::from_secs(3), max_retries: 5 }
    }
}

impl S3Settings {
    /// `at` is the path of the block with a dot at the end.
    pub fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        ensure(!self.bucketnames.contains(','), &format!("{at}bucketnames"), ONE_BUCKET)?;
        check_key_pair(at, &self.access_key_id, &self.secret_access_key)?;
        for (key, span) in [
            ("timeout", self.http_config.timeout),
            ("idle_conn_timeout", self.http_config.idle_conn_timeout),
            ("response_header_timeout", self.http_config.response_header_timeout),
        ] {
            ensure(!span.is_negative(), &format!("{at}http_config.{key}"), "must not be negative")?;
        }
        let backoff = &self.backoff_config;
        let positive = backoff.min_period > Span::ZERO;
        ensure(positive, &format!("{at}backoff_config.min_period"), "must be above 0")?;
        ensure(
            backoff.max_period >= backoff.min_period,
            &format!("{at}backoff_config.max_period"),
            "must not be below min_period",
        )?;
        self.sse.check_at(&format!("{at}sse."))
    }

    pub fn files_at(&self, at: &str) -> Vec<NamedFile> {
        let path = &self.http_config.ca_file;
        if path.is_empty() {
            return Vec::new();
        }
        vec![NamedFile { key: format!("{at}http_config.ca_file"), path: path.into() }]
    }
}

impl S3BucketSettings {
    /// `at` is the path of the block with a dot at the end.
    pub fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        ensure(!self.bucket_name.contains(','), &format!("{at}bucket_name"), ONE_BUCKET)?;
        check_key_pair(at, &self.access_key_id, &self.secret_access_key)?;
        for (key, span) in [
            ("idle_conn_timeout", self.http.idle_conn_timeout),
            ("response_header_timeout", self.http.response_header_timeout),
            ("tls_handshake_timeout", self.http.tls_handshake_timeout),
        ] {
            ensure(!span.is_negative(), &format!("{at}http.{key}"), "must not be negative")?;
        }
        let paired = self.http.tls_cert_path.is_empty() == self.http.tls_key_path.is_empty();
        ensure(paired, &format!("{at}http.tls_key_path"), "must be set exactly if tls_cert_path is")?;
        self.sse.check_at(&format!("{at}sse."))
    }

    pub fn files_at(&self, at: &str) -> Vec<NamedFile> {
        let http = &self.http;
        client_tls_files(&format!("{at}http."), &http.tls_cert_path, &http.tls_key_path, &http.tls_ca_path)
    }
}

const ONE_BUCKET: &str = "objects are not spread over several buckets; name one";

fn check_key_pair(at: &str, id: &str, secret: &Secret) -> Result<(), InvalidSetting> {
    ensure(
        id.is_empty() == secret.is_empty(),
        &format!("{at}secret_access_key"),
        "must be set exactly if access_key_id is",
    )
}

impl SseSettings {
    fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        let kms = self.kind == SseType::Kms;
        let needs = "means something with type SSE-KMS only";
        ensure(kms || self.kms_key_id.is_empty(), &format!("{at}kms_key_id"), needs)?;
        let context = &self.kms_encryption_context;
        let context_key = format!("{at}kms_encryption_context");
        ensure(kms || context.is_empty(), &context_key, needs)?;
        let is_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(context).is_ok();
        ensure(context.is_empty() || is_object, &context_key, "must be a JSON object")
    }
}
