//! What goes over the wire to S3: signatures, encryption, classes, and where the bucket's name is.

use std::collections::BTreeSet;

use bytes::Bytes;
use larch_proto::Partition;
use larch_store::{Backend, Key, Sse, Store, StoreOptions};
use larch_telemetry::Registry;
use larch_types::{SegmentId, TenantId};
use serde_json::{Value, json};

use crate::harness::{BUCKET, Seen, Server, Trouble, backend, env, metrics, open};

fn key(tenant: &str) -> Key {
    Key::segment(&tenant.parse().unwrap(), Partition::Wide, SegmentId::from_u128(1))
}

fn with(server: &Server, more: &[(&str, Value)]) -> Value {
    let mut settings = server.settings();
    for (name, value) in more {
        settings["object_store"]["s3"][*name] = value.clone();
    }
    settings
}

fn puts(server: &Server) -> Vec<Seen> {
    server.requests().into_iter().filter(|request| request.method == "PUT").collect()
}

#[tokio::test]
async fn encryption_is_asked_for_when_writing_only() {
    let server = Server::start(Trouble::default()).await;
    let sse = json!({"type": "SSE-KMS", "kms_key_id": "the-key", "kms_encryption_context": "{\"a\":\"b\"}"});
    let store = open(&with(&server, &[("sse", sse), ("storage_class", "STANDARD".into())]), "s3");
    store.put(&key("t"), "x".into()).await.unwrap();
    // The context may not be said with parts, so a large object goes whole.
    store.put(&key("u"), Bytes::from(vec![1; 17 << 20])).await.unwrap();
    store.get(&key("t"), 10).await.unwrap();
    store.delete(&key("t")).await.unwrap();
    for put in puts(&server) {
        assert_eq!(put.header("x-amz-server-side-encryption"), Some("aws:kms"));
        assert_eq!(put.header("x-amz-server-side-encryption-aws-kms-key-id"), Some("the-key"));
        assert_eq!(put.header("x-amz-server-side-encryption-context"), Some("eyJhIjoiYiJ9"));
        assert_eq!(put.header("x-amz-storage-class"), None, "every store has this class by itself");
        let signed = put.header("authorization").unwrap();
        assert!(signed.contains("x-amz-server-side-encryption-context"), "{signed}");
    }
    let others: Vec<Seen> = server.requests().into_iter().filter(|request| request.method != "PUT").collect();
    let says_nothing = |request: &Seen| {
        let mut names = request.headers.iter().map(|(name, _)| name);
        names.all(|name| !name.starts_with("x-amz-server-side-encryption"))
    };
    assert!(others.iter().all(says_nothing), "{others:?}");
    let methods: Vec<&str> = others.iter().map(|request| request.method.as_str()).collect();
    assert_eq!((puts(&server).len(), methods), (2, vec!["GET", "DELETE"]));
}

#[tokio::test]
async fn a_class_goes_with_what_is_written() {
    let server = Server::start(Trouble::default()).await;
    let store = open(&with(&server, &[("storage_class", "STANDARD_IA".into())]), "s3");
    // This server knows no class but the usual one.
    let failure = store.put(&key("t"), "x".into()).await.unwrap_err();
    assert!(failure.to_string().contains("400 InvalidStorageClass"), "{failure}");
    assert_eq!(puts(&server)[0].header("x-amz-storage-class"), Some("STANDARD_IA"));
}

#[tokio::test]
async fn a_tenants_own_encryption() {
    let server = Server::start(Trouble::default()).await;
    let settings = with(&server, &[("sse", json!({"type": "SSE-S3"}))]);
    let backend: Backend = backend(&settings, "s3").unwrap();
    let registry = Registry::default();
    let own = |tenant: &TenantId| {
        let kms = Sse {
            kind: larch_limits::SseType::Kms,
            kms_key_id: format!("key-of-{tenant}"),
            ..Sse::default()
        };
        (tenant.as_str() != "plain").then_some(kms)
    };
    let options = StoreOptions {
        sse: std::sync::Arc::new(own),
        ..backend.options(&serde_json::from_value(settings.clone()).unwrap())
    };
    let store = Store::new(backend.open(&|_| None, &registry).unwrap(), options, env(), &registry);
    for tenant in ["a", "b", "a", "plain"] {
        store.put(&key(tenant), "x".into()).await.unwrap();
    }
    let keys: Vec<Option<String>> = puts(&server)
        .iter()
        .map(|put| put.header("x-amz-server-side-encryption-aws-kms-key-id").map(str::to_owned))
        .collect();
    assert_eq!(
        keys,
        [Some("key-of-a".to_owned()), Some("key-of-b".to_owned()), Some("key-of-a".to_owned()), None]
    );
    assert_eq!(puts(&server)[3].header("x-amz-server-side-encryption"), Some("AES256"));
}

#[tokio::test]
async fn every_request_is_signed_and_named() {
    let server = Server::start(Trouble::default()).await;
    let store = open(&with(&server, &[("session_token", "the-token".into())]), "s3");
    // The server checks signatures, and knows no tokens: it takes what is signed with the right keys.
    store.put(&key("t"), "x".into()).await.unwrap();
    store.get_tail(&key("t"), 1).await.unwrap();
    let uris: BTreeSet<String> = server.requests().iter().map(|request| request.uri.clone()).collect();
    assert_eq!(uris.into_iter().collect::<Vec<_>>(), [format!("/{BUCKET}/{}", key("t"))]);
    for request in server.requests() {
        assert_eq!(request.header("user-agent"), Some(concat!("larch/", env!("CARGO_PKG_VERSION"))));
        assert_eq!(request.header("x-amz-security-token"), Some("the-token"));
        assert!(request.header("authorization").unwrap().starts_with("AWS4-HMAC-SHA256 Credential=larch/"));
    }
}

#[tokio::test]
async fn dashboards_find_their_metrics() {
    let server = Server::start(Trouble::default()).await;
    let settings = server.settings();
    let backend = backend(&settings, "s3").unwrap();
    let registry = Registry::default();
    let options = backend.options(&serde_json::from_value(settings).unwrap());
    let store = Store::new(backend.open(&|_| None, &registry).unwrap(), options, env(), &registry);
    store.put(&key("t"), "abc".into()).await.unwrap();
    store.get(&key("t"), 10).await.unwrap();
    assert!(store.head(&key("missing")).await.unwrap_err().is_missing());
    let text = metrics(&registry);
    for line in [
        "loki_objstore_bucket_operations_total{bucket=\"logs\",operation=\"upload\"} 1",
        "loki_objstore_bucket_operations_total{bucket=\"logs\",operation=\"attributes\"} 1",
        "loki_objstore_bucket_operation_duration_seconds_count{bucket=\"logs\",operation=\"get\"} 1",
        "loki_objstore_bucket_transport_requests_total{status_code=\"404\",method=\"HEAD\"} 1",
        "loki_s3_request_duration_seconds_count{operation=\"S3.PutObject\",status_code=\"200\"} 1",
        "larch_store_bytes_total{operation=\"get\"} 3",
        "larch_store_bytes_total{operation=\"upload\"} 3",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let mut failures =
        text.lines().filter(|line| line.starts_with("loki_objstore_bucket_operation_failures_total{"));
    assert!(failures.all(|line| line.ends_with("} 0")), "{text}");
}
