//! Which object store the settings mean, and opening it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;

use crate::settings::{CommonStorage, SchemaSettings, StorageSettings};

/// Where objects are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// A directory of the local disk.
    Directory(PathBuf),
    /// Nothing outlives the process: for tests and trials.
    Memory,
    /// A kind of store that the settings name and this build cannot open, by its name there.
    Unavailable(String),
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("make the directory {}", path.display())]
    Directory {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("open the directory {}", path.display())]
    Local {
        path: PathBuf,
        #[source]
        source: object_store::Error,
    },
    #[error("this build keeps objects in a local directory or in memory only, not in {0}")]
    Unavailable(String),
}

impl Backend {
    /// The last period of the schema names the kind of store. Its place stands in `storage_config`, or in
    /// `common.storage` if it does not; without a schema, whichever of them is set decides.
    pub fn choose(common: &CommonStorage, storage: &StorageSettings, schema: &SchemaSettings) -> Self {
        if let Some(period) = schema.configs.last() {
            return match period.object_store.as_str() {
                "filesystem" | "local" | "" => Self::Directory(directory(common, storage)),
                "inmemory" => Self::Memory,
                other => Self::Unavailable(other.to_owned()),
            };
        }
        let mut remote = common.configured();
        remote.extend(storage.object_store.configured());
        remote.retain(|kind| *kind != "filesystem" && *kind != "object_store");
        if let Some(kind) = remote.first() {
            return Self::Unavailable((*kind).to_owned());
        }
        Self::Directory(directory(common, storage))
    }

    /// Opens the store, making what is missing.
    pub fn open(&self) -> Result<Arc<dyn ObjectStore>, OpenError> {
        match self {
            Self::Memory => Ok(Arc::new(InMemory::new())),
            Self::Unavailable(kind) => Err(OpenError::Unavailable(kind.clone())),
            Self::Directory(path) => open_directory(path),
        }
    }
}

fn directory(common: &CommonStorage, storage: &StorageSettings) -> PathBuf {
    let candidates = [
        &storage.object_store.filesystem.dir,
        &storage.filesystem.directory,
        &common.object_store.filesystem.dir,
        &common.filesystem.chunks_directory,
    ];
    let named = candidates.into_iter().find(|path| !path.is_empty());
    named.map_or_else(|| PathBuf::from("chunks"), PathBuf::from)
}

fn open_directory(path: &Path) -> Result<Arc<dyn ObjectStore>, OpenError> {
    std::fs::create_dir_all(path).map_err(|source| OpenError::Directory { path: path.to_owned(), source })?;
    let store = LocalFileSystem::new_with_prefix(path)
        .map_err(|source| OpenError::Local { path: path.to_owned(), source })?;
    Ok(Arc::new(store))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn choose(common: serde_json::Value, storage: serde_json::Value, schema: serde_json::Value) -> Backend {
        Backend::choose(
            &serde_json::from_value(common).unwrap(),
            &serde_json::from_value(storage).unwrap(),
            &serde_json::from_value(schema).unwrap(),
        )
    }

    #[test]
    fn the_schema_names_the_kind_and_the_blocks_the_place() {
        let schema = |kind: &str| json!({"configs": [{"from": "2020-01-01", "object_store": kind}]});
        let chunks = json!({"filesystem": {"chunks_directory": "/common/chunks"}});
        let legacy = json!({"filesystem": {"directory": "/loki/chunks"}});
        for (common, storage, schema, want) in [
            (json!({}), json!({}), json!({}), Backend::Directory("chunks".into())),
            (chunks.clone(), json!({}), json!({}), Backend::Directory("/common/chunks".into())),
            (chunks.clone(), legacy, schema("filesystem"), Backend::Directory("/loki/chunks".into())),
            (chunks.clone(), json!({}), schema("inmemory"), Backend::Memory),
            (chunks, json!({}), schema("s3"), Backend::Unavailable("s3".into())),
        ] {
            assert_eq!(choose(common, storage, schema), want);
        }
    }

    #[test]
    fn opening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        Backend::Directory(path.clone()).open().unwrap();
        assert!(path.is_dir());
        Backend::Memory.open().unwrap();
        let error = Backend::Unavailable("s3".into()).open().unwrap_err();
        assert_eq!(
            error.to_string(),
            "this build keeps objects in a local directory or in memory only, not in s3"
        );
    }
}
