//! A push over gRPC as a client sends it, against the built binary: taken, refused, and found again.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

use bytes::{Buf, BufMut, Bytes};
use larch_testkit::http::with_query;
use larch_testkit::process::{Running, built, configured};
use larch_tests::{now, push_request, time_marks_resolved};
use larch_types::Span;
use serde_json::{Value, json};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

const SETTINGS: &str = "
auth_enabled: true
common: {path_prefix: ./data, replication_factor: 1}
# However full the disk of the test is.
ingester: {wal: {disk_full_threshold: 0}}
limits_config: {max_line_size: 20}
";

/// Messages as their bytes.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

async fn push(channel: &Channel, tenant: Option<&str>, body: &str) -> Result<Bytes, Status> {
    let body: Value = serde_json::from_str(&time_marks_resolved(body, now())).expect("JSON");
    let mut request = Request::new(Bytes::from(push_request(&body)));
    if let Some(tenant) = tenant {
        request.metadata_mut().insert("x-scope-orgid", tenant.parse().expect("a tenant"));
    }
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.expect("a connection");
    let method = http::uri::PathAndQuery::from_static("/logproto.Pusher/Push");
    client.unary(request, method, Raw).await.map(tonic::Response::into_inner)
}

#[test]
fn the_pusher_of_grpc() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut larch = Running::start(configured(built("larch"), folder.path(), SETTINGS));
    let line = larch.wait_for_line("serving gRPC");
    let address = line.split(' ').find_map(|field| field.strip_prefix("address=")).expect("an address");
    larch.get_until("/ready", |answer| answer.status == 200);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let channel = Channel::from_shared(format!("http://{address}")).expect("an address");
        let channel = channel.connect().await.expect("a connection");
        let good = r#"{"streams":[{"labels":"{app=\"a\"}","entries":[["@-60","hello",{"trace":"1"}]]}]}"#;
        assert_eq!(push(&channel, Some("acme"), good).await.expect("taken"), Bytes::new());
        let refused = push(&channel, None, good).await.expect_err("no tenant");
        assert_eq!((refused.code(), refused.message()), (Code::Unauthenticated, "no org id"));
        let partly = r#"{"streams":[{"labels":"{app=\"a\"}","entries":[["@-50","a line of more than 20"],["@-40","fits"]]}]}"#;
        let refused = push(&channel, Some("acme"), partly).await.expect_err("a line is too long");
        let text = "max entry size '20' bytes exceeded for stream '{app=\"a\", service_name=\"a\"}' while \
                    adding an entry with length '22' bytes";
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, text));
        // Here, labels that cannot be read refuse their stream only.
        let unreadable = r#"{"streams":[{"labels":"{app=","entries":[["@-50","x"]]},{"labels":"{app=\"a\"}","entries":[["@-30","beside"]]}]}"#;
        let refused = push(&channel, Some("acme"), unreadable).await.expect_err("labels that cannot be read");
        let text = "error parsing labels '{app=' with error: 1:6: parse error: unexpected end of input inside \
                    braces";
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, text));
    });
    let start = now().minus(Span::from_hours(1)).nanos().to_string();
    let query = [("query", "{app=\"a\"}"), ("direction", "forward"), ("start", &start)];
    let path = with_query("/loki/api/v1/query_range", query);
    let found = larch.ask("GET", &path, &[("X-Scope-OrgID", "acme")], "");
    let found: Value = serde_json::from_str(&found.body).expect("JSON");
    let rows = |stream: &Value| -> Vec<Value> {
        stream["values"].as_array().expect("rows").iter().map(|row| row[1].clone()).collect()
    };
    let mut lines: Vec<Value> =
        found["data"]["result"].as_array().expect("a result").iter().flat_map(rows).collect();
    lines.sort_by_key(ToString::to_string);
    assert_eq!(lines, [json!("beside"), json!("fits"), json!("hello")]);
    let scrape = larch.get("/metrics").body;
    let counted = scrape.lines().any(|line| {
        line.starts_with("loki_discarded_samples_total{") && line.contains("reason=\"invalid_labels\"")
    });
    assert!(counted, "{scrape}");
    let timed = "route=\"/logproto.Pusher/Push\"";
    assert!(
        scrape
            .lines()
            .any(|line| line.starts_with("loki_request_duration_seconds_count") && line.contains(timed))
    );
    drop(runtime);
    larch.stop();
}
