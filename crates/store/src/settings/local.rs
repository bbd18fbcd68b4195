//! Directories of this machine as object storage. Three blocks name them by three different keys.

use serde::{Deserialize, Serialize};

/// Under `storage_config.filesystem` and `ruler.storage.local`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalSettings {
    /// Directory that holds the objects.
    pub directory: String,
}

/// Under `object_store.filesystem`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DirectorySettings {
    /// Directory that holds the objects.
    pub dir: String,
}

/// Under `common.storage.filesystem`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommonDirectories {
    /// Directory that holds the objects.
    pub chunks_directory: String,
    /// Directory that holds the rules.
    pub rules_directory: String,
}
