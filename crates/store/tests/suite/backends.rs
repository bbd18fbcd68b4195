//! The suite against every kind of store.

use std::io::Write;

use larch_store::{Backing, StoreOptions};
use serde_json::{Value, json};

use crate::conformance::{conformance, conformance_of_short_names};
use crate::harness::{Server, Trouble, open, store};

#[tokio::test]
async fn memory() {
    conformance(&store(Backing::memory(), StoreOptions::default())).await;
    let below = StoreOptions { prefix: "a/b".to_owned(), ..StoreOptions::default() };
    conformance(&store(Backing::memory(), below)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn directory() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        json!({"filesystem": {"directory": folder.path().join("x/objects")}, "object_prefix": "p/q"});
    conformance(&open(&settings, "filesystem")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3() {
    let server = Server::start(Trouble::default()).await;
    // This server makes one file name of a whole key.
    conformance_of_short_names(&open(&server.settings(), "s3")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_that_refuses_and_loses_answers() {
    let server = Server::start(Trouble { refuse_every: 7, lose_every: 11, ..Trouble::default() }).await;
    let mut settings = server.settings();
    settings["object_prefix"] = "below/this".into();
    conformance_of_short_names(&open(&settings, "s3")).await;
}

/// Any store at all: `LARCH_TEST_STORE` holds a block `storage_config` as JSON, `LARCH_TEST_STORE_KIND` its
/// kind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "what a test runs against is no setting of the product")]
async fn the_store_that_the_environment_names() {
    let (Ok(settings), Ok(kind)) =
        (std::env::var("LARCH_TEST_STORE"), std::env::var("LARCH_TEST_STORE_KIND"))
    else {
        // Not through the macros, whose words are shown of failed tests only.
        let why = "skipped, as LARCH_TEST_STORE and LARCH_TEST_STORE_KIND name no store";
        writeln!(std::io::stderr(), "the_store_that_the_environment_names: {why}").unwrap();
        return;
    };
    let settings: Value = serde_json::from_str(&settings).unwrap();
    conformance(&open(&settings, &kind)).await;
}
