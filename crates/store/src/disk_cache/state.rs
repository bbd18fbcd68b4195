//! What readers, the writer and those who offer ranges share.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use larch_runtime::Env;
use larch_types::{Monotonic, SegmentId, TenantId};
use larch_wal::Dir;
use tokio::sync::{Notify, Semaphore};

use super::Admission;
use super::entry::EntryKey;
use super::index::Index;
use super::metrics::CacheMetrics;
use super::seen::Seen;
use crate::settings::DiskCacheSettings;

/// How long a disk is left alone that has failed: long enough to cost nothing, short enough to be forgotten when it
/// is mended.
pub(super) const PAUSE: Duration = Duration::from_secs(60);

/// Reads of the directory at a time. A disk that hangs keeps no more threads than this.
const PARALLEL_READS: usize = 16;

/// What something that waits takes beside its bytes.
const JOB_BYTES: u64 = 256;

#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) bytes: u64,
    pub(super) entries: u64,
    pub(super) waiting_bytes: u64,
    /// A slab is closed before it grows beyond this. No larger entry is kept.
    pub(super) slab_bytes: u64,
}

pub(super) struct Shared {
    pub(super) env: Env,
    pub(super) bounds: Bounds,
    pub(super) metrics: CacheMetrics,
    pub(super) dir: Arc<dyn Dir>,
    /// Something waits to be written.
    pub(super) wake: Notify,
    pub(super) reads: Arc<Semaphore>,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) index: Index,
    seen: Seen,
    waiting: VecDeque<Job>,
    waiting_bytes: u64,
    /// Ranges that wait or are being written, with the ticket of the job that counts: one that was forgotten
    /// meanwhile has none.
    pending: HashMap<u128, u64>,
    tickets: u64,
    most_waiting: u64,
    most_entry_bytes: u64,
    /// Nothing more is taken.
    is_closed: bool,
    pub(super) reads: Switch,
    pub(super) writes: Switch,
    metrics: CacheMetrics,
    env: Env,
}

/// What the writer is to do.
pub(super) enum Job {
    Keep { ticket: u64, digest: u128, range: OwnedKey, bytes: Bytes },
    Remove { digest: u128, range: OwnedKey },
}

pub(super) struct OwnedKey {
    tenant: TenantId,
    segment: SegmentId,
    range: Range<u64>,
}

/// Whether a disk is used.
#[derive(Debug, Default)]
pub(super) struct Switch {
    off_until: Option<Monotonic>,
    /// It was said that the disk fails, and it has not worked since.
    is_said: bool,
}

impl Bounds {
    pub(super) fn new(settings: &DiskCacheSettings) -> Self {
        let bytes = settings.max_size.as_u64();
        // Room is made by a thirty-second, or by what a disk writes in a moment.
        let slab_bytes = (bytes / 32).clamp(1 << 20, 64 << 20);
        Self {
            bytes,
            entries: settings.max_size_items,
            waiting_bytes: settings.writeback_size_limit.as_u64(),
            slab_bytes,
        }
    }
}

impl Shared {
    pub(super) fn new(bounds: Bounds, env: Env, metrics: CacheMetrics, dir: Arc<dyn Dir>) -> Self {
        let state = State {
            index: Index::default(),
            seen: Seen::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            pending: HashMap::new(),
            tickets: 0,
            most_waiting: bounds.waiting_bytes,
            most_entry_bytes: bounds.slab_bytes,
            is_closed: false,
            reads: Switch::default(),
            writes: Switch::default(),
            metrics: metrics.clone(),
            env: env.clone(),
        };
        Self {
            env,
            bounds,
            metrics,
            dir,
            wake: Notify::new(),
            reads: Arc::new(Semaphore::new(PARALLEL_READS)),
            state: Mutex::new(state),
        }
    }

    /// Held for moments: no file is touched meanwhile.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the writer has something to do that it had not before.
    pub(super) fn offer(
        &mut self,
        tenant: &TenantId,
        segment: SegmentId,
        admission: Admission,
        start: u64,
        bytes: &Bytes,
    ) -> bool {
        let range = start..start.saturating_add(bytes.len() as u64);
        let Some(key) = EntryKey::of(tenant, segment, &range) else { return false };
        let digest = key.digest();
        if self.index.use_entry(digest).is_some() || self.pending.contains_key(&digest) {
            return false;
        }
        if admission == Admission::SecondTime && !self.seen.again(digest) {
            return false;
        }
        if key.entry_bytes() > self.most_entry_bytes || self.is_closed {
            return false;
        }
        let takes = JOB_BYTES + bytes.len() as u64;
        let is_full = self.waiting_bytes + takes > self.most_waiting;
        if is_full || self.writes.is_off(self.env.clock.monotonic()) {
            self.metrics.dropped(1);
            return false;
        }
        self.waiting_bytes += takes;
        self.tickets += 1;
        self.pending.insert(digest, self.tickets);
        let range = OwnedKey { tenant: tenant.clone(), segment, range };
        self.waiting.push_back(Job::Keep { ticket: self.tickets, digest, range, bytes: bytes.clone() });
        true
    }

    /// From here on nobody finds it. What is on disk is crossed out by the writer, or would be found by the next
    /// process.
    pub(super) fn forget(&mut self, key: &EntryKey<'_>) {
        let digest = key.digest();
        self.seen.forget(digest);
        let was_pending = self.pending.remove(&digest).is_some();
        if !(self.index.remove(digest) || was_pending) || self.is_closed {
            return;
        }
        // If there is no room for it, the next process may find the range, and whoever reads it forgets it again.
        if self.waiting_bytes + JOB_BYTES > self.most_waiting {
            return;
        }
        let Some(range) = OwnedKey::of(key) else { return };
        self.waiting_bytes += JOB_BYTES;
        self.waiting.push_back(Job::Remove { digest, range });
    }

    /// What has waited for longest, of some bytes.
    pub(super) fn take(&mut self, bytes: u64) -> Vec<Job> {
        let (mut jobs, mut taken) = (Vec::new(), 0);
        while taken < bytes
            && let Some(job) = self.waiting.pop_front()
        {
            taken += job.takes();
            jobs.push(job);
        }
        self.waiting_bytes = self.waiting_bytes.saturating_sub(taken);
        jobs
    }

    /// A ticket for an entry that is to be written again; `None` if it is written anyway.
    pub(super) fn carry(&mut self, digest: u128) -> Option<u64> {
        if self.index.has(digest) || self.pending.contains_key(&digest) {
            return None;
        }
        self.tickets += 1;
        self.pending.insert(digest, self.tickets);
        Some(self.tickets)
    }

    /// Whether nobody has forgotten the range since it was offered.
    pub(super) fn is_wanted(&self, digest: u128, ticket: u64) -> bool {
        self.pending.get(&digest) == Some(&ticket)
    }

    /// The job is done, or nobody will do it. Gives whether the range is still wanted.
    pub(super) fn end(&mut self, digest: u128, ticket: u64) -> bool {
        let is_wanted = self.is_wanted(digest, ticket);
        if is_wanted {
            self.pending.remove(&digest);
        }
        is_wanted
    }

    /// Drops what waits and what is being written.
    pub(super) fn drop_waiting(&mut self) {
        let dropped = self.waiting.iter().filter(|job| matches!(job, Job::Keep { .. })).count();
        self.metrics.dropped(dropped as u64);
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.pending.clear();
    }

    /// Whether nothing waits and nothing is being written.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.pending.is_empty()
    }

    /// Takes nothing more.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }
}

impl Job {
    fn takes(&self) -> u64 {
        match self {
            Self::Keep { bytes, .. } => JOB_BYTES + bytes.len() as u64,
            Self::Remove { .. } => JOB_BYTES,
        }
    }
}

impl OwnedKey {
    fn of(key: &EntryKey<'_>) -> Option<Self> {
        let tenant = std::str::from_utf8(key.tenant).ok()?.parse().ok()?;
        let range = key.start..key.start.checked_add(u64::from(key.length))?;
        Some(Self { tenant, segment: key.segment, range })
    }

    pub(super) fn key(&self) -> Option<EntryKey<'_>> {
        EntryKey::of(&self.tenant, self.segment, &self.range)
    }
}

impl Switch {
    pub(super) fn is_off(&self, now: Monotonic) -> bool {
        self.off_until.is_some_and(|until| now < until)
    }

    /// Whether that is to be said.
    pub(super) fn turn_off(&mut self, now: Monotonic) -> bool {
        self.off_until = Some(now.plus(PAUSE));
        !std::mem::replace(&mut self.is_said, true)
    }

    /// It works. Whether that is to be said.
    pub(super) fn works(&mut self) -> bool {
        self.off_until = None;
        std::mem::take(&mut self.is_said)
    }
}
