//! A segment in a file beside the log: the durable copy of rows that were cut.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use larch_rpc::CallError;
use larch_segment::{Chunk, Columns, OpenError, Segment, TAIL_GUESS_BYTES};
use larch_types::{ErrorKind, SegmentId};
use larch_wal::{Dir, DirFile, FileName};

/// What a finished file is called behind its id. A file is finished once it has this name.
const SUFFIX: &str = ".seg";

/// What a file is called while it is written. Whoever finds such a file removes it.
const UNFINISHED: &str = ".seg-new";

/// A file whose tail was read.
pub(crate) struct SegmentFile {
    id: SegmentId,
    segment: Segment,
    bytes: u64,
    /// Whether reading it can take long.
    blocks: bool,
    file: Arc<Mutex<Box<dyn DirFile>>>,
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
/// It blocks.
pub(crate) fn write_durably(dir: &dyn Dir, files: &[(SegmentId, Vec<u8>)]) -> io::Result<()> {
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
    /// Reads the tail. It blocks.
    pub(crate) fn open(dir: &dyn Dir, id: SegmentId) -> Result<Self, FileError> {
        let failed = |source| FileError::Read { id, source };
        let file = dir.open(&file_name(id)).map_err(failed)?;
        let bytes = file.size().map_err(failed)?;
        let mut from = bytes.saturating_sub(TAIL_GUESS_BYTES);
        let segment = loop {
            let tail = read_range(&*file, from, bytes).map_err(failed)?;
            match Segment::open(&tail, bytes) {
                Ok(segment) => break segment,
                // It says from where on it is needed, which is always before what was read.
                Err(OpenError::Short { from: needed }) if needed < from => from = needed,
                Err(source) => return Err(FileError::Open { id, source }),
            }
        };
        Ok(Self { id, segment, bytes, blocks: dir.blocks(), file: Arc::new(Mutex::new(file)) })
    }

    pub(crate) const fn id(&self) -> SegmentId {
        self.id
    }

    pub(crate) const fn segment(&self) -> &Segment {
        &self.segment
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads the pages of a chunk. Panics if there is no such chunk.
    pub(crate) async fn chunk(&self, number: u32, columns: Columns) -> Result<Chunk, CallError> {
        let pages = self.segment.pages(number, columns);
        let file = Arc::clone(&self.file);
        let read = move || -> io::Result<Vec<_>> {
            let file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let mut fetched = Vec::with_capacity(pages.len());
            for page in pages {
                let bytes = read_range(&**file, page.range.start, page.range.end)?;
                fetched.push((page, bytes));
            }
            Ok(fetched)
        };
        let fetched = if self.blocks {
            tokio::task::spawn_blocking(read).await.map_err(|error| self.failed(&error))?
        } else {
            read()
        };
        Ok(self.segment.chunk(number, fetched.map_err(|error| self.failed(&error))?))
    }

    fn failed(&self, error: &dyn std::error::Error) -> CallError {
        CallError::new(ErrorKind::Internal, format!("read segment file {}: {error}", self.id))
    }
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
