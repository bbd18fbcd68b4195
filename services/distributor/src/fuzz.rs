//! Hostile bytes through every parser of pushes.

use bytes::Bytes;
use larch_limits::OtlpLimits;
use larch_runtime::BufferPool;
use larch_telemetry::Registry;
use larch_types::{Labels, Timestamp};

use crate::attributes::OtlpRules;
use crate::decode::{
    Dialect, Mapping, ResourceLogs, read_json, read_otlp_json, read_otlp_protobuf, read_protobuf, streams_of,
};
use crate::decompress::{DecompressError, SizeBound, deflate, gzip, lz4, snappy, zstd};
use crate::inflight::{HeldBytes, Inflight};
use crate::labels::StreamLabels;
use crate::media_type::media_type;
use crate::pushed::{PushedLabels, PushedStream};

/// Takes bytes as a protobuf push, once decompressed.
///
/// # Panics
/// If more is read than was there: that is a bug in this crate.
pub fn fuzz_protobuf(bytes: &[u8]) {
    let body = Bytes::copy_from_slice(bytes);
    if let Ok(streams) = read_protobuf(&body) {
        check_size(&streams, bytes.len());
    }
}

/// Takes bytes as a push in either JSON form.
///
/// # Panics
/// If more is read than was there: that is a bug in this crate.
pub fn fuzz_json(bytes: &[u8]) {
    let body = Bytes::copy_from_slice(bytes);
    for dialect in [Dialect::V1, Dialect::Legacy] {
        if let Ok(streams) = read_json(&body, dialect) {
            check_size(&streams, bytes.len());
        }
    }
}

/// Takes bytes as OTLP logs in protobuf.
///
/// # Panics
/// If more is read than was there: that is a bug in this crate.
pub fn fuzz_otlp_protobuf(bytes: &[u8]) {
    if let Ok(logs) = read_otlp_protobuf(&Bytes::copy_from_slice(bytes)) {
        check_otlp(logs, bytes.len());
    }
}

/// Takes bytes as OTLP logs in JSON.
///
/// # Panics
/// If more is read than was there: that is a bug in this crate.
pub fn fuzz_otlp_json(bytes: &[u8]) {
    if let Ok(logs) = read_otlp_json(&Bytes::copy_from_slice(bytes)) {
        check_otlp(logs, bytes.len());
    }
}

/// No record is made up; their labels can be read.
fn check_otlp(logs: Vec<ResourceLogs>, body: usize) {
    let records: usize = logs.iter().flat_map(|logs| &logs.scopes).map(|scope| scope.records.len()).sum();
    assert!(records <= body, "{records} records of {body} bytes");
    let limits = OtlpLimits { severity_text_as_label: true, ..OtlpLimits::default() };
    let rules = OtlpRules::new(&limits, &["service.name".to_owned()]);
    let mapping =
        Mapping { rules: &rules, discover: &["service_name".to_owned()], now: Timestamp::MIN, watched: None };
    let Ok(streams) = streams_of(logs, mapping) else { return };
    let mut entries = 0;
    for stream in streams {
        entries += stream.entries.len();
        let labels = StreamLabels::new(stream.labels, &[], None, None);
        assert!(labels.is_ok_and(|labels| labels.duplicate.is_none()));
    }
    assert!(entries <= records, "{entries} rows of {records} records");
}

/// Neither form can say anything in less than a byte.
fn check_size(streams: &[PushedStream], body: usize) {
    let mut size = streams.len();
    for stream in streams {
        size += match &stream.labels {
            PushedLabels::Text(text) => text.len(),
            PushedLabels::Pairs(pairs) => pairs.iter().map(|(name, value)| name.len() + value.len()).sum(),
        };
        for entry in &stream.entries {
            size += 1 + entry.line.len() + entry.metadata.len();
        }
    }
    assert!(size <= body, "{size} of {body} bytes");
}

/// Takes bytes as a body in each compression.
///
/// # Panics
/// If more comes out than may: that is a bug in this crate.
pub fn fuzz_compressed(bytes: &[u8]) {
    const BOUND: SizeBound = SizeBound { max: 1 << 20 };
    let body = Bytes::copy_from_slice(bytes);
    let inflight = Inflight::new(0, 0, &Registry::default());
    let Ok(mut held) = inflight.hold() else { return };
    for unpack in [unpack_snappy, gzip, deflate, zstd, lz4] {
        if let Ok(out) = unpack(&body, BOUND, &mut held) {
            assert!(out.len() as u64 <= BOUND.max, "{} bytes", out.len());
        }
    }
}

fn unpack_snappy(body: &[u8], bound: SizeBound, held: &mut HeldBytes) -> Result<Bytes, DecompressError> {
    snappy(body, bound, held, &BufferPool::new(0))
}

/// Takes bytes as the head `Content-Type`.
pub fn fuzz_media_type(bytes: &[u8]) {
    if let Ok(found) = media_type(bytes) {
        assert!(!found.is_empty() && found.is_ascii());
    }
}

/// Takes bytes as the label text of a stream.
///
/// # Panics
/// If labels that were taken are not known again by their text: that is a bug in this crate.
pub fn fuzz_labels(bytes: &[u8]) {
    let pushed = PushedLabels::Text(Bytes::copy_from_slice(bytes));
    if let Ok(labels) = StreamLabels::new(pushed, &["app".to_owned()], None, None)
        && labels.duplicate.is_none()
    {
        assert_eq!(labels.text.parse::<Labels>().as_ref(), Ok(&labels.labels));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{mutations, snappy_block};

    #[test]
    fn damaged_bodies_and_heads() {
        let corpus =
            [snappy_block(b"a line and again a line"), ::zstd::bulk::compress(b"aaaaaaaa", 1).unwrap()];
        mutations(&corpus, fuzz_compressed);
        let heads = ["application/json; charset=utf-8", "a/b; c=\"d\\\"e\"; f=g", "text"];
        mutations(&heads.map(|head| head.as_bytes().to_vec()), fuzz_media_type);
    }
}
