//! An arena, or what was cut from it, as a reader sees it: streams and chunks.

use std::sync::Arc;

use larch_types::{Labels, StreamId};

use crate::index::Selector;
use crate::memory::generation::SharedStreams;
use crate::reader::chunk::Chunk;
use crate::set::OrdinalSet;
use crate::streams::{StreamTable, SymbolSet};

/// Streams that are looked at in one go: a fraction of a millisecond, for which a push waits.
const STREAMS_AT_ONCE: usize = 1 << 15;

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

    /// The canonical text of a stream's labels. Panics if there is no such stream.
    pub fn canonical(&self, ordinal: u32) -> String {
        self.streams.read().canonical(ordinal)
    }

    /// The names that the labels of these streams have; sorted. Panics if there is no such stream.
    pub fn names_of(&self, streams: &OrdinalSet) -> Vec<String> {
        self.texts_of(streams, |table, some, found| table.add_names(some.iter().copied(), found))
    }

    /// The values that these streams have of a label; sorted. Panics if there is no such stream.
    pub fn values_of(&self, name: &str, streams: &OrdinalSet) -> Vec<String> {
        self.texts_of(streams, |table, some, found| table.add_values(name, some.iter().copied(), found))
    }

    /// Writers have their turn in between. Sorted.
    fn texts_of(
        &self,
        streams: &OrdinalSet,
        add: impl Fn(&StreamTable, &[u32], &mut SymbolSet),
    ) -> Vec<String> {
        let mut found = SymbolSet::default();
        let all: Vec<u32> = streams.iter().collect();
        for some in all.chunks(STREAMS_AT_ONCE) {
            add(&self.streams.read(), some, &mut found);
        }
        let mut texts = Vec::with_capacity(found.as_slice().len());
        for some in found.as_slice().chunks(STREAMS_AT_ONCE) {
            self.streams.read().texts(some, &mut texts);
        }
        texts.sort_unstable();
        texts
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
