//! Rows of several sources as one sequence in the order of time, each row once.
//!
//! Copies of a row have the same time, so that only the rows of one time are held at once. Rows of one time
//! come in no order: whoever shows rows orders them by stream and push, over all that it keeps.

use std::collections::HashMap;
use std::sync::Arc;

use larch_logql::Identity;
use larch_proto::Direction;
use larch_rpc::CallError;
use larch_runtime::Clock;
use larch_types::{ErrorKind, Timestamp};

use super::budget::Budget;
use super::held::HeldRow;
use super::source::Source;
use super::stream::Streams;
use crate::sizes::iec;

/// Bounds of what is handed on at once: some milliseconds of work for an evaluation.
const BATCH_ROWS: usize = 4096;
const BATCH_BYTES: usize = 1 << 20;

pub(crate) struct MergedRows {
    sources: Vec<Source>,
    direction: Direction,
    streams: Streams,
    budget: Budget,
    /// 0: no limit.
    max_bytes: u64,
    found: Found,
    clock: Arc<dyn Clock>,
    /// Rows of one time, each with the read that brought it.
    group: Vec<(usize, HeldRow)>,
}

/// What was found, each row once unless it says otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) rows: u64,
    pub(crate) line_bytes: u64,
    pub(crate) metadata_bytes: u64,
    /// Copies that were dropped.
    pub(crate) duplicates: u64,
    pub(crate) fetch_ns: u64,
    /// With copies.
    pub(crate) source_batches: u64,
    pub(crate) source_rows: u64,
    pub(crate) source_bytes: u64,
}

impl MergedRows {
    pub(super) fn new(
        sources: Vec<Source>,
        direction: Direction,
        streams: Streams,
        budget: Budget,
        max_bytes: u64,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (found, group) = (Found::default(), Vec::new());
        Self { sources, direction, streams, budget, max_bytes, found, clock, group }
    }

    /// The streams of all rows that have come so far.
    pub(crate) fn streams(&self) -> &Streams {
        &self.streams
    }

    pub(crate) fn found(&self) -> Found {
        let mut found = self.found;
        for source in &self.sources {
            found.source_batches += source.taken.batches;
            found.source_rows += source.taken.rows;
            found.source_bytes += source.taken.bytes;
        }
        found
    }

    /// The next rows, all of a time together; none behind the last.
    pub(crate) async fn next_batch(&mut self) -> Result<Option<Vec<HeldRow>>, CallError> {
        let begun = self.clock.monotonic();
        let batch = self.gather().await;
        self.found.fetch_ns +=
            u64::try_from(self.clock.monotonic().since(begun).as_nanos()).unwrap_or(u64::MAX);
        let batch = batch?;
        Ok((!batch.is_empty()).then_some(batch))
    }

    async fn gather(&mut self) -> Result<Vec<HeldRow>, CallError> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH_ROWS && bytes < BATCH_BYTES {
            let Some(time) = self.next_time().await? else { break };
            let held = self.gather_time(time).await?;
            self.unite_copies();
            for (_, row) in self.group.drain(..) {
                let metadata = row.metadata_bytes();
                bytes += row.line.len() + metadata;
                self.found.rows += 1;
                self.found.line_bytes += row.line.len() as u64;
                self.found.metadata_bytes += metadata as u64;
                batch.push(row);
            }
            self.budget.give_back(held);
            self.check_bytes()?;
        }
        Ok(batch)
    }

    async fn next_time(&mut self) -> Result<Option<Timestamp>, CallError> {
        let mut first: Option<Timestamp> = None;
        for source in &mut self.sources {
            let Some(time) = source.peek(&mut self.streams, &mut self.budget).await? else { continue };
            first = Some(match (first, self.direction) {
                (None, _) => time,
                (Some(first), Direction::Forward) => first.min(time),
                (Some(first), Direction::Backward) => first.max(time),
            });
        }
        Ok(first)
    }

    /// All rows of the time; how many bytes they take.
    async fn gather_time(&mut self, time: Timestamp) -> Result<usize, CallError> {
        let mut held = 0;
        for source in &mut self.sources {
            while source.peek(&mut self.streams, &mut self.budget).await? == Some(time) {
                let Some(row) = source.pop()? else { break };
                let bytes = row.bytes();
                self.budget.take(bytes)?;
                held += bytes;
                self.group.push((source.read, row));
            }
        }
        Ok(held)
    }

    /// Of copies the one that was pushed first stays.
    fn unite_copies(&mut self) {
        if self.group.len() < 2 {
            return;
        }
        let mut places: HashMap<Identity, usize> = HashMap::with_capacity(self.group.len());
        let mut united: Vec<(usize, HeldRow)> = Vec::with_capacity(self.group.len());
        for (read, row) in self.group.drain(..) {
            let place = *places.entry(row.identity()).or_insert(united.len());
            let Some((known_read, known)) = united.get_mut(place) else {
                united.push((read, row));
                continue;
            };
            // Two reads of one question may both want a row; that is no copy.
            self.found.duplicates += u64::from(*known_read == read);
            known.tie = match (known.tie, row.tie) {
                (Some(known), Some(other)) => Some(known.min(other)),
                (known, other) => known.or(other),
            };
            if known.level.is_none() {
                known.level = row.level;
            }
        }
        self.group = united;
    }

    fn check_bytes(&self) -> Result<(), CallError> {
        let read = self.found.line_bytes + self.found.metadata_bytes;
        if self.max_bytes == 0 || read <= self.max_bytes {
            return Ok(());
        }
        let text = format!(
            "query too large to execute on a single querier: (query: {}, limit: {}); consider adding more specific \
             stream selectors, reduce the time range of the query, or adjust parallelization settings",
            iec(read),
            iec(self.max_bytes)
        );
        Err(CallError::new(ErrorKind::Invalid, text))
    }
}
