//! What readers are told of the rows that a tenant holds.

pub(crate) mod estimate;
pub(crate) mod histogram;
pub(crate) mod labels;
pub(crate) mod rows;

use larch_rpc::CallError;
use larch_segment::{Chunk, OrdinalSet, ReadError, StreamRun};
use larch_types::{ErrorKind, Timestamp};

use crate::selection::Chosen;

/// Texts and cells are sent in parts of about this size: enough to be few, little enough to be buffered
/// on the way.
const PART_BYTES: usize = 1 << 20;

/// Rows of an arena are never encoded, so nothing can be wrong with them; the interface is the one of
/// stored segments.
fn unreadable(error: &ReadError) -> CallError {
    CallError::new(ErrorKind::Internal, format!("read rows in memory: {error}"))
}

fn overlaps(chunk: &Chunk, chosen: &Chosen) -> bool {
    let info = chunk.info();
    info.first_time < chosen.end && chosen.start <= info.last_time
}

/// The part of a stream's run that is in the range; its rows ascend in time.
fn rows_in_range(run: StreamRun, times: &[i64], chosen: &Chosen) -> std::ops::Range<usize> {
    let range = run.range();
    let times = &times[range.clone()];
    let first = times.partition_point(|time| Timestamp::from_nanos(*time) < chosen.start);
    let end = times.partition_point(|time| Timestamp::from_nanos(*time) < chosen.end);
    range.start + first..range.start + end
}

/// Whether a stream that a chunk names is chosen. Streams may be newer than the choice.
fn is_chosen(streams: &OrdinalSet, stream: u32) -> bool {
    stream < streams.count() && streams.contains(stream)
}

#[cfg(test)]
mod tests;
