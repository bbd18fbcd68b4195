//! The recent rows of one tenant. They are read while they are written, and cut without stopping the
//! writers: a cut takes what there is, and what comes later goes to the next generation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larch_types::{Day, ErrorKind, Labels, PushStamp, StreamId, Timestamp};

use crate::error::RowError;
use crate::footer::Provenance;
use crate::memory::batch::Batch;
use crate::memory::generation::{Generation, SharedStreams, stamp_of};
use crate::memory::sealed::chunk_of;
use crate::memory::snapshot::Snapshot;
use crate::row::{Row, RowIdentity};
use crate::writer::{Built, Effort, WriteError, assemble};

/// What an arena may take between two cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArenaLimits {
    /// Lines and metadata as pushed.
    pub raw_bytes: usize,
    /// Labels and tables of streams, however few rows they have.
    pub stream_bytes: usize,
}

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

/// What became of a part of a push.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pushed {
    pub rows: usize,
    /// Rows that were there already.
    pub duplicates: usize,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    #[error(transparent)]
    Row(#[from] RowError),
    #[error("the tenant's recent rows take all the memory they may have")]
    Full,
    #[error("the tenant's streams take all the memory they may have")]
    TooManyStreams,
}

impl PushError {
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Row(error) => error.kind(),
            Self::Full | Self::TooManyStreams => ErrorKind::TooMany,
        }
    }
}

/// Shared by writers and readers.
pub struct Arena {
    limits: ArenaLimits,
    generation: Mutex<Generation>,
}

impl Arena {
    pub fn new(limits: ArenaLimits) -> Self {
        Self { limits, generation: Mutex::default() }
    }

    /// Nothing that runs under the lock can panic halfway through a change.
    fn lock(&self) -> MutexGuard<'_, Generation> {
        self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, part: &PushPart<'_>) -> Result<Pushed, PushError> {
        let mut identities = Vec::with_capacity(part.rows.len());
        let mut raw_bytes = 0;
        for row in part.rows {
            row.check()?;
            raw_bytes += row.raw_bytes();
            identities.push(RowIdentity::of(part.id, row.timestamp, row.line, row.metadata.iter().copied()));
        }
        let mut generation = self.lock();
        self.check_room(&generation, raw_bytes, part.rows.len())?;
        let stream = self.stream_of(&generation, part)?;
        let mut pushed = Pushed::default();
        for (index, (row, identity)) in part.rows.iter().zip(identities).enumerate() {
            let stamp = stamp_of(part.stamp, part.first_index, index);
            if generation.push(stream, row, identity, stamp) {
                pushed.rows += 1;
            } else {
                pushed.duplicates += 1;
            }
        }
        Ok(pushed)
    }

    fn check_room(&self, generation: &Generation, raw_bytes: usize, rows: usize) -> Result<(), PushError> {
        let is_full = generation.raw_bytes().saturating_add(raw_bytes) > self.limits.raw_bytes;
        let has_numbers = (generation.rows() as usize).saturating_add(rows) < u32::MAX as usize;
        if is_full || !has_numbers { Err(PushError::Full) } else { Ok(()) }
    }

    fn stream_of(&self, generation: &Generation, part: &PushPart<'_>) -> Result<u32, PushError> {
        if let Some(stream) = generation.streams.read().find(part.id) {
            return Ok(stream);
        }
        generation.streams.change(|streams| {
            if streams.memory_bytes() >= self.limits.stream_bytes {
                return Err(PushError::TooManyStreams);
            }
            Ok(streams.insert(part.id, part.labels)?)
        })
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
            std::mem::take(&mut *held)
        };
        let held = generation.held();
        let streams = Arc::clone(&generation.streams);
        Some(Frozen { streams, batches: generation.into_batches(), held })
    }
}

/// Rows that were cut. They are read as before, and written as segments.
pub struct Frozen {
    streams: Arc<SharedStreams>,
    batches: Vec<Arc<Batch>>,
    held: Held,
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

    /// One segment of the rows whose times pass.
    pub fn write(
        &self,
        passes: impl Fn(Timestamp) -> bool,
        provenance: Provenance,
        effort: Effort,
    ) -> Result<Built, WriteError> {
        let batches: Vec<&Batch> = self.batches.iter().map(|batch| &**batch).collect();
        let passes = |nanos| passes(Timestamp::from_nanos(nanos));
        assemble(&self.streams.read(), &batches, passes, provenance, effort)
    }
}

#[cfg(test)]
mod tests;
