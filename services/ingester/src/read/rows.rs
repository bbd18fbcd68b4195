//! The rows of a read, in order, batch by batch.
//!
//! Chunks are opened one after the other as their times come up, and merged: what a read keeps at a time
//! are the chunks that overlap, and a limit ends it early.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{StreamExt, unfold};
use larch_proto::{Direction, Pair, Row, RowBatch, TieOrder};
use larch_rpc::CallStream;
use larch_segment::{Chunk, Decoder, OrdinalSet, ReadError, RowStamp, Snapshot};
use larch_types::{StreamOrder, Timestamp};

use super::{is_chosen, overlaps, rows_in_range, unreadable};
use crate::needles::Needles;
use crate::selection::Chosen;

/// Rows of a batch: as many as are worth a message, and little enough to be buffered on the way.
const BATCH_ROWS: usize = 4096;
const BATCH_BYTES: usize = 1 << 20;

/// What is asked.
pub(crate) struct RowsQuery {
    pub(crate) chosen: Chosen,
    pub(crate) needles: Needles,
    pub(crate) direction: Direction,
    /// 0 means all.
    pub(crate) limit: u64,
}

/// The rows by time, then by stream order, then by push. A part of the work is done for each batch.
pub(crate) fn read(snapshot: Snapshot, query: RowsQuery) -> CallStream<RowBatch> {
    let merge = Merge::new(snapshot, query);
    let batches = unfold(Some(merge), |state| async {
        let mut merge = state?;
        match merge.next_batch().await {
            Ok(None) => None,
            Ok(Some(batch)) => Some((Ok(batch), Some(merge))),
            Err(error) => Some((Err(unreadable(&error)), None)),
        }
    });
    batches.boxed()
}

struct Merge {
    snapshot: Snapshot,
    query: RowsQuery,
    streams: OrdinalSet,
    /// In the order in which they are opened, from the end.
    unopened: Vec<Arc<Chunk>>,
    open: Vec<OpenChunk>,
    /// The first row of each chunk that has rows left.
    heads: BinaryHeap<Head>,
    orders: HashMap<u32, StreamOrder>,
    /// Rows that may still be sent.
    left: u64,
    decoder: Decoder,
}

/// A chunk and those of its rows that are wanted, the next one last.
struct OpenChunk {
    chunk: Arc<Chunk>,
    rows: Vec<Place>,
}

/// A row's place in the order, and in its chunk.
#[derive(Debug, Clone, Copy)]
struct Place {
    time: i64,
    order: StreamOrder,
    stream: u32,
    stamp: RowStamp,
    row: u32,
}

struct Head {
    place: Place,
    /// Which open chunk.
    chunk: usize,
    direction: Direction,
}

/// Rows of a stream with equal times are mirrored when time runs backward; the order of streams is not.
fn compare(a: &Place, b: &Place, direction: Direction) -> Ordering {
    let forward = direction == Direction::Forward;
    let mirrored = |order: Ordering| if forward { order } else { order.reverse() };
    mirrored(a.time.cmp(&b.time))
        .then_with(|| (a.order, a.stream).cmp(&(b.order, b.stream)))
        .then_with(|| mirrored(a.stamp.cmp(&b.stamp)))
}

impl Merge {
    fn new(snapshot: Snapshot, query: RowsQuery) -> Self {
        let streams = query.chosen.streams(&snapshot);
        let mut unopened: Vec<Arc<Chunk>> = Vec::new();
        if !streams.is_empty() {
            unopened.extend(snapshot.chunks().iter().filter(|chunk| overlaps(chunk, &query.chosen)).cloned());
        }
        match query.direction {
            Direction::Forward => unopened.sort_by_key(|chunk| std::cmp::Reverse(chunk.info().first_time)),
            Direction::Backward => unopened.sort_by_key(|chunk| chunk.info().last_time),
        }
        let left = if query.limit == 0 { u64::MAX } else { query.limit };
        Self {
            snapshot,
            query,
            streams,
            unopened,
            open: Vec::new(),
            heads: BinaryHeap::new(),
            orders: HashMap::new(),
            left,
            decoder: Decoder::new(),
        }
    }

    /// Lets other tasks run between two chunks: each is a millisecond of work.
    async fn next_batch(&mut self) -> Result<Option<RowBatch>, ReadError> {
        let mut batch = BatchBuilder::default();
        while self.left > 0 && !batch.is_full() {
            if self.must_open() {
                self.open_next()?;
                tokio::task::yield_now().await;
                continue;
            }
            let Some(mut head) = self.heads.pop() else { break };
            let open = &mut self.open[head.chunk];
            batch.push(&open.chunk, head.place, &self.snapshot, &mut self.decoder)?;
            self.left -= 1;
            match open.rows.pop() {
                Some(place) => {
                    head.place = place;
                    self.heads.push(head);
                }
                None => open.rows = Vec::new(),
            }
        }
        Ok(batch.finish())
    }

    /// Whether the next chunk may have a row that comes before all that are open.
    fn must_open(&self) -> bool {
        let Some(next) = self.unopened.last() else { return false };
        let Some(head) = self.heads.peek() else { return true };
        let time = Timestamp::from_nanos(head.place.time);
        match self.query.direction {
            Direction::Forward => next.info().first_time <= time,
            Direction::Backward => next.info().last_time >= time,
        }
    }

    fn open_next(&mut self) -> Result<(), ReadError> {
        let Some(chunk) = self.unopened.pop() else { return Ok(()) };
        let mut rows = self.wanted_rows(&chunk)?;
        let direction = self.query.direction;
        rows.sort_unstable_by(|a, b| compare(b, a, direction));
        if let Some(place) = rows.pop() {
            self.heads.push(Head { place, chunk: self.open.len(), direction });
            self.open.push(OpenChunk { chunk, rows });
        }
        Ok(())
    }

    fn wanted_rows(&mut self, chunk: &Chunk) -> Result<Vec<Place>, ReadError> {
        let mut wanted = Vec::new();
        let times = chunk.times()?;
        let stamps = chunk.stamps(&mut self.decoder)?;
        let runs = chunk.streams(&mut self.decoder)?;
        if !runs.iter().any(|run| is_chosen(&self.streams, run.stream)) {
            return Ok(wanted);
        }
        let passing = self.query.needles.rows(chunk.lines(&mut self.decoder)?);
        for run in runs {
            if !is_chosen(&self.streams, run.stream) {
                continue;
            }
            let order = self.order_of(run.stream);
            let mut take = |row: usize| {
                // Rows in memory have their stamps always.
                let Some(stamp) = stamps.get(row) else { return };
                wanted.push(Place { time: times[row], order, stream: run.stream, stamp, row: row as u32 });
            };
            let range = rows_in_range(*run, times, &self.query.chosen);
            match &passing {
                None => range.for_each(&mut take),
                Some(passing) => {
                    let first = passing.partition_point(|row| (*row as usize) < range.start);
                    let end = passing.partition_point(|row| (*row as usize) < range.end);
                    passing[first..end].iter().for_each(|row| take(*row as usize));
                }
            }
        }
        Ok(wanted)
    }

    fn order_of(&mut self, stream: u32) -> StreamOrder {
        let snapshot = &self.snapshot;
        *self.orders.entry(stream).or_insert_with(|| StreamOrder::of(&snapshot.labels(stream)))
    }
}

impl Ord for Head {
    /// The heap gives the greatest first, and that is the first row.
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&other.place, &self.place, self.direction).then_with(|| other.chunk.cmp(&self.chunk))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

/// Rows and the texts that they share.
#[derive(Default)]
struct BatchBuilder {
    batch: RowBatch,
    streams: HashMap<u32, u32>,
    levels: HashMap<String, u32>,
    bytes: usize,
}

impl BatchBuilder {
    fn is_full(&self) -> bool {
        self.batch.rows.len() >= BATCH_ROWS || self.bytes >= BATCH_BYTES
    }

    fn push(
        &mut self,
        chunk: &Chunk,
        place: Place,
        snapshot: &Snapshot,
        decoder: &mut Decoder,
    ) -> Result<(), ReadError> {
        let row = place.row as usize;
        let line = Bytes::copy_from_slice(chunk.lines(decoder)?.get(row));
        let level = chunk.levels(decoder)?.get(row).map(|level| self.level(level));
        let mut metadata = Vec::new();
        self.bytes += line.len();
        for (name, value) in chunk.row_metadata(row, decoder)? {
            self.bytes += name.len() + value.len();
            metadata.push(Pair { name: name.into(), value: value.into() });
        }
        let stream = self.stream(place.stream, snapshot);
        let tie = TieOrder { stamp: place.stamp.stamp, index: place.stamp.index };
        let timestamp = Timestamp::from_nanos(place.time);
        self.batch.rows.push(Row { stream, timestamp, line, metadata, level, tie: Some(tie) });
        Ok(())
    }

    fn level(&mut self, level: &str) -> u32 {
        if let Some(place) = self.levels.get(level) {
            return *place;
        }
        let place = self.batch.levels.len() as u32;
        self.batch.levels.push(level.to_owned());
        self.levels.insert(level.to_owned(), place);
        place
    }

    fn stream(&mut self, stream: u32, snapshot: &Snapshot) -> u32 {
        let (streams, bytes) = (&mut self.batch.streams, &mut self.bytes);
        *self.streams.entry(stream).or_insert_with(|| {
            let labels = snapshot.labels(stream).canonical();
            *bytes += labels.len();
            streams.push(labels);
            streams.len() as u32 - 1
        })
    }

    fn finish(self) -> Option<RowBatch> {
        (!self.batch.rows.is_empty()).then_some(self.batch)
    }
}
