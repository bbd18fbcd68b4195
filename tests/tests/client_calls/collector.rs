//! The OpenTelemetry Collector and SDKs, with the messages of the project's own crate.

use std::io::Write;

use larch_tests::{gzip, now};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use serde_json::json;

use super::before;
use super::shippers::{TENANT, check_stored, house, post};

const OTLP: &str = "/otlp/v1/logs";
const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// What a sender makes of a body before it goes out.
type Encode = fn(&[u8]) -> Vec<u8>;

fn any(value: Any) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn text(text: &str) -> AnyValue {
    any(Any::StringValue(text.to_owned()))
}

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

/// Everything that a record can have, of a resource with attributes of both kinds.
fn request(time: i64) -> ExportLogsServiceRequest {
    let list = ArrayValue { values: vec![text("a"), any(Any::IntValue(1))] };
    let map = KeyValueList { values: vec![pair("status", any(Any::IntValue(500)))] };
    let record = LogRecord {
        time_unix_nano: time as u64,
        observed_time_unix_nano: time as u64 + 5,
        severity_number: 17,
        severity_text: "ERROR".to_owned(),
        body: Some(text("boom")),
        attributes: vec![
            pair("http", any(Any::KvlistValue(map))),
            pair("tags", any(Any::ArrayValue(list))),
            pair("ratio", any(Any::DoubleValue(0.5))),
            pair("cached", any(Any::BoolValue(false))),
            pair("raw", any(Any::BytesValue(b"hello".to_vec()))),
        ],
        dropped_attributes_count: 2,
        flags: 1,
        trace_id: vec![0x4b; 16],
        span_id: vec![0x2c; 8],
        event_name: "order.failed".to_owned(),
    };
    let scope = InstrumentationScope {
        name: "lib".to_owned(),
        version: "1.2".to_owned(),
        attributes: vec![pair("scope.attr", text("s"))],
        dropped_attributes_count: 3,
    };
    let resource = Resource {
        attributes: vec![
            pair("service.name", text("pay")),
            pair("k8s.pod.name", text("pay-1")),
            pair("host.name", text("n7")),
        ],
        ..Resource::default()
    };
    let scope_logs = ScopeLogs { scope: Some(scope), log_records: vec![record], ..ScopeLogs::default() };
    let logs = ResourceLogs {
        resource: Some(resource),
        scope_logs: vec![scope_logs],
        schema_url: "https://opentelemetry.io/schemas/1.38.0".to_owned(),
    };
    ExportLogsServiceRequest { resource_logs: vec![logs] }
}

fn lz4(data: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(data).expect("write to memory");
    encoder.finish().expect("write to memory")
}

fn zstd(data: &[u8]) -> Vec<u8> {
    zstd::encode_all(data, 3).expect("read from memory")
}

fn plain(data: &[u8]) -> Vec<u8> {
    data.to_vec()
}

#[test]
fn every_form_and_compression() {
    let house = house();
    let time = before(now(), 10);
    let message = request(time);
    let protobuf = message.encode_to_vec();
    let json = serde_json::to_vec(&message).expect("write to memory");
    let labels = json!({"k8s_pod_name": "pay-1", "service_name": "pay"});
    let metadata = json!({"structuredMetadata": {
        "cached": "false",
        "detected_level": "error",
        "dropped_attributes_count": "2",
        "event_name": "order.failed",
        "flags": "1",
        "host_name": "n7",
        "http_status": "500",
        "observed_timestamp": (time + 5).to_string(),
        "ratio": "0.5",
        "raw": "aGVsbG8=",
        "scope_attr": "s",
        "scope_dropped_attributes_count": "3",
        "scope_name": "lib",
        "scope_version": "1.2",
        "severity_number": "17",
        "severity_text": "ERROR",
        "span_id": "2c".repeat(8),
        "tags": "[\"a\",1]",
        "trace_id": "4b".repeat(16),
    }});
    let encodings: [(Option<&str>, Encode); 4] =
        [(None, plain), (Some("gzip"), gzip), (Some("zstd"), zstd), (Some("lz4"), lz4)];
    for (content_type, body) in [(PROTOBUF, &protobuf), (JSON, &json)] {
        for (encoding, encode) in encodings {
            let agent = "OpenTelemetry Collector Contrib/0.130.0 (linux/amd64)";
            let mut headers = vec![("User-Agent", agent), ("Content-Type", content_type), TENANT];
            headers.extend(encoding.map(|encoding| ("Content-Encoding", encoding)));
            let answer = post(&house, OTLP, &headers, &encode(body));
            assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{content_type} {encoding:?}");
            // The same record each time, and there once.
            check_stored(
                &house,
                r#"{service_name="pay"}"#,
                &labels,
                &json!([[time.to_string(), "boom", metadata]]),
            );
        }
    }
    house.stop();
}

#[test]
fn what_is_refused_is_told_as_a_status() {
    let house = house();
    let time = before(now(), 10);
    let mut mixed = request(time);
    let records = &mut mixed.resource_logs[0].scope_logs[0].log_records;
    records.push(LogRecord { time_unix_nano: 5, ..records[0].clone() });
    let too_old = "entry for stream '{k8s_pod_name=\"pay-1\", service_name=\"pay\"}' has timestamp too old: \
                   1970-01-01T00:00:00Z, oldest acceptable timestamp is: ";
    let none = "error at least one valid stream is required for ingestion";
    let empty = ExportLogsServiceRequest::default();
    for (message, status, text) in [(&mixed, 400, too_old), (&empty, 422, none)] {
        let headers = [("Content-Type", PROTOBUF), TENANT];
        let answer = post(&house, OTLP, &headers, &message.encode_to_vec());
        // `google.rpc.Status` with nothing but its message, field 2.
        let (tag, rest) = answer.bytes.split_first().expect("a body");
        let told = prost::decode_length_delimiter(rest).expect("a length");
        let told = &answer.bytes[answer.bytes.len() - told..];
        assert_eq!((answer.status, *tag), (status, 2 << 3 | 2));
        assert!(told.starts_with(text.as_bytes()), "{answer:?}");
        let headers = [("Content-Type", JSON), TENANT];
        let body = serde_json::to_vec(message).expect("write to memory");
        let answer = post(&house, OTLP, &headers, &body);
        let told: serde_json::Value = serde_json::from_str(&answer.body).expect(&answer.body);
        assert_eq!(answer.status, status);
        assert!(told["message"].as_str().expect("a message").starts_with(text), "{told}");
    }
    // What is good of a message is stored beside what is not.
    let path = larch_testkit::http::with_query(
        "/loki/api/v1/query",
        [("query", "sum(count_over_time({service_name=\"pay\"}[1h]))")],
    );
    let count = house.larch.ask("GET", &path, &house.headers, "");
    assert!(count.body.contains("\"1\"]"), "{}", count.body);
    let headers = [("Content-Type", PROTOBUF), ("Content-Encoding", "gzip"), TENANT];
    let refused = post(&house, OTLP, &headers, &gzip(b"\xff\xff not a message"));
    assert_eq!(refused.status, 400, "it does not try again");
    house.stop();
}
