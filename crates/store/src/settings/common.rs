//! `common.storage`: the backend that every role uses unless its own block names another.

use larch_types::{InvalidSetting, NamedFile, ensure};
use serde::{Deserialize, Serialize};

use super::{
    AzureSettings, CommonDirectories, GcsSettings, HedgingSettings, ObjectStoreSettings, S3Settings,
};

/// The block `storage` inside `common`. At most one of the backends may be set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommonStorage {
    /// S3 or a store that speaks its protocol.
    pub s3: S3Settings,
    /// Google Cloud Storage.
    pub gcs: GcsSettings,
    /// Azure Blob Storage.
    pub azure: AzureSettings,
    /// Directories of this machine.
    pub filesystem: CommonDirectories,
    /// Any of them in the newer form.
    pub object_store: ObjectStoreSettings,
    /// Second requests for slow reads.
    pub hedging: HedgingSettings,
}

impl CommonStorage {
    /// The backends that are set, by their keys.
    pub fn configured(&self) -> Vec<&'static str> {
        let mut kinds = Vec::new();
        for (kind, is_set) in [
            ("s3", self.s3 != S3Settings::default()),
            ("gcs", self.gcs != GcsSettings::default()),
            ("azure", self.azure != AzureSettings::default()),
            ("filesystem", self.filesystem != CommonDirectories::default()),
            ("object_store", !self.object_store.configured().is_empty()),
        ] {
            if is_set {
                kinds.push(kind);
            }
        }
        kinds
    }

    /// `at` is the path of the block with a dot at the end.
    pub fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        let kinds = self.configured();
        if let [first, second, ..] = kinds.as_slice() {
            let reason = format!("{first} is set too, and there can be one storage only");
            ensure(false, &format!("{at}{second}"), reason)?;
        }
        let inner = self.object_store.configured();
        if let [first, second, ..] = inner.as_slice() {
            let reason = format!("{first} is set too, and there can be one storage only");
            ensure(false, &format!("{at}object_store.{second}"), reason)?;
        }
        self.s3.check_at(&format!("{at}s3."))?;
        self.gcs.check_at(&format!("{at}gcs."))?;
        self.azure.check_at(&format!("{at}azure."))?;
        self.object_store.check_at(&format!("{at}object_store."))?;
        self.hedging.check_at(&format!("{at}hedging."))
    }

    pub fn files_at(&self, at: &str) -> Vec<NamedFile> {
        let mut files = self.s3.files_at(&format!("{at}s3."));
        files.extend(self.object_store.files_at(&format!("{at}object_store.")));
        files
    }
}
