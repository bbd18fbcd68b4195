//! The log as the rest of the process sees it: a bounded queue in front of the writer, and what it has
//! written, in order.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use larch_runtime::Scope;
use tokio::sync::{Notify, mpsc, watch};

use crate::error::{AppendError, Full};
use crate::frame::{HEADER_BYTES, MAX_RECORD_BYTES};
use crate::metrics::LogMetrics;
use crate::position::Position;
use crate::settings::LogSettings;
use crate::task::{self, Ending};
use crate::writer::{LogFile, Writer};

/// Records that are written and synced together. More would make the first of them wait for long.
const BATCH_BYTES: u64 = 8 << 20;
const BATCH_RECORDS: usize = 8192;

/// Batches that are written and not taken yet; one more is being written meanwhile.
const WRITTEN_BATCHES: usize = 2;

/// What became of a record: its token, and where it is or why it is not there.
pub type Outcome<T> = (T, Result<Position, AppendError>);

/// Takes records. Clones are the same log.
pub struct Log<T>(Arc<Shared<T>>);

/// What became of the records, in the order in which they were given to the log. Whoever holds it must go
/// on taking, or the log comes to a stop.
#[derive(Debug)]
pub struct Committed<T>(mpsc::Receiver<Vec<Outcome<T>>>);

pub(crate) struct Shared<T> {
    settings: LogSettings,
    pub(crate) metrics: LogMetrics,
    state: Mutex<State<T>>,
    pub(crate) wake: Notify,
    ended: watch::Sender<bool>,
}

struct State<T> {
    waiting: VecDeque<Waiting<T>>,
    /// Of records that wait or are being written.
    bytes: u64,
    records: usize,
    closed: bool,
    released: Position,
    files: Vec<LogFile>,
    disk_full: Option<Full>,
}

struct Waiting<T> {
    record: Bytes,
    token: T,
    makes_room: bool,
}

/// What the writer does next.
pub(crate) struct Batch<T> {
    pub(crate) records: Vec<Bytes>,
    pub(crate) tokens: Vec<T>,
    /// On the word of one of the records something else may go.
    pub(crate) makes_room: bool,
    bytes: u64,
    /// Nothing more will come to wait.
    pub(crate) closed: bool,
}

impl<T: Send + 'static> Log<T> {
    pub(crate) fn start(
        scope: &Scope,
        settings: LogSettings,
        metrics: LogMetrics,
        writer: Writer,
    ) -> (Self, Committed<T>) {
        let state = State {
            waiting: VecDeque::new(),
            bytes: 0,
            records: 0,
            closed: false,
            released: Position::START,
            files: Vec::new(),
            disk_full: None,
        };
        let shared = Shared {
            settings,
            metrics,
            state: Mutex::new(state),
            wake: Notify::new(),
            ended: watch::Sender::new(false),
        };
        shared.note(&writer);
        let shared = Arc::new(shared);
        let (sender, receiver) = mpsc::channel(WRITTEN_BATCHES);
        let ending = Ending(Arc::clone(&shared));
        scope.spawn("wal-writer", task::write(ending, writer, sender, scope.clone()));
        (Self(shared), Committed(receiver))
    }
}

impl<T> Log<T> {
    /// Puts a record into the queue, or gives the token back at once. What became of the record comes out
    /// of [`Committed`] with the token; if the log ends before, the token is dropped.
    pub fn append(&self, record: impl Into<Bytes>, token: T) -> Result<(), (AppendError, T)> {
        self.enqueue(record.into(), token, false)
    }

    /// Like [`Log::append`], for records without which no room can be made: they may use the part of the
    /// budget and of the disk that is kept for them. On their word other copies go, so they are durable when
    /// they are handed out, whatever the mode.
    pub fn append_reserved(&self, record: impl Into<Bytes>, token: T) -> Result<(), (AppendError, T)> {
        self.enqueue(record.into(), token, true)
    }

    fn enqueue(&self, record: Bytes, token: T, makes_room: bool) -> Result<(), (AppendError, T)> {
        let mut state = self.0.state();
        if let Err(error) = self.0.admit(&state, record.len(), makes_room) {
            return Err((error, token));
        }
        state.bytes += frame_bytes(&record);
        state.records += 1;
        self.0.metrics.waiting.set(to_gauge(state.bytes));
        state.waiting.push_back(Waiting { record, token, makes_room });
        drop(state);
        self.0.wake.notify_one();
        Ok(())
    }

    /// Lets go of all records before a position. Files that hold no others are removed soon.
    pub fn release(&self, before: Position) {
        let mut state = self.0.state();
        state.released = state.released.max(before);
        drop(state);
        self.0.wake.notify_one();
    }

    /// The files that there are, from the oldest on.
    pub fn files(&self) -> Vec<LogFile> {
        self.0.state().files.clone()
    }

    pub fn used_bytes(&self) -> u64 {
        self.0.state().used()
    }

    /// Why records are refused at present but for those that make room, if they are.
    pub fn full(&self) -> Option<Full> {
        let state = self.0.state();
        self.0.full(&state, 1, false)
    }

    /// How long the call to the disk that runs now has taken. A node whose disk takes too long should say
    /// so.
    pub fn running_call(&self) -> Option<Duration> {
        self.0.metrics.running_call()
    }

    /// Takes no more records, writes those that wait, syncs whatever the mode, and lets go of the directory.
    /// The outcomes must be taken meanwhile.
    ///
    /// # Cancel safety
    /// The log closes all the same.
    pub async fn close(&self) {
        self.0.close();
        let mut ended = self.0.ended.subscribe();
        // The sender lives in `self`; it cannot have gone.
        drop(ended.wait_for(|ended| *ended).await);
    }
}

impl<T> Committed<T> {
    /// The next outcomes; `None` once the log is closed and all have been taken.
    ///
    /// # Cancel safety
    /// May be dropped and asked for again; nothing is lost.
    pub async fn next(&mut self) -> Option<Vec<Outcome<T>>> {
        self.0.recv().await
    }
}

impl<T> Shared<T> {
    /// Nothing is awaited and nothing can panic while the state is held.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, state: &State<T>, bytes: usize, makes_room: bool) -> Result<(), AppendError> {
        if state.closed {
            return Err(AppendError::Closed);
        }
        if bytes > MAX_RECORD_BYTES {
            return Err(AppendError::TooLarge { bytes });
        }
        if let Some(full) = self.full(state, bytes, makes_room) {
            return Err(AppendError::Full(full));
        }
        let too_many = state.records >= self.settings.queue_records;
        // A record of any length passes when nothing else waits.
        let too_much = state.records > 0 && state.bytes + bytes as u64 > self.settings.queue_bytes;
        if too_many || too_much {
            return Err(AppendError::Busy { bytes: state.bytes, records: state.records });
        }
        Ok(())
    }

    fn full(&self, state: &State<T>, bytes: usize, makes_room: bool) -> Option<Full> {
        if !makes_room && state.disk_full.is_some() {
            return state.disk_full;
        }
        let limit = self.settings.budget_limit(makes_room)?;
        let used = state.used() + state.bytes;
        (used + bytes as u64 > limit).then_some(Full::Budget { used, limit })
    }

    pub(crate) fn released(&self) -> Position {
        self.state().released
    }

    /// From now on nothing is taken.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.wake.notify_one();
    }

    /// What waits, as far as it may be written together. Empty if nothing does.
    pub(crate) fn take(&self) -> Batch<T> {
        let mut state = self.state();
        let mut batch = Batch {
            records: Vec::new(),
            tokens: Vec::new(),
            makes_room: false,
            bytes: 0,
            closed: state.closed,
        };
        while let Some(waiting) = state.waiting.front() {
            let bytes = frame_bytes(&waiting.record);
            let many = batch.records.len() >= BATCH_RECORDS || batch.bytes + bytes > BATCH_BYTES;
            if many && !batch.records.is_empty() {
                break;
            }
            let Some(Waiting { record, token, makes_room }) = state.waiting.pop_front() else { break };
            batch.records.push(record);
            batch.tokens.push(token);
            batch.makes_room |= makes_room;
            batch.bytes += bytes;
        }
        batch
    }

    /// A batch is written or refused, and does not wait any more.
    pub(crate) fn done(&self, bytes: u64, records: usize, writer: &Writer) {
        let mut state = self.state();
        state.bytes -= bytes;
        state.records -= records;
        self.metrics.waiting.set(to_gauge(state.bytes));
        drop(state);
        self.note(writer);
    }

    /// Shows what the writer knows.
    pub(crate) fn note(&self, writer: &Writer) {
        let files = writer.files();
        let mut state = self.state();
        state.files = files;
        state.disk_full = writer.full();
        self.metrics.files.set(to_gauge(state.files.len() as u64));
        self.metrics.size.set(to_gauge(state.used()));
    }

    /// The writer is gone.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        // Tokens may do anything when they are dropped, so it is done without the lock.
        drop(waiting);
        self.ended.send_replace(true);
    }
}

impl<T> State<T> {
    fn used(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

impl<T> Batch<T> {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn frame_bytes(record: &Bytes) -> u64 {
    (HEADER_BYTES + record.len()) as u64
}

fn to_gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Log<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}
