//! The recent rows of one tenant. They are read while they are written, and cut without stopping the
//! writers: a cut takes what there is, and what comes later goes to the next generation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larch_types::{Day, Labels, PushStamp, StreamId, Timestamp};

use crate::error::RowError;
use crate::footer::{Provenance, Totals};
use crate::memory::batch::Batch;
use crate::memory::generation::{Generation, SharedStreams};
use crate::memory::room::{ArenaLimits, PushError, Room};
use crate::memory::sealed::chunk_of;
use crate::memory::snapshot::Snapshot;
use crate::memory::spares::Spares;
use crate::row::{Row, RowIdentity, check_labels};
use crate::writer::{Effort, WriteError, assemble};

/// One stream's part of a push. It is taken whole or refused whole.
#[derive(Debug, Clone, Copy)]
pub struct PushPart<'a> {
    pub labels: &'a Labels,
    /// Of these labels.
    pub id: StreamId,
    pub stamp: PushStamp,
    /// The place in the push of the first row; the others follow it.
    pub first_index: u32,
    pub rows: &'a [Row<'a>],
}

impl PushPart<'_> {
    /// Whether a segment can hold it. Labels and rows that came through a distributor always fit.
    pub fn check(&self) -> Result<(), RowError> {
        check_labels(self.labels)?;
        self.rows.iter().try_for_each(Row::check)
    }
}

/// What became of a part of a push.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pushed {
    pub rows: usize,
    /// Rows that were there already.
    pub duplicates: usize,
    /// Bytes of their lines.
    pub duplicate_bytes: usize,
    /// Rows that no segment can hold: none where the part was checked.
    pub unfit: usize,
}

/// What an arena holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    pub rows: u64,
    pub raw_bytes: usize,
    pub streams: usize,
    /// What streams take, whether they have rows or not.
    pub stream_bytes: usize,
    /// All that it takes.
    pub memory_bytes: usize,
    /// First and last, both inclusive.
    pub times: Option<(Timestamp, Timestamp)>,
}

/// Shared by writers and readers.
pub struct Arena {
    limits: ArenaLimits,
    generation: Mutex<Generation>,
}

impl Arena {
    pub fn new(limits: ArenaLimits) -> Self {
        Self::with_spares(limits, Spares::default())
    }

    /// Takes columns for its rows from there, and gives them back with what was cut.
    pub fn with_spares(limits: ArenaLimits, spares: Spares) -> Self {
        Self { limits, generation: Mutex::new(Generation::new(spares)) }
    }

    /// Nothing that runs under the lock can panic halfway through a change.
    fn lock(&self) -> MutexGuard<'_, Generation> {
        self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it can take before the next cut. What is being logged counts once it is applied, so whoever
    /// asks bounds what is logged at once.
    pub fn room(&self) -> Room {
        self.lock().room(self.limits)
    }

    /// Whether the part fits a segment and the room, of which it then takes its share. To be asked before
    /// a part is logged: what is logged is applied.
    pub fn admit(&self, part: &PushPart<'_>, room: &mut Room) -> Result<(), PushError> {
        part.check()?;
        let is_new = !self.knows(part.id);
        room.take(part, is_new)
    }

    /// Whether the stream has rows since the last cut.
    pub fn knows(&self, stream: StreamId) -> bool {
        let streams = Arc::clone(&self.lock().streams);
        streams.read().find(stream).is_some()
    }

    /// Takes the part and never refuses: the rows are in the log already. What is there already is left
    /// out, as is what no segment can hold.
    pub fn apply(&self, part: &PushPart<'_>) -> Pushed {
        if check_labels(part.labels).is_err() {
            return Pushed { unfit: part.rows.len(), ..Pushed::default() };
        }
        let identity_of =
            |row: &Row<'_>| RowIdentity::of(part.id, row.timestamp, row.line, row.metadata.iter().copied());
        let identities: Vec<RowIdentity> = part.rows.iter().map(identity_of).collect();
        self.lock().apply(part, &identities)
    }

    /// [`Arena::admit`] and [`Arena::apply`] in one.
    pub fn push(&self, part: &PushPart<'_>) -> Result<Pushed, PushError> {
        self.admit(part, &mut self.room())?;
        Ok(self.apply(part))
    }

    /// The rows that are there now.
    pub fn snapshot(&self) -> Snapshot {
        self.lock().snapshot()
    }

    pub fn held(&self) -> Held {
        self.lock().held()
    }

    /// Takes all rows out. None if there are none: then the streams stay too.
    pub fn cut(&self) -> Option<Frozen> {
        let generation = {
            let mut held = self.lock();
            if held.rows() == 0 {
                return None;
            }
            held.take()
        };
        let held = generation.held();
        let streams = Arc::clone(&generation.streams);
        let spares = generation.spares().clone();
        Some(Frozen { streams, batches: generation.into_batches(), held, spares })
    }
}

/// Rows that were cut. They are read as before, and written as segments.
pub struct Frozen {
    streams: Arc<SharedStreams>,
    batches: Vec<Arc<Batch>>,
    held: Held,
    spares: Spares,
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for batch in self.batches.drain(..) {
            // What a reader still has goes with the reader.
            if let Some(batch) = Arc::into_inner(batch) {
                self.spares.keep_batch(batch);
            }
        }
    }
}

impl Frozen {
    pub const fn held(&self) -> &Held {
        &self.held
    }

    pub fn snapshot(&self) -> Snapshot {
        let chunks = self.batches.iter().map(|batch| Arc::new(chunk_of(batch))).collect();
        Snapshot::new(Arc::clone(&self.streams), chunks)
    }

    /// How many rows each day has.
    pub fn days(&self) -> BTreeMap<Day, usize> {
        let mut days = BTreeMap::new();
        for batch in &self.batches {
            for time in batch.times() {
                *days.entry(Timestamp::from_nanos(*time).day()).or_insert(0) += 1;
            }
        }
        days
    }

    /// One segment of the rows whose times pass. It goes out piece by piece as it is made, in order; what
    /// `put` returns as an error ends it.
    pub fn write<E: From<WriteError>>(
        &self,
        passes: impl Fn(Timestamp) -> bool,
        provenance: Provenance,
        effort: Effort,
        put: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Totals, E> {
        let batches: Vec<&Batch> = self.batches.iter().map(|batch| &**batch).collect();
        let passes = |nanos| passes(Timestamp::from_nanos(nanos));
        assemble(&self.streams.read(), &batches, passes, (provenance, effort), put)
    }
}

#[cfg(test)]
mod tests;
