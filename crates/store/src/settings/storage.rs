//! `storage_config`: the backends, and how they are read.

use std::collections::BTreeMap;

use larch_types::{InvalidSetting, NamedFile, OldKey, Section, Span, ensure};
use serde::{Deserialize, Serialize};

use super::{AzureSettings, GcsSettings, LocalSettings, ObjectStoreSettings, S3Settings};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageSettings {
    /// S3 or a store that speaks its protocol, in the older form.
    pub aws: S3Settings,
    /// Google Cloud Storage, in the older form.
    pub gcs: GcsSettings,
    /// Azure Blob Storage, in the older form.
    pub azure: AzureSettings,
    /// A directory of this machine, in the older form.
    pub filesystem: LocalSettings,
    /// Further stores in the older form, by the names that `schema_config` calls them.
    pub named_stores: NamedStores,
    /// Which form wins where a store is named in both.
    pub use_thanos_objstore: bool,
    /// Any store in the newer form.
    pub object_store: ObjectStoreSettings,
    /// Put before the key of every object.
    pub object_prefix: String,
    /// Second requests for slow reads.
    pub hedging: HedgingSettings,
    /// Most reads of one process from the store at a time.
    pub max_parallel_get_chunk: u32,
    /// How many chunks of one query are fetched ahead.
    pub max_chunk_batch_size: u32,
    /// The local cache of what is needed to plan queries.
    pub tsdb_shipper: ShipperSettings,
}

/// Further stores in the older form.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NamedStores {
    pub aws: BTreeMap<String, S3Settings>,
    pub gcs: BTreeMap<String, GcsSettings>,
    pub azure: BTreeMap<String, AzureSettings>,
    pub filesystem: BTreeMap<String, LocalSettings>,
}

/// Second requests for slow reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HedgingSettings {
    /// Wait after which a second request is sent; 0 means never.
    pub at: Span,
    /// Most requests for one read.
    pub up_to: u32,
    /// Most second requests a second.
    pub max_per_second: u32,
}

/// The local cache of what is needed to plan queries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShipperSettings {
    /// Directory of the cache; empty keeps it in memory alone.
    pub cache_location: String,
    /// How long an unused entry is kept.
    pub cache_ttl: Span,
    /// How many days are fetched before a query asks for them.
    pub query_ready_num_days: u32,
    /// How long fetching an entry may take.
    pub download_timeout: Span,
}

impl Default for StorageSettings {
    fn default() -> Self {
        Self {
            aws: S3Settings::default(),
            gcs: GcsSettings::default(),
            azure: AzureSettings::default(),
            filesystem: LocalSettings::default(),
            named_stores: NamedStores::default(),
            use_thanos_objstore: true,
            object_store: ObjectStoreSettings::default(),
            object_prefix: String::new(),
            hedging: HedgingSettings::default(),
            max_parallel_get_chunk: 150,
            max_chunk_batch_size: 50,
            tsdb_shipper: ShipperSettings::default(),
        }
    }
}

impl Default for HedgingSettings {
    fn default() -> Self {
        Self { at: Span::ZERO, up_to: 2, max_per_second: 5 }
    }
}

impl Default for ShipperSettings {
    fn default() -> Self {
        Self {
            cache_location: String::new(),
            cache_ttl: Span::from_hours(24),
            query_ready_num_days: 0,
            download_timeout: Span::from_mins(1),
        }
    }
}

const BUFFERS: &str = "buffers look after themselves";
const COLONS: &str = "keys of objects hold no colons";
const CONGESTION: &str = "retries slow down by themselves";
const ENDPOINT: &str = "set endpoint to one that has the protocol you need";
const INDEX: &str = "there is no separate index";
const PLANNERS: &str = "index gateways are found through membership";
const PROTOCOL: &str = "the client speaks what the store offers";

impl Section for StorageSettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::moved("boltdb_shipper.cache_location", "storage_config.tsdb_shipper.cache_location"),
        OldKey::moved("boltdb_shipper.cache_ttl", "storage_config.tsdb_shipper.cache_ttl"),
        OldKey::moved(
            "boltdb_shipper.query_ready_num_days",
            "storage_config.tsdb_shipper.query_ready_num_days",
        ),
        OldKey::moved(
            "boltdb_shipper.index_gateway_client.grpc_client_config",
            "ingester_client.grpc_client_config",
        ),
        OldKey::meaningless("boltdb_shipper", INDEX),
        OldKey::meaningless("boltdb", INDEX),
        OldKey::moved(
            "tsdb_shipper.index_gateway_client.grpc_client_config",
            "ingester_client.grpc_client_config",
        ),
        OldKey::meaningless("tsdb_shipper.index_gateway_client", PLANNERS),
        OldKey::meaningless("tsdb_shipper.active_index_directory", INDEX),
        OldKey::meaningless("tsdb_shipper.shared_store", "schema_config names the store"),
        OldKey::meaningless("tsdb_shipper.shared_store_key_prefix", INDEX),
        OldKey::meaningless("tsdb_shipper.resync_interval", "queries never plan with a view above 5 minutes"),
        OldKey::meaningless("tsdb_shipper.ingestername", INDEX),
        OldKey::meaningless("tsdb_shipper.mode", INDEX),
        OldKey::meaningless("tsdb_shipper.ingesterdbretainperiod", INDEX),
        OldKey::meaningless("bloom_shipper", "filters are part of the segments"),
        OldKey::meaningless("congestion_control", CONGESTION),
        OldKey::meaningless("index_queries_cache_config", INDEX),
        OldKey::meaningless("index_cache_validity", INDEX),
        OldKey::meaningless("disable_broad_index_queries", INDEX),
        OldKey::meaningless("aws.dynamodb", INDEX),
        OldKey::meaningless("aws.chunk_delimiter", COLONS),
        OldKey::meaningless("aws.disable_dualstack", ENDPOINT),
        OldKey::meaningless("gcs.chunk_buffer_size", BUFFERS),
        OldKey::meaningless("gcs.enable_opencensus", "there are own metrics and traces"),
        OldKey::meaningless("gcs.enable_http2", PROTOCOL),
        OldKey::meaningless("azure.chunk_delimiter", COLONS),
        OldKey::meaningless("azure.download_buffer_size", BUFFERS),
        OldKey::meaningless("azure.upload_buffer_size", BUFFERS),
        OldKey::meaningless("azure.upload_buffer_count", BUFFERS),
        OldKey::meaningless("object_store.s3.list_objects_version", PROTOCOL),
        OldKey::meaningless("object_store.s3.dualstack_enabled", ENDPOINT),
        OldKey::meaningless("object_store.s3.native_aws_auth_enabled", "it is always tried without keys"),
        OldKey::meaningless("object_store.s3.send_content_md5", "uploads carry a checksum"),
        OldKey::meaningless("object_store.s3.trace", "requests are part of the traces"),
        OldKey::meaningless("object_store.s3.http.expect_continue_timeout", BUFFERS),
        OldKey::meaningless("object_store.s3.http.max_idle_connections", BUFFERS),
        OldKey::meaningless("object_store.s3.http.max_connections_per_host", BUFFERS),
        OldKey::meaningless(
            "object_store.s3.http.tls_server_name",
            "the certificate must have the host's name",
        ),
        OldKey::meaningless("object_store.gcs.chunk_buffer_size", BUFFERS),
        OldKey::meaningless("object_store.azure.chunk_delimiter", COLONS),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        self.aws.check_at("aws.")?;
        self.gcs.check_at("gcs.")?;
        self.azure.check_at("azure.")?;
        self.object_store.check_at("object_store.")?;
        self.named_stores.check_at("named_stores.")?;
        self.hedging.check_at("hedging.")?;
        ensure(!self.object_prefix.starts_with('/'), "object_prefix", "must not begin with /")?;
        ensure(self.max_parallel_get_chunk > 0, "max_parallel_get_chunk", "must be above 0")?;
        ensure(self.max_chunk_batch_size > 0, "max_chunk_batch_size", "must be above 0")?;
        let shipper = &self.tsdb_shipper;
        ensure(!shipper.cache_ttl.is_negative(), "tsdb_shipper.cache_ttl", "must not be negative")?;
        ensure(shipper.download_timeout > Span::ZERO, "tsdb_shipper.download_timeout", "must be above 0")
    }

    fn files(&self) -> Vec<NamedFile> {
        let mut files = self.aws.files_at("aws.");
        files.extend(self.object_store.files_at("object_store."));
        for (name, store) in &self.named_stores.aws {
            files.extend(store.files_at(&format!("named_stores.aws.{name}.")));
        }
        files
    }
}

impl HedgingSettings {
    pub(super) fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        ensure(!self.at.is_negative(), &format!("{at}at"), "must not be negative")?;
        let counts = self.up_to > 0 && self.max_per_second > 0;
        ensure(self.at.is_zero() || counts, &format!("{at}at"), "needs up_to and max_per_second above 0")
    }
}

impl NamedStores {
    fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        for (name, store) in &self.aws {
            store.check_at(&format!("{at}aws.{name}."))?;
        }
        for (name, store) in &self.gcs {
            store.check_at(&format!("{at}gcs.{name}."))?;
        }
        for (name, store) in &self.azure {
            store.check_at(&format!("{at}azure.{name}."))?;
        }
        for (name, store) in &self.filesystem {
            ensure(!store.directory.is_empty(), &format!("{at}filesystem.{name}.directory"), "is missing")?;
        }
        Ok(())
    }
}
