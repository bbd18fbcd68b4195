//! The rows of a plan, in the order of time.
//!
//! Chunks are opened as their times come up, some ahead of when they are needed, and merged: what a read
//! keeps at a time are the chunks that overlap, and whoever has enough rows leaves the others unread.

use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesOrdered, StreamExt};
use larch_proto::{Direction, Pair, PlannedSegment};
use larch_rpc::CallError;
use larch_segment::Decoder;
use larch_types::{TenantId, Timestamp};

use super::open::{OpenChunk, open};
use super::reader::Reader;
use super::units::{Unit, units};
use crate::rows::budget::Budget;
use crate::rows::held::HeldRow;
use crate::rows::stream::{Stream, Streams};

/// Rows that are handed on at once.
const BATCH_ROWS: usize = 4096;

/// Levels that rows share. Larch detects seven, but anything may have been stored.
const MOST_LEVELS: usize = 64;

pub(crate) struct StoredRows {
    reader: Arc<Reader>,
    tenant: TenantId,
    /// By part of the plan: the texts of its streams, and those that were met.
    parts: Vec<Vec<PartStream>>,
    /// The next to be opened is the last.
    unopened: Vec<Unit>,
    /// Times from which on the rows of units that are being opened come, and how many chunks each has.
    coming: VecDeque<(Timestamp, usize)>,
    opening: FuturesOrdered<BoxFuture<'static, Result<Vec<OpenChunk>, CallError>>>,
    /// Chunks that may be opened ahead: few at first, because many queries want few rows.
    ahead: usize,
    max_ahead: usize,
    open: HashMap<u64, OpenChunk>,
    next_chunk: u64,
    /// The time of the next row of each open chunk; the greatest comes first.
    heads: BinaryHeap<(i128, u64)>,
    levels: HashMap<String, Arc<str>>,
    decoder: Decoder,
}

struct PartStream {
    text: String,
    met: Option<Arc<Stream>>,
}

impl StoredRows {
    pub(crate) fn new(
        reader: Reader,
        tenant: TenantId,
        plan: Vec<PlannedSegment>,
        max_ahead: usize,
    ) -> Result<Self, CallError> {
        let (texts, unopened) = units(plan, reader.direction)?;
        let stream = |text: String| PartStream { text, met: None };
        let parts = texts.into_iter().map(|part| part.into_iter().map(stream).collect()).collect();
        Ok(Self {
            reader: Arc::new(reader),
            tenant,
            parts,
            unopened,
            coming: VecDeque::new(),
            opening: FuturesOrdered::new(),
            ahead: 1,
            max_ahead: max_ahead.max(1),
            open: HashMap::new(),
            next_chunk: 0,
            heads: BinaryHeap::new(),
            levels: HashMap::new(),
            decoder: Decoder::new(),
        })
    }

    /// The next rows; none behind the last.
    ///
    /// # Cancel safety
    /// May be dropped and asked for again: it waits only while it has no rows in hand.
    pub(crate) async fn next_batch(
        &mut self,
        streams: &mut Streams,
        budget: &mut Budget,
    ) -> Result<Option<Vec<HeldRow>>, CallError> {
        let mut batch = Vec::new();
        loop {
            if self.must_open() {
                if !batch.is_empty() {
                    return Ok(Some(batch));
                }
                self.open_next(budget).await?;
                continue;
            }
            match self.pop(streams, budget).await? {
                Some(row) => batch.push(row),
                None => return Ok((!batch.is_empty()).then_some(batch)),
            }
            if batch.len() == BATCH_ROWS {
                return Ok(Some(batch));
            }
        }
    }

    /// Orders times so that the first to come is the greatest.
    fn rank(&self, time: i64) -> i128 {
        match self.reader.direction {
            Direction::Forward => -i128::from(time),
            Direction::Backward => i128::from(time),
        }
    }

    fn first_time(&self, unit: &Unit) -> Timestamp {
        match self.reader.direction {
            Direction::Forward => unit.first,
            Direction::Backward => unit.last,
        }
    }

    /// Whether a unit that is not open may have a row that comes before all that are.
    fn must_open(&self) -> bool {
        let unopened = self.unopened.last().map(|unit| self.first_time(unit));
        let Some(next) = self.coming.front().map(|(time, _)| *time).or(unopened) else { return false };
        self.heads.peek().is_none_or(|(rank, _)| self.rank(next.nanos()) > *rank)
    }

    async fn open_next(&mut self, budget: &mut Budget) -> Result<(), CallError> {
        self.begin_opening();
        let Some(opened) = self.opening.next().await else { return Ok(()) };
        self.coming.pop_front();
        self.ahead = (self.ahead * 2).min(self.max_ahead);
        // What is ahead is fetched while the rows of this one are used.
        self.begin_opening();
        for chunk in opened? {
            let Some(next) = chunk.rows.last() else { continue };
            budget.take(chunk.bytes)?;
            self.heads.push((self.rank(next.time), self.next_chunk));
            self.open.insert(self.next_chunk, chunk);
            self.next_chunk += 1;
        }
        Ok(())
    }

    fn begin_opening(&mut self) {
        let mut chunks: usize = self.coming.iter().map(|(_, chunks)| chunks).sum();
        while chunks < self.ahead {
            let Some(unit) = self.unopened.pop() else { break };
            chunks += unit.chunks.len();
            self.coming.push_back((self.first_time(&unit), unit.chunks.len()));
            self.opening.push_back(Box::pin(open(Arc::clone(&self.reader), unit)));
        }
    }

    async fn pop(
        &mut self,
        streams: &mut Streams,
        budget: &mut Budget,
    ) -> Result<Option<HeldRow>, CallError> {
        let Some((_, number)) = self.heads.pop() else { return Ok(None) };
        let Some(chunk) = self.open.get_mut(&number) else { return Ok(None) };
        let Some(place) = chunk.rows.pop() else { return Ok(None) };
        let next = chunk.rows.last().map(|row| row.time);
        let part = &mut self.parts[chunk.part];
        let stream = meet(part, place.stream, &self.tenant, streams, budget)?;
        let row = place.row as usize;
        let read = read_rest(chunk, row, &mut self.levels, &mut self.decoder);
        let (metadata, level) = match read {
            Ok(rest) => rest,
            Err(error) => return Err(chunk.stamps.unreadable(error).await),
        };
        let held = HeldRow {
            stream,
            timestamp: Timestamp::from_nanos(place.time),
            tie: None,
            late: Some(chunk.stamps.of(place.row)),
            line: chunk.line(place),
            metadata,
            level,
        };
        match next {
            Some(time) => self.heads.push((self.rank(time), number)),
            None => {
                let closed = self.open.remove(&number);
                budget.give_back(closed.map_or(0, |chunk| chunk.bytes));
            }
        }
        Ok(Some(held))
    }
}

type Rest = (Vec<Pair>, Option<Arc<str>>);

fn read_rest(
    chunk: &OpenChunk,
    row: usize,
    levels: &mut HashMap<String, Arc<str>>,
    decoder: &mut Decoder,
) -> Result<Rest, larch_segment::ReadError> {
    let pairs = chunk.rest.row_metadata(row, decoder)?;
    let metadata = pairs.into_iter().map(|(name, value)| Pair { name: name.into(), value: value.into() });
    let metadata = metadata.collect();
    let Some(level) = chunk.rest.levels(decoder)?.get(row) else { return Ok((metadata, None)) };
    if let Some(known) = levels.get(level) {
        return Ok((metadata, Some(Arc::clone(known))));
    }
    let shared: Arc<str> = level.into();
    if levels.len() < MOST_LEVELS {
        levels.insert(level.to_owned(), Arc::clone(&shared));
    }
    Ok((metadata, Some(shared)))
}

fn meet(
    part: &mut [PartStream],
    place: u32,
    tenant: &TenantId,
    streams: &mut Streams,
    budget: &mut Budget,
) -> Result<Arc<Stream>, CallError> {
    let Some(stream) = part.get_mut(place as usize) else {
        return Err(super::open::unplanned());
    };
    if let Some(met) = &stream.met {
        return Ok(Arc::clone(met));
    }
    let met = streams.meet(tenant, &stream.text, budget)?;
    stream.met = Some(Arc::clone(&met));
    Ok(met)
}
