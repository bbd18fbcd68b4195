//! Object storage, the catalog and caches: put, find, fetch.
//!
//! It owns object keys and the order of uploads; it does not evaluate queries.

mod backend;
mod settings;

pub use backend::{Backend, OpenError};
pub use settings::{
    AzureBucketSettings, AzureEnvironment, AzureSettings, BackgroundSettings, BucketLookup, CacheSettings,
    ChunkStoreSettings, CommonDirectories, CommonStorage, DirectorySettings, EmbeddedCacheSettings,
    GcsBucketSettings, GcsSettings, HedgingSettings, IndexPeriodSettings, LocalSettings,
    MemcachedClientSettings, MemcachedSettings, NamedBuckets, NamedStores, ObjectStoreSettings,
    PeriodSettings, RedisSettings, S3Backoff, S3BucketHttp, S3BucketSettings, S3Http, S3Settings,
    SchemaSettings, ShipperSettings, SignatureVersion, SseSettings, StorageSettings, TablePeriodSettings,
};
