//! Where rules are kept, in both of the forms that configuration files know.

use larch_store::{
    AzureBucketSettings, AzureSettings, DirectorySettings, GcsBucketSettings, GcsSettings, LocalSettings,
    S3BucketSettings, S3Settings,
};
use larch_types::{InvalidSetting, NamedFile, OldKey, Section, ensure};
use serde::{Deserialize, Serialize};

use super::old_keys;

/// The older form, `ruler.storage`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleStoreSettings {
    /// Which of the stores below; empty means that of `ruler_storage` or `common.storage`.
    #[serde(rename = "type")]
    pub kind: RuleStoreKind,
    /// Azure Blob Storage.
    pub azure: AzureSettings,
    /// Google Cloud Storage.
    pub gcs: GcsSettings,
    /// S3 or a store that speaks its protocol.
    pub s3: S3Settings,
    /// Files below a directory, read only: `<directory>/<tenant>/<file>`.
    pub local: LocalSettings,
}

/// The stores of the older form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleStoreKind {
    #[default]
    #[serde(rename = "")]
    Unset,
    Local,
    S3,
    Gcs,
    Azure,
}

/// The newer form, the block `ruler_storage`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RulerStorageSettings {
    /// Which of the stores below.
    pub backend: RulerBackend,
    /// Files below a directory, read only: `<directory>/<tenant>/<file>`.
    pub local: LocalSettings,
    /// A directory that rules are written to as well.
    pub filesystem: DirectorySettings,
    /// S3 or a store that speaks its protocol.
    pub s3: S3BucketSettings,
    /// Google Cloud Storage.
    pub gcs: GcsBucketSettings,
    /// Azure Blob Storage.
    pub azure: AzureBucketSettings,
    /// Put before the key of every object.
    pub storage_prefix: String,
}

/// The stores of the newer form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RulerBackend {
    #[default]
    Filesystem,
    Local,
    S3,
    Gcs,
    Azure,
}

impl RuleStoreSettings {
    pub(super) fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        let local = self.kind == RuleStoreKind::Local;
        ensure(!local || !self.local.directory.is_empty(), &format!("{at}local.directory"), "is missing")?;
        self.azure.check_at(&format!("{at}azure."))?;
        self.gcs.check_at(&format!("{at}gcs."))?;
        self.s3.check_at(&format!("{at}s3."))
    }

    pub(super) fn files_at(&self, at: &str) -> Vec<NamedFile> {
        self.s3.files_at(&format!("{at}s3."))
    }
}

impl Section for RulerStorageSettings {
    const OLD_KEYS: &'static [OldKey] = old_keys::RULER_STORAGE;

    fn check(&self) -> Result<(), InvalidSetting> {
        let local = self.backend == RulerBackend::Local;
        ensure(!local || !self.local.directory.is_empty(), "local.directory", "is missing")?;
        self.gcs.check_at("gcs.")?;
        self.s3.check_at("s3.")
    }

    fn files(&self) -> Vec<NamedFile> {
        self.s3.files_at("s3.")
    }
}
