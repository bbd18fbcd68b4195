//! Against prost's reading of the same messages, and hostile bytes.

use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::decode::message::LENGTH_DELIMITED;
use crate::tests::mutations;
use crate::tests::wire::{WireEntry, WirePair, WirePush, WireStream, WireTime};

/// What is to be read of a message that prost has read.
fn model(push: WirePush) -> Result<Vec<PushedStream>, ()> {
    let mut streams = Vec::new();
    for stream in push.streams {
        let mut entries = Vec::new();
        for entry in stream.entries {
            let time = match entry.timestamp {
                None => PushedTime::MISSING,
                Some(time) => PushedTime::new(time.seconds, time.nanos).map_err(|_| ())?,
            };
            let pair = |pair: WirePair| PushedPair { name: pair.name.into(), value: pair.value.into() };
            let metadata = entry.metadata.into_iter().map(pair).collect();
            entries.push(PushedEntry { time, line: entry.line.into(), metadata });
        }
        streams.push(PushedStream { labels: PushedLabels::Text(stream.labels.into()), entries });
    }
    Ok(streams)
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..12)
}

fn pairs() -> impl Strategy<Value = Vec<WirePair>> {
    prop::collection::vec((bytes(), bytes()).prop_map(|(name, value)| WirePair { name, value }), 0..3)
}

fn entry() -> impl Strategy<Value = WireEntry> {
    let time = prop_oneof![
        Just(None),
        any::<i64>().prop_map(|nanos| Some(WireTime::from_nanos(nanos))),
        (any::<i64>(), any::<i32>()).prop_map(|(seconds, nanos)| Some(WireTime { seconds, nanos })),
    ];
    (time, bytes(), pairs(), pairs()).prop_map(|(timestamp, line, metadata, parsed)| WireEntry {
        timestamp,
        line,
        metadata,
        parsed,
    })
}

fn push() -> impl Strategy<Value = WirePush> {
    let stream = (bytes(), prop::collection::vec(entry(), 0..4), any::<u64>())
        .prop_map(|(labels, entries, hash)| WireStream { labels, entries, hash });
    (prop::collection::vec(stream, 0..4), "[a-z]{0,4}")
        .prop_map(|(streams, format)| WirePush { streams, format })
}

proptest! {
    #[test]
    fn reads_what_prost_reads(push in push()) {
        let body = Bytes::from(push.encode_to_vec());
        prop_assert_eq!(read_protobuf(&body).map_err(|_| ()), model(push));
    }

    /// A message behind another is one message, in which lists go on and single fields are set again.
    #[test]
    fn joins_what_prost_joins(one in entry(), other in entry()) {
        let entry = [one.encode_to_vec(), other.encode_to_vec()].concat();
        let body = field(1, &field(2, &entry));
        let whole = WirePush::decode(body.as_slice()).unwrap();
        prop_assert_eq!(read_protobuf(&Bytes::from(body)).map_err(|_| ()), model(whole));
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        against_prost(&bytes);
    }
}

/// A field with a length.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | LENGTH_DELIMITED];
    prost::encode_length_delimiter(value.len(), &mut out).unwrap();
    out.extend_from_slice(value);
    out
}

#[track_caller]
fn fails(body: &[u8], text: &str) {
    assert_eq!(read_protobuf(&Bytes::copy_from_slice(body)).unwrap_err().to_string(), text);
}

#[test]
fn lines_are_slices_of_the_body() {
    let body = Bytes::from(field(1, &[field(1, b"{}"), field(2, &field(2, b"a line"))].concat()));
    let streams = read_protobuf(&body).unwrap();
    let line = &streams[0].entries[0].line;
    assert_eq!(line, "a line");
    assert!(body.as_ptr_range().contains(&line.as_ptr()));
    assert_eq!(streams[0].entries[0].time, PushedTime::MISSING);
}

#[test]
fn an_empty_timestamp_is_the_epoch() {
    let body = Bytes::from(field(1, &field(2, &field(1, b""))));
    assert_eq!(read_protobuf(&body).unwrap()[0].entries[0].time, PushedTime::from_nanos(0));
}

#[test]
fn unknown_fields_are_skipped() {
    let mut stream = field(1, b"{}");
    stream.extend_from_slice(&[0x78, 0xff, 0x01]);
    stream.extend_from_slice(&[0x79, 1, 2, 3, 4, 5, 6, 7, 8]);
    stream.extend_from_slice(&[0x7d, 1, 2, 3, 4]);
    stream.extend_from_slice(&field(15, b"unknown"));
    // Groups inside a group.
    stream.extend_from_slice(&[0x7b, 0x73, 0x08, 0x01, 0x74, 0x7c]);
    stream.extend_from_slice(&field(2, &field(2, b"x")));
    let streams = read_protobuf(&Bytes::from(field(1, &stream))).unwrap();
    assert_eq!(streams[0].entries[0].line, "x");
}

#[test]
fn refused() {
    let truncated = "proto: unexpected end of the message";
    fails(&[0x0a], truncated);
    fails(&[0x0a, 0x05, 0x0a], truncated);
    fails(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], truncated);
    fails(&[0x79, 1, 2], truncated);
    fails(&[0x7b], truncated);
    fails(&[0xff; 11], "proto: integer overflow");
    fails(&[0x02], "proto: illegal tag 2");
    fails(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x01], "proto: illegal tag 34359738368");
    fails(&[0x08, 0x01], "proto: wrong wireType = 0, wanted 2");
    fails(&[0x7e], "proto: illegal wireType 6");
    fails(&[0x7c], "proto: illegal wireType 4");
    let nanos =
        field(1, &field(2, &field(1, &[0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])));
    fails(&nanos, "timestamp: seconds:0 nanos:-1: nanos not in range [0, 1e9)");
}

#[test]
fn deep_groups_need_no_stack() {
    let mut body = vec![0x7b; 1_000_000];
    body.extend(vec![0x7c; 1_000_000]);
    assert_eq!(read_protobuf(&Bytes::from(body)), Ok(Vec::new()));
}

#[test]
fn elements_are_bounded() {
    let entry = field(2, &field(3, b""));
    let body = Bytes::from(field(1, &[entry, field(2, b"")].concat()));
    let read = |elements| read_push(&body, &Allowance::of(elements)).map(|streams| streams.len());
    assert_eq!(read(4), Ok(1), "a stream, two rows and a pair");
    for elements in 0..4 {
        assert_eq!(read(elements), Err(DecodeError::TooMany));
    }
}

/// What both readers take, they take alike.
fn against_prost(bytes: &[u8]) {
    crate::fuzz_protobuf(bytes);
    let ours = read_protobuf(&Bytes::copy_from_slice(bytes));
    if let (Ok(ours), Ok(push)) = (ours, WirePush::decode(bytes)) {
        assert_eq!(Ok(ours), model(push));
    }
}

#[test]
fn damaged_messages_never_panic() {
    let entry = WireEntry {
        timestamp: Some(WireTime { seconds: 1_790_812_822, nanos: 494_853_000 }),
        line: b"a line".to_vec(),
        metadata: vec![WirePair { name: b"trace_id".to_vec(), value: b"4bf92f35".to_vec() }],
        parsed: Vec::new(),
    };
    let stream = WireStream { labels: b"{app=\"a\"}".to_vec(), entries: vec![entry.clone(), entry], hash: 7 };
    let push = WirePush { streams: vec![stream.clone(), stream], format: "loki".to_owned() };
    mutations(&[push.encode_to_vec(), Vec::new()], against_prost);
}
