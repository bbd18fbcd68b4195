//! Log queries over pages: what ingesters hold comes row by row, and then chunks come in the order of the
//! answer, as long as one can still have a row that is shown.

mod chunks;
mod loose;
mod step;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use larch_engine::{LogEntries, LogQuery, Overlaps, SharedMemory};
use larch_logql::{LogRow, Origin};
use larch_proto::Direction;
use larch_rpc::CallError;
use larch_types::{SegmentId, StreamId};

use super::plan::{KnownStreams, Sources};
use super::threads::Threads;
use crate::answer::Task;
use crate::rows::{
    AnswerHead, Found, MergedRows, OpenedApart, Read, RowsApart, Stored, Stream, Streams, failed,
    refuse_bytes,
};
use chunks::{LogChunk, LogChunks};
use loose::LooseEntries;
use step::{Totals, Work};

/// Chunks that are fetched together once many are wanted. Their lines are in memory together.
const MOST_CHUNKS: usize = 8;

/// Fetches that are under way while others are worked on.
const AHEAD: usize = 2;

/// All rows that can be shown were read.
pub(crate) struct ScannedLogs {
    /// In the order of the answer.
    pub(crate) rows: Vec<(Origin, LogRow)>,
    /// Rows that came through the pipeline.
    pub(crate) passed: u64,
    pub(crate) run_ns: u64,
    pub(crate) heads: Vec<AnswerHead>,
    pub(crate) found: Found,
    pub(crate) stored: Stored,
    /// Of chunks, and of ingesters.
    streams: [Streams; 2],
}

impl ScannedLogs {
    pub(crate) fn stream(&self, id: StreamId) -> Option<&Arc<Stream>> {
        self.streams.iter().find_map(|streams| streams.find(id))
    }

    /// How many streams were met.
    pub(crate) fn streams(&self) -> usize {
        self.streams.iter().flat_map(Streams::ids).collect::<HashSet<StreamId>>().len()
    }
}

/// Reads all that the query needs.
pub(crate) async fn scan_logs(task: &Task, query: LogQuery, read: &Read) -> Result<ScannedLogs, CallError> {
    let OpenedApart { reads, heads, stored } = task.asker.open_apart(std::slice::from_ref(read)).await?;
    let clock = &task.asker.deps.env.clock;
    let begun = clock.monotonic();
    let query = Arc::new(query);
    let mut scan = Scan {
        task,
        read,
        threads: Arc::new(Threads::new(&task.asker.deps.more_threads, || query.entries())),
        memory: Arc::new(query.memory()),
        query,
        streams: KnownStreams::new(task.asker.has_several_tenants()),
        totals: Arc::default(),
    };
    let (mut found, mut loose) = (Found::default(), Streams::new(false));
    for apart in reads {
        let RowsApart { rows, segments } = apart;
        let rows = scan.read(rows, segments).await?;
        found.absorb(rows.found());
        loose = rows.into_streams();
    }
    found.fetch_ns = nanos_since(&**clock, begun);
    let begun = clock.monotonic();
    let (query, entries) = (Arc::clone(&scan.query), scan.threads.gathered());
    let (shown, passed, duplicates) =
        task.cpu.run(move |_| finish(&query, entries)).await?.map_err(|error| failed(&error))?;
    scan.totals.add_to(&mut found);
    found.duplicates += duplicates;
    found.rows = found.rows.saturating_sub(duplicates);
    let run_ns = nanos_since(&**clock, begun);
    Ok(ScannedLogs { rows: shown, passed, run_ns, heads, found, stored, streams: [scan.streams.met, loose] })
}

fn nanos_since(clock: &dyn larch_runtime::Clock, begun: larch_types::Monotonic) -> u64 {
    u64::try_from(clock.monotonic().since(begun).as_nanos()).unwrap_or(u64::MAX)
}

type Finished = (Vec<(Origin, LogRow)>, u64, u64);

fn finish(query: &LogQuery, entries: Vec<LogEntries>) -> Result<Finished, larch_logql::EvalError> {
    let all = query.united(entries)?;
    let (passed, duplicates) = (all.passed(), all.duplicates());
    Ok((all.finish_with_origins(), passed, duplicates))
}

struct Scan<'a> {
    task: &'a Task,
    read: &'a Read,
    query: Arc<LogQuery>,
    threads: Arc<Threads<LogEntries>>,
    memory: Arc<SharedMemory>,
    streams: KnownStreams,
    /// Of chunks.
    totals: Arc<Totals>,
}

impl Scan<'_> {
    async fn read(
        &mut self,
        mut rows: MergedRows,
        segments: Vec<crate::rows::TenantPlan>,
    ) -> Result<MergedRows, CallError> {
        let mut budget = self.task.asker.budget();
        let mut plan = super::plan::ReadPlan::by(Sources::Chunks);
        for of_tenant in segments {
            plan.add(of_tenant, &mut self.streams, &mut budget)?;
        }
        let (mut thread, free) = self.threads.take().await?;
        let clock = &*self.task.asker.deps.env.clock;
        let loose = LooseEntries::new(&self.query, &self.memory, thread.gathered);
        let loose = loose::take_all(&self.task.cpu, clock, &mut rows, loose).await?;
        plan.covered.extend(loose.covered(rows.streams(), &mut self.streams));
        thread.gathered = loose.into_entries();
        self.threads.put_back(thread, free);
        let overlaps = Overlaps::of(plan.covered);
        let chunks =
            LogChunks::new(plan.units, &overlaps, (self.read.start, self.read.end), self.read.direction)?;
        self.read_chunks(chunks).await?;
        Ok(rows)
    }

    /// Few at first, because many queries want few rows.
    async fn read_chunks(&self, mut chunks: LogChunks) -> Result<(), CallError> {
        let most_chunks = MOST_CHUNKS.min(self.task.asker.deps.chunks_ahead.max(1));
        let most_running = self.threads.count + AHEAD;
        let (mut together, mut at_once) = (1, 1);
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < at_once {
                let batch = chunks.next(together, &self.query);
                if batch.is_empty() {
                    break;
                }
                together = (together * 2).min(most_chunks);
                running.push(self.batch(batch));
            }
            match running.next().await {
                None => return Ok(()),
                Some(done) => done?,
            }
            refuse_bytes(self.totals.bytes(), self.task.asker.max_bytes)?;
            at_once = (at_once * 2).min(most_running);
        }
    }

    /// Fetches pages of the chunks and takes them in, and then, of those with rows that are left, the others.
    async fn batch(&self, chunks: Vec<LogChunk>) -> Result<(), CallError> {
        let mut works: Vec<Work> = chunks.into_iter().map(|chunk| Work::new(chunk, &self.query)).collect();
        while !works.is_empty() {
            self.fetch(&mut works).await?;
            works = self.take_in(works).await?;
        }
        Ok(())
    }

    /// The pages that each of them waits for. Those of one segment are asked for together.
    async fn fetch(&self, works: &mut [Work]) -> Result<(), CallError> {
        let mut segments: Vec<SegmentId> = works.iter().map(Work::segment).collect();
        segments.sort_unstable();
        segments.dedup();
        for segment in segments {
            let mut of_segment: Vec<&mut Work> =
                works.iter_mut().filter(|work| work.segment() == segment).collect();
            let Some((reader, entry)) = of_segment.first().map(|work| work.place()) else { continue };
            let wanted = of_segment.iter().map(|work| work.wanted()).collect();
            let fetched = reader.fetch(&entry, wanted).await?;
            for (work, pages) in of_segment.iter_mut().zip(fetched) {
                work.add(pages);
            }
        }
        Ok(())
    }

    /// Those of which other pages are needed too.
    async fn take_in(&self, works: Vec<Work>) -> Result<Vec<Work>, CallError> {
        let (mut thread, free) = self.threads.take().await?;
        let (query, memory) = (Arc::clone(&self.query), Arc::clone(&self.memory));
        let totals = Arc::clone(&self.totals);
        let done = self
            .task
            .cpu
            .run(move |stop| {
                let again = step::run(works, &query, &mut thread, &memory, &totals, || stop.is_asked());
                (thread, again)
            })
            .await?;
        let (thread, again) = done;
        self.threads.put_back(thread, free);
        match again {
            Ok(again) => Ok(again),
            Err(failure) => Err(failure.into_error().await),
        }
    }
}

/// Whether a chunk that spans these times comes first where rows are read in this direction.
fn rank((first, last): (larch_types::Timestamp, larch_types::Timestamp), direction: Direction) -> i128 {
    match direction {
        Direction::Forward => i128::from(first.nanos()),
        Direction::Backward => -i128::from(last.nanos()),
    }
}
