//! The one who writes: which file, which numbers, what happens when the disk refuses. All of it blocks.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larch_runtime::Env;
use larch_telemetry::Throttle;
use larch_types::Monotonic;
use tracing::{error, warn};

use crate::dir::{Dir, DirFile, DirLock, Space};
use crate::error::{AppendError, Full, Step, is_full};
use crate::file_header::{FILE_HEADER_BYTES, FileHeader, NUMBERS_PER_FILE, Previous, file_name};
use crate::frame::{HEADER_BYTES, encode};
use crate::metrics::LogMetrics;
use crate::position::Position;
use crate::settings::{LogSettings, SyncMode};

/// The disk is asked for its room, and for a file that it would not make or remove, so often.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// A failing disk fails every push.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// Memory for a batch that is kept for the next one. Larger than a batch, except one of a huge record.
const KEPT_BUFFER_BYTES: usize = 16 << 20;

/// One file of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogFile {
    pub first: Position,
    /// Behind the last record.
    pub end: Position,
    pub bytes: u64,
}

#[derive(Debug)]
pub(crate) struct Writer {
    dir: Arc<dyn Dir>,
    /// Goes when the writer goes, and not before.
    _lock: Box<dyn DirLock>,
    settings: LogSettings,
    env: Env,
    metrics: LogMetrics,
    /// The number of the next record. Beyond every number that may be in a file.
    next: u64,
    /// Files that are never written to again, from the oldest on.
    old: VecDeque<LogFile>,
    active: Option<Active>,
    /// What the next file says of the one before it.
    previous: Option<Previous>,
    /// The last file ended in an error. Until the next one says where, refused records could come up again.
    ends_unsaid: bool,
    /// A file that could not be begun may be there with the next number as its name.
    unfinished: bool,
    buffer: Vec<u8>,
    /// When the disk was last asked for its room, what it said, and whether anything was written since.
    measured: Option<Monotonic>,
    full: Option<Full>,
    written: bool,
    last_sync: Monotonic,
    /// When turning files over last failed.
    turn_failed: Option<Monotonic>,
    throttle: Throttle,
}

/// The file that is written to.
#[derive(Debug)]
pub(crate) struct Active {
    file: Box<dyn DirFile>,
    first: u64,
    size: u64,
    /// Something was handed out that is not synced.
    dirty: bool,
}

impl Active {
    /// Makes a file that is there after a power cut, with its header.
    pub(crate) fn begin(dir: &dyn Dir, first: u64, previous: Option<Previous>) -> io::Result<Self> {
        let mut file = dir.create(&file_name(first))?;
        file.append(&FileHeader { first, previous }.encode())?;
        file.sync()?;
        dir.sync()?;
        Ok(Self { file, first, size: FILE_HEADER_BYTES as u64, dirty: false })
    }
}

impl Writer {
    pub(crate) fn new(
        dir: Arc<dyn Dir>,
        lock: Box<dyn DirLock>,
        settings: LogSettings,
        env: Env,
        metrics: LogMetrics,
    ) -> Self {
        let last_sync = env.clock.monotonic();
        Self {
            dir,
            _lock: lock,
            settings,
            env,
            metrics,
            next: Position::START.next().0,
            old: VecDeque::new(),
            active: None,
            previous: None,
            ends_unsaid: false,
            unfinished: false,
            buffer: Vec::new(),
            measured: None,
            full: None,
            written: false,
            last_sync,
            turn_failed: None,
            throttle: Throttle::new(1, SAID_EVERY),
        }
    }

    /// Goes on behind what is there.
    pub(crate) fn behind(
        self,
        next: u64,
        previous: Option<Previous>,
        old: VecDeque<LogFile>,
        active: Option<Active>,
    ) -> Self {
        Self { next, previous, old, active, ..self }
    }

    pub(crate) fn blocks(&self) -> bool {
        self.dir.blocks()
    }

    /// All files, from the oldest on.
    pub(crate) fn files(&self) -> Vec<LogFile> {
        let mut files: Vec<LogFile> = self.old.iter().copied().collect();
        files.extend(self.active.as_ref().map(|active| self.as_log_file(active)));
        files
    }

    fn as_log_file(&self, active: &Active) -> LogFile {
        LogFile { first: Position(active.first), end: Position(self.next), bytes: active.size }
    }

    /// Why nothing is taken at present, if the disk is why.
    pub(crate) fn full(&self) -> Option<Full> {
        self.full
    }

    // === records ===

    /// Writes the records in order, all or none, and gives the position of the first. With
    /// [`SyncMode::Always`], or if one of them makes room, they are durable then, and all before them.
    pub(crate) fn commit(&mut self, records: &[Bytes], makes_room: bool) -> Result<Position, AppendError> {
        self.try_commit(records, makes_room).map_err(|(step, source)| self.failed(step, source))
    }

    fn try_commit(&mut self, records: &[Bytes], makes_room: bool) -> Result<Position, (Step, io::Error)> {
        let total: u64 = records.iter().map(|record| (HEADER_BYTES + record.len()) as u64).sum();
        self.make_room(total, records.len() as u64);
        let mut active = match self.active.take() {
            Some(active) => active,
            None => self.begin().map_err(|error| (Step::Begin, error))?,
        };
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BUFFER_BYTES);
        let first = self.next;
        for record in records {
            let random = || self.env.random.next_u64() as u32;
            encode(&mut self.buffer, self.next, record, random);
            // From here on the number may be on the disk, whatever comes.
            self.next += 1;
        }
        self.written = true;
        match self.write(&mut active, makes_room) {
            Ok(()) => {
                self.active = Some(active);
                self.metrics.records.add(records.len() as u64);
                self.metrics.bytes.add(total);
                Ok(Position(first))
            }
            Err(failed) => {
                self.secure_before(&mut active, &failed);
                // The file ends where it ended before this batch.
                let end = active.size;
                let bytes = active.file.size().unwrap_or(end + total);
                self.retire(active, bytes, end);
                self.ends_unsaid = true;
                Err(failed)
            }
        }
    }

    fn write(&mut self, active: &mut Active, makes_room: bool) -> Result<(), (Step, io::Error)> {
        active.file.append(&self.buffer).map_err(|error| (Step::Write, error))?;
        if makes_room || self.settings.sync == SyncMode::Always {
            self.sync(active).map_err(|error| (Step::Sync, error))?;
        } else {
            active.dirty = true;
        }
        active.size += self.buffer.len() as u64;
        Ok(())
    }

    /// What was handed out before a batch that failed.
    fn secure_before(&mut self, active: &mut Active, (step, source): &(Step, io::Error)) {
        if !active.dirty {
            return;
        }
        // After a sync that failed, one that succeeds says nothing.
        if *step == Step::Sync {
            self.lost_sync(source);
        } else if let Err(error) = self.sync(active) {
            self.lost_sync(&error);
        }
    }

    fn sync(&mut self, active: &mut Active) -> io::Result<()> {
        let started = self.env.clock.monotonic();
        active.file.sync()?;
        self.last_sync = self.env.clock.monotonic();
        self.metrics.syncs.observe_duration(self.last_sync.since(started));
        active.dirty = false;
        Ok(())
    }

    // === files ===

    /// Ends the file if so much more would be too much for it.
    fn make_room(&mut self, bytes: u64, records: u64) {
        let Some(active) = &self.active else { return };
        let used = self.next - active.first;
        let too_large = used > 0 && active.size + bytes > self.settings.file_limit();
        if too_large || used + records > NUMBERS_PER_FILE {
            self.end_file();
        }
    }

    /// Makes the file durable, whatever the mode, and never writes to it again.
    fn end_file(&mut self) {
        let Some(mut active) = self.active.take() else { return };
        if active.dirty
            && let Err(error) = self.sync(&mut active)
        {
            self.lost_sync(&error);
        }
        let size = active.size;
        self.retire(active, size, size);
    }

    fn retire(&mut self, active: Active, bytes: u64, end: u64) {
        self.old.push_back(LogFile { bytes, ..self.as_log_file(&active) });
        self.previous = Some(Previous { first: active.first, end: Some(end) });
    }

    fn begin(&mut self) -> io::Result<Active> {
        self.measure();
        let first = self.next;
        if self.unfinished {
            match self.dir.remove(&file_name(first)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.unfinished = false,
            }
        }
        let begun = Active::begin(&*self.dir, first, self.previous);
        self.unfinished = begun.is_err();
        self.ends_unsaid &= begun.is_err();
        begun
    }

    // === what is done now and then ===

    /// How long it can wait, if there is anything to do.
    pub(crate) fn due(&self, released: Position) -> Option<Duration> {
        let now = self.env.clock.monotonic();
        let left = |since: Option<Monotonic>, time: Duration| {
            since.map_or(Duration::ZERO, |since| time.saturating_sub(now.since(since)))
        };
        let mut due = None;
        let mut add = |wait: Duration| due = Some(due.map_or(wait, |due: Duration| due.min(wait)));
        if self.measured.is_none() || self.written || self.full.is_some() {
            add(left(self.measured, ASK_AGAIN));
        }
        if let Some(interval) = self.sync_interval() {
            add(left(Some(self.last_sync), interval));
        }
        if self.can_remove(released) || self.must_turn(released) {
            add(left(self.turn_failed, ASK_AGAIN));
        }
        due
    }

    /// Does what is due.
    pub(crate) fn chores(&mut self, released: Position) {
        let now = self.env.clock.monotonic();
        if self.sync_interval().is_some_and(|interval| now.since(self.last_sync) >= interval) {
            self.sync_active();
        }
        if self.measured.is_none_or(|measured| now.since(measured) >= ASK_AGAIN) {
            self.measure();
        }
        self.turn(released);
    }

    fn sync_interval(&self) -> Option<Duration> {
        let dirty = self.active.as_ref().is_some_and(|active| active.dirty);
        match self.settings.sync {
            SyncMode::Interval(interval) if dirty => Some(interval),
            _ => None,
        }
    }

    /// Makes durable what has been handed out.
    fn sync_active(&mut self) {
        let Some(mut active) = self.active.take() else { return };
        match self.sync(&mut active) {
            Ok(()) => self.active = Some(active),
            Err(error) => {
                self.lost_sync(&error);
                let size = active.size;
                self.retire(active, size, size);
            }
        }
    }

    /// Syncs what is left, whatever the mode.
    pub(crate) fn finish(&mut self) {
        if self.active.as_ref().is_some_and(|active| active.dirty) {
            self.sync_active();
        }
    }

    fn measure(&mut self) {
        self.measured = Some(self.env.clock.monotonic());
        self.written = false;
        match self.dir.space() {
            Ok(space) => {
                self.metrics.disk_usage.set(used_share(space));
                self.full = disk_full(space, self.settings.full_threshold);
            }
            Err(error) => {
                self.full = None;
                if let Some(suppressed) = self.throttle.admit(self.env.clock.monotonic()) {
                    warn!(%error, suppressed, "ask for the room on the disk of the write-ahead log");
                }
            }
        }
    }

    // === turning files over ===

    /// The newest file always stays: numbers go on behind its name.
    fn can_remove(&self, released: Position) -> bool {
        let keeps_newest = self.active.is_some() || self.old.len() > 1;
        keeps_newest && self.old.front().is_some_and(|file| file.end <= released)
    }

    /// Whether to begin a file without waiting for a record: the newest one ended in an error, or it stands
    /// in the way of new records and holds nothing that is still needed.
    fn must_turn(&self, released: Position) -> bool {
        let unneeded = match &self.active {
            Some(active) => self.next > active.first && self.next <= released.0,
            None => self.old.back().is_some_and(|file| file.end <= released),
        };
        self.ends_unsaid || (unneeded && self.is_pressed())
    }

    fn is_pressed(&self) -> bool {
        let used: u64 = self.files().iter().map(|file| file.bytes).sum();
        // Half of what may be used, as pushes of any size are to find room.
        let over = self.settings.budget_limit(false).is_some_and(|limit| used > limit / 2);
        over || self.full.is_some()
    }

    fn turn(&mut self, released: Position) {
        self.remove_old(released);
        if !self.must_turn(released) {
            return;
        }
        self.end_file();
        match self.begin() {
            Ok(active) => {
                self.active = Some(active);
                self.turn_failed = None;
            }
            Err(error) => {
                self.turn_failed = Some(self.env.clock.monotonic());
                self.failed(Step::Begin, error);
            }
        }
        self.remove_old(released);
    }

    /// One after another, from the oldest on, so that a power cut leaves no gap behind.
    fn remove_old(&mut self, released: Position) {
        // What made the old records superfluous may stand in the newest file.
        if self.can_remove(released) && self.active.as_ref().is_some_and(|active| active.dirty) {
            self.sync_active();
        }
        while self.can_remove(released) {
            let Some(file) = self.old.front() else { return };
            if let Err(error) = remove_durably(&*self.dir, file.first.0) {
                self.turn_failed = Some(self.env.clock.monotonic());
                self.failed(Step::Remove, error);
                return;
            }
            self.old.pop_front();
            self.turn_failed = None;
        }
    }

    // === failures ===

    fn failed(&self, step: Step, source: io::Error) -> AppendError {
        self.metrics.failure(step);
        if is_full(&source) {
            self.metrics.disk_full.inc();
        }
        if let Some(suppressed) = self.throttle.admit(self.env.clock.monotonic()) {
            error!(error = %source, step = step.name(), suppressed, "the disk refuses the write-ahead log");
        }
        AppendError::Failed { step, source: Arc::new(source) }
    }

    /// Records were handed out before they were synced, as the mode allows, and may now be lost.
    fn lost_sync(&self, source: &io::Error) {
        self.metrics.failure(Step::Sync);
        error!(error = %source, "records that were answered may be lost with the next loss of power");
    }
}

fn remove_durably(dir: &dyn Dir, first: u64) -> io::Result<()> {
    match dir.remove(&file_name(first)) {
        // Removed before, but perhaps not durably.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        removed => removed?,
    }
    dir.sync()
}

fn used_share(space: Space) -> f64 {
    let used = space.total.saturating_sub(space.available);
    if space.total == 0 { 1.0 } else { used as f64 / space.total as f64 }
}

fn disk_full(space: Space, threshold: f64) -> Option<Full> {
    let share = used_share(space);
    let percent = |share: f64| (share * 100.0) as u64;
    (threshold > 0.0 && share >= threshold)
        .then(|| Full::Disk { used_percent: percent(share), limit_percent: percent(threshold) })
}
