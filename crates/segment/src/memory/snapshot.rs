//! An arena, or what was cut from it, as a reader sees it: streams and chunks.

use std::sync::Arc;

use larch_types::{Labels, StreamId};

use crate::index::Selector;
use crate::memory::generation::SharedStreams;
use crate::reader::chunk::Chunk;
use crate::set::OrdinalSet;

/// Rows that were there when it was made. It costs nothing to keep but what they take.
#[derive(Clone)]
pub struct Snapshot {
    streams: Arc<SharedStreams>,
    chunks: Vec<Arc<Chunk>>,
}

impl Snapshot {
    pub(crate) const fn new(streams: Arc<SharedStreams>, chunks: Vec<Arc<Chunk>>) -> Self {
        Self { streams, chunks }
    }

    /// In the order in which their rows arrived; rows of a stream may be in several.
    pub fn chunks(&self) -> &[Arc<Chunk>] {
        &self.chunks
    }

    /// Streams are numbered from 0 to this. Some may be newer than the snapshot, and have no rows.
    pub fn streams(&self) -> u32 {
        self.streams.read().len() as u32
    }

    /// Panics if there is no such stream.
    pub fn labels(&self, ordinal: u32) -> Labels {
        self.streams.read().labels(ordinal)
    }

    /// Panics if there is no such stream.
    pub fn stream_id(&self, ordinal: u32) -> StreamId {
        self.streams.read().id(ordinal)
    }

    /// Streams that pass all conditions.
    pub fn select(&self, selectors: &[Selector<'_>]) -> OrdinalSet {
        self.streams.read().select(selectors)
    }
}
