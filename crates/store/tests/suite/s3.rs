//! Stores that cannot be used: each says why, in bounded time.

use std::time::Duration;

use larch_proto::Partition;
use larch_store::{Failure, Key, Store, StoreError};
use larch_types::SegmentId;
use serde_json::{Value, json};

use crate::harness::{Server, Trouble, certificate, open, silent_server};

fn key() -> Key {
    Key::segment(&"t".parse().unwrap(), Partition::Wide, SegmentId::from_u128(1))
}

fn with(server: &Server, more: &[(&str, Value)]) -> Store {
    let mut settings = server.settings();
    for (name, value) in more {
        settings["object_store"]["s3"][*name] = value.clone();
    }
    open(&settings, "s3")
}

#[track_caller]
fn check(failure: &StoreError, want: Failure, text: &str) {
    assert_eq!(failure.failure(), want, "{failure}");
    assert!(failure.to_string().contains(text), "{failure}\nsays nothing of\n{text}");
}

#[tokio::test]
async fn wrong_credentials() {
    let server = Server::start(Trouble::default()).await;
    let wrong_key = with(&server, &[("access_key_id", "nobody".into())]);
    let failure = wrong_key.get(&key(), 10).await.unwrap_err();
    check(&failure, Failure::Refused, "(the store answers 403 ");
    let wrong_secret = with(&server, &[("secret_access_key", "guessed".into())]);
    let failure = wrong_secret.put(&key(), "x".into()).await.unwrap_err();
    check(&failure, Failure::Refused, "403 SignatureDoesNotMatch");
    assert_eq!(server.requests().len(), 2, "what is refused is not tried again");
}

#[tokio::test]
async fn what_a_store_says_decides_what_is_done() {
    const NO_BUCKET: &str = "<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>";
    const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>";
    for (status, body, want, text) in [
        (404, "", Failure::Missing, "no such object"),
        (404, NO_BUCKET, Failure::Refused, "(the store answers 404 NoSuchBucket: none)"),
        (403, DENIED, Failure::Refused, "(the store answers 403 AccessDenied: Access Denied.)"),
        (401, "", Failure::Refused, "(the store answers 401)"),
        (301, "", Failure::Refused, "region"),
        (501, "", Failure::Refused, "(the store answers 501)"),
        (500, "", Failure::Unavailable, "after 8 tries (the store answers 500)"),
        (429, "", Failure::Unavailable, "after 8 tries (the store answers 429)"),
    ] {
        let server = Server::start(Trouble { always: Some((status, body)), ..Trouble::default() }).await;
        let failure = with(&server, &[]).get(&key(), 10).await.unwrap_err();
        check(&failure, want, text);
        let tries = if failure.failure().is_transient() { 8 } else { 1 };
        assert_eq!(server.requests().len(), tries, "{status} {body}");
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_refused() {
    for body in ["", "<html>", "<ListBucketResult><Contents><Key>x</Key></Contents></ListBucketResult>"] {
        let server = Server::start(Trouble { always: Some((200, body)), ..Trouble::default() }).await;
        let folder = larch_store::Folder::tenants();
        let failure = with(&server, &[]).list(&folder, None, 10).await.unwrap_err();
        assert_eq!(failure.failure(), Failure::Refused, "{failure}");
    }
}

#[tokio::test]
async fn nobody_listens() {
    let server = Server::start(Trouble::default()).await;
    let store = with(&server, &[]);
    drop(server);
    let failure = store.head(&key()).await.unwrap_err();
    check(&failure, Failure::Unavailable, "after 8 tries");
}

#[tokio::test(start_paused = true)]
async fn nobody_answers() {
    let (address, scope) = silent_server().await;
    for secure in [false, true] {
        let settings = json!({"object_store": {"s3": {"endpoint": address.to_string(), "insecure": !secure,
            "bucket_name": "b", "access_key_id": "k", "secret_access_key": "s",
            "http": {"insecure_skip_verify": true}}}});
        let start = tokio::time::Instant::now();
        let failure = open(&settings, "s3").head(&key()).await.unwrap_err();
        assert!(matches!(failure.failure(), Failure::Late | Failure::Unavailable), "{failure}");
        assert!(start.elapsed() <= Duration::from_secs(125), "{:?}", start.elapsed());
    }
    scope.close(Duration::from_secs(1)).await.unwrap();
}

#[tokio::test]
async fn certificates() {
    let (pem, tls) = certificate();
    let server = Server::start_with(Trouble::default(), Some(tls)).await;
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (folder.path().join("ours.pem"), folder.path().join("other.pem"));
    std::fs::write(&ours, pem).unwrap();
    std::fs::write(&other, certificate().0).unwrap();
    let secure = |http: Value| with(&server, &[("insecure", false.into()), ("http", http)]);
    secure(json!({"tls_ca_path": ours})).put(&key(), "x".into()).await.unwrap();
    assert_eq!(secure(json!({"insecure_skip_verify": true})).get(&key(), 10).await.unwrap(), "x");
    let failure = secure(json!({"tls_ca_path": other})).get(&key(), 10).await.unwrap_err();
    check(&failure, Failure::Unavailable, "invalid peer certificate");
    // Plain text to a port that speaks TLS.
    let failure = with(&server, &[]).get(&key(), 10).await.unwrap_err();
    assert_eq!(failure.failure(), Failure::Unavailable, "{failure}");
}
