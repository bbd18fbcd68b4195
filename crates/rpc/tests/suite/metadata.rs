//! A call without its context is refused, by what is missing.

use larch_proto::wire;
use larch_proto::wire::ingest::ingester_client::IngesterClient;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request};

use crate::echo::{Echo, Script};
use crate::harness::{LIMITS, routes};
use crate::requests;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn good() -> MetadataMap {
    let mut metadata = MetadataMap::new();
    metadata.insert("x-scope-orgid", "a".parse().unwrap());
    metadata.insert("x-request-id", "r".parse().unwrap());
    metadata.insert("traceparent", TRACE.parse().unwrap());
    metadata.insert("grpc-timeout", "1M".parse().unwrap());
    metadata
}

async fn estimate(metadata: MetadataMap) -> Result<(), (Code, String)> {
    let echo = Echo::new(Script::Answer);
    let mut request = Request::new(wire::ingest::EstimateRequest::from(requests::estimate()));
    *request.metadata_mut() = metadata;
    let answer = IngesterClient::new(routes(&echo, LIMITS)).estimate(request).await;
    assert_eq!(echo.seen.calls().len(), usize::from(answer.is_ok()), "a refused call reaches nobody");
    answer.map(|_| ()).map_err(|status| (status.code(), status.message().to_owned()))
}

#[tokio::test]
async fn refused_by_what_is_wrong() {
    assert_eq!(estimate(good()).await, Ok(()));
    let timeout = "not a number of at most 8 digits with a unit of H, M, S, m, u or n";
    for (key, value, reason) in [
        ("x-scope-orgid", None, "missing"),
        ("x-scope-orgid", Some(""), "no org id"),
        ("x-scope-orgid", Some("a|b"), "tenant ID 'a|b' contains unsupported character '|'"),
        ("x-scope-orgid", Some(".."), "tenant ID is '.' or '..'"),
        ("x-request-id", None, "missing"),
        ("x-request-id", Some("a b"), "not a request id: 1 to 128 visible ASCII characters"),
        ("traceparent", None, "missing"),
        ("traceparent", Some("00"), "not a W3C traceparent"),
        ("grpc-timeout", None, "missing"),
        ("grpc-timeout", Some("1s"), timeout),
    ] {
        let mut metadata = good();
        metadata.remove(key);
        if let Some(value) = value {
            metadata.insert(key, value.parse().unwrap());
        }
        let refused = (Code::Internal, format!("metadata {key}: {reason}"));
        assert_eq!(estimate(metadata).await, Err(refused), "{key} = {value:?}");
    }
}

#[tokio::test]
async fn no_time_is_left() {
    let mut metadata = good();
    metadata.insert("grpc-timeout", "0n".parse().unwrap());
    assert_eq!(estimate(metadata).await, Err((Code::DeadlineExceeded, "deadline exceeded".to_owned())));
}

#[tokio::test]
async fn two_values_are_none() {
    for key in ["x-scope-orgid", "x-request-id", "traceparent", "grpc-timeout"] {
        let mut metadata = good();
        let value = metadata.get(key).unwrap().clone();
        metadata.append(key, value);
        let refused = (Code::Internal, format!("metadata {key}: more than one value"));
        assert_eq!(estimate(metadata).await, Err(refused));
    }
}

#[tokio::test]
async fn bytes_that_are_no_text() {
    let mut headers = good().into_headers();
    headers.insert("x-scope-orgid", http::HeaderValue::from_bytes(b"\xff").unwrap());
    let refused = (Code::Internal, "metadata x-scope-orgid: not visible ASCII".to_owned());
    assert_eq!(estimate(MetadataMap::from_headers(headers)).await, Err(refused));
}

/// A call of no tenant needs none, and a message that cannot be meant is refused by its field.
#[tokio::test]
async fn the_rest_is_looked_at_too() {
    let echo = Echo::new(Script::Answer);
    let mut client = IngesterClient::new(routes(&echo, LIMITS));
    let mut metadata = good();
    metadata.remove("x-scope-orgid");
    let mut state = Request::new(wire::ingest::StateRequest {});
    *state.metadata_mut() = metadata;
    assert!(client.state(state).await.is_ok());

    let mut bad = wire::ingest::ReadRequest::from(requests::read());
    bad.direction = 9;
    let mut read = Request::new(bad);
    *read.metadata_mut() = good();
    let status = client.read(read).await.map(|_| ()).unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(status.message(), "invalid message: direction: missing, or of a kind not known here");
}
