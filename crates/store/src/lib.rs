//! Object storage, the catalog and caches: put, find, fetch.
//!
//! It owns object keys and the order of uploads; it does not evaluate queries.

mod backend;
mod backing;
mod cache_watch;
mod care;
mod catalog;
mod directory;
mod disk_cache;
mod error;
mod http;
mod index_requests;
mod key;
mod segments;
mod settings;
mod store;
#[cfg(test)]
mod testing;

pub use backend::{Backend, OpenError, Variables};
pub use backing::{Backing, Kind, Sse};
pub use cache_watch::CacheWatch;
pub use care::{
    CLOCK_PROBE, CareError, Checked, Finding, MAX_PIN, Problem, Rebuilt, Survey, TenantSurvey, check_tenant,
    is_repeated, list_pins, partitions_of, pin, rebuild_tenant, sort_pins, survey, survey_tenant, unpin,
};
pub use catalog::{
    Catalog, CatalogError, CatalogSets, DayView, DecodeError, EMBED_BELOW_BYTES, Fact, FactBody, Input,
    MAX_FACT_BYTES, MAX_UNFOLDED, MAX_VIEW_AGE, NewSegment, Removal, SegmentPlace, fuzz_fact,
};
pub use disk_cache::{OpenCacheError, fuzz_slab};
pub use error::{Failure, Operation, StoreError};
pub use http::fuzz_answer;
pub use index_requests::index_requests;
pub use key::{
    DocumentKind, FactKind, FactName, Folder, InvalidKey, InvalidName, Key, MAX_DOCUMENT_NAME_BYTES,
    fuzz_names, parse_document_name, parse_segment_name,
};
pub use segments::{CacheBound, Counting, Fetched, Overlap, SegmentError, Segments, entry_of, partition_of};
pub use settings::{
    AzureBucketSettings, AzureEnvironment, AzureSettings, BackgroundSettings, BucketLookup, CacheSettings,
    ChunkStoreSettings, CommonDirectories, CommonStorage, DirectorySettings, DiskCacheSettings,
    EmbeddedCacheSettings, GcsBucketSettings, GcsSettings, HedgingSettings, IDLE_CHUNK_STORE, IDLE_STORAGE,
    IndexPeriodSettings, LocalSettings, MemcachedClientSettings, MemcachedSettings, NamedBuckets,
    NamedStores, ObjectStoreSettings, PeriodSettings, RedisSettings, S3Backoff, S3BucketHttp,
    S3BucketSettings, S3Http, S3Settings, SchemaSettings, ShipperSettings, SignatureVersion, SseSettings,
    StorageSettings, TablePeriodSettings,
};
pub use store::{
    FileSource, Listed, Listing, ObjectInfo, Patience, Source, Store, StoreOptions, Tail, TenantSse,
};
