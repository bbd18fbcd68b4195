//! What lies in a directory when a process starts, and how a log goes on from there.

use std::io;
use std::sync::Arc;

use larch_runtime::{Env, Scope};
use larch_types::NodeId;
use tracing::warn;

use crate::dir::{Dir, DirLock};
use crate::error::{OpenError, ReplayError};
use crate::file_header::{
    FILE_HEADER_BYTES, FileHeader, NUMBERS_PER_FILE, Parsed, Previous, VERSION, file_name, first_of,
};
use crate::log::{Committed, Log};
use crate::metrics::LogMetrics;
use crate::node;
use crate::position::Position;
use crate::replay::{OldFile, Replayed, replay};
use crate::settings::LogSettings;
use crate::writer::{Active, Writer};

/// A log that this process holds and does not write to yet. Its calls block, if those of the directory do.
#[derive(Debug)]
pub struct Recovery {
    dir: Arc<dyn Dir>,
    lock: Box<dyn DirLock>,
    settings: LogSettings,
    env: Env,
    metrics: LogMetrics,
    node: NodeId,
    /// From the oldest on.
    files: Vec<OldFile>,
    /// Beyond every number that may have been used.
    next: u64,
    /// The first file of all, if there was none.
    active: Option<Active>,
    /// Where the records of the last file end, once it has been read.
    end: Option<u64>,
}

impl Recovery {
    /// Takes the directory, and makes the first file and the node id if there are none.
    pub fn open(
        dir: Arc<dyn Dir>,
        settings: LogSettings,
        env: &Env,
        metrics: &LogMetrics,
    ) -> Result<Self, OpenError> {
        let lock = dir.lock().map_err(OpenError::Lock)?;
        let mut files = files(&*dir)?;
        let mut node = node::read(&*dir)?;
        let next = next_number(files.last())?;
        if let (None, Some(lost)) = (files.last(), node) {
            // Its numbers are gone with its files, and none may be used twice.
            warn!(node = %lost, "the write-ahead log is gone; this is a new node");
            node = None;
        }
        remove_unfinished(&*dir, &mut files).map_err(io_error("remove an unfinished file"))?;
        let active = match files.last() {
            None => Some(Active::begin(&*dir, next, None).map_err(io_error("begin the first file"))?),
            Some(_) => None,
        };
        let node = match node {
            Some(node) => node,
            None => node::make(&*dir, env)?,
        };
        let (env, metrics) = (env.clone(), metrics.clone());
        Ok(Self { dir, lock, settings, env, metrics, node, files, next, active, end: None })
    }

    /// Whose log this is.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Reads all records in order, and steps over damage. At most one record and a buffer of fixed size are
    /// in memory at a time. What has been read is durable, so that it will be read again after any crash.
    pub fn replay<E>(
        &mut self,
        visit: impl FnMut(Position, &[u8]) -> Result<(), E>,
    ) -> Result<Replayed, ReplayError<E>> {
        let (replayed, end) = replay(&*self.dir, &mut self.files, &self.metrics, visit)?;
        self.end = end;
        Ok(replayed)
    }

    /// Starts the task that writes. Old files stay as they are until they are released; the first record
    /// begins a new one.
    pub fn start<T: Send + 'static>(self, scope: &Scope) -> (Log<T>, Committed<T>) {
        let previous = self.files.last().map(|last| Previous { first: last.first, end: self.end });
        let old = self.files.iter().map(OldFile::as_log_file).collect();
        let (settings, metrics) = (self.settings.clone(), self.metrics.clone());
        metrics.show_sync_mode(settings.sync);
        let writer = Writer::new(self.dir, self.lock, self.settings, self.env, self.metrics).behind(
            self.next,
            previous,
            old,
            self.active,
        );
        Log::start(scope, settings, metrics, writer)
    }
}

/// The log files that are there, with what each says of the one before it.
fn files(dir: &dyn Dir) -> Result<Vec<OldFile>, OpenError> {
    let mut files: Vec<OldFile> = Vec::new();
    for name in dir.list().map_err(io_error("list the files"))? {
        let Some(first) = first_of(&name) else { continue };
        let failed = |source| OpenError::Read { file: name.to_string(), source };
        let file = dir.open(&name).map_err(failed)?;
        let mut bytes = [0; FILE_HEADER_BYTES];
        let read = file.read_at(0, &mut bytes).map_err(failed)?;
        let size = file.size().map_err(failed)?;
        let (mut header_holds, mut gap) = (false, false);
        match FileHeader::parse(&bytes[..read]) {
            Parsed::Unknown(version) => {
                return Err(OpenError::Version { file: name.to_string(), version, newest: VERSION });
            }
            // A header under another name is as good as none.
            Parsed::Good(header) if header.first == first => {
                header_holds = true;
                if let (Some(before), Some(previous)) = (files.last_mut(), header.previous) {
                    match previous.first == before.first {
                        true => before.end = previous.end,
                        false => gap = true,
                    }
                }
            }
            Parsed::Good(_) | Parsed::Damaged => {}
        }
        if let Some(before) = files.last_mut() {
            before.next = before.next.min(first);
        }
        let next = first.saturating_add(NUMBERS_PER_FILE);
        files.push(OldFile { first, header_holds, end: None, gap, next, bytes: size });
    }
    Ok(files)
}

/// Behind all numbers that the last file may hold.
fn next_number(last: Option<&OldFile>) -> Result<u64, OpenError> {
    let Some(last) = last else { return Ok(Position::START.next().0) };
    let next = last.first.checked_add(NUMBERS_PER_FILE);
    // The next file must find numbers too.
    next.filter(|next| next.checked_add(NUMBERS_PER_FILE).is_some())
        .ok_or_else(|| OpenError::NumbersUsedUp { file: file_name(last.first).to_string() })
}

/// A file is written to once its header is durable. One without records and without a header that holds
/// was about to be begun, and would stand between the files before and those to come.
fn remove_unfinished(dir: &dyn Dir, files: &mut Vec<OldFile>) -> io::Result<()> {
    while let Some(last) = files.last() {
        if last.header_holds || last.bytes > FILE_HEADER_BYTES as u64 {
            return Ok(());
        }
        dir.remove(&file_name(last.first))?;
        dir.sync()?;
        files.pop();
    }
    Ok(())
}

fn io_error(action: &'static str) -> impl Fn(io::Error) -> OpenError {
    move |source| OpenError::Io { action, source }
}
