//! Whatever is counted is what the rows are, and whatever is not is in a gap.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use larch_proto::Partition;
use larch_segment::{Effort, Provenance, Row, SegmentBuilder};
use larch_types::{NodeId, SegmentId};
use proptest::prelude::*;

use super::*;

const STREAMS: [&str; 3] = [r#"{app="a"}"#, r#"{app="b"}"#, r#"{app="c"}"#];
const HALF_MINUTE: i64 = NANOS_PER_MINUTE / 2;

/// Stream, half minute, which of the rows of that time, whether it has metadata.
type TestRow = (usize, i64, u8, bool);

fn line(row: &TestRow) -> String {
    // Of stream 1 they are long, so that few rows have a histogram; of others the index alone counts.
    format!("{} {}", row.2, "x".repeat(if row.0 == 1 { 20_000 } else { 2 }))
}

fn segment(id: u128, rows: &BTreeSet<TestRow>) -> (Segment, SegmentEntry) {
    let mut builder = SegmentBuilder::new();
    for row in rows {
        let stream = builder.stream(&STREAMS[row.0].parse().unwrap()).unwrap();
        let (line, pairs) = (line(row), [("pod", "1")]);
        let timestamp = Timestamp::from_nanos(row.1 * HALF_MINUTE);
        let metadata = if row.3 { &pairs[..] } else { &[] };
        let level = Some(if row.2 == 0 { "info" } else { "error" });
        builder.push(stream, &Row { timestamp, line: line.as_bytes(), metadata, level }, None).unwrap();
    }
    let (id, uploader) = (SegmentId::from_u128(id), NodeId::from_u128(id));
    let (inputs, siblings, tombstones) = (Vec::new(), Vec::new(), Vec::new());
    let provenance = Provenance { id, uploader, inputs, siblings, tombstones };
    let bytes: Bytes = builder.finish(provenance, Effort::Fresh).unwrap().bytes.into();
    let segment = Segment::open(&bytes, bytes.len() as u64).unwrap();
    let totals = segment.totals();
    let entry = SegmentEntry {
        id,
        partition: Partition::Wide,
        first: totals.first_time,
        last: totals.last_time,
        rows: totals.rows,
        raw_bytes: totals.raw_bytes,
        uploader,
        object_bytes: bytes.len() as u64,
        footer_offset: segment.tail_offset(),
        footer_bytes: 1,
        embedded: None,
        label_summaries: Vec::new(),
        tombstones_applied: Vec::new(),
    };
    (segment, entry)
}

fn rows() -> impl Strategy<Value = BTreeSet<TestRow>> {
    prop::collection::btree_set((0_usize..3, -3_i64..20, 0_u8..2, prop::bool::weighted(0.05)), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn counts_are_of_rows(
        sources in prop::collection::vec(rows(), 1..4),
        copied in any::<bool>(),
        (start, length, width) in (-4_i64..10, 0_i64..20, 1_u32..4),
        matter in prop_oneof![Just(CountedLabels::default()), Just(CountedLabels::All)],
    ) {
        let mut sources = sources;
        if copied {
            sources.push(sources[0].clone());
        }
        let range = (start * HALF_MINUTE, (start + length) * HALF_MINUTE);
        let bounds = (Timestamp::from_nanos(range.0), Timestamp::from_nanos(range.1));
        let mut counting = Counting::new(bounds, NonZeroU32::new(width).unwrap(), matter.clone());
        for (number, rows) in sources.iter().enumerate() {
            let (segment, entry) = segment(number as u128 + 1, rows);
            counting.add(&segment, &entry, &OrdinalSet::all(segment.index().streams())).unwrap();
        }
        let width = i64::from(width) * NANOS_PER_MINUTE;
        // What rows come to, by stream and cell: rows, bytes, rows of errors.
        let mut want: BTreeMap<(String, i64), (u64, u64, u64)> = BTreeMap::new();
        let mut with_metadata = BTreeSet::new();
        for row in sources.iter().flatten().collect::<BTreeSet<_>>() {
            let end = (row.1 * HALF_MINUTE - 1).div_euclid(width) * width + width;
            if end - width + 1 < range.0 || end >= range.1 {
                continue;
            }
            let cell = want.entry((STREAMS[row.0].to_owned(), end)).or_default();
            *cell = (cell.0 + 1, cell.1 + line(row).len() as u64, cell.2 + u64::from(row.2 == 1));
            if row.3 {
                with_metadata.insert((STREAMS[row.0].to_owned(), end));
            }
        }
        let mut gaps = Vec::new();
        for part in counting.finish() {
            for gap in &part.gaps {
                gaps.push((part.streams[gap.stream as usize].clone(), gap.start.nanos(), gap.end.nanos()));
                prop_assert!(gap.start.nanos() % width == 0 && gap.end.nanos() % width == 0 && gap.rows > 0);
            }
            for cell in &part.cells {
                let key = (part.streams[cell.stream as usize].clone(), cell.end.nanos());
                prop_assert!(matter == CountedLabels::default() || !with_metadata.contains(&key));
                let (rows, bytes, errors) = want.remove(&key).unwrap();
                prop_assert_eq!((cell.rows, cell.bytes), (rows, bytes));
                let error = part.levels.iter().position(|level| level == "error").map(|place| place as u32);
                let of_errors = cell.levels.iter().find(|count| count.level.is_some() && count.level == error);
                if matter == CountedLabels::All {
                    prop_assert_eq!(of_errors.map_or(0, |count| count.rows), errors);
                }
            }
        }
        // Nothing that is counted is in a gap too, and all else is.
        for (stream, end) in want.into_keys() {
            let is_in = |gap: &(String, i64, i64)| gap.0 == stream && gap.1 < end && end <= gap.2;
            prop_assert!(gaps.iter().any(is_in), "{} {}", stream, end);
        }
    }
}

/// Streams of a row or two have no histogram, and are counted all the same, if nothing has copies of them.
#[test]
fn streams_of_few_rows_are_counted() {
    let rows = |stream: usize, halves: &[i64]| -> BTreeSet<TestRow> {
        halves.iter().map(|half| (stream, *half, 0, false)).collect()
    };
    let count = |sources: &[BTreeSet<TestRow>], minutes: u32, matter: CountedLabels| {
        let range = (Timestamp::EPOCH, Timestamp::from_secs(1200));
        let mut counting = Counting::new(range, NonZeroU32::new(minutes).unwrap(), matter);
        for (number, rows) in sources.iter().enumerate() {
            let (segment, entry) = segment(number as u128 + 1, rows);
            counting.add(&segment, &entry, &OrdinalSet::all(segment.index().streams())).unwrap();
        }
        let parts: Vec<HistogramBatch> = counting.finish().collect();
        let cells =
            parts.iter().flat_map(|part| &part.cells).map(|cell| (cell.rows, cell.bytes, cell.digest));
        let gaps = parts.iter().flat_map(|part| &part.gaps).map(|gap| gap.rows);
        (cells.collect::<Vec<_>>(), gaps.collect::<Vec<_>>())
    };
    let none = CountedLabels::default;
    let (one, other) = (rows(0, &[1, 2, 9]), rows(0, &[12, 15]));
    assert_eq!(count(&[one.clone(), other.clone()], 10, none()), (vec![(5, 20, None)], vec![]));
    assert_eq!(count(&[one.clone(), rows(2, &[3])], 10, none()).0, [(3, 12, None), (1, 4, None)]);
    // A border lies between the first and the last row.
    assert_eq!(count(std::slice::from_ref(&one), 2, none()), (vec![], vec![3]));
    // Whether these are copies nobody knows.
    assert_eq!(count(&[one.clone(), one.clone()], 10, none()), (vec![], vec![6]));
    // Levels are in histograms only.
    assert_eq!(count(&[one], 10, CountedLabels::All), (vec![], vec![3]));
}

/// A stream whose rows are cut by an upload in the middle of a minute is counted.
#[test]
fn a_cut_is_no_gap() {
    let rows = |from: i64, to: i64| (from..to).map(|half| (1, half, 0, false)).collect::<BTreeSet<TestRow>>();
    let mut counting =
        Counting::new((Timestamp::EPOCH, Timestamp::from_secs(600)), NonZeroU32::MIN, CountedLabels::All);
    for (number, rows) in [rows(1, 6), rows(6, 12)].iter().enumerate() {
        let (segment, entry) = segment(number as u128 + 1, rows);
        counting.add(&segment, &entry, &OrdinalSet::all(1)).unwrap();
    }
    let parts: Vec<HistogramBatch> = counting.finish().collect();
    let cells: Vec<u64> = parts.iter().flat_map(|part| &part.cells).map(|cell| cell.rows).collect();
    assert_eq!((cells.as_slice(), parts[0].gaps.len()), (&[2, 2, 2, 2, 2, 1][..], 0));
}
