//! Azure Blob Storage, in the two forms that configuration files know.

use larch_types::{InvalidSetting, Secret, Span, ensure};
use serde::{Deserialize, Serialize};

/// The older form, under `storage_config.azure`, `common.storage.azure` and `ruler.storage.azure`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AzureSettings {
    /// Which of Azure's clouds.
    pub environment: AzureEnvironment,
    /// Name of the storage account.
    pub account_name: String,
    /// Key of the storage account.
    pub account_key: Secret,
    /// Account, key and endpoint in one text; wins over them.
    pub connection_string: Secret,
    /// Name of the container.
    pub container_name: String,
    /// URL of the directory that gives out tokens; empty means the cloud's own.
    pub active_directory_endpoint: String,
    /// Host name behind the account's name; empty means the cloud's own.
    pub endpoint_suffix: String,
    /// Takes tokens from the machine's identity.
    pub use_managed_identity: bool,
    /// Takes tokens for a workload identity from a file.
    pub use_federated_token: bool,
    /// Which of the machine's identities.
    pub user_assigned_id: String,
    /// Takes tokens for a service principal.
    pub use_service_principal: bool,
    /// Id of the service principal.
    pub client_id: String,
    /// Secret of the service principal.
    pub client_secret: Secret,
    /// Directory of the service principal.
    pub tenant_id: String,
    /// How long a request may take.
    pub request_timeout: Span,
    /// How often a request is tried.
    pub max_retries: u32,
    /// First wait between tries.
    pub min_retry_delay: Span,
    /// Longest wait between tries.
    pub max_retry_delay: Span,
}

/// The newer form, under `object_store.azure` and `ruler_storage.azure`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AzureBucketSettings {
    /// Name of the storage account.
    pub account_name: String,
    /// Key of the storage account; empty takes tokens from the machine's identity.
    pub account_key: Secret,
    /// Account, key and endpoint in one text; wins over them.
    pub connection_string: Secret,
    /// Name of the container.
    pub container_name: String,
    /// Host name behind the account's name; empty means Azure's own.
    pub endpoint_suffix: String,
    /// How often a request is tried.
    pub max_retries: u32,
    /// Which of the machine's identities.
    pub user_assigned_id: String,
}

/// Azure's separate clouds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AzureEnvironment {
    #[default]
    AzureGlobal,
    AzureChinaCloud,
    AzureGermanCloud,
    AzureUSGovernment,
}

impl Default for AzureSettings {
    fn default() -> Self {
        Self {
            environment: AzureEnvironment::default(),
            account_name: String::new(),
            account_key: Secret::default(),
            connection_string: Secret::default(),
            container_name: "loki".to_owned(),
            active_directory_endpoint: String::new(),
            endpoint_suffix: String::new(),
            use_managed_identity: false,
            use_federated_token: false,
            user_assigned_id: String::new(),
            use_service_principal: false,
            client_id: String::new(),
            client_secret: Secret::default(),
            tenant_id: String::new(),
            request_timeout: Span::from_secs(30),
            max_retries: 5,
            min_retry_delay: Span::from_millis(10),
            max_retry_delay: Span::from_millis(500),
        }
    }
}

impl Default for AzureBucketSettings {
    fn default() -> Self {
        Self {
            account_name: String::new(),
            account_key: Secret::default(),
            connection_string: Secret::default(),
            container_name: String::new(),
            endpoint_suffix: String::new(),
            max_retries: 20,
            user_assigned_id: String::new(),
        }
    }
}

impl AzureSettings {
    /// `at` is the path of the block with a dot at the end.
    pub fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        let ways = [self.use_managed_identity, self.use_federated_token, self.use_service_principal];
        ensure(
            ways.iter().filter(|way| **way).count() <= 1,
            &format!("{at}use_managed_identity"),
            "only one of use_managed_identity, use_federated_token and use_service_principal can be true",
        )?;
        let principal = [self.client_id.as_str(), self.client_secret.reveal(), self.tenant_id.as_str()];
        ensure(
            !self.use_service_principal || principal.iter().all(|part| !part.is_empty()),
            &format!("{at}use_service_principal"),
            "needs client_id, client_secret and tenant_id",
        )?;
        ensure(self.request_timeout > Span::ZERO, &format!("{at}request_timeout"), "must be above 0")?;
        ensure(self.min_retry_delay > Span::ZERO, &format!("{at}min_retry_delay"), "must be above 0")?;
        ensure(
            self.max_retry_delay >= self.min_retry_delay,
            &format!("{at}max_retry_delay"),
            "must not be below min_retry_delay",
        )
    }
}
