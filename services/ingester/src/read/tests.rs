use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use futures_util::StreamExt;
use larch_proto::{CountedLabels, Direction, LabelsQuery, RowBatch, WalPosition};
use larch_segment::Spares;
use larch_types::{Labels, MatchOp, Monotonic, NodeId, StreamOrder, StreamShard};
use proptest::prelude::*;

use super::{estimate, histogram, labels, rows};
use crate::needles::Needles;
use crate::selection::Chosen;
use crate::shelf::Place;
use crate::source::Source;
use crate::tail::Feeds;
use crate::tenant::Tenant;
use crate::testing::{Line, needle, push, selection};

const APPS: [&str; 3] = ["{app=\"a\", env=\"x\"}", "{app=\"b\"}", "{app=\"c\", env=\"y\"}"];

/// Rows as they come out: stream, time, line.
type Row = (String, i64, String);

fn tenant(pushes: &[Vec<Line<'_>>]) -> Tenant {
    let tenant = Tenant::new("acme".parse().unwrap(), Spares::default(), Feeds::default());
    for (number, lines) in pushes.iter().enumerate() {
        let position = WalPosition(number as u64 + 1);
        tenant.apply(&push(number as u128, lines), position, Monotonic::from_start(Duration::ZERO)).unwrap();
    }
    tenant
}

fn sources(tenant: &Tenant) -> Vec<Source> {
    let in_memory = |place| match place {
        Place::Memory(snapshot) => Source::Memory(snapshot),
        Place::File(_) => panic!("nothing is cut here"),
    };
    tenant.shelf.view().places.into_iter().map(in_memory).collect()
}

/// Nothing waits for anything: the first poll of each step is enough.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn rows_of(batch: &RowBatch) -> impl Iterator<Item = Row> {
    batch.rows.iter().map(|row| {
        let stream = batch.streams[row.stream as usize].clone();
        let level = row.level.map(|level| batch.levels[level as usize].as_str());
        let line = String::from_utf8(row.line.to_vec()).unwrap();
        assert_eq!(level, Some(if line.contains("error") { "error" } else { "info" }));
        assert_eq!(row.metadata[0].value.as_str(), line.len().to_string());
        (stream, row.timestamp.nanos(), line)
    })
}

fn read(tenant: &Tenant, query: rows::RowsQuery) -> Vec<Row> {
    wait(async {
        let mut found = Vec::new();
        let mut batches = rows::read(sources(tenant), query).unwrap();
        while let Some(batch) = batches.next().await {
            found.extend(rows_of(&batch.unwrap()));
        }
        found
    })
}

/// What must come out: the rows in order of time, stream order and push, each once.
fn expected(pushes: &[Vec<Line<'_>>], start: i64, end: i64, text: &str, direction: Direction) -> Vec<Row> {
    let mut kept: Vec<(i64, StreamOrder, usize, Row)> = Vec::new();
    for (number, line) in pushes.iter().flatten().enumerate() {
        let (stream, time, line) = *line;
        let row = (stream.to_owned(), time, line.to_owned());
        let wanted = start <= time && time < end && line.contains(text);
        if wanted && !kept.iter().any(|(_, _, _, known)| *known == row) {
            kept.push((time, StreamOrder::of(&stream.parse::<Labels>().unwrap()), number, row));
        }
    }
    kept.sort_by(|a, b| {
        let forward = (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2));
        let backward = b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(b.2.cmp(&a.2));
        if direction == Direction::Forward { forward } else { backward }
    });
    kept.into_iter().map(|(_, _, _, row)| row).collect()
}

fn lines() -> impl Strategy<Value = Vec<Vec<Line<'static>>>> {
    let texts = prop::sample::select(vec!["one", "two error", "three", "", "error"]);
    let line = (prop::sample::select(APPS.to_vec()), -3_i64..6, texts);
    prop::collection::vec(prop::collection::vec(line, 1..8), 1..12)
}

proptest! {
    #[test]
    fn rows_come_in_order(
        pushes in lines(),
        start in -4_i64..6,
        length in 0_i64..8,
        limit in 0_u64..10,
        text in prop::sample::select(vec!["", "error", "o", "absent"]),
        forward in any::<bool>(),
    ) {
        let direction = if forward { Direction::Forward } else { Direction::Backward };
        let tenant = tenant(&pushes);
        let query = rows::RowsQuery {
            chosen: Chosen::new(selection(&[], start, start + length)).unwrap(),
            needles: Needles::new(if text.is_empty() { vec![] } else { vec![needle(text)] }.as_slice()).unwrap(),
            direction,
            limit,
        };
        let mut want = expected(&pushes, start, start + length, text, direction);
        // Rows of the last one's time come with it.
        if limit > 0 && want.len() > limit as usize {
            let last = want[limit as usize - 1].1;
            let end = want.iter().skip(limit as usize).take_while(|row| row.1 == last).count();
            want.truncate(limit as usize + end);
        }
        prop_assert_eq!(read(&tenant, query), want);
    }
}

/// Enough rows for several chunks and several batches; times go up and down.
#[test]
fn many_chunks_are_merged() {
    let texts: Vec<String> = (0..60_000).map(|number| format!("{number} {}", "x".repeat(40))).collect();
    let line =
        |(number, text): (usize, &'static str)| (APPS[number % 3], (number as i64 * 7919) % 60_000, text);
    let texts: &'static [String] = texts.leak();
    let lines: Vec<Line<'_>> = texts.iter().map(String::as_str).enumerate().map(line).collect();
    let pushes: Vec<Vec<Line<'_>>> = lines.chunks(1000).map(<[_]>::to_vec).collect();
    let tenant = tenant(&pushes);
    assert!(sources(&tenant)[0].chunks().len() > 2);
    for direction in [Direction::Forward, Direction::Backward] {
        for limit in [0, 5, 5000] {
            let chosen = Chosen::new(selection(&[], 0, 60_000)).unwrap();
            let found = read(
                &tenant,
                rows::RowsQuery { chosen, needles: Needles::new(&[]).unwrap(), direction, limit },
            );
            let times: Vec<i64> = found.iter().map(|row| row.1).collect();
            let want = if limit == 0 { 60_000 } else { limit as i64 };
            let want: Vec<i64> = match direction {
                Direction::Forward => (0..want).collect(),
                Direction::Backward => (60_000 - want..60_000).rev().collect(),
            };
            assert!(times == want, "{direction:?} {limit}");
        }
    }
}

#[test]
fn streams_are_chosen_by_matchers_policy_and_shard() {
    let pushes = vec![vec![(APPS[0], 1, "0"), (APPS[1], 1, "1"), (APPS[2], 1, "2")]];
    let tenant = tenant(&pushes);
    let chosen = |change: &dyn Fn(&mut larch_proto::Selection), matchers: &[(&str, MatchOp, &str)]| {
        let mut selection = selection(matchers, 0, 9);
        change(&mut selection);
        let query = rows::RowsQuery {
            chosen: Chosen::new(selection.clone()).unwrap(),
            needles: Needles::new(&[]).unwrap(),
            direction: Direction::Forward,
            limit: 0,
        };
        let mut lines: Vec<String> = read(&tenant, query).into_iter().map(|row| row.2).collect();
        lines.sort();
        let chosen = Chosen::new(selection).unwrap();
        let one_by_one = APPS.iter().enumerate().filter(|(_, text)| {
            chosen.has_stream(&text.parse().unwrap(), larch_types::StreamId::of_canonical(text))
        });
        assert_eq!(lines, one_by_one.map(|(number, _)| number.to_string()).collect::<Vec<_>>());
        lines.concat()
    };
    let same = |_: &mut larch_proto::Selection| {};
    assert_eq!(chosen(&same, &[]), "012");
    assert_eq!(chosen(&same, &[("app", MatchOp::Equal, "b")]), "1");
    assert_eq!(chosen(&same, &[("env", MatchOp::Equal, "")]), "1");
    assert_eq!(chosen(&same, &[("env", MatchOp::NotEqual, "x"), ("app", MatchOp::Regex, "b|c")]), "12");
    assert_eq!(chosen(&same, &[("env", MatchOp::NotRegex, ".*")]), "");
    let policy = |selection: &mut larch_proto::Selection| {
        let allowed = crate::testing::selection(&[("env", MatchOp::NotEqual, "")], 0, 0).any_of;
        selection.policy = Some(larch_proto::AccessPolicy { any_of: allowed });
    };
    assert_eq!(chosen(&policy, &[]), "02");
    let nothing = |selection: &mut larch_proto::Selection| {
        selection.policy = Some(larch_proto::AccessPolicy { any_of: Vec::new() });
    };
    assert_eq!(chosen(&nothing, &[]), "");
    let mut parts = String::new();
    for index in 0..4 {
        let shard =
            move |selection: &mut larch_proto::Selection| selection.shard = StreamShard::new(index, 4);
        parts.push_str(&chosen(&shard, &[]));
    }
    let mut parts: Vec<char> = parts.chars().collect();
    parts.sort_unstable();
    assert_eq!(parts, ['0', '1', '2'], "every stream is in one part");
}

#[test]
fn labels_are_those_of_streams_with_rows_in_the_range() {
    let tenant =
        tenant(&[vec![(APPS[0], 10, "x"), (APPS[1], 20, "x")], vec![(APPS[2], 30, "x"), (APPS[0], 30, "y")]]);
    let ask = |query: LabelsQuery, start, end| {
        let chosen = Chosen::new(selection(&[], start, end)).unwrap();
        wait(async {
            let mut texts = Vec::new();
            let mut parts = labels::read(sources(&tenant), &chosen, &query).await.unwrap();
            while let Some(part) = parts.next().await {
                texts.extend(part.unwrap().texts);
            }
            texts
        })
    };
    assert_eq!(ask(LabelsQuery::Names, 0, 99), ["app", "env"]);
    assert_eq!(ask(LabelsQuery::Names, 11, 30), ["app"]);
    assert_eq!(ask(LabelsQuery::Values("app".to_owned()), 0, 99), ["a", "b", "c"]);
    assert_eq!(ask(LabelsQuery::Values("app".to_owned()), 10, 20), ["a"]);
    assert_eq!(ask(LabelsQuery::Values("nosuch".to_owned()), 0, 99), [""; 0]);
    assert_eq!(ask(LabelsQuery::Series, 20, 99), [APPS[0], APPS[1], APPS[2]]);
    assert_eq!(ask(LabelsQuery::Series, 31, 99), [""; 0]);
}

proptest! {
    #[test]
    fn histograms_count_whole_cells(pushes in lines(), start in -3_i64..4, minutes in 0_i64..5, width in 1_u32..3) {
        // A time of the strategy is half a minute, so that many rows lie on the edges of minutes.
        const HALF: i64 = 30_000_000_000;
        let spread = |line: &Line<'static>| (line.0, line.1 * HALF, line.2);
        let pushes: Vec<Vec<Line<'_>>> = pushes.iter().map(|push| push.iter().map(spread).collect()).collect();
        let tenant = tenant(&pushes);
        let (from, to) = (start * 2 * HALF + 1, (start + minutes) * 2 * HALF + 1);
        let width_ns = i64::from(width) * 2 * HALF;
        let chosen = Chosen::new(selection(&[], from, to)).unwrap();
        let node = NodeId::from_u128(5);
        let mut got = BTreeMap::new();
        wait(async {
            let how = (NonZeroU32::new(width).unwrap(), &CountedLabels::Only(["detected_level".to_owned()].into()));
            let mut parts = histogram::read(sources(&tenant), &chosen, how, node).await.unwrap();
            while let Some(part) = parts.next().await {
                let part = part.unwrap();
                for cell in &part.cells {
                    let stream = part.streams[cell.stream as usize].clone();
                    assert!(cell.end.nanos() - width_ns < cell.first.nanos() && cell.first <= cell.last && cell.last <= cell.end);
                    let by_level: u64 = cell.levels.iter().map(|level| level.rows).sum();
                    assert_eq!(by_level, cell.rows);
                    let twice = got.insert((stream, cell.end.nanos()), (cell.rows, cell.bytes));
                    assert_eq!(twice, None);
                }
            }
        });
        let mut want = BTreeMap::new();
        for (stream, time, line) in expected(&pushes, from, to, "", Direction::Forward) {
            let end = (time - 1).div_euclid(width_ns) * width_ns + width_ns;
            if from <= end - width_ns + 1 && end < to {
                let cell: &mut (u64, u64) = want.entry((stream, end)).or_default();
                *cell = (cell.0 + 1, cell.1 + line.len() as u64);
            }
        }
        prop_assert_eq!(got, want);
    }

    #[test]
    fn estimates_count_rows(pushes in lines(), start in -4_i64..6, length in 0_i64..8) {
        let tenant = tenant(&pushes);
        let chosen = Chosen::new(selection(&[], start, start + length)).unwrap();
        let estimate = wait(estimate::read(sources(&tenant), &chosen)).unwrap();
        let want = expected(&pushes, start, start + length, "", Direction::Forward);
        let streams: std::collections::BTreeSet<&String> = want.iter().map(|row| &row.0).collect();
        prop_assert_eq!((estimate.rows, estimate.streams), (want.len() as u64, streams.len() as u64));
    }
}
