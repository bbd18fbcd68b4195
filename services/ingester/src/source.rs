//! Rows of a tenant in one place, as readers see them: in memory, or in a segment file.

use std::sync::Arc;

use larch_rpc::CallError;
use larch_segment::{Chunk, ChunkInfo, Columns, OrdinalSet, ReadError, Selector, Snapshot};
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
