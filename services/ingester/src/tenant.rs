//! One tenant's recent rows on this node.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use larch_proto::{AppendEntry, AppendRequest, AppendStream, WalPosition};
use larch_segment::{Arena, ArenaLimits, PushPart, Row, Snapshot};
use larch_types::{InvalidLabels, Labels, Monotonic, StreamId, TenantId};

use crate::streams::Streams;
use crate::tail::Feed;

/// What an arena may take is decided for the node as a whole, before a push is logged.
const UNBOUNDED: ArenaLimits = ArenaLimits { row_bytes: usize::MAX, stream_bytes: usize::MAX };

pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) streams: Streams,
    pub(crate) feed: Feed,
    arena: Arena,
    /// What it held when it was last looked at.
    memory: AtomicUsize,
}

/// Rows of one stream that were there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Duplicates {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// What a tenant holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Holdings {
    pub(crate) streams: usize,
    pub(crate) rows: u64,
    pub(crate) raw_bytes: usize,
    pub(crate) memory_bytes: usize,
}

impl Tenant {
    pub(crate) fn new(id: TenantId) -> Self {
        Self {
            id,
            streams: Streams::default(),
            feed: Feed::default(),
            arena: Arena::new(UNBOUNDED),
            memory: AtomicUsize::new(0),
        }
    }

    /// The rows that are there now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.arena.snapshot()
    }

    pub(crate) fn holdings(&self) -> Holdings {
        let held = self.arena.held();
        Holdings {
            streams: held.streams,
            rows: held.rows,
            raw_bytes: held.raw_bytes,
            memory_bytes: held.memory_bytes,
        }
    }

    /// Takes rows that are in the log. Returns the duplicates of each stream, and by how much the memory
    /// has grown.
    pub(crate) fn apply(
        &self,
        request: &Arc<AppendRequest>,
        position: WalPosition,
        now: Monotonic,
    ) -> Result<(Vec<Duplicates>, usize), InvalidLabels> {
        let mut duplicates = Vec::with_capacity(request.streams.len());
        for stream in &request.streams {
            let mut counted = Duplicates::default();
            for_each_part(request, stream, |part| {
                let pushed = self.arena.apply(part);
                counted.rows += pushed.duplicates as u64;
                counted.bytes += pushed.duplicate_bytes as u64;
            })?;
            duplicates.push(counted);
        }
        self.feed.offer(request, position, now);
        let memory = self.arena.held().memory_bytes;
        let before = self.memory.swap(memory, Ordering::Relaxed);
        Ok((duplicates, memory.saturating_sub(before)))
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
