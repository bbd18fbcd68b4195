//! A segment in a file beside the log: the durable copy of rows that were cut.

use std::io;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use larch_rpc::CallError;
use larch_segment::{Chunk, Columns, OpenError, ReadError, Segment, TAIL_GUESS_BYTES};
use larch_types::{ErrorKind, SegmentId, Timestamp};
use larch_wal::{Dir, DirFile, FileName};

use crate::tails::Tails;

/// What a finished file is called behind its id. A file is finished once it has this name.
const SUFFIX: &str = ".seg";

/// What a file is called while it is written. Whoever finds such a file removes it.
const UNFINISHED: &str = ".seg-new";

/// A file that is there. Neither its descriptor nor its tail is held: there may be thousands.
pub(crate) struct SegmentFile {
    id: SegmentId,
    /// First and last, both inclusive, once the tail was read.
    times: OnceLock<(Timestamp, Timestamp)>,
}

/// A file whose tail is in memory.
#[derive(Clone)]
pub(crate) struct OpenFile {
    id: SegmentId,
    segment: Arc<Segment>,
    dir: Arc<dyn Dir>,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("read segment file {id}")]
    Read { id: SegmentId, source: io::Error },
    #[error("open segment file {id}")]
    Open { id: SegmentId, source: OpenError },
}

pub(crate) fn file_name(id: SegmentId) -> FileName {
    named(id, SUFFIX)
}

#[expect(clippy::expect_used, reason = "a ULID and a suffix are letters and digits")]
fn named(id: SegmentId, suffix: &str) -> FileName {
    format!("{id}{suffix}").parse().expect("a file name")
}

/// The segment that a name is of; whether it is finished.
pub(crate) fn parse_name(name: &FileName) -> Option<(SegmentId, bool)> {
    let name = name.as_str();
    if let Some(id) = name.strip_suffix(SUFFIX) {
        return Some((id.parse().ok()?, true));
    }
    Some((name.strip_suffix(UNFINISHED)?.parse().ok()?, false))
}

/// Makes files that survive a power cut, all or none: nobody has a finished name before all are synced.
/// What failed leaves nothing behind, if the disk allows. It blocks.
pub(crate) fn write_durably(dir: &dyn Dir, files: &[(SegmentId, Vec<u8>)]) -> io::Result<()> {
    let written = try_write_durably(dir, files);
    if written.is_err() {
        for (id, _) in files {
            // What stays is removed by the next start.
            drop(dir.remove(&named(*id, UNFINISHED)));
            drop(dir.remove(&file_name(*id)));
        }
    }
    written
}

fn try_write_durably(dir: &dyn Dir, files: &[(SegmentId, Vec<u8>)]) -> io::Result<()> {
    for (id, bytes) in files {
        let mut file = dir.create(&named(*id, UNFINISHED))?;
        file.append(bytes)?;
        file.sync()?;
    }
    for (id, _) in files {
        dir.rename(&named(*id, UNFINISHED), &file_name(*id))?;
    }
    dir.sync()
}

impl SegmentFile {
    pub(crate) const fn new(id: SegmentId) -> Self {
        Self { id, times: OnceLock::new() }
    }

    pub(crate) const fn id(&self) -> SegmentId {
        self.id
    }

    /// Whether it may have rows from the first time on and before the second.
    pub(crate) fn may_have(&self, start: Timestamp, end: Timestamp) -> bool {
        self.times.get().is_none_or(|(first, last)| *first < end && start <= *last)
    }

    /// Reads the tail, or finds it among those that were read.
    pub(crate) async fn open(&self, dir: &Arc<dyn Dir>, tails: &Tails) -> Result<OpenFile, CallError> {
        let segment = match tails.find(self.id) {
            Some(segment) => segment,
            None => {
                let (id, from) = (self.id, Arc::clone(dir));
                let (segment, bytes) = blocking(&**dir, move || read_tail(&*from, id))
                    .await?
                    .map_err(|error| CallError::new(error.kind(), error.to_string()))?;
                tails.keep(self.id, segment, bytes)
            }
        };
        let totals = segment.totals();
        self.times.get_or_init(|| (totals.first_time, totals.last_time));
        Ok(OpenFile { id: self.id, segment, dir: Arc::clone(dir) })
    }
}

/// Gives also how many bytes the tail takes. It blocks.
fn read_tail(dir: &dyn Dir, id: SegmentId) -> Result<(Segment, usize), FileError> {
    let failed = |source| FileError::Read { id, source };
    let file = dir.open(&file_name(id)).map_err(failed)?;
    let bytes = file.size().map_err(failed)?;
    let mut from = bytes.saturating_sub(TAIL_GUESS_BYTES);
    loop {
        let tail = read_range(&*file, from, bytes).map_err(failed)?;
        match Segment::open(&tail, bytes) {
            Ok(segment) => return Ok((segment, tail.len())),
            // It says from where on it is needed, which is always before what was read.
            Err(OpenError::Short { from: needed }) if needed < from => from = needed,
            Err(source) => return Err(FileError::Open { id, source }),
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
    pub(crate) const fn id(&self) -> SegmentId {
        self.id
    }

    pub(crate) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// Reads the pages of a chunk. Panics if there is no such chunk.
    pub(crate) async fn chunk(&self, number: u32, columns: Columns) -> Result<Chunk, CallError> {
        let pages = self.segment.pages(number, columns);
        let (dir, name) = (Arc::clone(&self.dir), file_name(self.id));
        let read = move || -> io::Result<Vec<_>> {
            let file = dir.open(&name)?;
            let mut fetched = Vec::with_capacity(pages.len());
            for page in pages {
                let bytes = read_range(&*file, page.range.start, page.range.end)?;
                fetched.push((page, bytes));
            }
            Ok(fetched)
        };
        let failed = |error: io::Error| {
            CallError::new(ErrorKind::Internal, format!("read segment file {}: {error}", self.id))
        };
        Ok(self.segment.chunk(number, blocking(&*self.dir, read).await?.map_err(failed)?))
    }

    pub(crate) fn unreadable(&self, error: &ReadError) -> CallError {
        CallError::new(ErrorKind::Corrupt, format!("segment file {}: {error}", self.id))
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
    let stopped = |_| CallError::new(ErrorKind::Unavailable, "the process stops");
    tokio::task::spawn_blocking(work).await.map_err(stopped)
}

fn read_range(file: &dyn DirFile, start: u64, end: u64) -> io::Result<Bytes> {
    let length = usize::try_from(end - start).map_err(io::Error::other)?;
    let mut buffer = vec![0; length];
    let read = file.read_at(start, &mut buffer)?;
    if read < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Bytes::from(buffer))
}
