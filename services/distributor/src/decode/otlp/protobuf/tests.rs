//! Against the reading of the OpenTelemetry project's own types, and hostile bytes.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::decode::message::LENGTH_DELIMITED;
use crate::decode::otlp::wire::{example, model, request};
use crate::tests::mutations;

proptest! {
    #[test]
    fn reads_what_prost_reads(request in request()) {
        let body = Bytes::from(request.encode_to_vec());
        prop_assert_eq!(read_otlp_protobuf(&body), Ok(model(request)));
    }

    /// A message behind another is one message, in which lists go on and single fields are set again.
    #[test]
    fn joins_what_prost_joins(one in request(), other in request()) {
        let first = |request: &ExportLogsServiceRequest| {
            request.resource_logs.first().map(|logs| logs.encode_to_vec()).unwrap_or_default()
        };
        let body = field(1, &[first(&one), first(&other)].concat());
        let whole = ExportLogsServiceRequest::decode(body.as_slice()).unwrap();
        prop_assert_eq!(read_otlp_protobuf(&Bytes::from(body)), Ok(model(whole)));
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        crate::fuzz_otlp_protobuf(&bytes);
    }
}

/// A field with a length.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | LENGTH_DELIMITED];
    prost::encode_length_delimiter(value.len(), &mut out).unwrap();
    out.extend_from_slice(value);
    out
}

/// A request with one record that holds these bytes.
fn request_of(record: &[u8]) -> Vec<u8> {
    field(1, &field(2, &field(2, record)))
}

#[track_caller]
fn fails(record: &[u8], text: &str) {
    assert_eq!(read_otlp_protobuf(&request_of(record).into()).unwrap_err().to_string(), text);
}

#[test]
fn bodies_are_slices_of_the_request() {
    let body = Bytes::from(request_of(&field(5, &field(1, b"a line"))));
    let logs = read_otlp_protobuf(&body).unwrap();
    let Value::Text(line) = &logs[0].scopes[0].records[0].body else { panic!("{logs:?}") };
    assert_eq!(line, "a line");
    assert!(body.as_ptr_range().contains(&line.as_ptr()));
}

#[test]
fn strings_need_not_be_utf_8_and_the_last_value_counts() {
    let value = [field(1, b"a"), vec![0x10, 1], field(1, b"\xff")].concat();
    let logs = read_otlp_protobuf(&request_of(&field(5, &value)).into()).unwrap();
    assert_eq!(logs[0].scopes[0].records[0].body, Value::Text(Bytes::from_static(b"\xff")));
}

#[test]
fn refused() {
    fails(&field(9, &[1; 15]), "invalid length for TraceID: 15 bytes, not 16");
    fails(&field(10, &[1; 16]), "invalid length for SpanID: 16 bytes, not 8");
    fails(&[0x09, 1, 2, 3], "proto: unexpected end of the message");
    fails(&[0x45, 1, 2, 3], "proto: unexpected end of the message");
    fails(&[0x08, 1], "proto: wrong wireType = 0, wanted 1");
    fails(&[0x40, 1], "proto: wrong wireType = 0, wanted 5");
    fails(&field(2, b""), "proto: wrong wireType = 2, wanted 0");
}

#[test]
fn depth_is_bounded() {
    let nested = |levels: u32| {
        let mut value = field(1, b"x");
        for _ in 1..levels {
            value = field(6, &field(1, &field(2, &value)));
        }
        read_otlp_protobuf(&request_of(&field(5, &value)).into())
    };
    assert!(nested(MAX_DEPTH).is_ok());
    let text = "a value is nested deeper than 28 levels";
    for levels in [MAX_DEPTH + 1, 1000] {
        assert_eq!(nested(levels).unwrap_err().to_string(), text);
    }
    let mut list = field(1, b"x");
    for _ in 0..100 {
        list = field(5, &field(1, &list));
    }
    fails(&field(6, &field(2, &list)), text);
}

#[test]
fn elements_are_bounded() {
    let list = field(5, &field(1, b""));
    let record = [field(5, &list), field(6, b"")].concat();
    let resource = field(1, &field(1, b""));
    let scope = [field(1, &field(3, b"")), field(2, &record)].concat();
    let body = Bytes::from(field(1, &[resource, field(2, &scope)].concat()));
    // A resource, its attribute, a scope, its attribute, a record, a value in its body, its attribute.
    let all = 6 + RECORD_ELEMENTS;
    assert!(read_request(&body, &Allowance::of(all)).is_ok());
    for elements in 0..all {
        assert_eq!(read_request(&body, &Allowance::of(elements)), Err(DecodeError::TooMany));
    }
}

#[test]
fn damaged_messages_never_panic() {
    let corpus = [example().encode_to_vec(), request_of(b""), Vec::new()];
    mutations(&corpus, |bytes| {
        crate::fuzz_otlp_protobuf(bytes);
        let ours = read_otlp_protobuf(&Bytes::copy_from_slice(bytes));
        if let (Ok(ours), Ok(request)) = (ours, ExportLogsServiceRequest::decode(bytes)) {
            // Numbers that are not there may come to be NaN, which is not itself.
            assert_eq!(format!("{ours:?}"), format!("{:?}", model(request)));
        }
    });
}
