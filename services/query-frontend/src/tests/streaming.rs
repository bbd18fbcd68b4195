//! Large answers: written as they are taken, within bounds, and no further once nobody takes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use larch_proto::{EntryBatch, Piece, ResultEntry, ResultLabels, ResultPart};
use larch_types::Timestamp;

use super::answers::pairs;
use super::house::{House, Reply, done, in_plain_house};

const ROWS: usize = 400;
const LINE_BYTES: usize = 5000;
/// A piece, one row more, and what stands around a row.
const LARGEST_FRAME: usize = (64 << 10) + 2 * LINE_BYTES;

/// A line that tells when it is let go of.
struct Line {
    text: Vec<u8>,
    gone: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Line {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.gone.fetch_add(1, Ordering::Relaxed);
    }
}

fn rows(gone: &Arc<AtomicUsize>) -> ResultPart {
    let labels = ResultLabels { stream: pairs(&[("app", "x")]), ..ResultLabels::default() };
    let entry = |number: usize| {
        let text = format!("{number} {}", "y".repeat(LINE_BYTES)).into_bytes();
        let line = Bytes::from_owner(Line { text, gone: Arc::clone(gone) });
        let timestamp = Timestamp::from_secs(1000 + ROWS as i64 - number as i64);
        ResultEntry { stream: 0, labels: 0, timestamp, line }
    };
    let entries = (0..ROWS).map(entry).collect();
    ResultPart::Entries(EntryBatch { streams: Vec::new(), labels: vec![labels], entries })
}

fn request(encoding: &str) -> Request<Body> {
    let uri = format!("/loki/api/v1/query_range?query=%7Bapp%3D%22x%22%7D&limit={ROWS}");
    let request = Request::get(uri).header("x-scope-orgid", "acme").header("accept-encoding", encoding);
    request.body(Body::empty()).unwrap()
}

/// Rows are counted as they are let go of.
fn house_of_rows(test: impl AsyncFnOnce(House, Arc<AtomicUsize>)) {
    in_plain_house(async |house| {
        let gone = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&gone);
        house.worker(1, 1, move |_: &Piece| Reply::Parts(vec![rows(&count), done()]));
        test(house, gone).await;
    });
}

#[test]
fn rows_go_as_they_are_written() {
    house_of_rows(async |house, gone| {
        let response = house.respond(request("identity")).await;
        assert_eq!(response.status(), 200);
        assert!(!response.headers().contains_key("content-length"));
        let mut body = response.into_body();
        let mut text = Vec::new();
        while let Some(frame) = body.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            assert!(piece.len() <= LARGEST_FRAME, "{}", piece.len());
            text.extend_from_slice(&piece);
            // What is written is in memory as text only.
            let written = text.len() / (LINE_BYTES + 100);
            assert!(gone.load(Ordering::Relaxed) >= written.min(ROWS), "{written}");
        }
        let answer: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let values = answer["data"]["result"][0]["values"].as_array().unwrap();
        assert_eq!(values.len(), ROWS);
        let packed = house.ask(request("gzip")).await;
        assert_eq!(packed.header("content-encoding"), "gzip");
        let mut unpacked = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed.body[..]), &mut unpacked)
            .unwrap();
        let unpacked: serde_json::Value = serde_json::from_slice(&unpacked).unwrap();
        assert_eq!(unpacked["data"]["result"], answer["data"]["result"]);
    });
}

#[test]
fn a_client_that_is_gone_ends_it() {
    for encoding in ["identity", "gzip"] {
        house_of_rows(async |house, gone| {
            let mut body = house.respond(request(encoding)).await.into_body();
            body.frame().await.unwrap().unwrap();
            let written = gone.load(Ordering::Relaxed);
            assert!(written < ROWS, "{encoding}: {written}");
            drop(body);
            assert_eq!(gone.load(Ordering::Relaxed), ROWS, "{encoding}: nothing is held for it");
        });
    }
}
