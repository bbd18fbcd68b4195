//! What an arena holds between two cuts.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use larch_types::{PushStamp, Timestamp};

use crate::format::MAX_CHUNK_ROWS;
use crate::memory::arena::{Held, PushPart, Pushed};
use crate::memory::batch::{Batch, RowView};
use crate::memory::room::{ArenaLimits, Room};
use crate::memory::sealed::Sealed;
use crate::memory::snapshot::Snapshot;
use crate::memory::spares::Spares;
use crate::numbers::NumberTable;
use crate::page::stamps::RowStamp;
use crate::reader::chunk::Chunk;
use crate::row::{Row, RowIdentity};
use crate::streams::StreamTable;

/// Rows that arrive are sealed in chunks of this size, as they are in segments.
const HEAD_BYTES: usize = 1 << 20;

/// Rows have numbers of 32 bits, of which the table of identities needs one for itself. Their columns take
/// more memory than any limit lets them have long before that.
const MAX_ROWS: u32 = u32::MAX - 1;

/// From so many slots on, a table of identities that was used before is taken rather than a new one of twice
/// the size: a tenant that has come so far may well need a large one.
const MANY_SLOTS: usize = 1 << 16;

/// Streams of a generation. Only ever grows, so readers look into it while it is written.
#[derive(Debug, Default)]
pub(crate) struct SharedStreams {
    table: RwLock<StreamTable>,
}

impl SharedStreams {
    /// Nothing that runs under the lock can panic halfway through a change.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, StreamTable> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut StreamTable) -> T) -> T {
        change(&mut self.table.write().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(crate) struct Generation {
    spares: Spares,
    pub(crate) streams: Arc<SharedStreams>,
    sealed: Vec<(u32, Sealed)>,
    /// Rows in the order of arrival, behind those that are sealed.
    head: Batch,
    /// How many rows are sealed.
    head_start: u32,
    identities: NumberTable,
    raw_bytes: usize,
    times: Option<(Timestamp, Timestamp)>,
    /// The head as a chunk, until the next row.
    head_chunk: Option<Arc<Chunk>>,
}

impl Generation {
    pub(crate) fn new(spares: Spares) -> Self {
        Self {
            spares,
            streams: Arc::default(),
            sealed: Vec::new(),
            head: Batch::default(),
            head_start: 0,
            identities: NumberTable::default(),
            raw_bytes: 0,
            times: None,
            head_chunk: None,
        }
    }

    pub(crate) const fn spares(&self) -> &Spares {
        &self.spares
    }

    /// Leaves an empty one in its place.
    pub(crate) fn take(&mut self) -> Self {
        let next = Self::new(self.spares.clone());
        std::mem::replace(self, next)
    }

    pub(crate) fn rows(&self) -> u32 {
        self.head_start + self.head.len() as u32
    }

    pub(crate) fn room(&self, limits: ArenaLimits) -> Room {
        Room::of(limits, self.rows() as usize, self.raw_bytes, &self.streams.read())
    }

    /// `identities` are those of the part's rows; its labels were checked.
    pub(crate) fn apply(&mut self, part: &PushPart<'_>, identities: &[RowIdentity]) -> Pushed {
        let mut pushed = Pushed::default();
        let stream = self.stream_of(part);
        for (index, (row, identity)) in part.rows.iter().zip(identities).enumerate() {
            let stamp = stamp_of(part.stamp, part.first_index, index);
            if row.check().is_err() || self.rows() == MAX_ROWS {
                pushed.unfit += 1;
            } else if self.push(stream, row, *identity, stamp) {
                pushed.rows += 1;
            } else {
                pushed.duplicates += 1;
                pushed.duplicate_bytes += row.line.len();
            }
        }
        pushed
    }

    fn stream_of(&self, part: &PushPart<'_>) -> u32 {
        let known = self.streams.read().find(part.id);
        known.unwrap_or_else(|| self.streams.change(|streams| streams.add(part.id, part.labels)))
    }

    /// Returns whether the row is new.
    fn push(&mut self, stream: u32, row: &Row<'_>, identity: RowIdentity, stamp: RowStamp) -> bool {
        if let Some(known) = self.find(stream, row, identity) {
            self.keep_smaller_stamp(known, stamp);
            return false;
        }
        self.note_identity(identity);
        self.head.push(stream, row, identity, Some(stamp));
        self.head_chunk = None;
        self.raw_bytes += row.raw_bytes();
        let (first, last) = self.times.unwrap_or((row.timestamp, row.timestamp));
        self.times = Some((first.min(row.timestamp), last.max(row.timestamp)));
        if self.head.held_bytes() >= HEAD_BYTES || self.head.len() >= MAX_CHUNK_ROWS {
            self.seal();
        }
        true
    }

    fn note_identity(&mut self, identity: RowIdentity) {
        if self.identities.is_full() && self.identities.slots() >= MANY_SLOTS {
            let larger = self.spares.table(2 * self.identities.slots());
            if let Some(larger) = larger {
                self.identities.move_to(larger);
            }
        }
        self.identities.insert(identity.0, self.rows());
    }

    fn find(&self, stream: u32, row: &Row<'_>, identity: RowIdentity) -> Option<u32> {
        self.identities.find(identity.0, |number| {
            let known = self.row(number);
            known.stream == stream && known.identity == identity && known.is(row)
        })
    }

    fn row(&self, number: u32) -> RowView<'_> {
        match number.checked_sub(self.head_start) {
            Some(row) => self.head.row(row as usize),
            None => {
                let (start, sealed) = &self.sealed[self.sealed_with(number)];
                sealed.arrived((number - start) as usize)
            }
        }
    }

    /// Which sealed chunk has the row.
    fn sealed_with(&self, number: u32) -> usize {
        self.sealed.partition_point(|(start, _)| *start <= number) - 1
    }

    /// Of doubles the one with the smallest stamp stays.
    fn keep_smaller_stamp(&mut self, number: u32, stamp: RowStamp) {
        if self.row(number).stamp.is_some_and(|known| known <= stamp) {
            return;
        }
        match number.checked_sub(self.head_start) {
            Some(row) => {
                self.head.set_stamp(row as usize, stamp);
                self.head_chunk = None;
            }
            None => {
                let place = self.sealed_with(number);
                let (start, sealed) = &mut self.sealed[place];
                sealed.set_stamp((number - *start) as usize, stamp);
            }
        }
    }

    fn seal(&mut self) {
        if self.head.is_empty() {
            return;
        }
        self.sealed.push((self.head_start, Sealed::new(&self.head, &self.spares)));
        self.head_start += self.head.len() as u32;
        self.head.clear();
        self.head_chunk = None;
    }

    pub(crate) fn snapshot(&mut self) -> Snapshot {
        let spares = &self.spares;
        let settled = |(_, sealed): &mut (u32, Sealed)| Arc::clone(sealed.settled(spares).chunk());
        let mut chunks: Vec<Arc<Chunk>> = self.sealed.iter_mut().map(settled).collect();
        if !self.head.is_empty() {
            let make = || Arc::clone(Sealed::new(&self.head, &self.spares).chunk());
            let head = self.head_chunk.get_or_insert_with(make);
            chunks.push(Arc::clone(head));
        }
        Snapshot::new(Arc::clone(&self.streams), chunks)
    }

    /// All rows, sealed.
    pub(crate) fn into_batches(mut self) -> Vec<Arc<Batch>> {
        self.seal();
        self.spares.keep_table(self.identities);
        self.spares.keep_batch(self.head);
        let spares = &self.spares;
        self.sealed.iter_mut().map(|(_, sealed)| Arc::clone(sealed.settled(spares).batch())).collect()
    }

    pub(crate) fn held(&self) -> Held {
        let streams = self.streams.read();
        let sealed: usize = self.sealed.iter().map(|(_, sealed)| sealed.memory_bytes()).sum();
        let rows = sealed + self.head.memory_bytes() + self.identities.memory_bytes();
        Held {
            rows: u64::from(self.rows()),
            raw_bytes: self.raw_bytes,
            streams: streams.len(),
            stream_bytes: streams.memory_bytes(),
            memory_bytes: rows + streams.memory_bytes(),
            times: self.times,
        }
    }
}

impl RowView<'_> {
    /// Whether it is this row, the stream compared by who asks. The level is no part of a row.
    fn is(&self, row: &Row<'_>) -> bool {
        if self.timestamp != row.timestamp || self.line != row.line {
            return false;
        }
        let mut metadata = Vec::new();
        crate::memory::batch::read_extras(self.extras, &mut metadata);
        metadata == row.metadata
    }
}

/// Where the rows of a part of a push stand: they count up from the first.
const fn stamp_of(stamp: PushStamp, first_index: u32, row: usize) -> RowStamp {
    RowStamp { stamp, index: first_index.saturating_add(row as u32) }
}
