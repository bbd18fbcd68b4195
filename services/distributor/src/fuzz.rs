//! Hostile bytes through every parser of pushes.

use bytes::Bytes;
use larch_types::Labels;

use crate::decode::{Dialect, read_json, read_protobuf};
use crate::labels::StreamLabels;
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

/// Takes bytes as the label text of a stream.
///
/// # Panics
/// If labels that were taken are not known again by their text: that is a bug in this crate.
pub fn fuzz_labels(bytes: &[u8]) {
    let pushed = PushedLabels::Text(Bytes::copy_from_slice(bytes));
    if let Ok(labels) = StreamLabels::new(pushed, &["app".to_owned()], None)
        && labels.duplicate.is_none()
    {
        assert_eq!(labels.text.parse::<Labels>().as_ref(), Ok(&labels.labels));
    }
}
