//! Opens the directory in which footers and pages are kept, once for all roles of the process.

use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use larch_runtime::{Module, Scope, StartError};
use larch_store::Segments;

use crate::role::{Frame, OpenDir, Role};

pub(crate) struct SegmentCache {
    directory: String,
    open_dir: OpenDir,
    segments: Segments,
}

impl SegmentCache {
    /// `None` if there is no such directory, or nobody in this process who would read it: another process of this
    /// machine with the same configuration may need it.
    pub(crate) fn new(frame: &Frame, roles: &[Box<dyn Role>]) -> Option<Self> {
        let settings = &frame.settings.chunk_store.disk_cache;
        let is_read = roles.iter().any(|role| role.reads_segments());
        (settings.is_configured() && is_read).then(|| Self {
            directory: settings.directory.clone(),
            open_dir: Arc::clone(&frame.open_dir),
            segments: frame.segments.clone(),
        })
    }

    async fn open(&self, scope: &Scope) -> Result<(), StartError> {
        let what = || format!("open chunk_store_config.disk_cache.directory {:?}", self.directory);
        let dir = (self.open_dir)(Path::new(&self.directory))
            .map_err(|error| StartError::caused_by(what(), error))?;
        let opened = self.segments.open_disk_cache(dir, scope).await;
        opened.map_err(|error| StartError::caused_by(what(), error))
    }
}

impl Module for SegmentCache {
    fn name(&self) -> &'static str {
        "segment-cache"
    }

    fn start<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(), StartError>> {
        Box::pin(self.open(scope))
    }
}
