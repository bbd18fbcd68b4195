//! Failures arrive with their kind and their exact text.

use futures_util::stream::StreamExt;
use larch_rpc::{CallError, MAX_ERROR_TEXT_BYTES};
use larch_types::ErrorKind;

use crate::echo::{Echo, Script};
use crate::harness::{Harness, WAYS};
use crate::requests::{self, PATIENCE};

fn texts() -> Vec<String> {
    vec![
        String::new(),
        "plain".to_owned(),
        "parse error at line 1, col 5: syntax error: unexpected \"ü\", expecting 日本 😀".to_owned(),
        "100 % %41 %zz + a&b=c\\n".to_owned(),
        "lines\nand\ttabs\r\nand \u{0} and \u{7f} and \u{feff}".to_owned(),
        " spaces around ".to_owned(),
        "日".repeat(MAX_ERROR_TEXT_BYTES / 3),
        "\u{1}".repeat(MAX_ERROR_TEXT_BYTES),
        "x".repeat(10 * MAX_ERROR_TEXT_BYTES),
    ]
}

fn errors() -> impl Iterator<Item = CallError> {
    let kinds = ErrorKind::table().iter().map(|row| CallError::new(row.kind, format!("kind {}", row.name)));
    kinds.chain(texts().into_iter().map(|text| CallError::new(ErrorKind::Unprocessable, text)))
}

#[tokio::test]
async fn before_anything_is_answered() {
    for way in WAYS {
        for error in errors() {
            let echo = Echo::new(Script::Fail(error.clone()));
            let harness = Harness::start(way, &echo).await;
            let ingester = harness.transport.ingester(&harness.address);
            let tenant = requests::tenant(PATIENCE);
            let unary = ingester.estimate(tenant.clone(), requests::estimate()).await;
            assert_eq!(unary.err(), Some(error.clone()), "{way:?}");
            let headed = ingester.read(tenant, requests::read()).await;
            assert_eq!(headed.err(), Some(error), "{way:?}");
        }
    }
}

#[tokio::test]
async fn in_the_middle_of_an_answer() {
    for way in WAYS {
        for error in errors() {
            let echo = Echo::new(Script::FailInStream(error.clone()));
            let harness = Harness::start(way, &echo).await;
            let tail = harness.transport.tail(&harness.address);
            let answer = tail.subscribe(requests::tenant(PATIENCE), requests::subscribe()).await.unwrap();
            let parts: Vec<_> = answer.body.collect().await;
            assert_eq!(parts.len(), 2, "{way:?}: nothing comes after an error");
            assert!(parts[0].is_ok());
            assert_eq!(parts[1].as_ref().err(), Some(&error), "{way:?}");
        }
    }
}
