//! Chunks on a thread: which rows are left, and what they say once all of their pages are there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larch_engine::{ChunkPages, LogEntries, LogQuery, ReadFailure, SharedMemory, Survivors};
use larch_proto::SegmentEntry;
use larch_rpc::CallError;
use larch_segment::{Chunk, Column, Columns, PageRef, ReadError};
use larch_types::SegmentId;

use super::chunks::LogChunk;
use crate::rows::{ChunkPlace, Found, Pages, Reader, failed, unplanned};
use crate::scan::threads::Thread;

/// A chunk on its way, and what of it is there.
pub(super) struct Work {
    chunk: LogChunk,
    /// All selected rows are in the range.
    is_inside: bool,
    /// The chunk with its lines, and the rows that are left of it; none until its lines were looked at.
    left: Option<(Chunk, Survivors)>,
    /// Columns to fetch next.
    wanted: Vec<Column>,
    pages: Pages,
}

/// What was read of chunks.
#[derive(Default)]
pub(super) struct Totals {
    rows: AtomicU64,
    bytes: AtomicU64,
}

/// What is wrong, and with which chunk.
pub(super) struct StepFailure {
    reader: Arc<Reader>,
    place: Arc<ChunkPlace>,
    failure: ReadFailure,
}

/// One after the other, until nobody waits for them any more. Those are given back of which other pages are
/// needed.
pub(super) fn run(
    works: Vec<Work>,
    query: &LogQuery,
    thread: &mut Thread<LogEntries>,
    memory: &SharedMemory,
    totals: &Totals,
    is_stopped: impl Fn() -> bool,
) -> Result<Vec<Work>, StepFailure> {
    let mut again = Vec::new();
    for work in works {
        // What was gathered is dropped with the query.
        if is_stopped() {
            return Ok(Vec::new());
        }
        let (reader, place) = (Arc::clone(&work.chunk.reader), Arc::clone(&work.chunk.place));
        let done = work.step(query, thread, memory, totals);
        again.extend(done.map_err(|failure| StepFailure { reader, place, failure })?);
    }
    Ok(again)
}

impl Work {
    /// Where lines are filtered most chunks have no row that is left: nothing else is fetched of them.
    pub(super) fn new(chunk: LogChunk, query: &LogQuery) -> Self {
        let (start, end) = (chunk.rows.start, chunk.rows.end);
        let is_inside = start <= chunk.first && chunk.last < end;
        let mut wanted = vec![Column::Lines];
        if !is_inside || !query.has_filters() {
            wanted.push(Column::Times);
        }
        let mut work = Self { chunk, is_inside, left: None, wanted, pages: Vec::new() };
        if !query.has_filters() {
            work.want_rest();
        }
        work
    }

    pub(super) fn segment(&self) -> SegmentId {
        self.chunk.place.entry.id
    }

    pub(super) fn place(&self) -> (Arc<Reader>, Arc<SegmentEntry>) {
        (Arc::clone(&self.chunk.reader), Arc::clone(&self.chunk.place.entry))
    }

    pub(super) fn wanted(&self) -> Vec<PageRef> {
        let mut pages = self.chunk.place.directory.pages(Columns::ALL);
        pages.retain(|page| self.wanted.contains(&page.column));
        pages
    }

    pub(super) fn add(&mut self, pages: Pages) {
        self.pages.extend(pages);
    }

    /// Metadata and levels, and times if those are not there.
    fn want_rest(&mut self) {
        for page in self.chunk.place.directory.pages(Columns::ALL) {
            let is_rest = matches!(
                page.column,
                Column::Shapes | Column::Metadata(_) | Column::MetadataRest | Column::Levels | Column::Times
            );
            if is_rest && !self.wanted.contains(&page.column) {
                self.wanted.push(page.column);
            }
        }
    }

    /// None once all of it was taken in.
    fn step(
        mut self,
        query: &LogQuery,
        thread: &mut Thread<LogEntries>,
        memory: &SharedMemory,
        totals: &Totals,
    ) -> Result<Option<Self>, ReadFailure> {
        let (chunk, survivors) = match self.left.take() {
            Some(left) => left,
            None => {
                let first = self.chunk.place.directory.chunk(self.pages.clone());
                let raw_bytes = first.info().raw_bytes;
                memory.take(raw_bytes)?;
                let survivors =
                    query.survivors(&self.chunk.rows, self.is_inside, &first, &mut thread.decoder)?;
                self.count(&first, &survivors, totals);
                if survivors.is_empty() || !query.wants(self.chunk.first, self.chunk.last) {
                    memory.give_back(raw_bytes);
                    return Ok(None);
                }
                if query.has_filters() {
                    self.want_rest();
                    self.wanted.retain(|column| !self.pages.iter().any(|(page, _)| page.column == *column));
                    self.left = Some((first, survivors));
                    return Ok(Some(self));
                }
                (first, survivors)
            }
        };
        let rest = self.chunk.place.directory.chunk(self.pages.clone());
        let pages = ChunkPages { first: &chunk, rest: &rest };
        let Thread { gathered, decoder } = thread;
        match query.take_in(&self.chunk.rows, &survivors, pages, decoder, gathered, memory) {
            Ok(()) => {
                memory.give_back(chunk.info().raw_bytes);
                Ok(None)
            }
            Err(ReadFailure::Chunk(ReadError::NotFetched(_))) if self.wanted != [Column::Stamps] => {
                self.wanted = vec![Column::Stamps];
                self.left = Some((chunk, survivors));
                Ok(Some(self))
            }
            Err(failure) => Err(failure),
        }
    }

    fn count(&self, chunk: &Chunk, survivors: &Survivors, totals: &Totals) {
        self.chunk.reader.count_chunk();
        let (raw_bytes, rows) = (chunk.info().raw_bytes, chunk.rows() as u64);
        self.chunk.reader.count_decompressed(raw_bytes);
        totals.rows.fetch_add(survivors.looked_at(), Ordering::Relaxed);
        totals.bytes.fetch_add(raw_bytes * survivors.looked_at() / rows.max(1), Ordering::Relaxed);
    }
}

impl Totals {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn add_to(&self, found: &mut Found) {
        found.rows += self.rows.load(Ordering::Relaxed);
        found.line_bytes += self.bytes();
    }
}

impl StepFailure {
    pub(super) async fn into_error(self) -> CallError {
        match self.failure {
            ReadFailure::Query(error) => failed(&error),
            ReadFailure::Plan => unplanned(),
            ReadFailure::Chunk(error) => self.reader.unreadable(&self.place, error).await,
        }
    }
}
