//! Rows of a tenant in one place, as readers see them: in memory, or in a segment file.

use std::sync::Arc;

use larch_rpc::CallError;
use larch_segment::{Chunk, ChunkInfo, Columns, OrdinalSet, ReadError, Selector, Snapshot, StreamWalk};
use larch_types::{ErrorKind, Labels, StreamId};

use crate::segment_file::OpenFile;

#[derive(Clone)]
pub(crate) enum Source {
    Memory(Snapshot),
    File(OpenFile),
}

impl Source {
    /// Streams are numbered from 0 to this.
    pub(crate) fn streams(&self) -> u32 {
        match self {
            Self::Memory(snapshot) => snapshot.streams(),
            Self::File(file) => file.segment().index().streams(),
        }
    }

    /// Streams that pass all conditions.
    pub(crate) fn select(&self, selectors: &[Selector<'_>]) -> Result<OrdinalSet, CallError> {
        match self {
            Self::Memory(snapshot) => Ok(snapshot.select(selectors)),
            Self::File(file) => {
                file.segment().index().select(selectors).map_err(|error| file.unreadable(&error.into()))
            }
        }
    }

    pub(crate) fn labels(&self, stream: u32) -> Result<Labels, CallError> {
        match self {
            Self::Memory(snapshot) => Ok(snapshot.labels(stream)),
            Self::File(file) => {
                file.segment().index().labels(stream).map_err(|error| file.unreadable(&error.into()))
            }
        }
    }

    /// The names that labels of these streams have; sorted.
    pub(crate) fn names_of(&self, streams: &OrdinalSet) -> Result<Vec<String>, CallError> {
        match self {
            Self::Memory(snapshot) => Ok(snapshot.names_of(streams)),
            Self::File(file) => {
                file.segment().index().names_of(streams).map_err(|error| file.unreadable(&error.into()))
            }
        }
    }

    /// The values that these streams have of a label; sorted.
    pub(crate) fn values_of(&self, name: &str, streams: &OrdinalSet) -> Result<Vec<String>, CallError> {
        match self {
            Self::Memory(snapshot) => Ok(snapshot.values_of(name, streams)),
            Self::File(file) => file
                .segment()
                .index()
                .values_of(name, streams)
                .map_err(|error| file.unreadable(&error.into())),
        }
    }

    /// To ask for the canonical texts of many streams.
    pub(crate) fn texts(&self) -> StreamTexts<'_> {
        match self {
            Self::Memory(snapshot) => StreamTexts::Memory(snapshot),
            Self::File(file) => StreamTexts::File(file, Box::new(file.segment().index().walk())),
        }
    }

    pub(crate) fn stream_id(&self, stream: u32) -> Result<StreamId, CallError> {
        match self {
            Self::Memory(snapshot) => Ok(snapshot.stream_id(stream)),
            Self::File(file) => {
                file.segment().index().stream_id(stream).map_err(|error| file.unreadable(&error.into()))
            }
        }
    }

    pub(crate) fn chunks(&self) -> Vec<ChunkInfo> {
        match self {
            Self::Memory(snapshot) => snapshot.chunks().iter().map(|chunk| *chunk.info()).collect(),
            Self::File(file) => file.segment().chunks().collect(),
        }
    }

    /// Brings a chunk in. Lets other tasks run, because whoever looks through a chunk works for a
    /// millisecond.
    pub(crate) async fn chunk(&self, number: usize, columns: Columns) -> Result<Arc<Chunk>, CallError> {
        match self {
            Self::Memory(snapshot) => {
                tokio::task::yield_now().await;
                Ok(Arc::clone(&snapshot.chunks()[number]))
            }
            Self::File(file) => file.chunk(number as u32, columns).await.map(Arc::new),
        }
    }

    pub(crate) fn unreadable(&self, error: &ReadError) -> CallError {
        match self {
            // Rows in memory are never encoded; the interface is the one of stored segments.
            Self::Memory(_) => CallError::new(ErrorKind::Internal, format!("read rows in memory: {error}")),
            Self::File(file) => file.unreadable(error),
        }
    }
}

/// Canonical texts of streams; those that ascend are quick.
pub(crate) enum StreamTexts<'a> {
    Memory(&'a Snapshot),
    File(&'a OpenFile, Box<StreamWalk<'a>>),
}

impl StreamTexts<'_> {
    pub(crate) fn of(&mut self, stream: u32) -> Result<String, CallError> {
        match self {
            Self::Memory(snapshot) => Ok(snapshot.canonical(stream)),
            Self::File(file, walk) => walk.canonical(stream).map_err(|error| file.unreadable(&error.into())),
        }
    }
}
