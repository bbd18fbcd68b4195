//! What fails a call, with the name of the object that did.

use larch_proto::SegmentEntry;
use larch_rpc::CallError;
use larch_segment::Corrupt;
use larch_store::SegmentError;

pub(crate) fn failed(error: &SegmentError) -> CallError {
    CallError::new(error.kind(), error.to_string())
}

pub(crate) fn corrupt(entry: &SegmentEntry, error: &Corrupt) -> CallError {
    CallError::new(error.kind(), format!("segment {}: {error}", entry.id))
}
