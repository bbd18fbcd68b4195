//! A segment file as the store reads it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use larch_store::Source;
use larch_wal::Dir;

use crate::segment_file::{SegmentFile, blocking, read_range};

pub(super) struct UploadSource {
    dir: Arc<dyn Dir>,
    file: Arc<SegmentFile>,
    /// A store that is a directory of the same disk links it.
    path: Option<PathBuf>,
}

impl UploadSource {
    pub(super) fn new(dir: &Arc<dyn Dir>, file: &Arc<SegmentFile>) -> Self {
        Self { dir: Arc::clone(dir), file: Arc::clone(file), path: dir.path_of(file.name()) }
    }
}

impl Source for UploadSource {
    fn size(&self) -> u64 {
        self.file.bytes
    }

    fn read(&self, offset: u64, length: usize) -> BoxFuture<'_, io::Result<Bytes>> {
        Box::pin(async move {
            let (dir, file) = (Arc::clone(&self.dir), Arc::clone(&self.file));
            let end = offset.saturating_add(length as u64);
            let read = move || read_range(&*dir.open(file.name())?, offset, end);
            blocking(&*self.dir, read).await.map_err(|error| io::Error::other(error.to_string()))?
        })
    }

    fn file(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}
