//! Measures what segments are for: how fast rows become one, how small it is, how fast it is searched.
//!
//! `cargo bench -p larch-segment -- FILE [ROUNDS]`, FILE being push bodies one behind the other, each a
//! 4-byte little-endian length and a snappy-compressed protobuf push. Times are CPU time of this process,
//! which does everything on one thread. Other work on the machine still takes caches and clock away, so
//! everything is done in rounds (3 if not said otherwise) and the fastest one counts.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints what it measured")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on says so by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;

use bytes::Bytes;
use larch_segment::{
    Arena, ArenaLimits, Built, Columns, Decoder, Effort, Frozen, Lines, Provenance, PushPart, Row, RowStamp,
    Segment, SegmentBuilder, Selector, Test, WriteError, inspect,
};
use larch_types::{Labels, NodeId, PushStamp, SegmentId, StreamId, Timestamp};
use memchr::memmem;

/// The allocator of the binaries: another one gives a page of 1 MiB back to the system each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Raw bytes after which an ingester cuts.
const CUT_BYTES: usize = 64 << 20;

/// Literals that few lines have: numbers in the middle of lines, the middle of ids, rare words.
const RARE_LITERALS: [&str; 4] =
    ["user_id\":777", "generation 77", "feed", "Failed password for invalid user mira"];

fn main() {
    let files: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let Some(file) = files.first() else {
        eprintln!(
            "nothing measured: name a file of push bodies, `cargo bench -p larch-segment -- FILE`; each body is \
             a 4-byte little-endian length and a snappy-compressed protobuf push request"
        );
        return;
    };
    let rounds = files.get(1).map_or(3, |rounds| rounds.parse().unwrap());
    let pushes = load(file);
    let raw: usize = pushes.iter().flat_map(|push| &push.streams).map(Stream::raw_bytes).sum();
    println!("{} pushes, {:.1} MiB raw", pushes.len(), mib(raw as u64));
    index_of_many_streams();
    arena_of_many_streams(100_000);
    arena_of_many_streams(1_000_000);
    let cuts = fill(&pushes, raw, rounds);
    let fresh = write_fresh(&cuts, raw, rounds);
    search(&fresh, &pushes, raw, rounds);
    let merged = write_merged(&cuts, raw, rounds);
    drop(cuts);
    stamps_of_small_pushes(&pushes);
    search(&[merged], &pushes, raw, rounds);
}

// === Input

struct Push {
    body: Vec<u8>,
    streams: Vec<Stream>,
}

struct Stream {
    labels: Labels,
    rows: Vec<(i64, Range<usize>)>,
}

impl Stream {
    fn raw_bytes(&self) -> usize {
        self.rows.iter().map(|(_, line)| line.len()).sum()
    }
}

fn load(file: &str) -> Vec<Push> {
    let data = fs::read(file).unwrap_or_else(|error| panic!("read {file}: {error}"));
    let mut pushes = Vec::new();
    let mut rest = data.as_slice();
    while let Some((len, tail)) = rest.split_first_chunk::<4>() {
        let (body, tail) = tail.split_at(u32::from_le_bytes(*len) as usize);
        let body = snap::raw::Decoder::new().decompress_vec(body).unwrap();
        let streams = fields(&body, 0..body.len()).map(|(_, stream)| read_stream(&body, stream)).collect();
        pushes.push(Push { body, streams });
        rest = tail;
    }
    pushes
}

fn read_stream(body: &[u8], stream: Range<usize>) -> Stream {
    let mut labels = Labels::default();
    let mut rows = Vec::new();
    for (number, part) in fields(body, stream) {
        match number {
            1 => labels = read_labels(std::str::from_utf8(&body[part]).unwrap()),
            _ => {
                let mut time = 0;
                let mut line = 0..0;
                for (number, part) in fields(body, part) {
                    match number {
                        1 => time = read_time(&body[part]),
                        _ => line = part,
                    }
                }
                rows.push((time, line));
            }
        }
    }
    Stream { labels, rows }
}

/// `{a="b", c="d"}`, without escapes.
fn read_labels(text: &str) -> Labels {
    let inner = text.trim_start_matches('{').trim_end_matches('}');
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), value.trim_matches('"').to_owned())
    };
    Labels::from_pairs(inner.split(", ").map(pair)).unwrap()
}

fn read_time(bytes: &[u8]) -> i64 {
    let (mut at, mut time) = (0, 0);
    while at < bytes.len() {
        let number = varint(bytes, &mut at) >> 3;
        let value = varint(bytes, &mut at) as i64;
        time += if number == 1 { value * 1_000_000_000 } else { value };
    }
    time
}

/// Length-delimited fields of a message.
fn fields(body: &[u8], range: Range<usize>) -> impl Iterator<Item = (u64, Range<usize>)> {
    let mut at = range.start;
    std::iter::from_fn(move || {
        if at >= range.end {
            return None;
        }
        let key = varint(body, &mut at);
        let len = varint(body, &mut at) as usize;
        at += len;
        Some((key >> 3, at - len..at))
    })
}

fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
        shift += 7;
    }
}

// === What is measured

fn fill(pushes: &[Push], raw: usize, rounds: usize) -> Vec<Frozen> {
    let parts: Vec<(StreamId, Vec<Row<'_>>)> = pushes
        .iter()
        .flat_map(|push| push.streams.iter().map(move |stream| (push, stream)))
        .map(|(push, stream)| {
            (StreamId::of(&stream.labels), stream.rows.iter().map(|row| row_of(push, row)).collect())
        })
        .collect();
    let (cuts, memory) = best("push into the arena and cut", raw, rounds, || fill_once(pushes, &parts));
    println!("arena: {:.3} bytes of memory for a raw byte held", memory as f64 / raw as f64);
    cuts
}

fn fill_once(pushes: &[Push], parts: &[(StreamId, Vec<Row<'_>>)]) -> (Vec<Frozen>, usize) {
    let arena = Arena::new(ArenaLimits { row_bytes: 4 * CUT_BYTES, stream_bytes: CUT_BYTES });
    let (mut cuts, mut memory) = (Vec::new(), 0);
    let mut parts = parts.iter();
    for (number, push) in pushes.iter().enumerate() {
        let mut first_index = 0;
        for (stream, (id, rows)) in push.streams.iter().zip(&mut parts) {
            let stamp = PushStamp(number as u128);
            let part = PushPart { labels: &stream.labels, id: *id, stamp, first_index, rows };
            arena.apply(&part);
            first_index += rows.len() as u32;
        }
        if arena.held().raw_bytes >= CUT_BYTES || number + 1 == pushes.len() {
            memory += arena.held().memory_bytes;
            cuts.extend(arena.cut());
        }
    }
    (cuts, memory)
}

fn row_of<'a>(push: &'a Push, (time, line): &(i64, Range<usize>)) -> Row<'a> {
    let timestamp = Timestamp::from_nanos(*time);
    Row { timestamp, line: &push.body[line.clone()], metadata: &[], level: None }
}

/// What stamps take where agents push often: so many rows of each stream at a time, each time in a push of
/// its own. The stamps are milliseconds, and a low half that is drawn each time or by ten distributors.
fn stamps_of_small_pushes(pushes: &[Push]) {
    for (rows_at_once, makers) in
        [(1, 10), (10, 10), (100, 10), (1, u64::MAX), (10, u64::MAX), (100, u64::MAX)]
    {
        let mut builder = SegmentBuilder::new();
        let mut dice = 0x2545_f491_4f6c_dd1d_u64;
        for stream in pushes[..pushes.len().min(100)].iter().flat_map(|push| &push.streams) {
            let place = builder.stream(&stream.labels).unwrap();
            for rows in stream.rows.chunks(rows_at_once) {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let millis = rows[rows.len() - 1].0 as u64 / 1_000_000 + (dice >> 32) % 500;
                let low = (dice % makers).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let stamp = PushStamp(u128::from(millis) << 80 | u128::from(low));
                for (index, (time, _)) in rows.iter().enumerate() {
                    let timestamp = Timestamp::from_nanos(*time);
                    let row = Row { timestamp, line: &time.to_le_bytes(), metadata: &[], level: None };
                    let index = (dice >> 40) as u32 % 100 + index as u32;
                    builder.push(place, &row, Some(RowStamp { stamp, index })).unwrap();
                }
            }
        }
        let rows = builder.rows();
        let object = Bytes::from(builder.finish(provenance(0), Effort::Fresh).unwrap().bytes);
        let segment = Segment::open(&object, object.len() as u64).unwrap();
        let sizes = inspect(&segment).sizes;
        let stamps = sizes.iter().find(|size| size.section.is_some_and(|section| section.name() == "stamps"));
        let bytes = stamps.unwrap().bytes as f64 / rows as f64;
        println!(
            "stamps, {rows_at_once} rows of a stream a push, {makers} low halves: {bytes:.2} bytes a row"
        );
    }
}

fn write_fresh(cuts: &[Frozen], raw: usize, rounds: usize) -> Vec<Bytes> {
    let objects = best("fresh: sort, encode, index, filter", raw, rounds, || {
        let write = |(number, cut): (usize, &Frozen)| write(cut, provenance(number));
        cuts.iter().enumerate().map(write).collect::<Vec<Built>>()
    });
    objects.into_iter().map(sizes_of(cuts.len())).collect()
}

/// All rows in one segment, as a merge writes them.
fn write_merged(cuts: &[Frozen], raw: usize, rounds: usize) -> Bytes {
    let mut built = None;
    let mut fastest = f64::INFINITY;
    for _ in 0..rounds {
        let builder = collect(cuts);
        let watch = Watch::start();
        built = Some(builder.finish(provenance(0), Effort::Merged).unwrap());
        fastest = fastest.min(watch.seconds());
    }
    report("merged: sort, encode, index, filter", fastest, raw);
    sizes_of(1)(built.unwrap())
}

fn collect(cuts: &[Frozen]) -> SegmentBuilder {
    let mut builder = SegmentBuilder::new();
    let mut decoder = Decoder::new();
    for cut in cuts {
        let snapshot = cut.snapshot();
        for chunk in snapshot.chunks() {
            let stamps = chunk.stamps(&mut decoder).unwrap();
            let lines = chunk.lines(&mut decoder).unwrap();
            for run in chunk.streams(&mut decoder).unwrap() {
                let stream = builder.stream(&snapshot.labels(run.stream)).unwrap();
                for row in run.range() {
                    let timestamp = Timestamp::from_nanos(chunk.times().unwrap()[row]);
                    let line = Row { timestamp, line: lines.get(row), metadata: &[], level: None };
                    builder.push(stream, &line, stamps.get(row)).unwrap();
                }
            }
        }
    }
    builder
}

/// Adds up sizes by section and prints them behind the last of so many segments.
fn sizes_of(count: usize) -> impl FnMut(Built) -> Bytes {
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    let (mut seen, mut total) = (0, 0);
    move |built| {
        let object = Bytes::from(built.bytes);
        let segment = Segment::open(&object, object.len() as u64).unwrap();
        for size in inspect(&segment).sizes {
            let name = size.section.map_or("unknown", |section| section.name()).to_owned();
            *sizes.entry(name).or_default() += size.bytes;
        }
        seen += 1;
        total += object.len() as u64;
        if seen == count {
            println!("{count} segments, {:.2} MiB:", mib(total));
            for (name, bytes) in &sizes {
                println!("  {name:14} {:9.3} MiB", mib(*bytes));
            }
        }
        object
    }
}

fn search(objects: &[Bytes], pushes: &[Push], raw: usize, rounds: usize) {
    let segments: Vec<Segment> =
        objects.iter().map(|object| Segment::open(object, object.len() as u64).unwrap()).collect();
    let chunks: usize = segments.iter().map(|segment| segment.chunks().len()).sum();
    let rows: u64 = segments.iter().map(|segment| segment.totals().rows).sum();
    println!("{} segments with {chunks} chunks and {rows} rows", segments.len());
    for literal in RARE_LITERALS {
        let what = format!("scan for {literal:?}");
        let found = best(&what, raw, rounds, || scan(&segments, objects, literal.as_bytes()));
        println!("  in {:.3} % of lines", found as f64 / rows as f64 * 100.0);
    }
    best("put every line together", raw, rounds, || {
        for_each_chunk(&segments, objects, |lines| lines.buffer().len())
    });
    let present = trace_id(pushes);
    for (what, needle) in [("present", present.as_str()), ("absent", "00112233445566778899aabbccddeeff")] {
        let (touched, millis) = repeated(|| {
            let each = segments.iter().zip(objects);
            each.map(|(segment, object)| candidates(segment, object, needle)).sum::<usize>()
        });
        println!("{what} trace id: {touched} of {chunks} chunks, {millis:.2} ms");
    }
}

/// Finds the lines, and reads those.
fn scan(segments: &[Segment], objects: &[Bytes], needle: &[u8]) -> usize {
    let finder = memmem::Finder::new(needle);
    for_each_chunk(segments, objects, |lines| {
        let rows = lines.rows_with(&finder);
        let picked = lines.pick(&rows);
        assert!((0..rows.len()).all(|number| finder.find(picked.get(number)).is_some()));
        rows.len()
    })
}

fn for_each_chunk(segments: &[Segment], objects: &[Bytes], each: impl Fn(Lines<'_>) -> usize) -> usize {
    let mut decoder = Decoder::new();
    let mut sum = 0;
    for (segment, object) in segments.iter().zip(objects) {
        for chunk in 0..segment.chunks().len() as u32 {
            let columns = Columns { lines: true, ..Columns::default() };
            let chunk = segment.chunk_of(object, chunk, columns).unwrap();
            sum += each(chunk.lines(&mut decoder).unwrap());
        }
    }
    sum
}

fn candidates(segment: &Segment, object: &Bytes, needle: &str) -> usize {
    let probe = segment.filter().unwrap().substring(needle.as_bytes());
    let pages: Vec<Bytes> =
        probe.ranges().map(|range| object.slice(range.start as usize..range.end as usize)).collect();
    probe.chunks(&pages).unwrap().len()
}

/// Some trace id of the second half.
fn trace_id(pushes: &[Push]) -> String {
    let finder = memmem::Finder::new(b"\"trace_id\":\"");
    for push in &pushes[pushes.len() / 2..] {
        if let Some(at) = finder.find(&push.body) {
            let start = at + finder.needle().len();
            return String::from_utf8_lossy(&push.body[start..start + 32]).into_owned();
        }
    }
    "no trace id in this file".to_owned()
}

fn index_of_many_streams() {
    let mut builder = SegmentBuilder::new();
    for number in 0..100_000 {
        let stream = builder.stream(&many_labels(number)).unwrap();
        builder.push(stream, &short_row(number), None).unwrap();
    }
    let object = Bytes::from(builder.finish(provenance(0), Effort::Fresh).unwrap().bytes);
    for_each_selector(|what, selector| {
        let (spans, millis) = repeated(|| {
            let segment = Segment::open(&object, object.len() as u64).unwrap();
            let set = segment.index().select(&[selector]).unwrap();
            set.iter().map(|stream| segment.index().spans(stream).unwrap().len()).sum::<usize>()
        });
        println!("index of 100,000 streams, opened for the question, {what}: {spans} spans, {millis:.2} ms");
    });
}

fn arena_of_many_streams(count: u32) {
    let arena = Arena::new(ArenaLimits { row_bytes: usize::MAX, stream_bytes: usize::MAX });
    let labels: Vec<Labels> = (0..count).map(many_labels).collect();
    let watch = Watch::start();
    for (number, labels) in labels.iter().enumerate() {
        let rows = [short_row(number as u32)];
        let (id, stamp) = (StreamId::of(labels), PushStamp(number as u128));
        arena.apply(&PushPart { labels, id, stamp, first_index: 0, rows: &rows });
    }
    let micros = watch.seconds() * 1e6 / f64::from(count);
    let held = arena.held();
    let bytes = held.stream_bytes / held.streams;
    println!(
        "arena of {count} streams: {bytes} bytes and {micros:.2} microseconds a stream with its first row"
    );
    let snapshot = arena.snapshot();
    for_each_selector(|what, selector| {
        let (streams, millis) = repeated(|| snapshot.select(&[selector]).len());
        println!("arena of {count} streams, {what}: {streams} streams, {millis:.2} ms");
    });
}

fn many_labels(number: u32) -> Labels {
    Labels::from_pairs([
        ("app", format!("app-{}", number % 200)),
        ("env", ["prod", "staging"][number as usize % 2].to_owned()),
        ("pod", format!("pod-{:08x}", number.wrapping_mul(2_654_435_761))),
    ])
    .unwrap()
}

fn short_row(number: u32) -> Row<'static> {
    Row { timestamp: Timestamp::from_nanos(i64::from(number)), line: b"x", metadata: &[], level: None }
}

fn for_each_selector(each: impl Fn(&str, Selector<'_>)) {
    let contains = |pod: &str| pod.contains("00f");
    each("app=\"app-7\"", Selector { name: "app", test: Test::Is("app-7") });
    each("one pod", Selector { name: "pod", test: Test::Is("pod-9e3779b1") });
    each("a predicate over all pods", Selector { name: "pod", test: Test::Passes(&contains) });
}

fn write(cut: &Frozen, provenance: Provenance) -> Built {
    let mut bytes = Vec::new();
    let put = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok::<(), WriteError>(())
    };
    let totals = cut.write(|_| true, provenance, Effort::Fresh, put).unwrap();
    Built { bytes, totals }
}

fn provenance(number: usize) -> Provenance {
    Provenance {
        id: SegmentId::from_u128(number as u128 + 1),
        uploader: NodeId::from_u128(1),
        inputs: Vec::new(),
        siblings: Vec::new(),
        tombstones: Vec::new(),
    }
}

// === Time

/// Milliseconds that it takes on average: the kernel counts CPU time in steps of some.
fn repeated(mut run: impl FnMut() -> usize) -> (usize, f64) {
    const TIMES: usize = 100;
    let watch = Watch::start();
    let mut result = 0;
    for _ in 0..TIMES {
        result = run();
    }
    (result, watch.seconds() * 1000.0 / TIMES as f64)
}

/// The fastest of so many rounds; the result is that of the last one.
fn best<T>(what: &str, raw: usize, rounds: usize, mut run: impl FnMut() -> T) -> T {
    let mut fastest = f64::INFINITY;
    let mut result = None;
    for _ in 0..rounds {
        drop(result.take());
        let watch = Watch::start();
        result = Some(run());
        fastest = fastest.min(watch.seconds());
    }
    report(what, fastest, raw);
    result.unwrap()
}

fn report(what: &str, seconds: f64, raw: usize) {
    println!("{what}: {seconds:.3} s, {:.0} MB/s", mib(raw as u64) / seconds);
}

/// CPU time of this process.
struct Watch(u64);

impl Watch {
    fn start() -> Self {
        Self(Self::now())
    }

    fn seconds(&self) -> f64 {
        (Self::now() - self.0) as f64 / 1e9
    }

    /// Nanoseconds that the only thread ran, from the kernel.
    fn now() -> u64 {
        let text = fs::read_to_string("/proc/self/schedstat").unwrap();
        text.split(' ').next().unwrap().parse().unwrap()
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
