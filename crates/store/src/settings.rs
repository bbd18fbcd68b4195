//! Settings of storage: which backend, how it is reached, what is cached. One file per block.

mod azure;
mod cache;
mod chunk_store;
mod common;
mod disk_cache;
mod gcs;
mod idle;
mod local;
mod object_store;
mod s3;
mod schema;
mod storage;

pub use azure::{AzureBucketSettings, AzureEnvironment, AzureSettings};
pub use cache::{
    BackgroundSettings, CacheSettings, EmbeddedCacheSettings, MemcachedClientSettings, MemcachedSettings,
    RedisSettings,
};
pub use chunk_store::ChunkStoreSettings;
pub use common::CommonStorage;
pub use disk_cache::DiskCacheSettings;
pub use gcs::{GcsBucketSettings, GcsSettings};
pub use idle::{IDLE_CHUNK_STORE, IDLE_STORAGE};
pub use local::{CommonDirectories, DirectorySettings, LocalSettings};
pub use object_store::{NamedBuckets, ObjectStoreSettings};
pub use s3::{
    BucketLookup, S3Backoff, S3BucketHttp, S3BucketSettings, S3Http, S3Settings, SignatureVersion,
    SseSettings,
};
pub use schema::{IndexPeriodSettings, PeriodSettings, SchemaSettings, TablePeriodSettings};
pub use storage::{HedgingSettings, NamedStores, ShipperSettings, StorageSettings};

#[cfg(test)]
mod tests;
