//! Rows put where they can be: into segments, and into a list of rows that come one by one.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use larch_engine::{
    ChunkPages, ChunkRows, Covered, KnownStream, LogQuery, LooseRow, MetricQuery, Needed, Overlaps,
    ReadFailure, Seen, SharedMemory, StreamRows, StreamTable,
};
use larch_logql::{Direction, EvalError, LogEvaluation, MetricAnswer};
use larch_segment::{
    Chunk, Column, Columns, Decoder, Effort, Provenance, ReadError, Row, RowStamp, Segment, SegmentBuilder,
};
use larch_types::{NodeId, PushStamp, SegmentId, StreamId, Timestamp};

use crate::rows::{HOLDERS, HeldRow};

/// What a source says at most.
const LOOSE: u8 = 0;

pub(crate) struct Layout<'r> {
    loose: Vec<(&'r HeldRow, u128)>,
    segments: Vec<(Segment, Bytes)>,
    range: (Timestamp, Timestamp),
}

impl<'r> Layout<'r> {
    pub(crate) fn new(rows: &'r [HeldRow], range: (Timestamp, Timestamp)) -> Self {
        let of = |holder: u8| {
            let held = rows.iter().filter_map(move |row| {
                row.copies.iter().find(|copy| copy.holder == holder).map(|copy| (row, copy.stamp))
            });
            held.collect::<Vec<_>>()
        };
        let mut loose = of(LOOSE);
        loose.retain(|(row, _)| row.is_in(range));
        loose.sort_by_key(|(row, _)| row.time);
        let mut segments = Vec::new();
        for holder in 1..HOLDERS {
            let held = of(holder);
            if !held.is_empty() {
                segments.push(build(holder, &held));
            }
        }
        Self { loose, segments, range }
    }

    /// What the engine says, with so many threads taking turns; how many rows it told by their forms.
    pub(crate) fn answer(
        &self,
        query: &MetricQuery,
        ranges: &[usize],
        threads: usize,
    ) -> Result<(MetricAnswer, u64), ReadFailure> {
        let mut streams = Streams::default();
        let shared = (&query.memory(), &Seen::new());
        let mut gathered: Vec<_> = (0..threads).map(|_| query.gathered()).collect();
        let covered = self.covered(&mut streams);
        self.read_loose(query, ranges, &covered, &mut streams, &mut gathered[0], shared)?;
        let mut all = covered;
        for (row, _) in &self.loose {
            let (stream, time) = (streams.of(row.stream, &row.labels).place, row.time.nanos());
            all.push(Covered { stream, source: u32::MAX, first: time, last: time });
        }
        // As a reader of the list knows it: by the first and the last row.
        let overlaps = Overlaps::of(widened(all));
        let mut decoder = Decoder::new();
        let mut turn = 0;
        for (segment, bytes) in &self.segments {
            for number in 0..segment.chunks().len() as u32 {
                turn += 1;
                let rows = self.chunk_rows(segment, number, &mut streams, &overlaps);
                let is_contested = rows.streams.iter().any(|one| !one.contested.is_empty());
                let out = &mut gathered[turn % threads];
                let few = fetch(segment, bytes, number, query.needed(ranges, is_contested));
                let mut read = query.read_chunk(ranges, &rows, &few, &mut decoder, out, shared);
                if matches!(read, Err(ReadFailure::Chunk(ReadError::NotFetched(_)))) {
                    let all = fetch(segment, bytes, number, Needed::ALL);
                    read = query.read_chunk(ranges, &rows, &all, &mut decoder, out, shared);
                }
                read?;
            }
        }
        let told = gathered.iter().map(|one| one.told_by_form()).sum();
        let answer = query.finish(gathered, &streams.table, shared.0, || true)?;
        Ok((answer.expect("nobody stops it"), told))
    }

    /// What the engine says of a log query, with so many threads taking turns; how many chunks it left unread.
    pub(crate) fn entries(
        &self,
        query: &LogQuery,
        direction: Direction,
        threads: usize,
    ) -> Result<(LogEvaluation, usize), ReadFailure> {
        let mut streams = Streams::default();
        let (memory, mut decoder) = (query.memory(), Decoder::new());
        let mut gathered: Vec<_> = (0..threads).map(|_| query.entries()).collect();
        let pairs: Vec<_> = self.loose.iter().map(|(row, _)| row.pairs()).collect();
        let loose = self.loose.iter().zip(&pairs).map(|((row, stamp), pairs)| row.input(pairs, *stamp));
        query.read_rows(loose, &mut gathered[0], &memory)?;
        // Rows of two chunks of one segment are no copies, but their order may matter.
        let mut all = self.covered_by(&mut streams, |_, number| number);
        for (row, _) in &self.loose {
            let (stream, time) = (streams.of(row.stream, &row.labels).place, row.time.nanos());
            all.push(Covered { stream, source: u32::MAX, first: time, last: time });
        }
        let overlaps = Overlaps::of(all);
        let mut unread = 0;
        for (turn, (segment, bytes, number)) in self.in_order(direction).into_iter().enumerate() {
            let info = segment.directory(number).info();
            if !query.wants(info.first_time, info.last_time) {
                unread += 1;
                continue;
            }
            let rows = self.chunk_rows(segment, number, &mut streams, &overlaps);
            let is_inside = self.range.0 <= info.first_time && info.last_time < self.range.1;
            let has_times = !is_inside || !query.has_filters();
            let first = fetch_if(segment, bytes, number, |column| {
                column == Column::Lines || (has_times && column == Column::Times)
            });
            let survivors = query.survivors(&rows, is_inside, &first, &mut decoder)?;
            if survivors.is_empty() {
                continue;
            }
            let out = &mut gathered[turn % threads];
            let mut needed = Needed { metadata: true, levels: true, ..Needed::default() };
            let mut rest = fetch(segment, bytes, number, needed);
            let pages = ChunkPages { first: &first, rest: &rest };
            let mut taken = query.take_in(&rows, &survivors, pages, &mut decoder, out, &memory);
            if matches!(taken, Err(ReadFailure::Chunk(ReadError::NotFetched(_)))) {
                needed.stamps = true;
                rest = fetch(segment, bytes, number, needed);
                let pages = ChunkPages { first: &first, rest: &rest };
                taken = query.take_in(&rows, &survivors, pages, &mut decoder, out, &memory);
            }
            taken?;
        }
        Ok((query.united(gathered)?, unread))
    }

    /// All chunks, those first whose rows are shown first.
    fn in_order(&self, direction: Direction) -> Vec<(&Segment, &Bytes, u32)> {
        let mut chunks: Vec<(i64, (&Segment, &Bytes, u32))> = Vec::new();
        for (segment, bytes) in &self.segments {
            for (number, info) in segment.chunks().enumerate() {
                let first = match direction {
                    Direction::Forward => info.first_time.nanos(),
                    Direction::Backward => -info.last_time.nanos(),
                };
                chunks.push((first, (segment, bytes, number as u32)));
            }
        }
        chunks.sort_by_key(|(first, _)| *first);
        chunks.into_iter().map(|(_, chunk)| chunk).collect()
    }

    fn covered(&self, streams: &mut Streams) -> Vec<Covered> {
        self.covered_by(streams, |segment, _| segment)
    }

    /// A source has a number, by the numbers of the segment and of the chunk among all.
    fn covered_by(&self, streams: &mut Streams, source_of: impl Fn(u32, u32) -> u32) -> Vec<Covered> {
        let (mut covered, mut chunk) = (Vec::new(), 0);
        for (source, (segment, _)) in self.segments.iter().enumerate() {
            for (number, info) in segment.chunks().enumerate() {
                let source = source_of(source as u32, chunk);
                chunk += 1;
                for run in runs(segment, number as u32) {
                    let labels = segment.index().labels(run.0).expect("labels");
                    let stream = streams.of(StreamId::of(&labels), &labels).place;
                    let (first, last) = (info.first_time.nanos(), info.last_time.nanos());
                    covered.push(Covered { stream, source, first, last });
                }
            }
        }
        covered
    }

    fn read_loose(
        &self,
        query: &MetricQuery,
        ranges: &[usize],
        covered: &[Covered],
        streams: &mut Streams,
        out: &mut larch_engine::Gathered,
        shared: (&SharedMemory, &Seen),
    ) -> Result<(), EvalError> {
        let pairs: Vec<_> = self.loose.iter().map(|(row, _)| row.pairs()).collect();
        let mut rows = Vec::new();
        for ((row, stamp), pairs) in self.loose.iter().zip(&pairs) {
            let stream = streams.of(row.stream, &row.labels).place;
            let time = row.time.nanos();
            let holds = |one: &Covered| one.stream == stream && one.first <= time && time <= one.last;
            let is_tied = self.loose.iter().filter(|(other, _)| other.time == row.time).count() > 1;
            let is_contested = covered.iter().any(holds);
            rows.push(LooseRow { stream, row: row.input(pairs, *stamp), is_contested, is_tied });
        }
        query.read_rows(ranges, &rows, out, shared)
    }

    fn chunk_rows(
        &self,
        segment: &Segment,
        number: u32,
        streams: &mut Streams,
        overlaps: &Overlaps,
    ) -> ChunkRows {
        let mut of_streams = Vec::new();
        for (ordinal, first_row, rows) in runs(segment, number) {
            let labels = segment.index().labels(ordinal).expect("labels");
            let stream = streams.of(StreamId::of(&labels), &labels);
            let contested = overlaps.of_stream(stream.place);
            of_streams.push(StreamRows { stream, first_row, rows, contested });
        }
        ChunkRows { streams: of_streams, order: number, start: self.range.0, end: self.range.1 }
    }
}

/// One range for each stream and source.
fn widened(covered: Vec<Covered>) -> Vec<Covered> {
    let mut ranges: HashMap<(u32, u32), Covered> = HashMap::new();
    for one in covered {
        let known = ranges.entry((one.stream, one.source)).or_insert(one);
        (known.first, known.last) = (known.first.min(one.first), known.last.max(one.last));
    }
    ranges.into_values().collect()
}

/// Stream, first row and number of rows of what a chunk has.
fn runs(segment: &Segment, number: u32) -> Vec<(u32, u32, u32)> {
    let (mut runs, mut row) = (Vec::new(), 0);
    for stream in 0..segment.index().streams() {
        for span in segment.index().spans(stream).expect("spans") {
            if span.chunk == number {
                runs.push((stream, row, span.rows));
                row += span.rows;
            }
        }
    }
    runs
}

fn fetch(segment: &Segment, bytes: &Bytes, number: u32, needed: Needed) -> Chunk {
    fetch_if(segment, bytes, number, |column| needed.has(column))
}

fn fetch_if(segment: &Segment, bytes: &Bytes, number: u32, is_needed: impl Fn(Column) -> bool) -> Chunk {
    let mut fetched = Vec::new();
    for page in segment.pages(number, Columns::ALL) {
        if is_needed(page.column) {
            let range = page.range.start as usize..page.range.end as usize;
            fetched.push((page, bytes.slice(range)));
        }
    }
    segment.chunk(number, fetched)
}

fn build(id: u8, rows: &[(&HeldRow, u128)]) -> (Segment, Bytes) {
    let mut builder = SegmentBuilder::new();
    for (row, stamp) in rows {
        let stream = builder.stream(&row.labels).expect("a stream");
        let pairs = row.pairs();
        let shown = Row { timestamp: row.time, line: &row.line, metadata: &pairs, level: row.level };
        let stamp = RowStamp { stamp: PushStamp(*stamp), index: 0 };
        builder.push(stream, &shown, Some(stamp)).expect("a row");
    }
    let (id, uploader) = (SegmentId::from_u128(id.into()), NodeId::from_u128(1));
    let provenance =
        Provenance { id, uploader, inputs: Vec::new(), siblings: Vec::new(), tombstones: Vec::new() };
    let bytes = Bytes::from(builder.finish(provenance, Effort::Fresh).expect("a segment").bytes);
    (Segment::open(&bytes, bytes.len() as u64).expect("it opens"), bytes)
}

#[derive(Default)]
struct Streams {
    table: StreamTable,
    known: HashMap<StreamId, Arc<KnownStream>>,
}

impl Streams {
    fn of(&mut self, id: StreamId, labels: &larch_types::Labels) -> Arc<KnownStream> {
        let table = &mut self.table;
        Arc::clone(self.known.entry(id).or_insert_with(|| table.add(id, labels.clone())))
    }
}
