//! S3 and stores that speak its protocol.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use larch_limits::SseType;
use larch_types::Secret;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::multipart::MultipartStore;
use object_store::{Attribute, Attributes, ClientOptions, HeaderMap, HeaderValue, ObjectStore};
use url::Url;

use super::open::{HttpPlace, Outside, client_error, endpoint_url, no_retries, set};
use super::{OpenError, Place};
use crate::backing::{Backing, Sse, Writer};
use crate::http::Connections;
use crate::key::percent_decoded;
use crate::settings::{BucketLookup, S3BucketSettings, S3Settings, SseSettings};
use crate::store::Patience;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct S3Place {
    /// The path of the block with a dot at the end.
    at: String,
    /// The key that names the bucket.
    bucket_key: &'static str,
    /// The older form may say all of it in one URL.
    url: Secret,
    bucket: String,
    endpoint: String,
    region: String,
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Secret,
    insecure: bool,
    lookup: BucketLookup,
    storage_class: String,
    sts_endpoint: String,
    sse: Sse,
    http: HttpPlace,
    pub(super) patience: Patience,
    pub(super) part_bytes: u64,
}

/// `None` if the block is not set.
pub(super) fn newer(at: &str, block: &S3BucketSettings) -> Option<Place> {
    if *block == S3BucketSettings::default() {
        return None;
    }
    let block = block.clone();
    let http = HttpPlace {
        cert_path: block.http.tls_cert_path,
        key_path: block.http.tls_key_path,
        ca_path: block.http.tls_ca_path,
        insecure_skip_verify: block.http.insecure_skip_verify,
        max_idle_per_host: usize::try_from(block.http.max_idle_connections_per_host).unwrap_or(usize::MAX),
        ..HttpPlace::new(&format!("{at}http."))
    };
    let http = HttpPlace {
        handshake_timeout: set(block.http.tls_handshake_timeout).unwrap_or(http.handshake_timeout),
        head_timeout: set(block.http.response_header_timeout).unwrap_or(http.head_timeout),
        idle_timeout: set(block.http.idle_conn_timeout).unwrap_or(http.idle_timeout),
        ..http
    };
    Some(Place::S3(Box::new(S3Place {
        at: at.to_owned(),
        bucket_key: "bucket_name",
        url: Secret::default(),
        bucket: block.bucket_name,
        endpoint: block.endpoint,
        region: block.region,
        access_key_id: block.access_key_id,
        secret_access_key: block.secret_access_key,
        session_token: block.session_token,
        insecure: block.insecure,
        lookup: block.bucket_lookup_type,
        storage_class: block.storage_class,
        sts_endpoint: block.sts_endpoint,
        sse: sse(&block.sse),
        http,
        patience: Patience { tries: block.max_retries.max(1), ..Patience::default() },
        part_bytes: block.part_size.as_u64(),
    })))
}

/// `None` if the block is not set.
pub(super) fn older(at: &str, block: &S3Settings) -> Option<Place> {
    if *block == S3Settings::default() {
        return None;
    }
    let block = block.clone();
    let http = HttpPlace::new(&format!("{at}http_config."));
    let http = HttpPlace {
        ca_path: block.http_config.ca_file,
        insecure_skip_verify: block.http_config.insecure_skip_verify,
        head_timeout: set(block.http_config.response_header_timeout).unwrap_or(http.head_timeout),
        idle_timeout: set(block.http_config.idle_conn_timeout).unwrap_or(http.idle_timeout),
        ..http
    };
    let backoff = &block.backoff_config;
    let patience = Patience {
        tries: backoff.max_retries.max(1),
        first_wait: set(backoff.min_period).unwrap_or(Duration::ZERO),
        longest_wait: set(backoff.max_period).unwrap_or(Duration::ZERO),
        try_timeout: set(block.http_config.timeout),
        ..Patience::default()
    };
    Some(Place::S3(Box::new(S3Place {
        at: at.to_owned(),
        bucket_key: "bucketnames",
        url: block.s3,
        bucket: block.bucketnames,
        endpoint: block.endpoint,
        region: block.region,
        access_key_id: block.access_key_id,
        secret_access_key: block.secret_access_key,
        session_token: block.session_token,
        insecure: block.insecure,
        lookup: if block.s3forcepathstyle { BucketLookup::Path } else { BucketLookup::VirtualHosted },
        storage_class: block.storage_class,
        sts_endpoint: String::new(),
        sse: sse(&block.sse),
        http,
        patience,
        part_bytes: 0,
    })))
}

fn sse(block: &SseSettings) -> Sse {
    Sse {
        kind: block.kind,
        kms_key_id: block.kms_key_id.clone(),
        kms_encryption_context: block.kms_encryption_context.clone(),
    }
}

impl S3Place {
    /// In few words, for tests.
    #[cfg(test)]
    pub(super) fn shown(&self) -> String {
        format!("s3 {} of {}", self.bucket, self.at)
    }

    pub(super) fn open(&self, outside: &Outside<'_>) -> Result<Backing, OpenError> {
        let place = self.with_url_parts()?;
        if place.bucket.is_empty() {
            return Err(OpenError::setting(format!("{}{}", self.at, self.bucket_key), "is missing"));
        }
        let region = place.region(outside);
        let endpoint = place.bucket_endpoint(&region)?;
        // Temporary credentials come over TLS, but for those that the machine itself gives out.
        let speaks_tls = endpoint.scheme() == "https" || place.access_key_id.is_empty();
        let connections = place.http.connections(speaks_tls, outside)?;
        let base = place.builder(&region, &endpoint, &connections, outside)?;
        let failed = client_error(&self.at);
        let reader = base.clone().build().map_err(&failed)?;
        // Credentials that expire are fetched once for all clients.
        let base = base.with_credentials(reader.credentials().clone());
        let storage_class = place.storage_class.clone();
        let make = move |sse: &Sse| writer(&base, sse, &storage_class);
        let default = make(&place.sse).map_err(&failed)?;
        Ok(Backing::by_sse(&place.bucket, Arc::new(reader), default, Box::new(make)))
    }

    /// The older form's URL, `s3://key:secret@region/bucket` or `s3://key:secret@host:port/bucket`.
    fn with_url_parts(&self) -> Result<Self, OpenError> {
        let mut place = self.clone();
        if self.url.is_empty() {
            return Ok(place);
        }
        let invalid =
            || OpenError::setting(format!("{}s3", self.at), "must be s3://key:secret@region/bucket");
        let url = Url::parse(self.url.reveal()).map_err(|_| invalid())?;
        let host = url.host_str().filter(|_| url.scheme() == "s3").ok_or_else(invalid)?.to_owned();
        let decoded = |text: &str| percent_decoded(text).ok_or_else(invalid);
        if place.access_key_id.is_empty() && !url.username().is_empty() {
            place.access_key_id = decoded(url.username())?;
            place.secret_access_key = Secret::new(decoded(url.password().ok_or_else(invalid)?)?);
        }
        if place.bucket.is_empty() {
            place.bucket = decoded(url.path().trim_matches('/'))?;
        }
        // A region has neither dots nor a port.
        if !host.contains('.') && url.port().is_none() {
            place.region = if place.region.is_empty() { host } else { place.region };
        } else if place.endpoint.is_empty() {
            let plain = !host.contains("amazonaws.");
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            place.endpoint = format!("{}://{host}{port}", if plain { "http" } else { "https" });
        }
        Ok(place)
    }

    fn region(&self, outside: &Outside<'_>) -> String {
        if !self.region.is_empty() {
            return self.region.clone();
        }
        let of_endpoint = region_of_host(&self.endpoint);
        let of_machine = || outside.variable("AWS_REGION").or_else(|| outside.variable("AWS_DEFAULT_REGION"));
        of_endpoint.or_else(of_machine).unwrap_or_else(|| "us-east-1".to_owned())
    }

    /// The URL of the bucket.
    fn bucket_endpoint(&self, region: &str) -> Result<Url, OpenError> {
        let key = format!("{}endpoint", self.at);
        let mut url = if self.endpoint.is_empty() {
            endpoint_url(&key, &format!("s3.{region}.{}", domain(region)), self.insecure)?
        } else {
            endpoint_url(&key, &self.endpoint, self.insecure)?
        };
        let invalid = || OpenError::setting(&key, "must be a host, host:port, or an http or https URL");
        if self.in_path(&url) {
            url.path_segments_mut().map_err(|()| invalid())?.pop_if_empty().push(&self.bucket);
            return Ok(url);
        }
        let host = format!("{}.{}", self.bucket, url.host_str().unwrap_or_default());
        url.set_host(Some(&host)).map_err(|_| invalid())?;
        Ok(url)
    }

    /// Whether the bucket's name goes into the path. Into the host name it cannot go where that is no name,
    /// and with dots it fits no certificate.
    fn in_path(&self, url: &Url) -> bool {
        let is_name = url.domain().is_some_and(|host| host.contains('.'));
        let fits = !(self.bucket.contains('.') && url.scheme() == "https");
        let is_amazon = url.host_str().is_some_and(|host| host.contains("amazonaws."));
        match self.lookup {
            BucketLookup::Path => true,
            BucketLookup::Auto => !is_amazon || !fits,
            BucketLookup::VirtualHosted => !is_name || !fits,
        }
    }

    fn builder(
        &self,
        region: &str,
        endpoint: &Url,
        connections: &Connections,
        outside: &Outside<'_>,
    ) -> Result<AmazonS3Builder, OpenError> {
        let builder = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_region(region)
            // The URL of the bucket is complete, whichever way its name went in.
            .with_endpoint(endpoint.as_str().trim_end_matches('/'))
            .with_virtual_hosted_style_request(true)
            .with_client_options(client_options(endpoint.scheme() == "http"))
            .with_http_connector(connections.clone())
            .with_retry(no_retries())
            // Some stores do not know the request for many, and some policies do not grant it.
            .with_disable_bulk_delete(true);
        Ok(self.with_credentials(builder, region, outside))
    }

    /// Keys of the settings, or of the environment, a web identity, a container's, or the machine's own.
    fn with_credentials(
        &self,
        mut builder: AmazonS3Builder,
        region: &str,
        outside: &Outside<'_>,
    ) -> AmazonS3Builder {
        if !self.access_key_id.is_empty() {
            builder = builder
                .with_access_key_id(&self.access_key_id)
                .with_secret_access_key(self.secret_access_key.reveal());
            let token = self.session_token.reveal();
            return if token.is_empty() { builder } else { builder.with_token(token) };
        }
        for (name, key) in [
            ("AWS_ACCESS_KEY_ID", AmazonS3ConfigKey::AccessKeyId),
            ("AWS_SECRET_ACCESS_KEY", AmazonS3ConfigKey::SecretAccessKey),
            ("AWS_SESSION_TOKEN", AmazonS3ConfigKey::Token),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", AmazonS3ConfigKey::WebIdentityTokenFile),
            ("AWS_ROLE_ARN", AmazonS3ConfigKey::RoleArn),
            ("AWS_ROLE_SESSION_NAME", AmazonS3ConfigKey::RoleSessionName),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", AmazonS3ConfigKey::ContainerCredentialsRelativeUri),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", AmazonS3ConfigKey::ContainerCredentialsFullUri),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", AmazonS3ConfigKey::ContainerAuthorizationTokenFile),
        ] {
            if let Some(value) = outside.variable(name) {
                builder = builder.with_config(key, value);
            }
        }
        let sts = match self.sts_endpoint.as_str() {
            "" => format!("https://sts.{region}.{}", domain(region)),
            endpoint if endpoint.contains("://") => endpoint.to_owned(),
            endpoint => format!("https://{endpoint}"),
        };
        builder.with_config(AmazonS3ConfigKey::StsEndpoint, sts)
    }
}

/// A client that writes with some encryption. Reads go through another one, because stores refuse requests
/// that ask for encryption where nothing is written.
fn writer(base: &AmazonS3Builder, sse: &Sse, storage_class: &str) -> object_store::Result<Writer> {
    let mut builder = base.clone();
    let kind = match sse.kind {
        SseType::Unset => None,
        SseType::S3 => Some("AES256"),
        SseType::Kms => Some("aws:kms"),
    };
    if let Some(kind) = kind {
        builder = builder.with_config("aws_server_side_encryption".parse()?, kind);
    }
    if !sse.kms_key_id.is_empty() {
        builder = builder.with_config("aws_sse_kms_key_id".parse()?, &sse.kms_key_id);
    }
    let context = kms_context(sse)?;
    let has_context = context.is_some();
    if let Some(headers) = context {
        let plain =
            base.get_config_value(&AmazonS3ConfigKey::Client(object_store::ClientConfigKey::AllowHttp));
        let options = client_options(plain.is_some_and(|value| value == "true"));
        builder = builder.with_client_options(options.with_default_headers(headers));
    }
    let client: Arc<AmazonS3> = Arc::new(builder.build()?);
    let mut attributes = Attributes::new();
    // The class that every store has by itself is not named: some know no other, nor that one.
    if !matches!(storage_class, "" | "STANDARD") {
        attributes.insert(Attribute::StorageClass, storage_class.to_owned().into());
    }
    let objects: Arc<dyn ObjectStore> = client.clone();
    // The context may be said when an upload begins, and not with its parts; whole objects need no parts.
    let parts: Option<Arc<dyn MultipartStore>> = if has_context { None } else { Some(client) };
    Ok(Writer { objects, parts, directory: None, attributes })
}

/// The encryption context as S3 wants it: the JSON in base64.
fn kms_context(sse: &Sse) -> object_store::Result<Option<HeaderMap>> {
    if sse.kind != SseType::Kms || sse.kms_encryption_context.is_empty() {
        return Ok(None);
    }
    let text = BASE64.encode(&sse.kms_encryption_context);
    let value = HeaderValue::from_str(&text)
        .map_err(|source| object_store::Error::Generic { store: "S3", source: Box::new(source) })?;
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-server-side-encryption-context", value);
    Ok(Some(headers))
}

fn client_options(allows_plain: bool) -> ClientOptions {
    ClientOptions::new().with_allow_http(allows_plain)
}

fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

/// Of `s3.eu-west-1.amazonaws.com` and its kin.
fn region_of_host(endpoint: &str) -> Option<String> {
    let host = endpoint.rsplit("://").next()?.split(['/', ':']).next()?;
    let (before, _) = host.split_once(".amazonaws.")?;
    let region = before.rsplit('.').next()?;
    (region.contains('-') && !region.starts_with("s3")).then(|| region.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_may_be_in_the_host() {
        for (endpoint, want) in [
            ("s3.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("https://s3.cn-north-1.amazonaws.com.cn/", Some("cn-north-1")),
            ("s3.amazonaws.com", None),
            ("minio:9000", None),
            ("", None),
        ] {
            assert_eq!(region_of_host(endpoint).as_deref(), want, "{endpoint}");
        }
    }
}
