//! Google Cloud Storage, in the two forms that configuration files know.

use larch_types::{InvalidSetting, Secret, Span, ensure};
use serde::{Deserialize, Serialize};

/// The older form, under `storage_config.gcs`, `common.storage.gcs` and `ruler.storage.gcs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GcsSettings {
    /// Name of the bucket.
    pub bucket_name: String,
    /// URL of the store; empty means Google's.
    pub endpoint: String,
    /// Key of a service account, as JSON text; empty takes credentials from the environment or the
    /// machine.
    pub service_account: Secret,
    /// How long a request may take; 0 means no bound.
    pub request_timeout: Span,
    /// Tries a failed request again.
    pub enable_retries: bool,
}

/// The newer form, under `object_store.gcs` and `ruler_storage.gcs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GcsBucketSettings {
    /// Name of the bucket.
    pub bucket_name: String,
    /// Key of a service account, as JSON text; empty takes credentials from the environment or the
    /// machine.
    pub service_account: Secret,
    /// How often a request is tried.
    pub max_retries: u32,
}

impl Default for GcsSettings {
    fn default() -> Self {
        Self {
            bucket_name: String::new(),
            endpoint: String::new(),
            service_account: Secret::default(),
            request_timeout: Span::ZERO,
            enable_retries: true,
        }
    }
}

impl Default for GcsBucketSettings {
    fn default() -> Self {
        Self { bucket_name: String::new(), service_account: Secret::default(), max_retries: 10 }
    }
}

impl GcsSettings {
    /// `at` is the path of the block with a dot at the end.
    pub fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        ensure(!self.request_timeout.is_negative(), &format!("{at}request_timeout"), "must not be negative")?;
        check_account(at, &self.service_account)
    }
}

impl GcsBucketSettings {
    /// `at` is the path of the block with a dot at the end.
    pub fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        check_account(at, &self.service_account)
    }
}

fn check_account(at: &str, account: &Secret) -> Result<(), InvalidSetting> {
    ensure(
        account.is_empty() || account.reveal().trim_start().starts_with('{'),
        &format!("{at}service_account"),
        "must be the JSON text of a key, not the name of its file; name the file in the environment variable GOOGLE_APPLICATION_CREDENTIALS",
    )
}
