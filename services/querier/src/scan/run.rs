//! Runs the reads of a metric query.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_engine::{
    ChunkRows, Gathered, MetricQuery, Needed, Overlaps, ReadFailure, Seen, SharedMemory, StreamTable,
};
use larch_rpc::CallError;
use larch_segment::{Columns, PageRef, ReadError};
use larch_types::Timestamp;

use super::loose;
use super::plan::{KnownStreams, PlannedUnit, ReadPlan};
use super::threads::{Thread, Threads};
use crate::answer::Task;
use crate::rows::{
    AnswerHead, ChunkPlace, Found, OpenedApart, RangeRead, Read, RowsApart, Stored, failed, refuse_bytes,
    unplanned,
};

/// Units that are fetched while others are worked on.
const AHEAD: usize = 2;

/// What all threads of one query share.
pub(super) struct Shared {
    pub(super) memory: SharedMemory,
    pub(super) seen: Seen,
}

/// All rows were read.
pub(crate) struct Scanned {
    pub(crate) query: Arc<MetricQuery>,
    pub(crate) gathered: Vec<Gathered>,
    pub(crate) streams: StreamTable,
    pub(crate) heads: Vec<AnswerHead>,
    pub(crate) found: Found,
    pub(crate) stored: Stored,
    shared: Arc<Shared>,
}

impl Scanned {
    pub(crate) fn memory(&self) -> &SharedMemory {
        &self.shared.memory
    }
}

/// Reads all that the query needs.
pub(crate) async fn scan(
    task: &Task,
    query: MetricQuery,
    reads: Vec<RangeRead>,
) -> Result<Scanned, CallError> {
    let asked: Vec<Read> = reads.iter().map(|one| one.read.clone()).collect();
    let OpenedApart { reads: apart, heads, stored } = task.asker.open_apart(&asked).await?;
    let clock = &task.asker.deps.env.clock;
    let begun = clock.monotonic();
    let shared = Arc::new(Shared { memory: query.memory(), seen: Seen::new() });
    let mut scan = Scan {
        task,
        threads: Arc::new(Threads::new(&task.asker.deps.more_threads, || query.gathered())),
        query: Arc::new(query),
        shared,
        streams: KnownStreams::new(task.asker.has_several_tenants()),
        found: Found::default(),
        read: Arc::default(),
    };
    for (RangeRead { read, ranges }, apart) in reads.iter().zip(apart) {
        scan.read(read, ranges, apart).await?;
    }
    let mut found = scan.found;
    found.rows += scan.read.rows.load(Ordering::Relaxed);
    found.line_bytes += scan.read.bytes.load(Ordering::Relaxed);
    found.fetch_ns = u64::try_from(clock.monotonic().since(begun).as_nanos()).unwrap_or(u64::MAX);
    let gathered = scan.threads.gathered();
    let (query, shared, streams) = (scan.query, scan.shared, scan.streams.table);
    Ok(Scanned { query, gathered, streams, heads, found, stored, shared })
}

struct Scan<'a> {
    task: &'a Task,
    query: Arc<MetricQuery>,
    threads: Arc<Threads<Gathered>>,
    shared: Arc<Shared>,
    streams: KnownStreams,
    /// Of ingesters.
    found: Found,
    /// Of chunks.
    read: Arc<ReadTotals>,
}

#[derive(Default)]
struct ReadTotals {
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Scan<'_> {
    async fn read(&mut self, read: &Read, ranges: &[usize], apart: RowsApart) -> Result<(), CallError> {
        let RowsApart { mut rows, segments } = apart;
        let ranges: Arc<[usize]> = ranges.into();
        let (mut plan, mut budget) = (ReadPlan::default(), self.task.asker.budget());
        for of_tenant in segments {
            plan.add(of_tenant, &mut self.streams, &mut budget)?;
        }
        let (mut thread, free) = self.threads.take().await?;
        thread.gathered = loose::take_all(
            &self.task.cpu,
            (&self.query, &ranges, &self.shared),
            &mut rows,
            (&mut self.streams, &mut plan.covered),
            thread.gathered,
        )
        .await?;
        self.threads.put_back(thread, free);
        self.found.absorb(rows.found());
        let overlaps = Arc::new(Overlaps::of(plan.covered));
        let window = (read.start, read.end);
        let units = plan.units.into_iter().map(|unit| self.unit(unit, &ranges, &overlaps, window));
        let at_once = self.threads.count + AHEAD;
        let mut running = stream::iter(units).buffer_unordered(at_once);
        while running.try_next().await?.is_some() {
            let read = self.found.line_bytes + self.read.bytes.load(Ordering::Relaxed);
            refuse_bytes(read, self.task.asker.max_bytes)?;
        }
        Ok(())
    }

    /// Fetches the pages of a unit and takes them in, once a thread is free for it.
    async fn unit(
        &self,
        planned: PlannedUnit,
        ranges: &Arc<[usize]>,
        overlaps: &Arc<Overlaps>,
        window: (Timestamp, Timestamp),
    ) -> Result<(), CallError> {
        let mut chunks = Vec::with_capacity(planned.unit.chunks.len());
        for (place, chunk) in &planned.unit.chunks {
            let rows = planned.rows(chunk, overlaps, window)?;
            let is_contested = rows
                .streams
                .iter()
                .any(|stream| stream.contested.touches(chunk.first.nanos(), chunk.last.nanos()));
            let needed = self.query.needed(ranges, is_contested);
            chunks.push(WantedChunk { place: Arc::clone(place), rows, needed });
        }
        while !chunks.is_empty() {
            let pages = chunks.iter().map(|chunk| chunk.pages()).collect();
            let Some(entry) = chunks.first().map(|chunk| Arc::clone(&chunk.place.entry)) else { break };
            let pages = planned.reader.fetch(&entry, pages).await?;
            let fetched = chunks.into_iter().zip(pages).collect();
            chunks = self.take_in(&planned, ranges, fetched).await?;
        }
        Ok(())
    }

    /// The chunks of which other pages are needed too.
    async fn take_in(
        &self,
        planned: &PlannedUnit,
        ranges: &Arc<[usize]>,
        fetched: Vec<(WantedChunk, Vec<(PageRef, bytes::Bytes)>)>,
    ) -> Result<Vec<WantedChunk>, CallError> {
        let (mut thread, free) = self.threads.take().await?;
        let (query, ranges, shared) = (Arc::clone(&self.query), Arc::clone(ranges), Arc::clone(&self.shared));
        let (reader, totals) = (Arc::clone(&planned.reader), Arc::clone(&self.read));
        let step = move |stop: &crate::cpu::Stop| {
            let mut again = Vec::new();
            for (mut wanted, pages) in fetched {
                // Nobody waits any more: what was gathered is dropped with the query.
                if stop.is_asked() {
                    break;
                }
                let chunk = wanted.place.directory.chunk(pages);
                let shared = (&shared.memory, &shared.seen);
                let Thread { gathered, decoder } = &mut thread;
                let read = query.read_chunk(&ranges, &wanted.rows, &chunk, decoder, gathered, shared);
                let info = *chunk.info();
                chunk.give_back(decoder);
                match read {
                    Ok(rows) => {
                        reader.count_chunk();
                        let raw_bytes = info.raw_bytes;
                        if wanted.needed.lines {
                            reader.count_decompressed(raw_bytes);
                        }
                        let bytes = raw_bytes * rows / (info.rows as u64).max(1);
                        totals.rows.fetch_add(rows, Ordering::Relaxed);
                        totals.bytes.fetch_add(bytes, Ordering::Relaxed);
                    }
                    Err(ReadFailure::Chunk(ReadError::NotFetched(_))) if wanted.needed != Needed::ALL => {
                        wanted.needed = Needed::ALL;
                        again.push(wanted);
                    }
                    Err(failure) => return Err((wanted.place, failure)),
                }
            }
            Ok((thread, again))
        };
        let done = self.task.cpu.run(step).await?;
        match done {
            Ok((thread, again)) => {
                self.threads.put_back(thread, free);
                Ok(again)
            }
            Err((_, ReadFailure::Query(error))) => Err(failed(&error)),
            Err((_, ReadFailure::Plan)) => Err(unplanned()),
            Err((place, ReadFailure::Chunk(error))) => Err(planned.reader.unreadable(&place, error).await),
        }
    }
}

struct WantedChunk {
    place: Arc<ChunkPlace>,
    rows: ChunkRows,
    needed: Needed,
}

impl WantedChunk {
    fn pages(&self) -> Vec<PageRef> {
        let mut pages = self.place.directory.pages(Columns::ALL);
        pages.retain(|page| self.needed.has(page.column));
        pages
    }
}
