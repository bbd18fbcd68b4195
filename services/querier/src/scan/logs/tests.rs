//! Work on chunks ends where nobody waits for it. Counted, never timed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use larch_engine::{ChunkRows, LogQuery, StreamRows, StreamTable};
use larch_logql::{Direction as Order, EvalLimits, LogParams, parse_log};
use larch_proto::{Direction, Partition, SegmentEntry};
use larch_runtime::Env;
use larch_segment::{
    ChunkDirectory, Columns, Decoder, Effort, PageRef, Provenance, Row, RowStamp, Segment, SegmentBuilder,
};
use larch_store::{Backing, Catalog, ChunkStoreSettings, Segments, Store, StoreOptions};
use larch_telemetry::Registry;
use larch_types::{ByteSize, Labels, NodeId, PushStamp, SegmentId, Span, StreamId, Timestamp};

use super::chunks::LogChunk;
use super::step::{Totals, Work, run};
use crate::cpu::Cpu;
use crate::metrics::Metrics;
use crate::rows::{ChunkPlace, Read, Reader, Stored};
use crate::scan::threads::Thread;

const ROWS: u32 = 50;

/// A segment of one stream and one chunk, and what is known of it.
fn segment(labels: &Labels) -> (Bytes, SegmentEntry) {
    let mut builder = SegmentBuilder::new();
    let stream = builder.stream(labels).unwrap();
    for second in 0..ROWS {
        let timestamp = Timestamp::from_secs(second.into());
        let row = Row { timestamp, line: b"a line", metadata: &[], level: None };
        builder.push(stream, &row, Some(RowStamp { stamp: PushStamp(1), index: second })).unwrap();
    }
    let (id, uploader) = (SegmentId::from_u128(1), NodeId::from_u128(1));
    let (inputs, siblings, tombstones) = (Vec::new(), Vec::new(), Vec::new());
    let provenance = Provenance { id, uploader, inputs, siblings, tombstones };
    let bytes: Bytes = builder.finish(provenance, Effort::Fresh).unwrap().bytes.into();
    let entry = SegmentEntry {
        id,
        partition: Partition::Wide,
        first: Timestamp::EPOCH,
        last: Timestamp::from_secs(ROWS.into()),
        rows: ROWS.into(),
        raw_bytes: 0,
        uploader,
        object_bytes: bytes.len() as u64,
        footer_offset: 0,
        footer_bytes: 0,
        embedded: None,
        label_summaries: Vec::new(),
        tombstones_applied: Vec::new(),
    };
    (bytes, entry)
}

fn reader(stored: &Stored) -> Arc<Reader> {
    let (env, registry) = (Env::system(), Registry::default());
    let store = Store::new(Backing::memory(), StoreOptions::default(), env.clone(), &registry);
    let catalog = Catalog::new(store, env.clone(), &registry);
    let segments = Segments::new(catalog, &ChunkStoreSettings::default(), &registry);
    let read = Read {
        any_of: Vec::new(),
        start: Timestamp::EPOCH,
        end: Timestamp::from_secs(1000),
        needles: Vec::new(),
        direction: Direction::Forward,
        limit: 0,
    };
    let cpu = Cpu::new(&env, Metrics::new(&registry).panics, None);
    Arc::new(Reader::new(segments, "t".parse().unwrap(), &read, cpu, Arc::clone(&stored.spent)).unwrap())
}

/// Chunks whose pages are all there.
fn works(count: usize, query: &LogQuery, stored: &Stored) -> Vec<Work> {
    let labels: Labels = r#"{app="a"}"#.parse().unwrap();
    let (bytes, entry) = segment(&labels);
    let opened = Segment::open(&bytes, bytes.len() as u64).unwrap();
    let (reader, entry) = (reader(stored), Arc::new(entry));
    let known = StreamTable::default().add(StreamId::of(&labels), labels);
    let pages: Vec<(PageRef, Bytes)> = opened
        .pages(0, Columns::ALL)
        .into_iter()
        .map(|page| (page.clone(), bytes.slice(page.range.start as usize..page.range.end as usize)))
        .collect();
    let mut works = Vec::new();
    for _ in 0..count {
        let encoded = opened.directory(0).encode();
        let directory = ChunkDirectory::decode(&encoded, bytes.len() as u64).unwrap();
        let stream = Arc::clone(&known);
        let streams = vec![StreamRows { stream, first_row: 0, rows: ROWS, contested: Arc::default() }];
        let (start, end) = (Timestamp::EPOCH, Timestamp::from_secs(1000));
        let chunk = LogChunk {
            reader: Arc::clone(&reader),
            place: Arc::new(ChunkPlace { entry: Arc::clone(&entry), directory }),
            rows: ChunkRows { streams, order: 0, start, end },
            first: start,
            last: Timestamp::from_secs(ROWS.into()),
        };
        let mut work = Work::new(chunk, query);
        work.add(pages.clone());
        works.push(work);
    }
    works
}

/// How many of ten chunks are read if nobody waits any more once so many were.
fn read_until(most: u64) -> u64 {
    let params = LogParams {
        start: Timestamp::EPOCH,
        end: Timestamp::from_secs(1000),
        direction: Order::Forward,
        limit: 1000,
        interval: Span::ZERO,
        now: Timestamp::EPOCH,
    };
    let limits = EvalLimits { max_series: 1, max_range: None, max_memory: ByteSize::mib(16) };
    let query = LogQuery::new(&parse_log(r#"{app="a"}"#).unwrap(), params, &limits).unwrap();
    let stored = Stored::default();
    let works = works(10, &query, &stored);
    let mut thread = Thread { gathered: query.entries(), decoder: Decoder::new() };
    let memory = query.memory();
    let is_stopped = || stored.spent.chunks.load(Ordering::Relaxed) >= most;
    let again = run(works, &query, &mut thread, &memory, &Totals::default(), is_stopped);
    assert!(again.is_ok_and(|again| again.is_empty()), "no other pages are needed");
    let shown = query.finish(vec![thread.gathered]).unwrap().len();
    let read = stored.spent.chunks.load(Ordering::Relaxed);
    // All ten have the same rows.
    assert_eq!(shown, if read == 0 { 0 } else { ROWS as usize });
    read
}

#[test]
fn a_query_that_nobody_waits_for_reads_no_further_chunk() {
    for (most, read) in [(0, 0), (1, 1), (4, 4), (100, 10)] {
        assert_eq!(read_until(most), read, "stopped at {most}");
    }
}
