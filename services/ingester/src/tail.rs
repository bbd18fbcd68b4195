//! Rows as they arrive, for live tails.
//!
//! While somebody listens, and a little longer, a tenant's latest pushes are kept as they came, within a
//! bound. Each listener reads them at its own pace; what goes before it was read is counted for it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larch_proto::{AppendRequest, AppendStream, DroppedRow, Row, RowBatch, TailEvent, TieOrder, WalPosition};
use larch_types::{Labels, Monotonic, StreamId};
use tokio::sync::watch;

use crate::needles::Needles;
use crate::selection::Chosen;

/// What a tenant's latest pushes may take: some seconds of a busy tenant.
const KEPT_BYTES: usize = 16 << 20;

/// What those of all tenants may take. Where more tenants are listened to, each keeps its share.
const ALL_KEPT_BYTES: usize = 16 * KEPT_BYTES;

/// What a row takes besides its bytes, roughly.
const ROW_BYTES: usize = 128;

/// Pushes are kept for so long after the last listener left, so that one that comes again misses none.
const KEPT_AFTER: Duration = Duration::from_secs(30);

/// How many tenants are listened to. Clones are the same number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Feeds(Arc<AtomicUsize>);

/// The latest pushes of one tenant.
#[derive(Debug)]
pub(crate) struct Feed {
    kept: Mutex<Kept>,
    /// Told of each record while somebody listens.
    position: watch::Sender<WalPosition>,
}

#[derive(Debug)]
struct Kept {
    pushes: VecDeque<Push>,
    bytes: usize,
    listeners: BTreeMap<u64, Listener>,
    next_listener: u64,
    /// When the last listener left; `None` while somebody listens, and before the first did.
    left: Option<Monotonic>,
    /// The last record that is not kept.
    gone: WalPosition,
    feeds: Feeds,
    /// It is one of them.
    is_counted: bool,
}

#[derive(Debug)]
struct Push {
    position: WalPosition,
    request: Arc<AppendRequest>,
    bytes: usize,
}

#[derive(Debug)]
struct Listener {
    /// The last record that it has read.
    read: WalPosition,
    filter: Arc<Filter>,
    dropped: Dropped,
}

/// Rows that a listener was too slow for.
#[derive(Debug, Default)]
struct Dropped {
    rows: u64,
    examples: Vec<DroppedRow>,
}

/// What a listener wants.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) chosen: Chosen,
    pub(crate) needles: Needles,
    /// How many dropped rows are named.
    pub(crate) most_examples: usize,
}

/// What there is to read for a listener.
#[derive(Debug)]
pub(crate) enum Reading {
    Pushes { pushes: Vec<Arc<AppendRequest>>, position: WalPosition },
    Dropped(TailEvent),
    Nothing { position: WalPosition },
}

impl Feed {
    pub(crate) fn new(feeds: Feeds) -> Self {
        let kept = Kept {
            pushes: VecDeque::new(),
            bytes: 0,
            listeners: BTreeMap::new(),
            next_listener: 0,
            left: None,
            gone: WalPosition(0),
            feeds,
            is_counted: false,
        };
        Self { kept: Mutex::new(kept), position: watch::Sender::new(WalPosition(0)) }
    }

    /// Nothing that runs under the lock can panic halfway through a change.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a push that was applied.
    pub(crate) fn offer(&self, request: &Arc<AppendRequest>, position: WalPosition, now: Monotonic) {
        let mut kept = self.lock();
        if kept.listeners.is_empty() && kept.left.is_none_or(|left| now.since(left) >= KEPT_AFTER) {
            kept.forget_all(position);
            return;
        }
        let bytes = size_of_push(request);
        kept.pushes.push_back(Push { position, request: Arc::clone(request), bytes });
        kept.bytes += bytes;
        let most = kept.feeds.share();
        while kept.bytes > most {
            kept.forget_first();
        }
        self.position.send_replace(position);
    }

    /// Begins to listen behind `from`, or behind the first record that is still known after it; without
    /// it, behind `applied`, the last record that is applied. Returns the listener and where it begins.
    pub(crate) fn listen(
        &self,
        filter: Arc<Filter>,
        from: Option<WalPosition>,
        applied: WalPosition,
    ) -> (u64, WalPosition) {
        let mut kept = self.lock();
        if kept.listeners.is_empty() && kept.left.is_none() {
            kept.forget_all(applied);
        }
        let read = from.unwrap_or(applied).max(kept.gone);
        let id = kept.next_listener;
        kept.next_listener += 1;
        kept.left = None;
        kept.count(true);
        kept.listeners.insert(id, Listener { read, filter, dropped: Dropped::default() });
        (id, read)
    }

    pub(crate) fn leave(&self, listener: u64, now: Monotonic) {
        let mut kept = self.lock();
        kept.listeners.remove(&listener);
        if kept.listeners.is_empty() {
            kept.left = Some(now);
        }
    }

    /// Whether nobody listens, or may come back.
    pub(crate) fn is_unused(&self) -> bool {
        let kept = self.lock();
        kept.listeners.is_empty() && kept.left.is_none()
    }

    /// Gives back the memory of pushes that nobody came back for.
    pub(crate) fn forget_if_left(&self, now: Monotonic) {
        let mut kept = self.lock();
        if kept.left.is_some_and(|left| now.since(left) >= KEPT_AFTER) {
            let last = kept.pushes.back().map_or(kept.gone, |push| push.position);
            kept.forget_all(last);
        }
    }

    /// Shows that there is something new to read.
    pub(crate) fn changes(&self) -> watch::Receiver<WalPosition> {
        self.position.subscribe()
    }

    /// What the listener has not read yet, at most so many bytes of it.
    pub(crate) fn read(&self, listener: u64, most_bytes: usize) -> Reading {
        let mut kept = self.lock();
        let gone = kept.gone;
        let kept = &mut *kept;
        let Some(listener) = kept.listeners.get_mut(&listener) else {
            return Reading::Nothing { position: gone };
        };
        if listener.dropped.rows > 0 {
            let Dropped { rows, examples } = std::mem::take(&mut listener.dropped);
            return Reading::Dropped(TailEvent::Dropped { rows, examples, position: listener.read });
        }
        let first = kept.pushes.partition_point(|push| push.position <= listener.read);
        let (mut pushes, mut bytes) = (Vec::new(), 0);
        for push in kept.pushes.range(first..) {
            if bytes >= most_bytes {
                break;
            }
            bytes += push.bytes;
            listener.read = push.position;
            pushes.push(Arc::clone(&push.request));
        }
        if pushes.is_empty() {
            return Reading::Nothing { position: listener.read };
        }
        Reading::Pushes { pushes, position: listener.read }
    }
}

impl Kept {
    fn forget_all(&mut self, position: WalPosition) {
        self.pushes.clear();
        self.bytes = 0;
        self.left = None;
        self.gone = self.gone.max(position);
        self.count(false);
    }

    fn count(&mut self, is_counted: bool) {
        match (self.is_counted, is_counted) {
            (false, true) => {
                self.feeds.0.fetch_add(1, Ordering::Relaxed);
            }
            (true, false) => {
                self.feeds.0.fetch_sub(1, Ordering::Relaxed);
            }
            _ => {}
        }
        self.is_counted = is_counted;
    }

    /// Whoever has not read it is told what it missed.
    fn forget_first(&mut self) {
        let Some(push) = self.pushes.pop_front() else { return };
        self.bytes -= push.bytes;
        self.gone = push.position;
        for listener in self.listeners.values_mut() {
            if listener.read < push.position {
                listener.read = push.position;
                listener.filter.count_dropped(&push.request, &mut listener.dropped);
            }
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.count(false);
    }
}

impl Feeds {
    /// What each may keep.
    fn share(&self) -> usize {
        KEPT_BYTES.min(ALL_KEPT_BYTES / self.0.load(Ordering::Relaxed).max(1))
    }
}

impl Filter {
    fn count_dropped(&self, request: &AppendRequest, dropped: &mut Dropped) {
        for stream in self.streams(request) {
            for entry in &stream.entries {
                if self.chosen.has_time(entry.timestamp) && self.needles.pass(&entry.line) {
                    dropped.rows += 1;
                    if dropped.examples.len() < self.most_examples {
                        let labels = stream.labels.clone();
                        dropped.examples.push(DroppedRow { labels, timestamp: entry.timestamp });
                    }
                }
            }
        }
    }

    /// The rows of pushes that are wanted, in their order.
    pub(crate) fn rows(&self, pushes: &[Arc<AppendRequest>]) -> RowBatch {
        let mut batch = RowBatch::default();
        for request in pushes {
            let first_level = batch.levels.len() as u32;
            batch.levels.extend(request.levels.iter().cloned());
            for stream in self.streams(request) {
                let place = batch.streams.len() as u32;
                let before = batch.rows.len();
                for entry in &stream.entries {
                    if !self.chosen.has_time(entry.timestamp) || !self.needles.pass(&entry.line) {
                        continue;
                    }
                    batch.rows.push(Row {
                        stream: place,
                        timestamp: entry.timestamp,
                        line: entry.line.clone(),
                        metadata: entry.metadata.clone(),
                        level: entry.level.map(|level| first_level + level),
                        tie: Some(TieOrder { stamp: request.stamp, index: entry.index }),
                    });
                }
                if batch.rows.len() > before {
                    batch.streams.push(stream.labels.clone());
                }
            }
        }
        batch
    }

    fn streams<'a>(&'a self, request: &'a AppendRequest) -> impl Iterator<Item = &'a AppendStream> {
        request.streams.iter().filter(|stream| {
            // It was parsed before it was logged.
            let Ok(labels) = stream.labels.parse::<Labels>() else { return false };
            self.chosen.has_stream(&labels, StreamId::of_canonical(&stream.labels))
        })
    }
}

fn size_of_push(request: &AppendRequest) -> usize {
    let mut bytes = 0;
    for stream in &request.streams {
        bytes += stream.labels.len();
        for entry in &stream.entries {
            bytes += ROW_BYTES + entry.line.len();
            for pair in &entry.metadata {
                bytes += pair.name.as_bytes().len() + pair.value.as_bytes().len();
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests;
