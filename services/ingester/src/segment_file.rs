//! A segment in a file beside the log: the durable copy of rows that were cut.

pub(crate) mod name;

use std::io;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use larch_rpc::CallError;
use larch_segment::{Chunk, Columns, OpenError, ReadError, Segment, TAIL_GUESS_BYTES};
use larch_types::{ErrorKind, Monotonic, SegmentId, TenantId, Timestamp};
use larch_wal::{Dir, DirFile, FileName};

use crate::tails::{Tail, Tails};
use crate::upload::Progress;

/// A file that is there. Neither its descriptor nor its tail is held: there may be thousands.
pub(crate) struct SegmentFile {
    id: SegmentId,
    name: FileName,
    pub(crate) bytes: u64,
    /// When it was finished, or found.
    pub(crate) since: Monotonic,
    /// First and last, both inclusive, once the tail was read.
    times: OnceLock<(Timestamp, Timestamp)>,
    pub(crate) progress: Progress,
}

/// A file whose tail is in memory. The file is not removed while there is one.
#[derive(Clone)]
pub(crate) struct OpenFile {
    file: Arc<SegmentFile>,
    segment: Arc<Tail>,
    dir: Arc<dyn Dir>,
}

/// A segment that is becoming a file: written as it is made, so that it is never in memory as a whole.
pub(crate) struct NewFile {
    id: SegmentId,
    file: Box<dyn DirFile>,
    bytes: u64,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("read segment file {file}")]
    Read { file: FileName, source: io::Error },
    #[error("open segment file {file}")]
    Open { file: FileName, source: OpenError },
}

impl NewFile {
    pub(crate) fn create(dir: &dyn Dir, tenant: &TenantId, id: SegmentId) -> io::Result<Self> {
        Ok(Self { id, file: dir.create(&name::unfinished(id, tenant))?, bytes: 0 })
    }

    pub(crate) const fn id(&self) -> SegmentId {
        self.id
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.append(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}

/// Files that are synced get their names, and survive a power cut then. All or none: nobody has a finished
/// name before all are synced.
pub(crate) fn finish(
    dir: &dyn Dir,
    tenant: &TenantId,
    files: impl Iterator<Item = SegmentId>,
) -> io::Result<()> {
    for id in files {
        dir.rename(&name::unfinished(id, tenant), &name::finished(id, tenant))?;
    }
    dir.sync()
}

/// What failed leaves nothing behind, if the disk allows; what stays is removed by the next start.
pub(crate) fn remove(dir: &dyn Dir, tenant: &TenantId, ids: &[SegmentId]) {
    for id in ids {
        drop(dir.remove(&name::unfinished(*id, tenant)));
        drop(dir.remove(&name::finished(*id, tenant)));
    }
}

impl SegmentFile {
    pub(crate) fn new(
        id: SegmentId,
        name: FileName,
        bytes: u64,
        since: Monotonic,
        progress: Progress,
    ) -> Self {
        Self { id, name, bytes, since, times: OnceLock::new(), progress }
    }

    pub(crate) const fn id(&self) -> SegmentId {
        self.id
    }

    pub(crate) const fn name(&self) -> &FileName {
        &self.name
    }

    /// Whether it may have rows from the first time on and before the second.
    pub(crate) fn may_have(&self, start: Timestamp, end: Timestamp) -> bool {
        self.times.get().is_none_or(|(first, last)| *first < end && start <= *last)
    }

    /// First and last, for whoever has written it.
    pub(crate) fn know_times(&self, times: (Timestamp, Timestamp)) {
        self.times.get_or_init(|| times);
    }

    /// As [`SegmentFile::open`], for one of many, within what may be open.
    pub(crate) async fn open_among(
        self: &Arc<Self>,
        dir: &Arc<dyn Dir>,
        tails: &Tails,
    ) -> Result<OpenFile, CallError> {
        tails.check_room()?;
        self.open(dir, tails).await
    }

    /// Reads the tail, or finds it among those that were read.
    pub(crate) async fn open(
        self: &Arc<Self>,
        dir: &Arc<dyn Dir>,
        tails: &Tails,
    ) -> Result<OpenFile, CallError> {
        let segment = match tails.find(self.id) {
            Some(segment) => segment,
            None => {
                let (file, from) = (Arc::clone(self), Arc::clone(dir));
                let (segment, bytes) = blocking(&**dir, move || read_tail(&*from, &file.name))
                    .await?
                    .map_err(|error| CallError::new(error.kind(), error.to_string()))?;
                tails.keep(self.id, segment, bytes)
            }
        };
        let totals = segment.totals();
        self.times.get_or_init(|| (totals.first_time, totals.last_time));
        Ok(OpenFile { file: Arc::clone(self), segment, dir: Arc::clone(dir) })
    }
}

/// Gives also how many bytes the tail takes. It blocks.
pub(crate) fn read_tail(dir: &dyn Dir, name: &FileName) -> Result<(Segment, usize), FileError> {
    let failed = |source| FileError::Read { file: name.clone(), source };
    let file = dir.open(name).map_err(failed)?;
    let bytes = file.size().map_err(failed)?;
    let mut from = bytes.saturating_sub(TAIL_GUESS_BYTES);
    loop {
        let tail = read_range(&*file, from, bytes).map_err(failed)?;
        match Segment::open(&tail, bytes) {
            Ok(segment) => return Ok((segment, tail.len())),
            // It says from where on it is needed, which is always before what was read.
            Err(OpenError::Short { from: needed }) if needed < from => from = needed,
            Err(source) => return Err(FileError::Open { file: name.clone(), source }),
        }
    }
}

impl FileError {
    const fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { .. } => ErrorKind::Internal,
            Self::Open { .. } => ErrorKind::Corrupt,
        }
    }
}

impl OpenFile {
    pub(crate) fn id(&self) -> SegmentId {
        self.file.id
    }

    pub(crate) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// Reads the pages of a chunk. Panics if there is no such chunk.
    pub(crate) async fn chunk(&self, number: u32, columns: Columns) -> Result<Chunk, CallError> {
        let pages = self.segment.pages(number, columns);
        let (dir, file) = (Arc::clone(&self.dir), Arc::clone(&self.file));
        let read = move || -> io::Result<Vec<_>> {
            let file = dir.open(&file.name)?;
            let mut fetched = Vec::with_capacity(pages.len());
            for page in pages {
                let bytes = read_range(&*file, page.range.start, page.range.end)?;
                fetched.push((page, bytes));
            }
            Ok(fetched)
        };
        let failed = |error: io::Error| {
            CallError::new(ErrorKind::Internal, format!("read segment file {}: {error}", self.file.name))
        };
        Ok(self.segment.chunk(number, blocking(&*self.dir, read).await?.map_err(failed)?))
    }

    pub(crate) fn unreadable(&self, error: &ReadError) -> CallError {
        CallError::new(ErrorKind::Corrupt, format!("segment file {}: {error}", self.file.name))
    }
}

/// Works where it may block, if the directory's calls take time; at once if not, which is how a simulation
/// stays in one thread.
pub(crate) async fn blocking<T: Send + 'static>(
    dir: &dyn Dir,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CallError> {
    if !dir.blocks() {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|failure| match failure.is_panic() {
        true => CallError::new(ErrorKind::Internal, "work on a file panicked"),
        false => CallError::new(ErrorKind::Unavailable, "the process stops"),
    })
}

pub(crate) fn read_range(file: &dyn DirFile, start: u64, end: u64) -> io::Result<Bytes> {
    let length = usize::try_from(end - start).map_err(io::Error::other)?;
    let mut buffer = vec![0; length];
    let read = file.read_at(start, &mut buffer)?;
    if read < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Bytes::from(buffer))
}
