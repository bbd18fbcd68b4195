//! An arena gives back what a segment would, while it is written and after.

use std::sync::atomic::{AtomicBool, Ordering};

use larch_types::ErrorKind;
use proptest::prelude::*;

use super::*;
use crate::memory::room::ROW_OVERHEAD;
use crate::testing::{OwnedRow, build, labels, model, provenance, read, read_chunk};
use crate::writer::Built;
use crate::{Decoder, RowStamp, Selector, Test, verify};

const ROOMY: ArenaLimits = ArenaLimits { row_bytes: 64 << 20, stream_bytes: 16 << 20 };

fn push(arena: &Arena, labels: &Labels, rows: &[OwnedRow]) -> Result<Pushed, PushError> {
    let mut all = Pushed::default();
    for row in rows {
        let pushed = row.with(|row, RowStamp { stamp, index }| {
            let rows = std::slice::from_ref(row);
            arena.push(&PushPart { labels, id: StreamId::of(labels), stamp, first_index: index, rows })
        })?;
        all.rows += pushed.rows;
        all.duplicates += pushed.duplicates;
        all.duplicate_bytes += pushed.duplicate_bytes;
    }
    Ok(all)
}

/// Rows as a reader of several chunks merges them.
fn rows_of(snapshot: &Snapshot) -> Vec<(Labels, OwnedRow)> {
    let mut rows = Vec::new();
    let mut decoder = Decoder::new();
    for chunk in snapshot.chunks() {
        let before = rows.len();
        read_chunk(chunk, &mut decoder, |stream| snapshot.labels(stream), &mut rows).unwrap();
        assert_eq!(rows.len() - before, chunk.rows());
    }
    let merged = model(&rows);
    assert_eq!(merged.len(), rows.len(), "no row is there twice");
    merged
}

fn write(frozen: &Frozen, passes: impl Fn(Timestamp) -> bool) -> Built {
    let mut bytes = Vec::new();
    let put = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok::<(), WriteError>(())
    };
    let totals = frozen.write(passes, provenance(), Effort::Fresh, put).unwrap();
    Built { bytes, totals }
}

fn stream(number: usize) -> Labels {
    labels(&[("app", ["a", "b"][number % 2]), ("pod", &number.to_string())])
}

fn row(time: i64, stamp: (u128, u32), line: &str) -> OwnedRow {
    OwnedRow { stamp, ..OwnedRow::new(time, line) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arena_cut_and_segment_hold_the_same(
        rows in prop::collection::vec((0_usize..3, 0_i64..6, 0_u128..5, "[ab]{0,2}", prop::bool::ANY), 1..150),
        cut_after in 0_usize..150,
        width in 0_usize..2,
    ) {
        // Columns that were cut hold what comes behind them.
        let arena = Arena::with_spares(ROOMY, Spares::new(16 << 20));
        let mut all = Vec::new();
        let mut kept = Vec::new();
        for (index, (number, time, stamp, line, has_metadata)) in rows.into_iter().enumerate() {
            // Wide lines make the arena seal.
            let mut row = row(time, (stamp, index as u32), &line.repeat(1 + width * 100_000));
            if has_metadata {
                row.metadata.push(("k".into(), "v".into()));
            }
            push(&arena, &stream(number), std::slice::from_ref(&row)).unwrap();
            all.push((stream(number), row));
            if index == cut_after {
                let frozen = arena.cut().unwrap();
                kept = rows_of(&frozen.snapshot());
                prop_assert!(kept == model(&all));
                let object = write(&frozen, |_| true).bytes.into();
                verify(&object).unwrap();
                prop_assert_eq!(read(&object).len(), kept.len());
                all.clear();
            }
        }
        prop_assert!(rows_of(&arena.snapshot()) == model(&all));
        prop_assert_eq!(arena.held().rows as usize, model(&all).len());
        drop(kept);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Rows that come late and with the times of others, cut wherever: what a reader merges from all the
    /// segments, and what a merge writes, has the order and the stamps that one arena would have.
    #[test]
    fn ties_keep_their_order_over_cuts(
        rows in prop::collection::vec((0_usize..2, 0_i64..4, 0_u128..50, "[a-d]"), 1..60),
        cut_every in 1_usize..20,
    ) {
        let arena = Arena::new(ROOMY);
        let mut all = Vec::new();
        let mut stored = Vec::new();
        for (index, (number, time, stamp, line)) in rows.into_iter().enumerate() {
            let row = row(time, (stamp, index as u32), &line);
            push(&arena, &stream(number), std::slice::from_ref(&row)).unwrap();
            all.push((stream(number), row));
            if index % cut_every == 0 {
                let frozen = arena.cut().unwrap();
                stored.extend(read(&write(&frozen, |_| true).bytes.into()));
            }
        }
        stored.extend(rows_of(&arena.snapshot()));
        prop_assert!(model(&stored) == model(&all));
        prop_assert!(read(&build(&stored, Effort::Merged)) == model(&all));
    }
}

#[test]
fn doubles_are_dropped_and_the_smallest_stamp_stays() {
    let arena = Arena::new(ROOMY);
    let labels = stream(0);
    let filler = "x".repeat(300_000);
    push(&arena, &labels, &[row(1, (5, 0), "a"), row(1, (6, 0), "b")]).unwrap();
    for index in 0..8 {
        push(&arena, &labels, &[row(9, (7, index), &format!("{index}{filler}"))]).unwrap();
    }
    assert!(arena.snapshot().chunks().len() > 1, "the first rows are sealed");
    let pushed = push(&arena, &labels, &[row(1, (9, 0), "a"), row(1, (2, 0), "b")]).unwrap();
    assert_eq!(pushed, Pushed { duplicates: 2, duplicate_bytes: 2, ..Pushed::default() });
    let stamps: Vec<(u128, u32)> =
        rows_of(&arena.snapshot()).iter().take(2).map(|(_, row)| row.stamp).collect();
    assert_eq!(stamps, [(2, 0), (5, 0)], "b was pushed before a");
    let held = arena.held();
    assert_eq!(held.rows, 10);
    assert!(held.memory_bytes < held.raw_bytes * 2);
}

#[test]
fn a_snapshot_does_not_change() {
    let arena = Arena::new(ROOMY);
    push(&arena, &stream(0), &[row(1, (1, 0), "a")]).unwrap();
    let before = arena.snapshot();
    push(&arena, &stream(1), &[row(2, (2, 0), "b")]).unwrap();
    let after = arena.snapshot();
    let frozen = arena.cut().unwrap();
    assert_eq!(rows_of(&before).len(), 1);
    assert_eq!(rows_of(&after).len(), 2);
    assert_eq!(rows_of(&frozen.snapshot()).len(), 2);
    assert!(arena.cut().is_none());
    assert!(arena.snapshot().chunks().is_empty());
}

/// An older push whose rows are all there already, most of them sealed, while somebody reads.
#[test]
fn many_older_stamps_come_late() {
    let arena = Arena::new(ROOMY);
    let rows = |stamp: u128| -> Vec<OwnedRow> {
        (0..3000_u32).map(|index| row(7, (stamp, 5000 - index), &format!("{index:01000}"))).collect()
    };
    push(&arena, &stream(0), &rows(9)).unwrap();
    for part in rows(2).chunks(100) {
        assert_eq!(push(&arena, &stream(0), part).unwrap().duplicates, 100);
        assert_eq!(push(&arena, &stream(0), part).unwrap().duplicates, 100);
    }
    let all: Vec<_> = rows(2).into_iter().map(|row| (stream(0), row)).collect();
    assert!(rows_of(&arena.snapshot()) == model(&all));
    assert!(rows_of(&arena.cut().unwrap().snapshot()) == model(&all));
}

fn part<'a>(labels: &'a Labels, id: StreamId, rows: &'a [Row<'a>]) -> PushPart<'a> {
    PushPart { labels, id, stamp: PushStamp(1), first_index: 0, rows }
}

/// What was admitted fits; what was not admitted is taken too, but for what no segment can hold.
#[test]
fn what_is_logged_is_applied() {
    let arena = Arena::new(ArenaLimits { row_bytes: 2 * ROW_OVERHEAD + 12, stream_bytes: 4 << 10 });
    let labels = stream(0);
    let long = vec![0; crate::MAX_LINE_BYTES + 1];
    let row = |line| Row { timestamp: Timestamp::EPOCH, line, metadata: &[], level: None };
    let id = StreamId::of(&labels);
    let mut room = arena.room();
    let (small, large) = ([row(b"12345678")], [row(&long)]);
    assert_eq!(arena.admit(&part(&labels, id, &small), &mut room), Ok(()));
    assert_eq!(
        arena.admit(&part(&labels, id, &small), &mut room),
        Err(PushError::Full),
        "the room is shared"
    );
    assert_eq!(arena.admit(&part(&labels, id, &[row(b"1234")]), &mut room), Ok(()));
    assert_eq!(room.row_bytes, 0);
    let error = arena.admit(&part(&labels, id, &large), &mut room).unwrap_err();
    assert_eq!((error, error.kind()), (RowError::LineTooLong(long.len()).into(), ErrorKind::TooLarge));
    let rows = [small[0], large[0], row(b"x"), row(b"12345678")];
    let pushed = arena.apply(&part(&labels, id, &rows));
    assert_eq!(pushed, Pushed { rows: 2, duplicates: 1, duplicate_bytes: 8, unfit: 1 });
    arena.apply(&part(&labels, id, &[row(b"more"), row(b"than"), row(b"fits")]));
    assert_eq!(arena.held().rows, 5);
    assert_eq!(arena.room().row_bytes, 0);
    assert!(arena.knows(id));
    arena.cut().unwrap();
    assert!(!arena.knows(id));
    assert_eq!(arena.room(), Arena::new(arena.limits).room());

    let wide = Labels::from_pairs([("a", "x".repeat(crate::MAX_LABELS_BYTES))]).unwrap();
    let part = PushPart {
        labels: &wide,
        id: StreamId::of(&wide),
        stamp: PushStamp(1),
        first_index: 0,
        rows: &small,
    };
    assert!(matches!(arena.admit(&part, &mut arena.room()), Err(PushError::Row(_))));
    assert_eq!(arena.apply(&part), Pushed { unfit: 1, ..Pushed::default() });
}

#[test]
fn limits_refuse_a_part_whole() {
    let arena = Arena::new(ArenaLimits { row_bytes: 10 + 3 * ROW_OVERHEAD, stream_bytes: 4 << 10 });
    let labels = stream(0);
    push(&arena, &labels, &[row(1, (1, 0), "12345")]).unwrap();
    let error = push(&arena, &labels, &[row(2, (1, 1), &"x".repeat(140))]).unwrap_err();
    assert_eq!((error, error.kind()), (PushError::Full, ErrorKind::TooMany));
    push(&arena, &stream(1), &[row(2, (1, 1), "x")]).unwrap();
    let wide = Labels::from_pairs([("a", "x".repeat(2000))]).unwrap();
    assert_eq!(push(&arena, &wide, &[row(2, (1, 1), "")]), Err(PushError::TooManyStreams));
    assert_eq!(arena.held().rows, 2);
    arena.cut().unwrap();
    push(&arena, &stream(2), &[row(2, (1, 1), "x")]).unwrap();
}

#[test]
fn an_idle_stream_costs_little() {
    let arena = Arena::new(ROOMY);
    for number in 0..20_000 {
        let labels = labels(&[
            ("app", "checkout"),
            ("cluster", "eu-west-1"),
            ("container", "server"),
            ("namespace", "shop"),
            ("pod", &format!("checkout-7d9c5b6f4d-{number:05}")),
            ("service_name", "checkout"),
        ]);
        push(&arena, &labels, &[row(number, (1, number as u32), "")]).unwrap();
    }
    let held = arena.held();
    assert!(held.stream_bytes / held.streams <= 400, "{} bytes", held.stream_bytes / held.streams);
}

#[test]
fn streams_are_selected() {
    let arena = Arena::new(ROOMY);
    for number in 0..4 {
        push(&arena, &stream(number), &[row(1, (1, 0), "x")]).unwrap();
    }
    let snapshot = arena.snapshot();
    let select = |name, test| snapshot.select(&[Selector { name, test }]).iter().collect::<Vec<u32>>();
    assert_eq!(select("app", Test::Is("a")), [0, 2]);
    assert_eq!(select("app", Test::IsNot("a")), [1, 3]);
    assert_eq!(select("none", Test::Is("")), [0, 1, 2, 3]);
    assert_eq!(select("pod", Test::OneOf(&["1", "2"])), [1, 2]);
    assert_eq!(select("pod", Test::Passes(&|pod| pod > "2")), [3]);
    assert_eq!(snapshot.stream_id(3), StreamId::of(&stream(3)));
}

#[test]
fn days_are_written_apart() {
    let arena = Arena::new(ROOMY);
    let day = 86_400_000_000_000;
    for index in 0..30_i64 {
        push(&arena, &stream(0), &[row(index * day / 10, (1, index as u32), "x")]).unwrap();
    }
    let frozen = arena.cut().unwrap();
    let days = frozen.days();
    assert_eq!(days.values().copied().collect::<Vec<_>>(), [10, 10, 10]);
    let mut rows = 0;
    for (day, count) in days {
        let built = write(&frozen, |time| time.day() == day);
        assert_eq!(built.totals.rows, count as u64);
        rows += read(&built.bytes.into()).len();
    }
    assert_eq!(rows, 30);
}

/// Writers write, a reader reads and a cutter cuts, all at once: every row is cut exactly once, and a
/// reader never sees one twice.
#[test]
fn nothing_is_lost_between_threads() {
    let arena = Arena::new(ROOMY);
    let done = AtomicBool::new(false);
    let mut cut = Vec::new();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2_usize)
            .map(|number| {
                let arena = &arena;
                scope.spawn(move || {
                    for index in 0..3000_u32 {
                        let line = "y".repeat(index as usize % 3000);
                        push(arena, &stream(number), &[row(i64::from(index), (1, index), &line)]).unwrap();
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                rows_of(&arena.snapshot());
            }
        });
        for _ in 0..20 {
            cut.extend(arena.cut());
            std::thread::yield_now();
        }
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        cut.extend(arena.cut());
    });
    let rows: usize = cut.iter().map(|frozen| rows_of(&frozen.snapshot()).len()).sum();
    assert_eq!(rows, 6000);
}
