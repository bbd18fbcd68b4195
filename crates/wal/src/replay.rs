//! Reads a log back.
//!
//! What is no record and lies before one is damage: it is counted, said, and stepped over. What is no
//! record and ends the last file is what a crash has torn. What lies behind the end that the next file
//! knows of is neither: it was torn or refused before that file began.

use std::io;

use tracing::warn;

use crate::dir::Dir;
use crate::error::ReplayError;
use crate::file_header::file_name;
use crate::metrics::{Damage, LogMetrics};
use crate::position::Position;
use crate::scan::{Found, Scan};
use crate::writer::LogFile;

/// Damage is said place by place so often; the rest is in the sum.
const SAID_AT_MOST: u64 = 100;

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    pub records: u64,
    /// Of records alone.
    pub bytes: u64,
    /// Places where something other than a record lay between records, or where a file was missing.
    pub corruptions: u64,
    pub corrupt_bytes: u64,
    /// At the end of the last file.
    pub torn_bytes: u64,
}

/// A file that an earlier process wrote.
#[derive(Debug)]
pub(crate) struct OldFile {
    pub(crate) first: u64,
    pub(crate) header_holds: bool,
    /// Where its records end, if the next file knows.
    pub(crate) end: Option<u64>,
    /// A file between the one before and this one is not there.
    pub(crate) gap: bool,
    /// Behind all of its numbers: at first by what it may hold, then by what it does.
    pub(crate) next: u64,
    pub(crate) bytes: u64,
}

impl OldFile {
    pub(crate) fn as_log_file(&self) -> LogFile {
        LogFile { first: Position(self.first), end: Position(self.next), bytes: self.bytes }
    }
}

/// Gives what was found, and where the records of the last file end.
pub(crate) fn replay<E>(
    dir: &dyn Dir,
    files: &mut [OldFile],
    metrics: &LogMetrics,
    mut visit: impl FnMut(Position, &[u8]) -> Result<(), E>,
) -> Result<(Replayed, Option<u64>), ReplayError<E>> {
    let mut replay = Replay { found: Replayed::default(), metrics };
    let mut last_end = None;
    let count = files.len();
    for (index, file) in files.iter_mut().enumerate() {
        let is_last = index + 1 == count;
        if file.gap {
            replay.corruption(file.first, Damage::Missing, 0, 0);
        }
        let read = |source| ReplayError::Read { file: file_name(file.first).to_string(), source };
        let mut scan = open(dir, file).map_err(read)?;
        let mut end = scan.at();
        while let Some(found) = scan.next().map_err(read)? {
            match found {
                Found::Record { number, record } => {
                    replay.found.records += 1;
                    replay.found.bytes += record.len() as u64;
                    visit(Position(number), record).map_err(ReplayError::Visit)?;
                    end = scan.at();
                }
                Found::Bad { offset, bytes } if is_last && offset + bytes == file.bytes => {
                    replay.torn(file.first, offset, bytes);
                }
                Found::Bad { offset, bytes } => replay.corruption(file.first, Damage::Record, offset, bytes),
            }
        }
        if let Some(missing) = file.end.and_then(|end| end.checked_sub(file.bytes)).filter(|bytes| *bytes > 0)
        {
            replay.corruption(file.first, Damage::Missing, file.bytes, missing);
        }
        file.next = scan.next_number();
        last_end = Some(end);
    }
    if replay.found.corruptions > 0 {
        let Replayed { corruptions, corrupt_bytes, .. } = replay.found;
        warn!(corruptions, bytes = corrupt_bytes, "the write-ahead log was damaged");
    }
    Ok((replay.found, last_end))
}

/// Rows that were shown must not vanish with the next loss of power, so what the process before left to
/// the system is made durable before it is read.
fn open(dir: &dyn Dir, file: &OldFile) -> io::Result<Scan> {
    let mut opened = dir.open(&file_name(file.first))?;
    opened.sync()?;
    let end = file.end.unwrap_or(u64::MAX).min(file.bytes);
    Ok(Scan::new(opened, file.first, file.header_holds, end))
}

struct Replay<'a> {
    found: Replayed,
    metrics: &'a LogMetrics,
}

impl Replay<'_> {
    fn corruption(&mut self, first: u64, damage: Damage, offset: u64, bytes: u64) {
        self.found.corruptions += 1;
        self.found.corrupt_bytes += bytes;
        self.metrics.corruption(damage);
        if self.found.corruptions > SAID_AT_MOST {
            return;
        }
        let file = file_name(first);
        match damage {
            Damage::Record => warn!(%file, offset, bytes, "damaged bytes in the write-ahead log"),
            Damage::Missing if bytes == 0 => warn!(%file, "the log file before this one is missing"),
            Damage::Missing => warn!(%file, offset, bytes, "the end of a log file is missing"),
        }
    }

    fn torn(&mut self, first: u64, offset: u64, bytes: u64) {
        self.found.torn_bytes += bytes;
        warn!(file = %file_name(first), offset, bytes, "the end of the write-ahead log was torn");
    }
}
