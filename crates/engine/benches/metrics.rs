//! Measures metric queries over chunks in memory: how fast rows become samples, once their pages are there.
//!
//! `cargo bench -p larch-engine [-- ROUNDS]`. The lines are made here, as request logs in JSON and logfmt and
//! as lines of a server look. One thread does everything, and its CPU time counts; of some rounds (5 if not said
//! otherwise) the fastest.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says so by panicking")]

use std::fs;
use std::sync::Arc;

use bytes::Bytes;
use larch_engine::{ChunkRows, KnownStream, MetricQuery, Overlaps, Seen, StreamRows, StreamTable};
use larch_logql::{EvalLimits, Steps, parse_metric};
use larch_segment::{Chunk, Columns, Decoder, Effort, Provenance, Row, RowStamp, Segment, SegmentBuilder};
use larch_types::{ByteSize, Labels, NodeId, PushStamp, SegmentId, Span, StreamId, Timestamp};

/// The allocator of the binaries.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const STREAMS: usize = 8;
const ROWS: usize = 40_000;
const HOURS: i64 = 4;

const QUERIES: [(&str, &str, &str); 9] = [
    (
        "json, filter, by status",
        "json",
        "sum by (status) (count_over_time({app=~\".+\"} | json | status >= 400 [1h]))",
    ),
    (
        "json, quantile",
        "json",
        "quantile_over_time(0.99, {app=~\".+\"} | json | unwrap duration_ms [1h]) by (app)",
    ),
    ("json, average", "json", "avg_over_time({app=~\".+\"} | json | unwrap duration_ms [1h]) by (app)"),
    (
        "json, top users",
        "json",
        "topk(10, sum by (user_id) (count_over_time({app=~\".+\"} | json | keep user_id [4h])))",
    ),
    (
        "logfmt, by level",
        "logfmt",
        "sum by (level) (count_over_time({app=~\".+\"} | logfmt | org < 250 [1h]))",
    ),
    (
        "pattern, by level",
        "text",
        "sum by (lvl) (count_over_time({app=~\".+\"} | pattern \"[<_>] [<lvl>] <_>\" [1h]))",
    ),
    ("substring", "json", "sum(count_over_time({app=~\".+\"} |= \"error\" [1h]))"),
    ("substring, no case", "json", "sum(count_over_time({app=~\".+\"} |~ \"(?i)ERROR\" [1h]))"),
    ("regex", "text", "sum(count_over_time({app=~\".+\"} |~ \"worker.*slot \\\\d+\" [1h]))"),
];

fn main() {
    let rounds = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(5);
    println!("{:<26} {:>9} {:>9} {:>12}", "query", "ns a row", "MB/s raw", "told by form");
    for kind in ["json", "logfmt", "text"] {
        let data = Data::new(kind);
        for (name, _, query) in QUERIES.iter().filter(|(_, of, _)| *of == kind) {
            measure(name, query, &data, rounds);
        }
    }
}

fn measure(name: &str, text: &str, data: &Data, rounds: usize) {
    let metric = parse_metric(text).unwrap();
    let start = Timestamp::from_secs(0);
    let steps = Steps::range(start, start.plus(Span::from_hours(HOURS)), Span::from_hours(1)).unwrap();
    let limits = EvalLimits { max_series: 100_000, max_range: None, max_memory: ByteSize::mib(1024) };
    let (mut best, mut told) = (f64::INFINITY, 0);
    for _ in 0..rounds {
        let query = MetricQuery::new(&metric, steps, start, &limits).unwrap();
        let shared = (&query.memory(), &Seen::new());
        let (mut gathered, mut decoder) = (query.gathered(), Decoder::new());
        let begun = cpu_seconds();
        for (number, rows) in data.rows.iter().enumerate() {
            let chunk = data.chunk(number as u32);
            query.read_chunk(&[0], rows, &chunk, &mut decoder, &mut gathered, shared).unwrap();
            chunk.give_back(&mut decoder);
        }
        told = gathered.told_by_form();
        query.finish(vec![gathered], &data.table, shared.0, || true).unwrap().unwrap();
        best = best.min(cpu_seconds() - begun);
    }
    let rows = (STREAMS * ROWS) as f64;
    let told = 100.0 * told as f64 / rows;
    println!("{name:<26} {:>9.1} {:>9.0} {told:>10.0} %", best * 1e9 / rows, data.raw as f64 / best / 1e6);
}

/// One segment.
struct Data {
    segment: Segment,
    bytes: Bytes,
    table: StreamTable,
    rows: Vec<ChunkRows>,
    raw: usize,
}

impl Data {
    fn new(kind: &str) -> Self {
        let mut builder = SegmentBuilder::new();
        let (mut table, mut known, mut raw, mut state) = (StreamTable::default(), Vec::new(), 0, 7_u64);
        for number in 0..STREAMS {
            let labels: Labels =
                format!("{{app=\"{}\", pod=\"p{number}\"}}", ["a", "b"][number % 2]).parse().unwrap();
            let stream = builder.stream(&labels).unwrap();
            known.push(table.add(StreamId::of(&labels), labels));
            for row in 0..ROWS as i64 {
                let line = line(kind, &mut state);
                raw += line.len();
                let timestamp = Timestamp::from_nanos(row * HOURS * 3_600_000_000_000 / ROWS as i64);
                let row = Row { timestamp, line: line.as_bytes(), metadata: &[], level: None };
                builder.push(stream, &row, Some(RowStamp { stamp: PushStamp(1), index: 0 })).unwrap();
            }
        }
        let (id, uploader) = (SegmentId::from_u128(1), NodeId::from_u128(1));
        let provenance =
            Provenance { id, uploader, inputs: Vec::new(), siblings: Vec::new(), tombstones: Vec::new() };
        let bytes = Bytes::from(builder.finish(provenance, Effort::Fresh).unwrap().bytes);
        let segment = Segment::open(&bytes, bytes.len() as u64).unwrap();
        let rows = chunk_rows(&segment, &known);
        Self { segment, bytes, table, rows, raw }
    }

    fn chunk(&self, number: u32) -> Chunk {
        let mut fetched = Vec::new();
        for page in self.segment.pages(number, Columns::ALL) {
            let range = page.range.start as usize..page.range.end as usize;
            fetched.push((page, self.bytes.slice(range)));
        }
        self.segment.chunk(number, fetched)
    }
}

fn chunk_rows(segment: &Segment, known: &[Arc<KnownStream>]) -> Vec<ChunkRows> {
    let overlaps = Overlaps::of(Vec::new());
    let (start, end) = (Timestamp::EPOCH, Timestamp::from_secs(HOURS * 3600));
    let mut chunks: Vec<ChunkRows> = (0..segment.chunks().len() as u32)
        .map(|order| ChunkRows { streams: Vec::new(), order, start, end })
        .collect();
    let mut next = vec![0; chunks.len()];
    for ordinal in 0..segment.index().streams() {
        let id = StreamId::of(&segment.index().labels(ordinal).unwrap());
        let stream = known.iter().find(|stream| stream.id == id).unwrap();
        for span in segment.index().spans(ordinal).unwrap() {
            let (chunk, first_row) = (span.chunk as usize, &mut next[span.chunk as usize]);
            let contested = overlaps.of_stream(stream.place);
            let stream = Arc::clone(stream);
            chunks[chunk].streams.push(StreamRows {
                stream,
                first_row: *first_row,
                rows: span.rows,
                contested,
            });
            *first_row += span.rows;
        }
    }
    chunks
}

fn line(kind: &str, state: &mut u64) -> String {
    let mut below = |bound: u64| {
        // Xorshift.
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 8) % bound
    };
    let (level, status) = [("info", 200), ("info", 200), ("warn", 404), ("error", 502)][below(4) as usize];
    let method = ["GET", "POST", "PUT"][below(3) as usize];
    let (user, took, cents, id) = (below(20_000), below(90), below(100), below(1 << 50));
    match kind {
        "json" => format!(
            r#"{{"level":"{level}","msg":"request completed","method":"{method}","path":"/api/v1/orders/{}","status":{status},"duration_ms":{took}.{cents:02},"bytes":{},"user_id":{user},"client_ip":"10.0.{}.{}","trace_id":"{id:016x}{user:016x}","request_id":"req-{id}"}}"#,
            below(5000),
            below(90_000),
            below(64),
            below(255)
        ),
        "logfmt" => format!(
            "ts=2026-10-01T10:{:02}:{:02}.{:03}Z level={level} caller=queue.go:{} msg=\"request served\" method={method} status={status} duration={took}.{cents:02}ms org={} traceID={id:016x}{user:016x}",
            below(60),
            below(60),
            below(1000),
            below(400),
            below(500)
        ),
        _ => format!(
            "[Thu Oct 01 10:{:02}:{:02} 2026] [{level}] {}",
            below(60),
            below(60),
            if took % 2 == 0 {
                format!("mod_jk child workerEnv in error state {}", user % 9)
            } else {
                format!("worker {user} in slot {}", took % 20)
            }
        ),
    }
}

/// That the only thread ran, from the kernel.
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}
