//! One tenant on this node.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use larch_proto::{AppendEntry, AppendRequest, AppendStream, WalPosition};
use larch_segment::{PushPart, Row, Spares};
use larch_types::{InvalidLabels, Labels, Monotonic, StreamId, TenantId};
use tokio::sync::Notify;

use crate::failures::Failures;
use crate::shelf::Shelf;
use crate::streams::Streams;
use crate::tail::{Feed, Feeds};

pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) streams: Streams,
    pub(crate) feed: Feed,
    pub(crate) shelf: Shelf,
    /// Held by whoever cuts: cuts of a tenant complete in order.
    pub(crate) cutting: tokio::sync::Mutex<()>,
    /// Told when cut rows are in files.
    pub(crate) cut_done: Notify,
    /// Of cuts.
    pub(crate) failures: Failures,
    /// What its rows took in memory when that was last looked at.
    memory: AtomicUsize,
}

/// Rows of one stream that were there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Duplicates {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// What became of rows that are in the log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Of each stream.
    pub(crate) duplicates: Vec<Duplicates>,
    /// Rows that no segment can hold. Whatever is logged was checked before, so another version has logged them.
    pub(crate) unfit: u64,
}

impl Tenant {
    pub(crate) fn new(id: TenantId, spares: Spares, feeds: Feeds) -> Self {
        Self {
            id,
            streams: Streams::default(),
            feed: Feed::new(feeds),
            shelf: Shelf::new(spares),
            cutting: tokio::sync::Mutex::new(()),
            cut_done: Notify::new(),
            failures: Failures::default(),
            memory: AtomicUsize::new(0),
        }
    }

    /// Takes rows that are in the log.
    pub(crate) fn apply(
        &self,
        request: &Arc<AppendRequest>,
        position: WalPosition,
        now: Monotonic,
    ) -> Result<Taken, InvalidLabels> {
        let taken = self.shelf.apply(position, now, |arena| {
            let mut taken =
                Taken { duplicates: Vec::with_capacity(request.streams.len()), ..Taken::default() };
            for stream in &request.streams {
                let mut counted = Duplicates::default();
                for_each_part(request, stream, |part| {
                    let pushed = arena.apply(part);
                    counted.rows += pushed.duplicates as u64;
                    counted.bytes += pushed.duplicate_bytes as u64;
                    taken.unfit += pushed.unfit as u64;
                })?;
                taken.duplicates.push(counted);
            }
            Ok(taken)
        })?;
        self.feed.offer(request, position, now);
        Ok(taken)
    }

    /// Whether it has nothing here, neither rows nor files, and nobody has pushed or listened for a while.
    pub(crate) fn is_idle(&self) -> bool {
        self.shelf.is_empty() && self.feed.is_unused() && self.streams.counts().active == 0
    }

    /// What its rows took in memory when that was last looked at.
    pub(crate) fn noted_memory(&self) -> usize {
        self.memory.load(Ordering::Relaxed)
    }

    /// By how much the memory of its rows has grown since the last look, or shrunk.
    pub(crate) fn memory_change(&self) -> isize {
        let memory = self.shelf.holdings().memory_bytes;
        memory as isize - self.memory.swap(memory, Ordering::Relaxed) as isize
    }
}

/// A stream's rows as the arena takes them: in stretches whose places in the push follow each other.
pub(crate) fn for_each_part(
    request: &AppendRequest,
    stream: &AppendStream,
    mut visit: impl FnMut(&PushPart<'_>),
) -> Result<(), InvalidLabels> {
    let labels: Labels = stream.labels.parse()?;
    let id = StreamId::of_canonical(&stream.labels);
    for entries in stream.entries.chunk_by(|a, b| a.index.checked_add(1) == Some(b.index)) {
        let pairs = borrowed_pairs(entries);
        let mut rows = Vec::with_capacity(entries.len());
        let mut next_pair = 0;
        for entry in entries {
            let level = entry.level.and_then(|level| request.levels.get(level as usize));
            let end = next_pair + entry.metadata.len();
            rows.push(Row {
                timestamp: entry.timestamp,
                line: &entry.line,
                metadata: &pairs[next_pair..end],
                level: level.map(String::as_str),
            });
            next_pair = end;
        }
        let first_index = entries[0].index;
        visit(&PushPart { labels: &labels, id, stamp: request.stamp, first_index, rows: &rows });
    }
    Ok(())
}

fn borrowed_pairs(entries: &[AppendEntry]) -> Vec<(&str, &str)> {
    let mut pairs = Vec::new();
    for entry in entries {
        pairs.extend(entry.metadata.iter().map(|pair| (pair.name.as_str(), pair.value.as_str())));
    }
    pairs
}
