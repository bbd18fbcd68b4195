//! The newer form of naming a backend, `object_store`: one block per kind, one of them set.

use std::collections::BTreeMap;

use larch_types::{InvalidSetting, NamedFile, ensure};
use serde::{Deserialize, Serialize};

use super::{AzureBucketSettings, DirectorySettings, GcsBucketSettings, S3BucketSettings};

/// Under `storage_config.object_store` and `common.storage.object_store`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectStoreSettings {
    /// S3 or a store that speaks its protocol.
    pub s3: S3BucketSettings,
    /// Google Cloud Storage.
    pub gcs: GcsBucketSettings,
    /// Azure Blob Storage.
    pub azure: AzureBucketSettings,
    /// A directory of this machine.
    pub filesystem: DirectorySettings,
    /// Put before the key of every object.
    pub storage_prefix: String,
    /// Further stores, by the names that `schema_config` calls them.
    pub named_stores: NamedBuckets,
}

/// Further stores in the newer form.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NamedBuckets {
    pub s3: BTreeMap<String, S3BucketSettings>,
    pub gcs: BTreeMap<String, GcsBucketSettings>,
    pub azure: BTreeMap<String, AzureBucketSettings>,
    pub filesystem: BTreeMap<String, DirectorySettings>,
}

impl ObjectStoreSettings {
    /// The kinds of store that are set, by their keys.
    pub fn configured(&self) -> Vec<&'static str> {
        let mut kinds = Vec::new();
        for (kind, is_set) in [
            ("s3", self.s3 != S3BucketSettings::default()),
            ("gcs", self.gcs != GcsBucketSettings::default()),
            ("azure", self.azure != AzureBucketSettings::default()),
            ("filesystem", self.filesystem != DirectorySettings::default()),
        ] {
            if is_set {
                kinds.push(kind);
            }
        }
        kinds
    }

    /// `at` is the path of the block with a dot at the end.
    pub fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        self.s3.check_at(&format!("{at}s3."))?;
        self.gcs.check_at(&format!("{at}gcs."))?;
        let prefix = self.storage_prefix.as_str();
        let plain = prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        ensure(plain, &format!("{at}storage_prefix"), "may hold English letters, digits and dashes only")?;
        for (name, bucket) in &self.named_stores.s3 {
            bucket.check_at(&format!("{at}named_stores.s3.{name}."))?;
        }
        for (name, bucket) in &self.named_stores.gcs {
            bucket.check_at(&format!("{at}named_stores.gcs.{name}."))?;
        }
        Ok(())
    }

    pub fn files_at(&self, at: &str) -> Vec<NamedFile> {
        let mut files = self.s3.files_at(&format!("{at}s3."));
        for (name, bucket) in &self.named_stores.s3 {
            files.extend(bucket.files_at(&format!("{at}named_stores.s3.{name}.")));
        }
        files
    }
}
