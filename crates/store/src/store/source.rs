//! What is uploaded from: bytes that can be read again when a try fails.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

/// Bytes of known number that do not change.
pub trait Source: Send + Sync {
    fn size(&self) -> u64;

    /// Reads exactly so many bytes from an offset.
    fn read(&self, offset: u64, length: usize) -> BoxFuture<'_, io::Result<Bytes>>;

    /// The file that holds exactly these bytes, if one of this machine does. A store that is a directory
    /// of the same disk links it instead of copying.
    fn file(&self) -> Option<&Path> {
        None
    }
}

/// A file of this machine that is complete, synced, and never changed again.
#[derive(Debug)]
pub struct FileSource {
    path: PathBuf,
    file: Arc<File>,
    size: u64,
}

impl FileSource {
    /// Opens the file, which blocks.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let file = File::open(&path)?;
        let size = file.metadata()?.len();
        Ok(Self { path, file: Arc::new(file), size })
    }
}

impl Source for FileSource {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, offset: u64, length: usize) -> BoxFuture<'_, io::Result<Bytes>> {
        let file = Arc::clone(&self.file);
        let read = move || {
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, offset)?;
            Ok(Bytes::from(bytes))
        };
        Box::pin(async { tokio::task::spawn_blocking(read).await.map_err(io::Error::other)? })
    }

    fn file(&self) -> Option<&Path> {
        Some(&self.path)
    }
}

impl Source for Bytes {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, offset: u64, length: usize) -> BoxFuture<'_, io::Result<Bytes>> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.checked_add(length).filter(|end| *end <= self.len());
        let slice = end.map(|end| self.slice(start..end));
        Box::pin(async { slice.ok_or_else(|| io::ErrorKind::UnexpectedEof.into()) })
    }
}
