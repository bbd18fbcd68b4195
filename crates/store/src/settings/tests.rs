use expect_test::expect;
use larch_testkit::settings::{comes_back, defaults, files, refusal};
use larch_types::{InvalidSetting, NamedFile, Section};
use serde::{Deserialize, Serialize};

use super::*;

/// `common.storage` is part of a block that another crate owns; here it stands alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Common {
    storage: CommonStorage,
}

impl Section for Common {
    fn check(&self) -> Result<(), InvalidSetting> {
        self.storage.check_at("storage.")
    }

    fn files(&self) -> Vec<NamedFile> {
        self.storage.files_at("storage.")
    }
}

#[test]
fn storage_defaults_are_those_of_loki() {
    expect![[r#"
        aws.s3: ""
        aws.s3forcepathstyle: false
        aws.bucketnames: ""
        aws.endpoint: ""
        aws.region: ""
        aws.access_key_id: ""
        aws.secret_access_key: ""
        aws.session_token: ""
        aws.insecure: false
        aws.signature_version: "v4"
        aws.sse.type: ""
        aws.sse.kms_key_id: ""
        aws.sse.kms_encryption_context: ""
        aws.http_config.timeout: "0s"
        aws.http_config.idle_conn_timeout: "1m30s"
        aws.http_config.response_header_timeout: "0s"
        aws.http_config.insecure_skip_verify: false
        aws.http_config.ca_file: ""
        aws.backoff_config.min_period: "100ms"
        aws.backoff_config.max_period: "3s"
        aws.backoff_config.max_retries: 5
        aws.storage_class: "STANDARD"
        gcs.bucket_name: ""
        gcs.endpoint: ""
        gcs.service_account: ""
        gcs.request_timeout: "0s"
        gcs.enable_retries: true
        azure.environment: "AzureGlobal"
        azure.account_name: ""
        azure.account_key: ""
        azure.connection_string: ""
        azure.container_name: "loki"
        azure.active_directory_endpoint: ""
        azure.endpoint_suffix: ""
        azure.use_managed_identity: false
        azure.use_federated_token: false
        azure.user_assigned_id: ""
        azure.use_service_principal: false
        azure.client_id: ""
        azure.client_secret: ""
        azure.tenant_id: ""
        azure.request_timeout: "30s"
        azure.max_retries: 5
        azure.min_retry_delay: "10ms"
        azure.max_retry_delay: "500ms"
        filesystem.directory: ""
        named_stores.aws: {}
        named_stores.gcs: {}
        named_stores.azure: {}
        named_stores.filesystem: {}
        use_thanos_objstore: true
        object_store.s3.endpoint: ""
        object_store.s3.region: ""
        object_store.s3.bucket_name: ""
        object_store.s3.secret_access_key: ""
        object_store.s3.access_key_id: ""
        object_store.s3.session_token: ""
        object_store.s3.insecure: false
        object_store.s3.bucket_lookup_type: "auto"
        object_store.s3.storage_class: ""
        object_store.s3.part_size: "0B"
        object_store.s3.sts_endpoint: ""
        object_store.s3.max_retries: 10
        object_store.s3.sse.type: ""
        object_store.s3.sse.kms_key_id: ""
        object_store.s3.sse.kms_encryption_context: ""
        object_store.s3.http.idle_conn_timeout: "1m30s"
        object_store.s3.http.response_header_timeout: "2m"
        object_store.s3.http.insecure_skip_verify: false
        object_store.s3.http.tls_handshake_timeout: "10s"
        object_store.s3.http.max_idle_connections_per_host: 100
        object_store.s3.http.tls_ca_path: ""
        object_store.s3.http.tls_cert_path: ""
        object_store.s3.http.tls_key_path: ""
        object_store.gcs.bucket_name: ""
        object_store.gcs.service_account: ""
        object_store.gcs.max_retries: 10
        object_store.azure.account_name: ""
        object_store.azure.account_key: ""
        object_store.azure.connection_string: ""
        object_store.azure.container_name: ""
        object_store.azure.endpoint_suffix: ""
        object_store.azure.max_retries: 20
        object_store.azure.user_assigned_id: ""
        object_store.filesystem.dir: ""
        object_store.storage_prefix: ""
        object_store.named_stores.s3: {}
        object_store.named_stores.gcs: {}
        object_store.named_stores.azure: {}
        object_store.named_stores.filesystem: {}
        object_prefix: ""
        hedging.at: "0s"
        hedging.up_to: 2
        hedging.max_per_second: 5
        max_parallel_get_chunk: 150
        max_chunk_batch_size: 50
        tsdb_shipper.cache_location: ""
        tsdb_shipper.cache_ttl: "1d"
        tsdb_shipper.query_ready_num_days: 0
        tsdb_shipper.download_timeout: "1m"
    "#]]
    .assert_eq(&defaults::<StorageSettings>());
}

#[test]
fn chunk_store_defaults_are_those_of_loki() {
    expect![[r#"
        chunk_cache_config.default_validity: "1h"
        chunk_cache_config.background.writeback_goroutines: 1
        chunk_cache_config.background.writeback_buffer: 500000
        chunk_cache_config.background.writeback_size_limit: "500MB"
        chunk_cache_config.memcached.expiration: "0s"
        chunk_cache_config.memcached.batch_size: 4
        chunk_cache_config.memcached.parallelism: 5
        chunk_cache_config.memcached_client.host: ""
        chunk_cache_config.memcached_client.service: "memcached"
        chunk_cache_config.memcached_client.addresses: []
        chunk_cache_config.memcached_client.timeout: "100ms"
        chunk_cache_config.memcached_client.max_idle_conns: 16
        chunk_cache_config.memcached_client.max_item_size: "0B"
        chunk_cache_config.memcached_client.update_interval: "1m"
        chunk_cache_config.memcached_client.consistent_hash: true
        chunk_cache_config.memcached_client.circuit_breaker_consecutive_failures: 10
        chunk_cache_config.memcached_client.circuit_breaker_timeout: "10s"
        chunk_cache_config.memcached_client.circuit_breaker_interval: "10s"
        chunk_cache_config.memcached_client.tls_enabled: false
        chunk_cache_config.memcached_client.tls_cert_path: ""
        chunk_cache_config.memcached_client.tls_key_path: ""
        chunk_cache_config.memcached_client.tls_ca_path: ""
        chunk_cache_config.memcached_client.tls_server_name: ""
        chunk_cache_config.memcached_client.tls_insecure_skip_verify: false
        chunk_cache_config.memcached_client.tls_min_version: ""
        chunk_cache_config.redis.endpoint: []
        chunk_cache_config.redis.master_name: ""
        chunk_cache_config.redis.timeout: "500ms"
        chunk_cache_config.redis.expiration: "0s"
        chunk_cache_config.redis.db: 0
        chunk_cache_config.redis.pool_size: 0
        chunk_cache_config.redis.username: ""
        chunk_cache_config.redis.password: ""
        chunk_cache_config.redis.tls_enabled: false
        chunk_cache_config.redis.tls_insecure_skip_verify: false
        chunk_cache_config.redis.idle_timeout: "0s"
        chunk_cache_config.redis.max_connection_age: "0s"
        chunk_cache_config.redis.route_randomly: false
        chunk_cache_config.embedded_cache.enabled: false
        chunk_cache_config.embedded_cache.max_size_mb: 100.0
        chunk_cache_config.embedded_cache.max_size_items: 0
        chunk_cache_config.embedded_cache.ttl: "1h"
        chunk_cache_config_l2.default_validity: "1h"
        chunk_cache_config_l2.background.writeback_goroutines: 1
        chunk_cache_config_l2.background.writeback_buffer: 500000
        chunk_cache_config_l2.background.writeback_size_limit: "500MB"
        chunk_cache_config_l2.memcached.expiration: "0s"
        chunk_cache_config_l2.memcached.batch_size: 4
        chunk_cache_config_l2.memcached.parallelism: 5
        chunk_cache_config_l2.memcached_client.host: ""
        chunk_cache_config_l2.memcached_client.service: "memcached"
        chunk_cache_config_l2.memcached_client.addresses: []
        chunk_cache_config_l2.memcached_client.timeout: "100ms"
        chunk_cache_config_l2.memcached_client.max_idle_conns: 16
        chunk_cache_config_l2.memcached_client.max_item_size: "0B"
        chunk_cache_config_l2.memcached_client.update_interval: "1m"
        chunk_cache_config_l2.memcached_client.consistent_hash: true
        chunk_cache_config_l2.memcached_client.circuit_breaker_consecutive_failures: 10
        chunk_cache_config_l2.memcached_client.circuit_breaker_timeout: "10s"
        chunk_cache_config_l2.memcached_client.circuit_breaker_interval: "10s"
        chunk_cache_config_l2.memcached_client.tls_enabled: false
        chunk_cache_config_l2.memcached_client.tls_cert_path: ""
        chunk_cache_config_l2.memcached_client.tls_key_path: ""
        chunk_cache_config_l2.memcached_client.tls_ca_path: ""
        chunk_cache_config_l2.memcached_client.tls_server_name: ""
        chunk_cache_config_l2.memcached_client.tls_insecure_skip_verify: false
        chunk_cache_config_l2.memcached_client.tls_min_version: ""
        chunk_cache_config_l2.redis.endpoint: []
        chunk_cache_config_l2.redis.master_name: ""
        chunk_cache_config_l2.redis.timeout: "500ms"
        chunk_cache_config_l2.redis.expiration: "0s"
        chunk_cache_config_l2.redis.db: 0
        chunk_cache_config_l2.redis.pool_size: 0
        chunk_cache_config_l2.redis.username: ""
        chunk_cache_config_l2.redis.password: ""
        chunk_cache_config_l2.redis.tls_enabled: false
        chunk_cache_config_l2.redis.tls_insecure_skip_verify: false
        chunk_cache_config_l2.redis.idle_timeout: "0s"
        chunk_cache_config_l2.redis.max_connection_age: "0s"
        chunk_cache_config_l2.redis.route_randomly: false
        chunk_cache_config_l2.embedded_cache.enabled: false
        chunk_cache_config_l2.embedded_cache.max_size_mb: 100.0
        chunk_cache_config_l2.embedded_cache.max_size_items: 0
        chunk_cache_config_l2.embedded_cache.ttl: "1h"
        l2_chunk_cache_handoff: "0s"
        skip_query_writeback_cache_older_than: "0s"
        disk_cache.directory: ""
        disk_cache.max_size: "10GB"
        disk_cache.max_size_items: 500000
        disk_cache.writeback_size_limit: "64MB"
    "#]]
    .assert_eq(&defaults::<ChunkStoreSettings>());
}

#[test]
fn schema_defaults_are_those_of_loki() {
    expect![[r#"
        configs: []
    "#]]
    .assert_eq(&defaults::<SchemaSettings>());
}

#[test]
fn common_storage_defaults_are_those_of_loki() {
    expect![[r#"
        storage.s3.s3: ""
        storage.s3.s3forcepathstyle: false
        storage.s3.bucketnames: ""
        storage.s3.endpoint: ""
        storage.s3.region: ""
        storage.s3.access_key_id: ""
        storage.s3.secret_access_key: ""
        storage.s3.session_token: ""
        storage.s3.insecure: false
        storage.s3.signature_version: "v4"
        storage.s3.sse.type: ""
        storage.s3.sse.kms_key_id: ""
        storage.s3.sse.kms_encryption_context: ""
        storage.s3.http_config.timeout: "0s"
        storage.s3.http_config.idle_conn_timeout: "1m30s"
        storage.s3.http_config.response_header_timeout: "0s"
        storage.s3.http_config.insecure_skip_verify: false
        storage.s3.http_config.ca_file: ""
        storage.s3.backoff_config.min_period: "100ms"
        storage.s3.backoff_config.max_period: "3s"
        storage.s3.backoff_config.max_retries: 5
        storage.s3.storage_class: "STANDARD"
        storage.gcs.bucket_name: ""
        storage.gcs.endpoint: ""
        storage.gcs.service_account: ""
        storage.gcs.request_timeout: "0s"
        storage.gcs.enable_retries: true
        storage.azure.environment: "AzureGlobal"
        storage.azure.account_name: ""
        storage.azure.account_key: ""
        storage.azure.connection_string: ""
        storage.azure.container_name: "loki"
        storage.azure.active_directory_endpoint: ""
        storage.azure.endpoint_suffix: ""
        storage.azure.use_managed_identity: false
        storage.azure.use_federated_token: false
        storage.azure.user_assigned_id: ""
        storage.azure.use_service_principal: false
        storage.azure.client_id: ""
        storage.azure.client_secret: ""
        storage.azure.tenant_id: ""
        storage.azure.request_timeout: "30s"
        storage.azure.max_retries: 5
        storage.azure.min_retry_delay: "10ms"
        storage.azure.max_retry_delay: "500ms"
        storage.filesystem.chunks_directory: ""
        storage.filesystem.rules_directory: ""
        storage.object_store.s3.endpoint: ""
        storage.object_store.s3.region: ""
        storage.object_store.s3.bucket_name: ""
        storage.object_store.s3.secret_access_key: ""
        storage.object_store.s3.access_key_id: ""
        storage.object_store.s3.session_token: ""
        storage.object_store.s3.insecure: false
        storage.object_store.s3.bucket_lookup_type: "auto"
        storage.object_store.s3.storage_class: ""
        storage.object_store.s3.part_size: "0B"
        storage.object_store.s3.sts_endpoint: ""
        storage.object_store.s3.max_retries: 10
        storage.object_store.s3.sse.type: ""
        storage.object_store.s3.sse.kms_key_id: ""
        storage.object_store.s3.sse.kms_encryption_context: ""
        storage.object_store.s3.http.idle_conn_timeout: "1m30s"
        storage.object_store.s3.http.response_header_timeout: "2m"
        storage.object_store.s3.http.insecure_skip_verify: false
        storage.object_store.s3.http.tls_handshake_timeout: "10s"
        storage.object_store.s3.http.max_idle_connections_per_host: 100
        storage.object_store.s3.http.tls_ca_path: ""
        storage.object_store.s3.http.tls_cert_path: ""
        storage.object_store.s3.http.tls_key_path: ""
        storage.object_store.gcs.bucket_name: ""
        storage.object_store.gcs.service_account: ""
        storage.object_store.gcs.max_retries: 10
        storage.object_store.azure.account_name: ""
        storage.object_store.azure.account_key: ""
        storage.object_store.azure.connection_string: ""
        storage.object_store.azure.container_name: ""
        storage.object_store.azure.endpoint_suffix: ""
        storage.object_store.azure.max_retries: 20
        storage.object_store.azure.user_assigned_id: ""
        storage.object_store.filesystem.dir: ""
        storage.object_store.storage_prefix: ""
        storage.object_store.named_stores.s3: {}
        storage.object_store.named_stores.gcs: {}
        storage.object_store.named_stores.azure: {}
        storage.object_store.named_stores.filesystem: {}
        storage.hedging.at: "0s"
        storage.hedging.up_to: 2
        storage.hedging.max_per_second: 5
    "#]]
    .assert_eq(&defaults::<Common>());
}

#[test]
fn storage_values_come_back() {
    let storage: StorageSettings = comes_back(
        r#"{"aws": {"s3": "s3://key:secret@eu-west-1/logs", "s3forcepathstyle": true,
                    "bucketnames": "logs", "endpoint": "minio:9000", "access_key_id": "key",
                    "secret_access_key": "secret", "insecure": true,
                    "sse": {"type": "SSE-KMS", "kms_key_id": "k", "kms_encryption_context": "{\"a\":\"b\"}"},
                    "http_config": {"response_header_timeout": "2m", "insecure_skip_verify": true},
                    "backoff_config": {"min_period": "1s", "max_period": "10s", "max_retries": 9},
                    "storage_class": "STANDARD_IA"},
            "azure": {"environment": "AzureChinaCloud", "account_name": "a", "account_key": "k",
                      "use_managed_identity": true, "max_retry_delay": "5s"},
            "gcs": {"bucket_name": "b", "service_account": "{}", "enable_retries": false},
            "filesystem": {"directory": "/loki/chunks"}, "use_thanos_objstore": false,
            "object_store": {"s3": {"bucket_name": "logs", "bucket_lookup_type": "virtual-hosted",
                                    "part_size": "8MB", "http": {"tls_ca_path": "/ca.pem"}},
                             "storage_prefix": "team-7"},
            "object_prefix": "loki/", "hedging": {"at": "250ms", "up_to": 3, "max_per_second": 20},
            "max_parallel_get_chunk": 10,
            "tsdb_shipper": {"cache_location": "/cache", "query_ready_num_days": 7}}"#,
    );
    assert_eq!(storage.check(), Ok(()));
    assert_eq!(storage.aws.secret_access_key.reveal(), "secret");
    assert_eq!(storage.object_store.configured(), ["s3"]);
}

#[test]
fn named_stores_are_typed() {
    let given =
        r#"{"named_stores": {"aws": {"cold": {"bucketnames": "cold", "http_config": {"ca_file": "c"}}}}}"#;
    let storage: StorageSettings = serde_json::from_str(given).unwrap();
    assert_eq!(storage.named_stores.aws["cold"].bucketnames, "cold");
    assert_eq!(files::<StorageSettings>(given), ["named_stores.aws.cold.http_config.ca_file=c"]);
}

#[test]
fn other_values_come_back() {
    let caches: ChunkStoreSettings = comes_back(
        r#"{"chunk_cache_config": {"default_validity": "1d",
                "background": {"writeback_goroutines": 4, "writeback_size_limit": "1GB"},
                "memcached": {"expiration": "12h", "batch_size": 256, "parallelism": 10},
                "memcached_client": {"addresses": ["dnssrvnoa+_memcached._tcp.cache"], "timeout": "2s",
                    "consistent_hash": false, "tls_enabled": true, "tls_min_version": "VersionTLS12"}},
            "chunk_cache_config_l2": {"embedded_cache": {"enabled": true, "max_size_mb": 0.5, "ttl": "5m"}},
            "l2_chunk_cache_handoff": "3d",
            "disk_cache": {"directory": "/cache", "max_size": "100GB", "max_size_items": 5000000,
                "writeback_size_limit": "1GB"}}"#,
    );
    assert_eq!(caches.check(), Ok(()));
    assert!(caches.chunk_cache_config.is_configured() && caches.disk_cache.is_configured());
    assert!(!ChunkStoreSettings::default().disk_cache.is_configured());
    let schema: SchemaSettings = comes_back(
        r#"{"configs": [
            {"from": "2020-10-24", "store": "boltdb-shipper", "object_store": "filesystem", "schema": "v11",
             "index": {"path_prefix": "index/", "prefix": "index_", "period": "1d", "tags": {}},
             "chunks": {"prefix": "", "period": "0s", "tags": {}}, "row_shards": 16},
            {"from": "2024-04-01", "store": "tsdb", "object_store": "s3", "schema": "v13",
             "index": {"path_prefix": "index/", "prefix": "loki_index_", "period": "1d", "tags": {}},
             "chunks": {"prefix": "", "period": "0s", "tags": {}}, "row_shards": 16}]}"#,
    );
    assert_eq!(schema.check(), Ok(()));
    let common: Common = comes_back(
        r#"{"storage": {"filesystem": {"chunks_directory": "/loki/chunks", "rules_directory": "/loki/rules"}}}"#,
    );
    assert_eq!(common.check(), Ok(()));
    assert_eq!(common.storage.configured(), ["filesystem"]);
}

#[test]
fn files_are_those_that_are_set() {
    let given = r#"{"aws": {"http_config": {"ca_file": "a.pem"}},
                    "object_store": {"s3": {"http": {"tls_ca_path": "b.pem"}}}}"#;
    assert_eq!(
        files::<StorageSettings>(given),
        ["aws.http_config.ca_file=a.pem", "object_store.s3.http.tls_ca_path=b.pem"]
    );
    let given =
        r#"{"chunk_cache_config": {"memcached_client": {"tls_cert_path": "c", "tls_key_path": "k"}}}"#;
    assert_eq!(
        files::<ChunkStoreSettings>(given),
        [
            "chunk_cache_config.memcached_client.tls_cert_path=c",
            "chunk_cache_config.memcached_client.tls_key_path=k"
        ]
    );
    let given = r#"{"storage": {"s3": {"http_config": {"ca_file": "a.pem"}}}}"#;
    assert_eq!(files::<Common>(given), ["storage.s3.http_config.ca_file=a.pem"]);
}

#[test]
fn storage_refuses_what_cannot_be_meant() {
    for (given, text) in [
        (
            r#"{"aws": {"bucketnames": "a,b"}}"#,
            "aws.bucketnames: objects are not spread over several buckets; name one",
        ),
        (
            r#"{"aws": {"access_key_id": "a"}}"#,
            "aws.secret_access_key: must be set exactly if access_key_id is",
        ),
        (r#"{"aws": {"signature_version": "v2"}}"#, "unknown variant `v2`, expected `v4`"),
        (r#"{"aws": {"http_config": {"timeout": "-1s"}}}"#, "aws.http_config.timeout: must not be negative"),
        (
            r#"{"aws": {"backoff_config": {"max_period": "1ms"}}}"#,
            "aws.backoff_config.max_period: must not be below min_period",
        ),
        (
            r#"{"aws": {"sse": {"type": "SSE-C"}}}"#,
            "unknown variant `SSE-C`, expected one of ``, `SSE-KMS`, `SSE-S3`",
        ),
        (
            r#"{"aws": {"sse": {"kms_key_id": "k"}}}"#,
            "aws.sse.kms_key_id: means something with type SSE-KMS only",
        ),
        (
            r#"{"aws": {"sse": {"type": "SSE-KMS", "kms_encryption_context": "a=b"}}}"#,
            "aws.sse.kms_encryption_context: must be a JSON object",
        ),
        (
            r#"{"object_store": {"s3": {"http": {"tls_cert_path": "c"}}}}"#,
            "object_store.s3.http.tls_key_path: must be set exactly if tls_cert_path is",
        ),
        (
            r#"{"object_store": {"storage_prefix": "a/b"}}"#,
            "object_store.storage_prefix: may hold English letters, digits and dashes only",
        ),
        (
            r#"{"gcs": {"service_account": "/key.json"}}"#,
            "gcs.service_account: must be the JSON text of a key, not the name of its file; name the file in the environment variable GOOGLE_APPLICATION_CREDENTIALS",
        ),
        (
            r#"{"azure": {"use_managed_identity": true, "use_federated_token": true}}"#,
            "azure.use_managed_identity: only one of use_managed_identity, use_federated_token and use_service_principal can be true",
        ),
        (
            r#"{"azure": {"use_service_principal": true}}"#,
            "azure.use_service_principal: needs client_id, client_secret and tenant_id",
        ),
        (r#"{"named_stores": {"filesystem": {"x": {}}}}"#, "named_stores.filesystem.x.directory: is missing"),
        (r#"{"hedging": {"at": "1s", "up_to": 0}}"#, "hedging.at: needs up_to and max_per_second above 0"),
        (r#"{"object_prefix": "/a"}"#, "object_prefix: must not begin with /"),
        (r#"{"max_parallel_get_chunk": 0}"#, "max_parallel_get_chunk: must be above 0"),
        (r#"{"tsdb_shipper": {"download_timeout": "0s"}}"#, "tsdb_shipper.download_timeout: must be above 0"),
    ] {
        assert_eq!(refusal::<StorageSettings>(given), text, "{given}");
    }
}

#[test]
fn others_refuse_what_cannot_be_meant() {
    for (given, text) in [
        (
            r#"{"chunk_cache_config": {"redis": {"endpoint": ["r:1"]}, "memcached_client": {"host": "m"}}}"#,
            "chunk_cache_config.redis.endpoint: memcached_client is set too, and there can be one of them only",
        ),
        (
            r#"{"chunk_cache_config_l2": {"embedded_cache": {"max_size_mb": 0}}}"#,
            "chunk_cache_config_l2.embedded_cache.max_size_mb: must be above 0, or max_size_items must be",
        ),
        (
            r#"{"chunk_cache_config": {"memcached": {"batch_size": 0}}}"#,
            "chunk_cache_config.memcached.batch_size: must be above 0",
        ),
        (
            r#"{"chunk_cache_config": {"default_validity": "-1s"}}"#,
            "chunk_cache_config.default_validity: must not be negative",
        ),
        (r#"{"l2_chunk_cache_handoff": "-1h"}"#, "l2_chunk_cache_handoff: must not be negative"),
        (r#"{"disk_cache": {"max_size": "63MB"}}"#, "disk_cache.max_size: must be at least 64 MiB"),
        (r#"{"disk_cache": {"max_size_items": 0}}"#, "disk_cache.max_size_items: must be above 0"),
        (
            r#"{"disk_cache": {"writeback_size_limit": "0B"}}"#,
            "disk_cache.writeback_size_limit: must be above 0",
        ),
        (
            r#"{"disk_cache": {"path": "x"}}"#,
            "unknown field `path`, expected one of `directory`, `max_size`, `max_size_items`, `writeback_size_limit`",
        ),
    ] {
        assert_eq!(refusal::<ChunkStoreSettings>(given), text, "{given}");
    }
    for (given, text) in [
        (r#"{"configs": [{"from": "24.1.2020"}]}"#, "configs.0.from: must be a day such as 2024-01-31"),
        (
            r#"{"configs": [{"from": "2024-01-01", "object_store": "s3"},
                            {"from": "2024-01-01", "object_store": "s3"}]}"#,
            "configs.1.from: must be after the one before",
        ),
        (r#"{"configs": [{"from": "2024-01-01"}]}"#, "configs.0.object_store: is missing"),
    ] {
        assert_eq!(refusal::<SchemaSettings>(given), text, "{given}");
    }
    for (given, text) in [
        (
            r#"{"storage": {"s3": {"bucketnames": "b"}, "filesystem": {"chunks_directory": "d"}}}"#,
            "storage.filesystem: s3 is set too, and there can be one storage only",
        ),
        (
            r#"{"storage": {"object_store": {"s3": {"region": "b"}, "gcs": {"bucket_name": "d"}}}}"#,
            "storage.object_store.gcs: s3 is set too, and there can be one storage only",
        ),
    ] {
        assert_eq!(refusal::<Common>(given), text, "{given}");
    }
}
