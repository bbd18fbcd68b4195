//! What is read of JSON, against the protobuf form, and hostile bytes.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use proptest::prelude::*;
use prost::Message as _;
use serde_json::json;

use super::*;
use crate::decode::otlp::read_otlp_protobuf;
use crate::decode::otlp::wire::{example, request};
use crate::tests::mutations;

fn read(text: &str) -> Result<Vec<ResourceLogs>, DecodeError> {
    read_otlp_json(&Bytes::copy_from_slice(text.as_bytes()))
}

/// The one record of a request.
fn record(text: &str) -> Result<Record, String> {
    let request = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{text}]}}]}}]}}"#);
    let mut logs = read(&request).map_err(|error| error.to_string())?;
    Ok(logs.remove(0).scopes.remove(0).records.remove(0))
}

fn body(text: &str) -> Value {
    record(&format!(r#"{{"body":{text}}}"#)).unwrap().body
}

fn plain(text: &'static str) -> Value {
    Value::Text(Bytes::from_static(text.as_bytes()))
}

#[test]
fn everything_at_once() {
    let text = json!({"unknown": {"a": [1, {"b": null}]}, "resourceLogs": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "pay"}},
            {"key": "host.name", "value": {"stringValue": "n7"}}], "droppedAttributesCount": 1},
        "schemaUrl": "u",
        "scopeLogs": [{
            "scope": {"name": "lib", "version": "1.2", "droppedAttributesCount": "3",
                "attributes": [{"key": "sc.a", "value": {"stringValue": "1"}}]},
            "logRecords": [{
                "timeUnixNano": "1790812822494853000", "observedTimeUnixNano": 1_790_812_822_500_000_000_u64,
                "severityNumber": "SEVERITY_NUMBER_ERROR", "severityText": "ERROR",
                "body": {"kvlistValue": {"values": [{"key": "msg", "value": {"stringValue": "boom"}},
                    {"key": "list", "value": {"arrayValue": {"values":
                        [{"stringValue": "a"}, {"doubleValue": 1.5}]}}}]}},
                "attributes": [
                    {"key": "http", "value": {"kvlistValue": {"values": [
                        {"key": "status", "value": {"intValue": "500"}},
                        {"key": "ok", "value": {"boolValue": true}}]}}},
                    {"key": "raw", "value": {"bytesValue": "aGVsbG8="}},
                    {"key": "none", "value": {}}],
                "droppedAttributesCount": 2, "flags": 1,
                "traceId": "0102030405060708090A0b0c0d0e0f10", "spanId": "0102030405060708",
                "eventName": "user.login"}]}]}]});
    let mut request = example();
    request.resource_logs[0].scope_logs[0].log_records.truncate(1);
    let same = read_otlp_protobuf(&request.encode_to_vec().into()).unwrap();
    assert_eq!(read(&text.to_string()), Ok(same));
}

#[test]
fn values() {
    for (text, want) in [
        ("{}", Value::Empty),
        ("null", Value::Empty),
        (r#"{"unknownValue":[{}]}"#, Value::Empty),
        (r#"{"stringValue":"x"}"#, plain("x")),
        (r#"{"string_value":"x"}"#, plain("x")),
        (r#"{"stringValue":"a\"b"}"#, plain("a\"b")),
        (r#"{"stringValue":null}"#, plain("")),
        (r#"{"boolValue":false}"#, Value::Bool(false)),
        (r#"{"intValue":5}"#, Value::Int(5)),
        (r#"{"intValue":"-9223372036854775808"}"#, Value::Int(i64::MIN)),
        (r#"{"intValue":1.5e3}"#, Value::Int(1500)),
        (r#"{"doubleValue":1}"#, Value::Double(1.0)),
        (r#"{"doubleValue":-1}"#, Value::Double(-1.0)),
        (r#"{"doubleValue":1e300}"#, Value::Double(1e300)),
        (r#"{"doubleValue":"-Infinity"}"#, Value::Double(f64::NEG_INFINITY)),
        (r#"{"bytesValue":"//4="}"#, Value::Bytes(Bytes::from_static(b"\xff\xfe"))),
        (r#"{"arrayValue":{}}"#, Value::List(Vec::new())),
        (r#"{"arrayValue":{"values":[{"boolValue":true},{},null]}}"#, {
            Value::List(vec![Value::Bool(true), Value::Empty, Value::Empty])
        }),
        (r#"{"kvlistValue":{"values":[]}}"#, Value::Map(Vec::new())),
        (r#"{"stringValue":"x","intValue":"1"}"#, Value::Int(1)),
    ] {
        assert_eq!(body(text), want, "{text}");
    }
}

#[test]
fn fields_of_records() {
    let number = |text: &str| record(&format!(r#"{{"severityNumber":{text}}}"#)).unwrap().severity_number;
    for (text, want) in [
        ("9", 9),
        ("\"9\"", 9),
        ("-1", -1),
        ("null", 0),
        ("\"SEVERITY_NUMBER_UNSPECIFIED\"", 0),
        ("\"SEVERITY_NUMBER_TRACE\"", 1),
        ("\"SEVERITY_NUMBER_INFO4\"", 12),
        ("\"SEVERITY_NUMBER_WARN2\"", 14),
        ("\"SEVERITY_NUMBER_FATAL3\"", 23),
    ] {
        assert_eq!(number(text), want, "{text}");
    }
    let set = record(r#"{"traceId":"","spanId":null,"time_unix_nano":"18446744073709551615","flags":"7"}"#);
    assert_eq!(set, Ok(Record { time: u64::MAX, flags: 7, ..Record::default() }));
}

#[test]
fn what_is_null_is_not_there() {
    for text in [
        "null",
        "{}",
        r#"{"resourceLogs":null}"#,
        r#"{"resourceLogs":[]}"#,
        r#"{"other":[[[{}]]]} and what stands behind"#,
    ] {
        assert_eq!(read(text), Ok(Vec::new()), "{text}");
    }
    assert_eq!(read(r#"{"resource_logs":[null]}"#), Ok(vec![ResourceLogs::default()]));
    let nothing = r#"{"resourceLogs":[{"resource":null,"scopeLogs":[{"scope":null,"logRecords":null}]}]}"#;
    assert_eq!(read(nothing).unwrap()[0].scopes, [ScopeLogs::default()]);
}

#[test]
fn strings_are_slices_of_the_body() {
    let text = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"a line"}}]}]}]}"#;
    let request = Bytes::from(text);
    let logs = read_otlp_json(&request).unwrap();
    let Value::Text(line) = &logs[0].scopes[0].records[0].body else { panic!("{logs:?}") };
    assert!(request.as_ptr_range().contains(&line.as_ptr()));
}

#[test]
fn refused() {
    for (text, start) in [
        (r#"{"body":"x"}"#, "invalid type: string \"x\", expected an object with the keys stringValue, "),
        (r#"{"body":{"stringValue":1}}"#, "invalid type: integer `1`, expected a string"),
        (r#"{"body":{"intValue":"x"}}"#, "a string holds no whole number"),
        (r#"{"body":{"intValue":1.5}}"#, "1.5 is no whole number of 64 bits"),
        (r#"{"body":{"intValue":1e30}}"#, "1000000000000000000000000000000 is no whole number of 64 bits"),
        (r#"{"body":{"intValue":18446744073709551615}}"#, "the number 18446744073709551615 is out of range"),
        (r#"{"body":{"bytesValue":"?"}}"#, "a string is not in base64"),
        (r#"{"body":{"doubleValue":"x"}}"#, "a string holds no number"),
        (r#"{"timeUnixNano":-1}"#, "the number -1 is out of range"),
        (r#"{"traceId":"01"}"#, "an id is no 32 hexadecimal digits"),
        (r#"{"spanId":"+102030405060708"}"#, "an id is no 16 hexadecimal digits"),
        (r#"{"severityNumber":"INFO"}"#, "a severity has an unknown name"),
        (r#"{"severityNumber":"SEVERITY_NUMBER_INFO5"}"#, "a severity has an unknown name"),
        (r#"{"attributes":{}}"#, "invalid type: map, expected an array"),
        ("7", "invalid type: integer `7`, expected an object with the keys timeUnixNano"),
    ] {
        let error = record(text).unwrap_err();
        assert!(error.starts_with(start), "{text}: {error}");
    }
    for text in ["", "not json", "[]", "5", r#"{"resourceLogs":[{}"#] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |levels: usize| {
        let open = r#"{"kvlistValue":{"values":[{"key":"k","value":"#.repeat(levels - 1);
        let text = format!(r#"{open}{{"stringValue":"x"}}{}"#, "}]}}".repeat(levels - 1));
        record(&format!(r#"{{"attributes":[{{"key":"k","value":{text}}}]}}"#))
    };
    assert!(nested(super::super::MAX_DEPTH as usize).is_ok(), "as deep as the other form goes");
    for levels in [40, 10_000] {
        assert!(nested(levels).unwrap_err().starts_with("recursion limit exceeded"));
    }
}

#[test]
fn elements_are_bounded() {
    let text = r#"{"resourceLogs":[{"resource":{"attributes":[{}]},"scopeLogs":[{"logRecords":[
        {"body":{"arrayValue":{"values":[{}]}},"attributes":[{}]}]}]}]}"#;
    let body = Bytes::from(text);
    let all = 5 + RECORD_ELEMENTS;
    let read = |elements| read_request(Reading { body: &body, allowance: Allowance::of(elements) });
    assert!(read(all).is_ok());
    for elements in 0..all {
        assert_eq!(read(elements), Err(DecodeError::TooMany));
    }
}

proptest! {
    /// As the project's own types are written and read.
    #[test]
    fn both_forms_say_the_same(request in request()) {
        let text = serde_json::to_string(&request).unwrap();
        let again: ExportLogsServiceRequest = serde_json::from_str(&text).unwrap();
        let from_protobuf = read_otlp_protobuf(&again.encode_to_vec().into());
        prop_assert_eq!(read(&text), from_protobuf, "{}", text);
    }
}

#[test]
fn damaged_requests_never_panic() {
    let text = serde_json::to_vec(&example()).unwrap();
    mutations(&[text, b"{}".to_vec()], crate::fuzz_otlp_json);
}
