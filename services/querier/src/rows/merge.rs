//! Rows of several sources as one sequence in the order of time, each row once.
//!
//! Copies of a row have the same time, so that only the rows of one time are held at once. Rows of one time
//! come in no order: whoever shows rows orders them by stream and push, over all that it keeps.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use larch_logql::Identity;
use larch_proto::{Direction, QueryStatistics};
use larch_rpc::CallError;
use larch_runtime::Clock;
use larch_types::{ByteSize, ErrorKind, StreamId, Timestamp};

use super::budget::Budget;
use super::held::HeldRow;
use super::source::Source;
use super::stored::Spent;
use super::stream::Streams;

/// Bounds of what is handed on at once: some milliseconds of work for an evaluation.
const BATCH_ROWS: usize = 4096;
const BATCH_BYTES: usize = 1 << 20;

/// After so many rows others have their turn: a short query has many short steps to go through.
const REST_ROWS: usize = 256;

/// The first batch is small, because many queries want few rows; each further one is twice as large.
const FIRST_BATCH_ROWS: usize = 128;

pub(crate) struct MergedRows {
    sources: Vec<Source>,
    direction: Direction,
    batch_rows: usize,
    streams: Streams,
    budget: Budget,
    /// 0: no limit.
    max_bytes: u64,
    found: Found,
    clock: Arc<dyn Clock>,
    /// Rows of one time, each with the read that brought it.
    group: Vec<(usize, HeldRow)>,
    stored: Stored,
}

/// What the plans said, and what reading them cost so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stored {
    pub(crate) segments: u64,
    pub(crate) chunks: u64,
    /// Segments whose times touch the range, their chunks, those of them that touch it, and those with rows of
    /// selected streams.
    pub(crate) in_range: PlanExtent,
    pub(crate) plan_ns: u64,
    pub(crate) spent: Arc<Spent>,
}

/// How many there were before filters ruled any out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PlanExtent {
    pub(crate) segments: u64,
    pub(crate) chunks_of_segments: u64,
    pub(crate) chunks_in_time: u64,
    pub(crate) chunks_of_streams: u64,
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
    /// Of ingesters, with copies.
    pub(crate) source_batches: u64,
    pub(crate) source_rows: u64,
    pub(crate) source_bytes: u64,
}

impl PlanExtent {
    pub(super) fn absorb(&mut self, other: Self) {
        self.segments += other.segments;
        self.chunks_of_segments += other.chunks_of_segments;
        self.chunks_in_time += other.chunks_in_time;
        self.chunks_of_streams += other.chunks_of_streams;
    }
}

impl Stored {
    pub(crate) fn add_to(&self, statistics: &mut QueryStatistics) {
        let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let spent = &self.spent;
        statistics.segments_planned += self.segments;
        statistics.chunks_planned += self.chunks;
        statistics.segments_in_range += self.in_range.segments;
        statistics.chunks_of_segments += self.in_range.chunks_of_segments;
        statistics.chunks_in_time += self.in_range.chunks_in_time;
        statistics.chunks_of_streams += self.in_range.chunks_of_streams;
        statistics.plan_ns += self.plan_ns;
        statistics.chunks_read += read(&spent.chunks);
        statistics.pages_read += read(&spent.pages);
        statistics.page_bytes += read(&spent.page_bytes);
        statistics.decompressed_bytes += read(&spent.decompressed_bytes);
        statistics.pages_from_cache += read(&spent.pages_from_cache);
        statistics.page_bytes_from_cache += read(&spent.page_bytes_from_cache);
    }
}

impl Found {
    pub(crate) fn absorb(&mut self, other: Self) {
        self.rows += other.rows;
        self.line_bytes += other.line_bytes;
        self.metadata_bytes += other.metadata_bytes;
        self.duplicates += other.duplicates;
        self.fetch_ns += other.fetch_ns;
        self.source_batches += other.source_batches;
        self.source_rows += other.source_rows;
        self.source_bytes += other.source_bytes;
    }
}

impl MergedRows {
    pub(super) fn new(
        sources: Vec<Source>,
        direction: Direction,
        streams: Streams,
        budget: Budget,
        max_bytes: u64,
        clock: Arc<dyn Clock>,
        stored: Stored,
    ) -> Self {
        let (found, group) = (Found::default(), Vec::new());
        Self { sources, direction, batch_rows: 0, streams, budget, max_bytes, found, clock, group, stored }
    }

    /// The streams of all rows that have come so far.
    pub(crate) fn streams(&self) -> &Streams {
        &self.streams
    }

    pub(crate) fn into_streams(self) -> Streams {
        self.streams
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

    /// What segments had to do with it.
    pub(crate) fn add_stored(&self, statistics: &mut QueryStatistics) {
        self.stored.add_to(statistics);
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
        self.batch_rows = (2 * self.batch_rows).clamp(FIRST_BATCH_ROWS, BATCH_ROWS);
        let mut next_rest = REST_ROWS;
        while batch.len() < self.batch_rows && bytes < BATCH_BYTES {
            if batch.len() >= next_rest {
                tokio::task::yield_now().await;
                next_rest = batch.len() + REST_ROWS;
            }
            let Some(time) = self.next_time().await? else { break };
            let held = self.gather_time(time).await?;
            self.read_ties().await?;
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
            let time = match source.at_hand() {
                Some(time) => time,
                None => match source.peek(&mut self.streams, &mut self.budget).await? {
                    Some(time) => time,
                    None => continue,
                },
            };
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
            loop {
                let next = match source.at_hand() {
                    None => source.peek(&mut self.streams, &mut self.budget).await?,
                    next => next,
                };
                let Some(row) = (if next == Some(time) { source.pop()? } else { None }) else { break };
                let bytes = row.bytes();
                self.budget.take(bytes)?;
                held += bytes;
                self.group.push((source.read, row));
            }
        }
        Ok(held)
    }

    /// Rows of one stream and time are shown in the order of their pushes. Copies of one row need none, but
    /// where there is another row each of them does: the smallest counts.
    async fn read_ties(&mut self) -> Result<(), CallError> {
        let is_late = |row: &HeldRow| row.tie.is_none() && row.late.is_some();
        if self.group.len() < 2 || !self.group.iter().any(|(_, row)| is_late(row)) {
            return Ok(());
        }
        let mut rows_of: HashMap<StreamId, HashSet<Identity>> = HashMap::new();
        for (_, row) in &self.group {
            rows_of.entry(row.stream.id).or_default().insert(row.identity());
        }
        for (_, row) in &mut self.group {
            let has_others = rows_of.get(&row.stream.id).is_some_and(|rows| rows.len() > 1);
            if has_others
                && row.tie.is_none()
                && let Some(late) = &row.late
            {
                row.tie = late.read().await?;
            }
        }
        Ok(())
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
        refuse_bytes(self.found.line_bytes + self.found.metadata_bytes, self.max_bytes)
    }
}

/// A query may look at so many bytes; 0 means no limit.
pub(crate) fn refuse_bytes(read: u64, max_bytes: u64) -> Result<(), CallError> {
    if max_bytes == 0 || read <= max_bytes {
        return Ok(());
    }
    let text = format!(
        "query too large to execute on a single querier: (query: {}, limit: {}); consider adding more specific \
         stream selectors, reduce the time range of the query, or adjust parallelization settings",
        ByteSize::bytes(read).to_iec(),
        ByteSize::bytes(max_bytes).to_iec()
    );
    Err(CallError::new(ErrorKind::Invalid, text))
}
