//! What goes into a segment comes out of it, every row exactly and in order.

use proptest::prelude::*;

use super::*;
use crate::testing::{OwnedRow, build, labels, model, provenance, read};
use crate::{Columns, Decoder, Segment, verify};

#[track_caller]
fn check(rows: &[(Labels, OwnedRow)]) -> Segment {
    let want = model(rows);
    let mut last = None;
    for effort in [Effort::Fresh, Effort::Merged] {
        let object = build(rows, effort);
        let got = read(&object);
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(&want) {
            assert!(got == want, "got {:.300?}, want {:.300?}", got, want);
        }
        last = Some(verify(&object).unwrap());
    }
    last.unwrap()
}

fn any_row() -> impl Strategy<Value = OwnedRow> {
    let time = prop_oneof![0_i64..4, any::<i64>(), 0_i64..i64::MAX];
    let line = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20),
        prop::collection::vec(0_u8..2, 0..2),
        "[a-c=0-9]{0,30}".prop_map(String::into_bytes),
    ];
    let metadata = prop::collection::vec(("[a-c]", "\\PC{0,3}|[0-9]{1,3}"), 0..4);
    let level = prop::option::of("info|warn|\\PC{0,2}");
    let stamp = (0_u128..4, 0_u32..4);
    (time, stamp, line, metadata, level).prop_map(|(time, stamp, line, metadata, level)| OwnedRow {
        time,
        stamp,
        line,
        metadata,
        level,
    })
}

fn stream(number: usize) -> Labels {
    labels(&[("app", ["a", "b"][number % 2]), ("pod", &number.to_string())])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn rows_come_back_in_order(rows in prop::collection::vec((0_usize..5, any_row()), 0..80)) {
        // Two doubles with one stamp cannot be told apart by a model that knows no level.
        let mut rows: Vec<(Labels, OwnedRow)> = rows.into_iter().map(|(number, row)| (stream(number), row)).collect();
        for (index, (_, row)) in rows.iter_mut().enumerate() {
            row.stamp.1 = row.stamp.1 << 16 | index as u32;
        }
        check(&rows);
    }
}

#[test]
fn nothing() {
    let segment = check(&[]);
    assert_eq!(segment.totals().rows, 0);
    assert!(segment.filter().is_none());
}

#[test]
fn extremes() {
    let mut rows = Vec::new();
    for (index, time) in [0, i64::MAX, 9_223_372_036_000_000_000, 1, 0].into_iter().enumerate() {
        let mut row = OwnedRow::new(time, "");
        row.stamp = (index as u128, 0);
        row.metadata = (0..128).map(|n| (format!("name_{n}"), format!("value {n} {index}"))).collect();
        rows.push((stream(0), row));
        rows.push((stream(1), OwnedRow::new(time, vec![0xff, 0, 0xfe, b'\n', index as u8])));
        rows.push((stream(2), OwnedRow::new(time, vec![b'a' + index as u8; 1 << 20])));
    }
    let segment = check(&rows);
    assert!(segment.chunks().len() >= 5, "lines of 1 MiB close chunks");
    assert_eq!(segment.totals().streams, 3);
}

#[test]
fn a_shape_for_every_row() {
    let mut rows = Vec::new();
    for time in 0..400 {
        let mut row = OwnedRow::new(time, "x");
        row.stamp = (1, time as u32);
        row.metadata = (0..3).map(|n| (format!("name_{}", time * 3 + n), n.to_string())).collect();
        rows.push((stream(0), row));
    }
    check(&rows);
}

#[test]
fn many_streams() {
    let mut rows = Vec::new();
    for number in 0..100_000 {
        let labels = labels(&[("app", ["a", "b", "c"][number % 3]), ("pod", &format!("pod-{number:x}"))]);
        rows.push((labels, OwnedRow::new(number as i64, format!("line of {number}"))));
    }
    let object = build(&rows, Effort::Fresh);
    assert!(read(&object) == model(&rows));
}

/// Ties keep their stamps on both sides of the border between two chunks.
#[test]
fn ties_over_a_border() {
    let mut rows = Vec::new();
    for index in 0..2 * MAX_CHUNK_ROWS as u32 {
        let mut row = OwnedRow::new(if index == 5 { 0 } else { 1 }, format!("{index}"));
        row.stamp = (u128::from(index % 7), index);
        rows.push((stream(0), row));
    }
    check(&rows);
}

#[test]
fn the_order_is_checked() {
    let mut writer = SegmentWriter::new(provenance(), Effort::Fresh);
    let row = |time, line| Row { timestamp: Timestamp::from_nanos(time), line, metadata: &[], level: None };
    assert_eq!(writer.push(&row(0, b""), None), Err(WriteError::NoStream));
    writer.start_stream(&labels(&[("app", "b")])).unwrap();
    writer.push(&row(5, b""), None).unwrap();
    assert_eq!(writer.push(&row(4, b""), None), Err(WriteError::RowOrder));
    assert_eq!(writer.start_stream(&labels(&[("app", "a")])), Err(WriteError::StreamOrder));
    assert_eq!(writer.start_stream(&labels(&[("app", "b")])), Err(WriteError::StreamOrder));
    let long = vec![0; crate::MAX_LINE_BYTES + 1];
    assert_eq!(writer.push(&row(6, &long), None), Err(RowError::LineTooLong(long.len()).into()));
    assert_eq!(writer.finish().totals.rows, 1);
}

/// What is taken away while the writer works, and what it ends with, are one object.
#[test]
fn bytes_can_be_taken_away() {
    let mut writer = SegmentWriter::new(provenance(), Effort::Fresh);
    writer.start_stream(&labels(&[("app", "a")])).unwrap();
    let mut object = Vec::new();
    for time in 0..40_000_i64 {
        let line = format!("{time} {}", "x".repeat(time as usize % 300));
        let timestamp = Timestamp::from_nanos(time);
        writer.push(&Row { timestamp, line: line.as_bytes(), metadata: &[], level: None }, None).unwrap();
        object.extend(writer.take_bytes());
    }
    object.extend(writer.finish().bytes);
    let segment = verify(&object.into()).unwrap();
    assert_eq!(segment.totals().rows, 40_000);
}

#[test]
fn histograms_count_the_rows() {
    let mut rows = Vec::new();
    for index in 0..1000_u32 {
        let mut row = OwnedRow::new(i64::from(index) * 200_000_000, format!("line {index}"));
        row.level = (index % 3 == 0).then(|| "warn".to_owned());
        rows.push((stream(0), row.clone()));
        if index % 100 == 0 {
            rows.push((stream(1), row));
        }
    }
    let segment = check(&rows);
    let histograms = segment.histograms().unwrap();
    let of = |stream| {
        let mut one = crate::OrdinalSet::none(2);
        one.insert(stream);
        histograms.of(&one).unwrap()
    };
    let counts = of(0);
    let (_, minutes) = &counts.streams[0];
    assert_eq!(minutes[0].rows(), 1, "the minute that ends at 1970");
    assert_eq!(minutes[1].rows(), 300);
    let warn = counts.levels.iter().position(|level| level == "warn").unwrap();
    assert_eq!(minutes[1].levels.iter().find(|count| count.level as usize == warn).unwrap().rows, 100);
    assert_eq!(minutes.iter().map(crate::MinuteCount::rows).sum::<u64>(), 1000);
    assert_eq!(of(1).streams, [], "too few rows a minute");
}

#[test]
fn columns_of_metadata() {
    let mut rows = Vec::new();
    for index in 0..300_u32 {
        let mut row = OwnedRow::new(i64::from(index), "x");
        row.metadata = vec![("status".into(), (200 + index % 3).to_string())];
        if index % 2 == 0 {
            row.metadata.push(("trace".into(), format!("{index:032x}")));
            row.metadata.push(("twice".into(), "1".into()));
            row.metadata.push(("twice".into(), "2".into()));
        }
        rows.push((stream(0), row));
    }
    check(&rows);
    let object = build(&rows, Effort::Fresh);
    let segment = Segment::open(&object, object.len() as u64).unwrap();
    let chunk = segment.chunk_of(&object, 0, Columns { metadata: true, ..Columns::default() }).unwrap();
    let mut decoder = Decoder::new();
    assert_eq!(chunk.metadata_names(&mut decoder).unwrap().len(), 3);
    let crate::NamedColumn::One(status) = chunk.metadata_column("status", &mut decoder).unwrap() else {
        panic!("status is a column");
    };
    assert_eq!(status.texts().entries(), 3, "a dictionary");
    assert_eq!(status.get(4), Some("201"));
    let crate::NamedColumn::One(trace) = chunk.metadata_column("trace", &mut decoder).unwrap() else {
        panic!("trace is a column");
    };
    assert_eq!((trace.get(1), trace.get(2)), (None, Some(format!("{:032x}", 2).as_str())));
    assert!(matches!(chunk.metadata_column("twice", &mut decoder).unwrap(), crate::NamedColumn::Several));
    assert!(matches!(chunk.metadata_column("no", &mut decoder).unwrap(), crate::NamedColumn::Absent));
    assert!(chunk.lines(&mut decoder).is_err(), "was not fetched");
}
