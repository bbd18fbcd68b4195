//! Which place the settings mean, and what opening refuses.

use larch_telemetry::Registry;
use serde_json::{Value, json};

use super::*;

fn choose(common: Value, storage: Value, schema: Value) -> Result<Backend, OpenError> {
    Backend::choose(
        &serde_json::from_value(common).unwrap(),
        &serde_json::from_value(storage).unwrap(),
        &serde_json::from_value(schema).unwrap(),
    )
}

fn schema(kind: &str) -> Value {
    json!({"configs": [{"from": "2020-01-01", "object_store": kind}]})
}

/// A place in few words.
fn shown(backend: &Backend) -> String {
    let place = match &backend.place {
        Place::Directory { path, key } => format!("{} of {key}", path.display()),
        Place::Memory => "memory".to_owned(),
        Place::S3(place) => place.shown(),
        Place::Gcs(place) => place.shown(),
        Place::Azure(place) => place.shown(),
    };
    if backend.prefix.is_empty() { place } else { format!("{place} below {}", backend.prefix) }
}

#[test]
fn the_schema_names_the_kind_and_the_blocks_the_place() {
    let common = json!({"filesystem": {"chunks_directory": "/common"}, "s3": {"bucketnames": "old-common"}});
    let storage = json!({
        "filesystem": {"directory": "/older"},
        "aws": {"bucketnames": "older"},
        "object_store": {
            "s3": {"bucket_name": "newer"},
            "storage_prefix": "p",
            "named_stores": {"gcs": {"cold": {"bucket_name": "ice"}}},
        },
        "named_stores": {"azure": {"warm": {"container_name": "tepid"}}, "filesystem": {"disk": {"directory": "/d"}}},
        "object_prefix": "a/b/",
    });
    let older_first = json!({"use_thanos_objstore": false, "aws": {"bucketnames": "older"},
        "object_store": {"s3": {"bucket_name": "newer"}}});
    let none = json!({});
    for (common, storage, schema, want) in [
        (&none, &none, none.clone(), "chunks of common.storage.filesystem.chunks_directory"),
        (&common, &none, schema("filesystem"), "/common of common.storage.filesystem.chunks_directory"),
        (&common, &storage, schema("filesystem"), "/older of storage_config.filesystem.directory below a/b"),
        (&common, &none, schema("s3"), "s3 old-common of common.storage.s3."),
        (&common, &storage, schema("aws"), "s3 newer of storage_config.object_store.s3. below a/b/p"),
        (&common, &storage, none.clone(), "s3 newer of storage_config.object_store.s3. below a/b/p"),
        (&common, &older_first, schema("s3"), "s3 older of storage_config.aws."),
        (
            &common,
            &storage,
            schema("cold"),
            "gcs ice of storage_config.object_store.named_stores.gcs.cold. below a/b/p",
        ),
        (
            &common,
            &storage,
            schema("warm"),
            "azure tepid of storage_config.named_stores.azure.warm. below a/b",
        ),
        (
            &common,
            &storage,
            schema("disk"),
            "/d of storage_config.named_stores.filesystem.disk.directory below a/b",
        ),
        (&none, &none, schema("inmemory"), "memory"),
    ] {
        let backend = choose(common.clone(), storage.clone(), schema).unwrap();
        assert_eq!(shown(&backend), want);
    }
}

#[test]
fn what_cannot_be_meant_is_refused_by_its_key() {
    for (storage, kind, want) in [
        (
            json!({}),
            "s3",
            "schema_config.configs: object_store is s3, and nothing says where that is; set storage_config.object_store.s3",
        ),
        (
            json!({}),
            "gcp",
            "schema_config.configs: object_store is gcp, and nothing says where that is; set storage_config.object_store.gcs",
        ),
        (
            json!({}),
            "swift",
            "schema_config.configs: object_store is swift, which is none of s3, gcs, azure, filesystem, inmemory and the names of storage_config.named_stores",
        ),
        (
            json!({"object_prefix": "a/../b"}),
            "inmemory",
            "storage_config.object_prefix: \"..\" may hold English letters, digits and -_.= only, at most 100 of them",
        ),
        (
            json!({"object_prefix": "a~"}),
            "inmemory",
            "storage_config.object_prefix: \"a~\" may hold English letters, digits and -_.= only, at most 100 of them",
        ),
    ] {
        assert_eq!(choose(json!({}), storage, schema(kind)).unwrap_err().to_string(), want);
    }
}

fn open(storage: Value, kind: &str, variables: &[(&str, &str)]) -> Result<Backing, OpenError> {
    let variable =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    choose(json!({}), storage, schema(kind))?.open(&variable, &Registry::default())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

#[test]
fn opening_refuses_by_key() {
    let newer = |block: Value| json!({"object_store": {"s3": block}});
    let older = |block: Value| json!({"aws": block});
    for (storage, kind, want) in [
        (newer(json!({"region": "x"})), "s3", "storage_config.object_store.s3.bucket_name: is missing"),
        (older(json!({"region": "x"})), "s3", "storage_config.aws.bucketnames: is missing"),
        (
            older(json!({"s3": "http://x/y"})),
            "s3",
            "storage_config.aws.s3: must be s3://key:secret@region/bucket",
        ),
        (
            newer(json!({"bucket_name": "b", "endpoint": "ftp://x"})),
            "s3",
            "storage_config.object_store.s3.endpoint: must be a host, host:port, or an http or https URL",
        ),
        (
            newer(json!({"bucket_name": "b", "http": {"tls_ca_path": "/missing.pem"}})),
            "s3",
            "storage_config.object_store.s3.http: set up TLS: read /missing.pem",
        ),
        (json!({"gcs": {"endpoint": "x"}}), "gcs", "storage_config.gcs.bucket_name: is missing"),
        (
            json!({"object_store": {"azure": {"account_name": "a"}}}),
            "azure",
            "storage_config.object_store.azure.container_name: is missing",
        ),
        (
            json!({"object_store": {"azure": {"container_name": "c"}}}),
            "azure",
            "storage_config.object_store.azure.account_name: is missing",
        ),
        (
            json!({"filesystem": {"directory": "/proc/nowhere"}}),
            "filesystem",
            "storage_config.filesystem.directory: use the directory /proc/nowhere",
        ),
    ] {
        let text = chain(&open(storage, kind, &[]).unwrap_err());
        assert!(text.starts_with(want), "{text}\nis not\n{want}");
    }
}

/// A key made for this test alone.
fn service_account() -> String {
    json!({
        "type": "service_account",
        "private_key": "",
        "private_key_id": "",
        "client_email": "",
        "disable_oauth": true,
        "gcs_base_url": "http://127.0.0.1:1",
    })
    .to_string()
}

#[test]
fn every_way_to_say_who_one_is_opens() {
    let azure = |block: Value| json!({"azure": block});
    let web_identity =
        [("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"), ("AWS_ROLE_ARN", "arn:x"), ("AWS_REGION", "eu-west-1")];
    let container = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/x"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t"),
    ];
    let federated =
        [("AZURE_FEDERATED_TOKEN_FILE", "/t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_TENANT_ID", "t")];
    let keys = json!({"object_store": {"s3": {"bucket_name": "b", "access_key_id": "k", "secret_access_key": "s",
        "session_token": "t", "storage_class": "STANDARD_IA", "sse": {"type": "SSE-KMS", "kms_key_id": "k",
        "kms_encryption_context": "{}"}}}});
    let none: &[(&str, &str)] = &[];
    for (storage, kind, variables) in [
        (keys, "s3", none),
        (json!({"aws": {"s3": "s3://key:se%2Fcret@eu-west-1/bucket"}}), "s3", none),
        (json!({"aws": {"bucketnames": "b"}}), "s3", none),
        (json!({"aws": {"bucketnames": "b"}}), "s3", &web_identity),
        (json!({"aws": {"bucketnames": "b"}}), "s3", &container),
        (json!({"gcs": {"bucket_name": "b", "service_account": service_account()}}), "gcs", none),
        (json!({"object_store": {"gcs": {"bucket_name": "b"}}}), "gcs", none),
        (azure(json!({"account_name": "a", "account_key": "aGVsbG8="})), "azure", none),
        (
            azure(json!({"connection_string": "AccountName=a;SharedAccessSignature=sv=1&sig=2"})),
            "azure",
            none,
        ),
        (
            azure(json!({"account_name": "a", "use_managed_identity": true, "user_assigned_id": "i"})),
            "azure",
            none,
        ),
        (
            azure(
                json!({"account_name": "a", "use_service_principal": true, "client_id": "c", "client_secret": "s", "tenant_id": "t"}),
            ),
            "azure",
            none,
        ),
        (azure(json!({"account_name": "a", "use_federated_token": true})), "azure", &federated),
        (azure(json!({"account_name": "a"})), "azure", &federated),
    ] {
        let shown = storage.to_string();
        if let Err(error) = open(storage, kind, variables) {
            panic!("{shown}: {}", chain(&error));
        }
    }
}

#[test]
fn tenants_may_have_an_encryption_of_their_own() {
    let limits = serde_json::from_value(json!({"s3_sse_type": "SSE-KMS", "s3_sse_kms_key_id": "k"})).unwrap();
    assert_eq!(Backend::sse(&limits).unwrap().kms_key_id, "k");
    assert_eq!(Backend::sse(&larch_limits::LimitsSettings::default()), None);
}
