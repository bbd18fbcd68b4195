//! What readers are told of the rows that a tenant holds.

pub(crate) mod estimate;
mod first_rows;
pub(crate) mod histogram;
pub(crate) mod labels;
pub(crate) mod rows;

use std::collections::BTreeMap;

use larch_rpc::CallError;
use larch_segment::{ChunkInfo, OrdinalSet, StreamRun};
use larch_types::Timestamp;

use crate::selection::Chosen;
use crate::source::Source;

/// Texts and cells are sent in parts of about this size: enough to be few, little enough to be buffered
/// on the way.
const PART_BYTES: usize = 1 << 20;

/// Streams by chunk.
type Undecided = BTreeMap<u32, Vec<u32>>;

/// A source with its streams that are meant.
struct Asked {
    source: Source,
    streams: OrdinalSet,
}

impl Asked {
    fn new(source: Source, chosen: &Chosen) -> Result<Self, CallError> {
        let streams = chosen.streams(&source)?;
        Ok(Self { source, streams })
    }

    /// The chunks that may have rows that are meant, by number.
    fn chunks(&self, chosen: &Chosen) -> Vec<(usize, ChunkInfo)> {
        if self.streams.is_empty() {
            return Vec::new();
        }
        let chunks = self.source.chunks().into_iter().enumerate();
        chunks.filter(|(_, info)| info.first_time < chosen.end && chosen.start <= info.last_time).collect()
    }

    /// Streams that have rows in the range as far as an index says so, and the chunks where others may have
    /// some: all, if there is no index.
    fn presence(&self, chosen: &Chosen) -> Result<(OrdinalSet, Option<Undecided>), CallError> {
        match &self.source {
            Source::Memory(_) => Ok((OrdinalSet::none(self.streams.count()), None)),
            Source::File(file) => {
                let found = file.segment().presence(&self.streams, (chosen.start, chosen.end));
                let found = found.map_err(|error| file.unreadable(&error.into()))?;
                Ok((found.with_rows, Some(found.undecided)))
            }
        }
    }

    /// Whether a stream that a chunk names is meant. Streams in memory may be newer than the choice.
    fn has(&self, stream: u32) -> bool {
        stream < self.streams.count() && self.streams.contains(stream)
    }
}

/// The part of a stream's run that is in the range; its rows ascend in time.
fn rows_in_range(run: StreamRun, times: &[i64], chosen: &Chosen) -> std::ops::Range<usize> {
    let range = run.range();
    let times = &times[range.clone()];
    let first = times.partition_point(|time| Timestamp::from_nanos(*time) < chosen.start);
    let end = times.partition_point(|time| Timestamp::from_nanos(*time) < chosen.end);
    range.start + first..range.start + end
}

#[cfg(test)]
mod tests;
