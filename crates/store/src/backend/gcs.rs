//! Google Cloud Storage.

use std::sync::Arc;

use larch_types::Secret;
use object_store::ClientOptions;
use object_store::gcp::GoogleCloudStorageBuilder;

use super::open::{HttpPlace, Outside, client_error, endpoint_url, no_retries, set};
use super::{OpenError, Place};
use crate::backing::{Backing, Kind};
use crate::settings::{GcsBucketSettings, GcsSettings};
use crate::store::Patience;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct GcsPlace {
    /// The path of the block with a dot at the end.
    at: String,
    bucket: String,
    endpoint: String,
    service_account: Secret,
    pub(super) patience: Patience,
}

/// `None` if the block is not set.
pub(super) fn newer(at: &str, block: &GcsBucketSettings) -> Option<Place> {
    if *block == GcsBucketSettings::default() {
        return None;
    }
    let GcsBucketSettings { bucket_name, service_account, max_retries } = block.clone();
    Some(Place::Gcs(GcsPlace {
        at: at.to_owned(),
        bucket: bucket_name,
        endpoint: String::new(),
        service_account,
        patience: Patience { tries: max_retries.max(1), ..Patience::default() },
    }))
}

/// `None` if the block is not set.
pub(super) fn older(at: &str, block: &GcsSettings) -> Option<Place> {
    if *block == GcsSettings::default() {
        return None;
    }
    let GcsSettings { bucket_name, endpoint, service_account, request_timeout, enable_retries } =
        block.clone();
    let usual = Patience::default();
    Some(Place::Gcs(GcsPlace {
        at: at.to_owned(),
        bucket: bucket_name,
        endpoint,
        service_account,
        patience: Patience {
            tries: if enable_retries { usual.tries } else { 1 },
            try_timeout: set(request_timeout),
            ..usual
        },
    }))
}

impl GcsPlace {
    /// In few words, for tests.
    #[cfg(test)]
    pub(super) fn shown(&self) -> String {
        format!("gcs {} of {}", self.bucket, self.at)
    }

    pub(super) fn open(&self, outside: &Outside<'_>) -> Result<Backing, OpenError> {
        if self.bucket.is_empty() {
            return Err(OpenError::setting(format!("{}bucket_name", self.at), "is missing"));
        }
        let connections = HttpPlace::new(&self.at).connections(true, outside)?;
        let mut builder = GoogleCloudStorageBuilder::new()
            .with_bucket_name(&self.bucket)
            .with_http_connector(connections)
            .with_retry(no_retries());
        if !self.endpoint.is_empty() {
            let url = endpoint_url(&format!("{}endpoint", self.at), &self.endpoint, false)?;
            builder = builder
                .with_base_url(url.as_str().trim_end_matches('/'))
                .with_client_options(ClientOptions::new().with_allow_http(url.scheme() == "http"));
        }
        if !self.service_account.is_empty() {
            builder = builder.with_service_account_key(self.service_account.reveal());
        } else if let Some(file) = outside.variable("GOOGLE_APPLICATION_CREDENTIALS") {
            builder = builder.with_application_credentials(file);
        }
        let client = Arc::new(builder.build().map_err(client_error(&self.at))?);
        Ok(Backing::build(Kind::Gcs, &self.bucket, client.clone(), Some(client)))
    }
}
