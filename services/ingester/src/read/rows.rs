//! The rows of a read, in order, batch by batch.
//!
//! Chunks are opened one after the other as their times come up, and merged: what a read keeps at a time
//! are the chunks that overlap, and a limit ends it early. Rows that two sources hold are one row.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{StreamExt, unfold};
use larch_proto::{Direction, Pair, Row, RowBatch, TieOrder};
use larch_rpc::{CallError, CallStream};
use larch_segment::{Chunk, ChunkInfo, Columns, Decoder, ReadError, RowIdentity, RowStamp};
use larch_types::{StreamId, StreamOrder, Timestamp};

use super::first_rows::FirstRows;
use super::{Asked, rows_in_range};
use crate::needles::Needles;
use crate::selection::Chosen;
use crate::source::Source;

/// Rows of a batch: as many as are worth a message, and little enough to be buffered on the way.
const BATCH_ROWS: usize = 4096;
const BATCH_BYTES: usize = 1 << 20;
/// After so many rows others have their turn: it takes a fraction of a millisecond, and a short query has many
/// short steps to go through.
const REST_ROWS: u32 = 256;

/// What is asked.
pub(crate) struct RowsQuery {
    pub(crate) chosen: Chosen,
    pub(crate) needles: Needles,
    pub(crate) direction: Direction,
    /// So many rows, and those of the last one's time. 0 means all.
    pub(crate) limit: u64,
}

/// The rows by time, then by stream order, then by push. A part of the work is done for each batch.
pub(crate) fn read(sources: Vec<Source>, query: RowsQuery) -> Result<CallStream<RowBatch>, CallError> {
    let merge = Merge::new(sources, query)?;
    let batches = unfold(Some(merge), |state| async {
        let mut merge = state?;
        match merge.next_batch().await {
            Ok(None) => None,
            Ok(Some(batch)) => Some((Ok(batch), Some(merge))),
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(batches.boxed())
}

struct Merge {
    query: RowsQuery,
    sources: Vec<Asked>,
    /// By source.
    first_rows: Vec<FirstRows>,
    /// In the order in which they are opened, from the end.
    unopened: Vec<Unopened>,
    /// The rows of each chunk that are wanted, the next one last; `None` once they have gone.
    open: Vec<Option<Vec<Place>>>,
    /// The first row of each chunk that has rows left.
    heads: BinaryHeap<Head>,
    streams: Streams,
    /// Rows with one time of one stream, the next one last; they are looked at together, because some may
    /// be the same row.
    ties: Vec<Head>,
    /// Rows that may still be sent, and the time of the last one that was.
    left: u64,
    last: Option<i64>,
    decoder: Decoder,
}

struct Unopened {
    source: usize,
    number: usize,
    info: ChunkInfo,
}

/// A row's place in the order, and in its chunk.
#[derive(Debug, Clone, Copy)]
struct Place {
    time: i64,
    order: StreamOrder,
    /// Among the streams of the read.
    stream: u32,
    stamp: RowStamp,
    row: u32,
}

#[derive(Clone)]
struct Head {
    place: Place,
    source: usize,
    chunk: Arc<Chunk>,
    /// Which of the open chunks it is.
    slot: usize,
    direction: Direction,
}

/// The streams of a read, numbered over all sources.
#[derive(Default)]
struct Streams {
    known: Vec<Stream>,
    by_id: HashMap<StreamId, u32>,
    /// By source and the source's own number.
    by_place: HashMap<(usize, u32), u32>,
}

struct Stream {
    id: StreamId,
    order: StreamOrder,
    labels: String,
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
    fn new(sources: Vec<Source>, query: RowsQuery) -> Result<Self, CallError> {
        let (mut asked, mut unopened) = (Vec::with_capacity(sources.len()), Vec::new());
        for (number, source) in sources.into_iter().enumerate() {
            let one = Asked::new(source, &query.chosen)?;
            for (chunk, info) in one.chunks(&query.chosen) {
                unopened.push(Unopened { source: number, number: chunk, info });
            }
            asked.push(one);
        }
        match query.direction {
            Direction::Forward => unopened.sort_by_key(|chunk| Reverse(chunk.info.first_time)),
            Direction::Backward => unopened.sort_by_key(|chunk| chunk.info.last_time),
        }
        let left = if query.limit == 0 { u64::MAX } else { query.limit };
        Ok(Self {
            first_rows: asked.iter().map(|_| FirstRows::new(query.limit, query.direction)).collect(),
            query,
            sources: asked,
            unopened,
            open: Vec::new(),
            heads: BinaryHeap::new(),
            streams: Streams::default(),
            ties: Vec::new(),
            left,
            last: None,
            decoder: Decoder::new(),
        })
    }

    async fn next_batch(&mut self) -> Result<Option<RowBatch>, CallError> {
        let mut batch = BatchBuilder::default();
        let mut rows: u32 = 0;
        while !batch.is_full() {
            rows += 1;
            if rows.is_multiple_of(REST_ROWS) {
                tokio::task::yield_now().await;
            }
            let Some(head) = self.next_row().await? else { break };
            // Rows of the last one's time come all: where a row has copies elsewhere, its place among them
            // is not known here.
            if self.left == 0 && self.last != Some(head.place.time) {
                self.ties.clear();
                self.heads.clear();
                self.unopened.clear();
                break;
            }
            self.last = Some(head.place.time);
            let pushed = batch.push(&head.chunk, head.place, &self.streams, &mut self.decoder);
            pushed.map_err(|error| self.sources[head.source].source.unreadable(&error))?;
            self.left = self.left.saturating_sub(1);
        }
        Ok(batch.finish())
    }

    async fn next_row(&mut self) -> Result<Option<Head>, CallError> {
        if let Some(head) = self.ties.pop() {
            return Ok(Some(head));
        }
        let Some(first) = self.next_head().await? else { return Ok(None) };
        if self.sources.len() == 1 {
            return Ok(Some(first));
        }
        let (time, stream) = (first.place.time, first.place.stream);
        let is_tie = |head: &Head| (head.place.time, head.place.stream) == (time, stream);
        let mut ties = vec![first];
        loop {
            if self.must_open() {
                self.open_what_is_due().await?;
            }
            if !self.heads.peek().is_some_and(is_tie) {
                break;
            }
            ties.extend(self.take_head());
        }
        self.ties = self.without_copies(ties)?;
        Ok(self.ties.pop())
    }

    /// Of rows that are the same, the one with the smallest stamp stays. What comes first stands last.
    fn without_copies(&mut self, mut ties: Vec<Head>) -> Result<Vec<Head>, CallError> {
        if ties.len() > 1 {
            ties.sort_by_key(|head| head.place.stamp);
            let mut seen = HashSet::with_capacity(ties.len());
            let mut kept = Vec::with_capacity(ties.len());
            for head in ties {
                if seen.insert(self.identity(&head)?) {
                    kept.push(head);
                }
            }
            ties = kept;
            if self.query.direction == Direction::Forward {
                ties.reverse();
            }
        }
        Ok(ties)
    }

    fn identity(&mut self, head: &Head) -> Result<RowIdentity, CallError> {
        let id = self.streams.known[head.place.stream as usize].id;
        let row = head.place.row as usize;
        let identity = |chunk: &Chunk, decoder: &mut Decoder| -> Result<RowIdentity, ReadError> {
            let line = chunk.lines(decoder)?.get(row);
            let metadata = chunk.row_metadata(row, decoder)?;
            Ok(RowIdentity::of(id, Timestamp::from_nanos(head.place.time), line, metadata.into_iter()))
        };
        identity(&head.chunk, &mut self.decoder)
            .map_err(|error| self.sources[head.source].source.unreadable(&error))
    }

    async fn next_head(&mut self) -> Result<Option<Head>, CallError> {
        // Most rows are of chunks that are open, and need not wait.
        if self.must_open() {
            self.open_what_is_due().await?;
        }
        Ok(self.take_head())
    }

    /// The first row of all that are open; the next row of its chunk takes its place.
    fn take_head(&mut self) -> Option<Head> {
        let head = self.heads.pop()?;
        match self.open[head.slot].as_mut()?.pop() {
            Some(place) => self.heads.push(Head { place, ..head.clone() }),
            None => self.open[head.slot] = None,
        }
        Some(head)
    }

    /// Opens chunks as long as the next one may have a row that comes before all that are open.
    async fn open_what_is_due(&mut self) -> Result<(), CallError> {
        while self.must_open() {
            let Some(next) = self.unopened.pop() else { break };
            if self.first_rows.iter().any(|first| first.is_behind(next.nearest_time(self.query.direction))) {
                // All that are left come behind it.
                self.unopened.clear();
                break;
            }
            let chunk = self.sources[next.source].source.chunk(next.number, Columns::ALL).await?;
            let wanted = self.wanted_rows(&chunk, next.source);
            let mut rows = wanted.map_err(|failed| match failed {
                Failed::Read(error) => self.sources[next.source].source.unreadable(&error),
                Failed::Call(error) => error,
            })?;
            let direction = self.query.direction;
            rows.sort_unstable_by(|a, b| compare(b, a, direction));
            if let Some(place) = rows.pop() {
                let (source, slot) = (next.source, self.open.len());
                self.heads.push(Head { place, source, chunk, slot, direction });
                self.open.push(Some(rows));
            }
            // Looking for texts in a chunk takes about as long as sending some hundred rows.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn must_open(&self) -> bool {
        let Some(next) = self.unopened.last() else { return false };
        let Some(head) = self.heads.peek() else { return true };
        let time = Timestamp::from_nanos(head.place.time);
        match self.query.direction {
            Direction::Forward => next.info.first_time <= time,
            Direction::Backward => next.info.last_time >= time,
        }
    }

    fn wanted_rows(&mut self, chunk: &Chunk, source: usize) -> Result<Vec<Place>, Failed> {
        let mut wanted = Vec::new();
        let asked = &self.sources[source];
        let runs = chunk.streams(&mut self.decoder)?;
        if !runs.iter().any(|run| asked.has(run.stream)) {
            return Ok(wanted);
        }
        let times = chunk.times()?;
        let stamps = chunk.stamps(&mut self.decoder)?;
        let passing = self.query.needles.rows(chunk.lines(&mut self.decoder)?);
        // Which rows are wanted is found out before streams are looked up, of which there may be a million.
        let mut rows: Vec<(u32, u32)> = Vec::new();
        for run in runs.iter().filter(|run| asked.has(run.stream)) {
            let range = rows_in_range(*run, times, &self.query.chosen);
            let mut take = |row: usize| rows.push((run.stream, row as u32));
            match &passing {
                None => range.for_each(&mut take),
                Some(passing) => {
                    let first = passing.partition_point(|row| (*row as usize) < range.start);
                    let end = passing.partition_point(|row| (*row as usize) < range.end);
                    passing[first..end].iter().for_each(|row| take(*row as usize));
                }
            }
        }
        self.first_rows[source].add(rows.iter().map(|(_, row)| times[*row as usize]));
        for (stream, row) in rows {
            let time = times[row as usize];
            // Every row has a stamp.
            let Some(stamp) = stamps.get(row as usize) else { continue };
            if self.first_rows.iter().any(|first| first.is_behind(time)) {
                continue;
            }
            let stream = self.streams.number(&asked.source, source, stream)?;
            let order = self.streams.known[stream as usize].order;
            wanted.push(Place { time, order, stream, stamp, row });
        }
        Ok(wanted)
    }
}

impl Unopened {
    /// None of its rows comes before this.
    const fn nearest_time(&self, direction: Direction) -> i64 {
        match direction {
            Direction::Forward => self.info.first_time.nanos(),
            Direction::Backward => self.info.last_time.nanos(),
        }
    }
}

/// Rows of a chunk, or labels of its source, could not be read.
enum Failed {
    Read(ReadError),
    Call(CallError),
}

impl From<ReadError> for Failed {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<CallError> for Failed {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl Streams {
    fn number(&mut self, source: &Source, place: usize, stream: u32) -> Result<u32, CallError> {
        if let Some(number) = self.by_place.get(&(place, stream)) {
            return Ok(*number);
        }
        let id = source.stream_id(stream)?;
        let number = match self.by_id.get(&id) {
            Some(number) => *number,
            None => {
                let labels = source.labels(stream)?;
                self.known.push(Stream { id, order: StreamOrder::of(&labels), labels: labels.canonical() });
                self.by_id.insert(id, self.known.len() as u32 - 1);
                self.known.len() as u32 - 1
            }
        };
        self.by_place.insert((place, stream), number);
        Ok(number)
    }
}

impl Ord for Head {
    /// The heap gives the greatest first, and that is the first row.
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&other.place, &self.place, self.direction).then_with(|| other.slot.cmp(&self.slot))
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
        streams: &Streams,
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
        let stream = self.stream(place.stream, streams);
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

    fn stream(&mut self, stream: u32, known: &Streams) -> u32 {
        let (streams, bytes) = (&mut self.batch.streams, &mut self.bytes);
        *self.streams.entry(stream).or_insert_with(|| {
            let labels = known.known[stream as usize].labels.clone();
            *bytes += labels.len();
            streams.push(labels);
            streams.len() as u32 - 1
        })
    }

    fn finish(self) -> Option<RowBatch> {
        (!self.batch.rows.is_empty()).then_some(self.batch)
    }
}
