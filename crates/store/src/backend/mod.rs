//! Which object store the settings mean, and opening it.
//!
//! Nothing is asked of a remote store here: whether it can be reached shows with the first request.

mod azure;
mod gcs;
mod open;
mod s3;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use larch_runtime::TlsError;

use crate::backing::{Backing, Sse};
use crate::directory::Directory;
use crate::settings::{CommonStorage, ObjectStoreSettings, SchemaSettings, StorageSettings};
use crate::store::{Patience, StoreOptions};
use azure::AzurePlace;
use gcs::GcsPlace;
use open::Outside;
use s3::S3Place;

pub use open::Variables;

/// Where objects are kept, as the settings say.
#[derive(Debug, Clone, PartialEq)]
pub struct Backend {
    place: Place,
    /// Folders before every key.
    prefix: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Place {
    /// A directory of the local disk, and the key that names it.
    Directory {
        path: PathBuf,
        key: String,
    },
    /// Nothing outlives the process: for tests and trials.
    Memory,
    S3(Box<S3Place>),
    Gcs(GcsPlace),
    Azure(Box<AzurePlace>),
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{key}: {reason}")]
    Setting { key: String, reason: String },
    #[error("{key}: use the directory {}", path.display())]
    Directory {
        key: String,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{key}: set up TLS")]
    Tls {
        key: String,
        #[source]
        source: Box<TlsError>,
    },
    #[error("{key}: set up the client")]
    Client {
        key: String,
        #[source]
        source: object_store::Error,
    },
}

impl OpenError {
    fn setting(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Setting { key: key.into(), reason: reason.into() }
    }
}

impl Backend {
    /// The last period of the schema names the kind of store, or a store of `named_stores`. Its place stands
    /// in `storage_config`, or in `common.storage` if it does not; without a schema, whichever of them is set
    /// decides.
    pub fn choose(
        common: &CommonStorage,
        storage: &StorageSettings,
        schema: &SchemaSettings,
    ) -> Result<Self, OpenError> {
        let blocks = Blocks { common, storage };
        let place = match schema.configs.last() {
            Some(period) => blocks.named(&period.object_store)?,
            None => blocks.configured(),
        };
        Ok(Self { place: place.place, prefix: prefix(storage, place.block)? })
    }

    /// Opens the store, making what is missing of a directory. `requests` counts what goes to remote ones.
    pub fn open(
        &self,
        variables: Variables<'_>,
        registry: &larch_telemetry::Registry,
    ) -> Result<Backing, OpenError> {
        let outside = Outside { variables, registry };
        match &self.place {
            Place::Memory => Ok(Backing::memory()),
            Place::Directory { path, key } => {
                let failed = |source| OpenError::Directory { key: key.clone(), path: path.clone(), source };
                Ok(Backing::directory(Arc::new(Directory::open(path).map_err(failed)?)))
            }
            Place::S3(place) => place.open(&outside),
            Place::Gcs(place) => place.open(&outside),
            Place::Azure(place) => place.open(&outside),
        }
    }

    /// How the store is used: what its own block says, and the settings of all stores.
    pub fn options(&self, storage: &StorageSettings) -> StoreOptions {
        let patience = match &self.place {
            Place::S3(place) => place.patience,
            Place::Gcs(place) => place.patience,
            Place::Azure(place) => place.patience,
            Place::Directory { .. } | Place::Memory => Patience::default(),
        };
        StoreOptions {
            prefix: self.prefix.clone(),
            patience,
            max_reads: usize::try_from(storage.max_parallel_get_chunk).unwrap_or(usize::MAX),
            hedging: storage.hedging.clone(),
            part_bytes: if let Place::S3(place) = &self.place { place.part_bytes } else { 0 },
            ..StoreOptions::default()
        }
    }

    /// The encryption of a tenant with settings of its own.
    pub fn sse(limits: &larch_limits::LimitsSettings) -> Option<Sse> {
        let own = limits.s3_sse_type != larch_limits::SseType::Unset;
        own.then(|| Sse {
            kind: limits.s3_sse_type,
            kms_key_id: limits.s3_sse_kms_key_id.clone(),
            kms_encryption_context: limits.s3_sse_kms_encryption_context.clone(),
        })
    }
}

/// Where stores are described.
struct Blocks<'a> {
    common: &'a CommonStorage,
    storage: &'a StorageSettings,
}

/// A place, and the block of the newer form that it came from.
struct Found<'a> {
    place: Place,
    block: Option<&'a ObjectStoreSettings>,
}

/// The two blocks of the newer form, with their paths.
const NEWER: &str = "storage_config.object_store";
const NEWER_COMMON: &str = "common.storage.object_store";

impl<'a> Blocks<'a> {
    fn named(&self, name: &str) -> Result<Found<'a>, OpenError> {
        let found = match name {
            "filesystem" | "local" | "" => Some(self.directory()),
            "inmemory" => Some(Found { place: Place::Memory, block: None }),
            "s3" | "aws" | "aws-dynamo" => self.s3(),
            "gcs" | "gcp" | "gcp-columnkey" => self.gcs(),
            "azure" => self.azure(),
            other => return self.further(other),
        };
        found.ok_or_else(|| {
            let block = match name {
                "gcs" | "gcp" | "gcp-columnkey" => "gcs",
                "azure" => "azure",
                _ => "s3",
            };
            OpenError::setting(
                "schema_config.configs",
                format!("object_store is {name}, and nothing says where that is; set {NEWER}.{block}"),
            )
        })
    }

    fn configured(&self) -> Found<'a> {
        self.s3().or_else(|| self.gcs()).or_else(|| self.azure()).unwrap_or_else(|| self.directory())
    }

    /// The blocks in the order in which they win, each as its path and its place if it is set.
    fn first(
        &self,
        newer: Option<Place>,
        older: Option<Place>,
        newer_common: Option<Place>,
        older_common: Option<Place>,
    ) -> Option<Found<'a>> {
        let own = (newer, Some(&self.storage.object_store));
        let common = (newer_common, Some(&self.common.object_store));
        let mut blocks = [own, (older, None), common, (older_common, None)];
        if !self.storage.use_thanos_objstore {
            blocks.swap(0, 1);
        }
        blocks.into_iter().find_map(|(place, block)| place.map(|place| Found { place, block }))
    }

    fn s3(&self) -> Option<Found<'a>> {
        let (storage, common) = (self.storage, self.common);
        self.first(
            s3::newer(&format!("{NEWER}.s3."), &storage.object_store.s3),
            s3::older("storage_config.aws.", &storage.aws),
            s3::newer(&format!("{NEWER_COMMON}.s3."), &common.object_store.s3),
            s3::older("common.storage.s3.", &common.s3),
        )
    }

    fn gcs(&self) -> Option<Found<'a>> {
        let (storage, common) = (self.storage, self.common);
        self.first(
            gcs::newer(&format!("{NEWER}.gcs."), &storage.object_store.gcs),
            gcs::older("storage_config.gcs.", &storage.gcs),
            gcs::newer(&format!("{NEWER_COMMON}.gcs."), &common.object_store.gcs),
            gcs::older("common.storage.gcs.", &common.gcs),
        )
    }

    fn azure(&self) -> Option<Found<'a>> {
        let (storage, common) = (self.storage, self.common);
        self.first(
            azure::newer(&format!("{NEWER}.azure."), &storage.object_store.azure),
            azure::older("storage_config.azure.", &storage.azure),
            azure::newer(&format!("{NEWER_COMMON}.azure."), &common.object_store.azure),
            azure::older("common.storage.azure.", &common.azure),
        )
    }

    fn directory(&self) -> Found<'a> {
        let (storage, common) = (self.storage, self.common);
        let found = self.first(
            directory(&format!("{NEWER}.filesystem.dir"), &storage.object_store.filesystem.dir),
            directory("storage_config.filesystem.directory", &storage.filesystem.directory),
            directory(&format!("{NEWER_COMMON}.filesystem.dir"), &common.object_store.filesystem.dir),
            directory("common.storage.filesystem.chunks_directory", &common.filesystem.chunks_directory),
        );
        let default = || Place::Directory {
            path: "chunks".into(),
            key: "common.storage.filesystem.chunks_directory".into(),
        };
        found.unwrap_or_else(|| Found { place: default(), block: None })
    }

    /// A store of `named_stores`, in either form.
    fn further(&self, name: &str) -> Result<Found<'a>, OpenError> {
        let newer = &self.storage.object_store;
        let at = |kind: &str| format!("{NEWER}.named_stores.{kind}.{name}.");
        let named = &newer.named_stores;
        let place = get(&named.s3, name, |block| s3::newer(&at("s3"), block))
            .or_else(|| get(&named.gcs, name, |block| gcs::newer(&at("gcs"), block)))
            .or_else(|| get(&named.azure, name, |block| azure::newer(&at("azure"), block)))
            .or_else(|| {
                get(&named.filesystem, name, |block| {
                    directory(&format!("{}dir", at("filesystem")), &block.dir)
                })
            });
        if let Some(place) = place {
            return Ok(Found { place, block: Some(newer) });
        }
        let at = |kind: &str| format!("storage_config.named_stores.{kind}.{name}.");
        let named = &self.storage.named_stores;
        let place = get(&named.aws, name, |block| s3::older(&at("aws"), block))
            .or_else(|| get(&named.gcs, name, |block| gcs::older(&at("gcs"), block)))
            .or_else(|| get(&named.azure, name, |block| azure::older(&at("azure"), block)))
            .or_else(|| {
                let key = format!("{}directory", at("filesystem"));
                get(&named.filesystem, name, |block| directory(&key, &block.directory))
            });
        place.map(|place| Found { place, block: None }).ok_or_else(|| {
            let known = "s3, gcs, azure, filesystem, inmemory and the names of storage_config.named_stores";
            OpenError::setting(
                "schema_config.configs",
                format!("object_store is {name}, which is none of {known}"),
            )
        })
    }
}

fn get<T>(blocks: &BTreeMap<String, T>, name: &str, place: impl Fn(&T) -> Option<Place>) -> Option<Place> {
    blocks.get(name).and_then(place)
}

fn directory(key: &str, path: &str) -> Option<Place> {
    (!path.is_empty()).then(|| Place::Directory { path: path.into(), key: key.to_owned() })
}

/// What stands before every key: the prefix of the block in use behind that of all stores.
fn prefix(storage: &StorageSettings, block: Option<&ObjectStoreSettings>) -> Result<String, OpenError> {
    let own = block.map(|block| block.storage_prefix.as_str()).unwrap_or_default();
    let mut parts = Vec::new();
    for part in storage.object_prefix.split('/').chain(own.split('/')).filter(|part| !part.is_empty()) {
        let plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.=".contains(&byte));
        if !plain || part == "." || part == ".." || part.len() > 100 {
            let reason =
                format!("{part:?} may hold English letters, digits and -_.= only, at most 100 of them");
            return Err(OpenError::setting("storage_config.object_prefix", reason));
        }
        parts.push(part);
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests;
