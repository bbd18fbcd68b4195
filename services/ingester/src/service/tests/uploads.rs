//! Files on their way into the store, and readers who see each row all the while.

use std::collections::BTreeSet;

use futures_util::future::select;
use larch_proto::{Partition, SegmentEntry};
use larch_segment::{Columns, Decoder, Segment};
use larch_store::SegmentPlace;
use larch_types::SegmentId;
use larch_wal::Dir;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const DAY_NANOS: i64 = 86_400_000_000_000;

fn tenant() -> TenantId {
    context().tenant
}

pub(super) fn begin(world: &World) -> Life {
    begin_with(world, |_| {})
}

fn begin_with(world: &World, change: impl FnOnce(&mut IngesterSettings)) -> Life {
    let mut settings = IngesterSettings::default();
    change(&mut settings);
    let life = start_settled(world, LogSettings::default(), &limits(|_| {}), usize::MAX, &settings);
    life.upload();
    life
}

/// Ends as if the power had been cut.
pub(super) async fn end(world: &World, life: Life) {
    world.wal_dir.power_cut();
    drop(life.scope.close(Duration::from_secs(1)).await);
}

/// One answer: what is named, and how often each line is in it.
async fn read(life: &Life) -> (ReadHead, BTreeMap<String, u32>) {
    let request = ReadRequest {
        selection: selection(&[], 0, i64::MAX),
        needles: Vec::new(),
        direction: Direction::Forward,
        limit: 0,
        tombstones_known: Vec::new(),
    };
    let mut answer = life.door.read(context(), request).await.unwrap();
    let mut lines = BTreeMap::new();
    while let Some(batch) = answer.body.next().await {
        for row in batch.unwrap().rows {
            *lines.entry(String::from_utf8(row.line.to_vec()).unwrap()).or_insert(0) += 1;
        }
    }
    (answer.head, lines)
}

async fn head(life: &Life) -> ReadHead {
    read(life).await.0
}

/// What an ingester has named, and what a planner that reads the catalog anew finds besides.
async fn segments(world: &World, life: &Life, named: Vec<SegmentEntry>) -> Vec<SegmentEntry> {
    let catalog = life.fresh_catalog(world);
    let mut segments: BTreeMap<SegmentId, SegmentEntry> = BTreeMap::new();
    let mut partitions: BTreeSet<Partition> =
        catalog.partitions(&tenant()).await.unwrap().into_iter().collect();
    partitions.extend(named.iter().map(|entry| entry.partition));
    for partition in partitions {
        let view = catalog.view(&tenant(), partition, Duration::ZERO).await.unwrap();
        segments.extend(view.segments().map(|entry| (entry.id, entry.clone())));
    }
    segments.extend(named.into_iter().map(|entry| (entry.id, entry)));
    segments.into_values().collect()
}

async fn lines_of(world: &World, life: &Life, entry: &SegmentEntry) -> Vec<String> {
    let place = SegmentPlace::of(&tenant(), entry);
    let whole = 0..entry.object_bytes;
    let read = life.fresh_catalog(world).get_ranges(&place, std::slice::from_ref(&whole)).await;
    let bytes = read.unwrap().remove(0);
    let segment = Segment::open(&bytes, entry.object_bytes).unwrap();
    assert_eq!(segment.provenance().id, entry.id);
    let mut lines = Vec::new();
    for number in 0..segment.totals().chunks {
        let chunk = segment.chunk_of(&bytes, number, Columns::ALL).unwrap();
        let mut decoder = Decoder::new();
        lines.extend(
            chunk.lines(&mut decoder).unwrap().iter().map(|line| String::from_utf8_lossy(line).into_owned()),
        );
    }
    lines
}

/// How often each line is there, in the ingester and in segments together.
pub(super) async fn everywhere(world: &World, life: &Life) -> BTreeMap<String, u32> {
    // The ingester first, as every reader does.
    let (head, mut lines) = read(life).await;
    for entry in segments(world, life, head.handed_over).await {
        for line in lines_of(world, life, &entry).await {
            *lines.entry(line).or_insert(0) += 1;
        }
    }
    lines
}

pub(super) async fn check_once(world: &World, life: &Life, want: &[&str]) {
    let found = everywhere(world, life).await;
    let want: BTreeMap<String, u32> = want.iter().map(|line| ((*line).to_owned(), 1)).collect();
    assert_eq!(found, want);
}

pub(super) async fn flush_and_wait(life: &Life) -> Result<u64, CallError> {
    let request = FlushRequest { tenant: Some(tenant()), any_of: Vec::new(), wait_for_upload: true };
    Ok(life.door.flush(context().call, request).await?.segments)
}

fn file_names(world: &World) -> Vec<String> {
    let names = world.wal_dir.list().unwrap();
    names.iter().map(ToString::to_string).filter(|name| name.ends_with(".seg")).collect()
}

#[test]
fn rows_go_from_the_file_to_the_store() {
    let (result, _) = run(1, |world| async move {
        let life = begin(&world);
        append_line(&life.door, 1, 1, "small").await?;
        append_line(&life.door, 2, DAY_NANOS, "next day").await?;
        assert_eq!(flush_and_wait(&life).await?, 2, "a file for each day");
        assert!(rows(&life.door).await?.is_empty(), "the store shows them now");
        let named = head(&life).await.handed_over;
        assert_eq!(named.len(), 2);
        assert!(named.iter().all(|entry| entry.embedded.is_some()), "small ones travel inside their facts");
        check_once(&world, &life, &["small", "next day"]).await;
        assert_eq!(file_names(&world).len(), 2, "kept for a while");
        world.env.sleep(HOUR).await;
        assert!(head(&life).await.handed_over.is_empty());
        assert_eq!(file_names(&world).len(), 0);
        check_once(&world, &life, &["small", "next day"]).await;
        end(&world, life).await;
        let life = begin(&world);
        assert!(head(&life).await.handed_over.is_empty(), "what was forgotten stays forgotten");
        check_once(&world, &life, &["small", "next day"]).await;
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

/// A tenant's rows are cut together, if one of the streams is meant.
#[test]
fn streams_decide_whether_a_tenant_is_flushed() {
    let (result, _) = run(10, |world| async move {
        let life = begin(&world);
        append_line(&life.door, 1, 1, "one").await?;
        for (value, segments) in [("b", 0), ("a", 1)] {
            let any_of = selection(&[("app", larch_types::MatchOp::Equal, value)], 0, 1).any_of;
            let request = FlushRequest { tenant: Some(tenant()), any_of, wait_for_upload: true };
            assert_eq!(life.door.flush(context().call, request).await?.segments, segments, "{value}");
        }
        // Whoever asks and goes is not waited for.
        append_line(&life.door, 2, 2, "two").await?;
        let asked = tokio::time::timeout(Duration::from_millis(1), flush_and_wait(&life)).await;
        assert!(asked.is_err());
        world.env.sleep(Duration::from_secs(10)).await;
        check_once(&world, &life, &["one", "two"]).await;
        assert_eq!(life.door.state(context().call).await?.rows, 0);
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

/// Noise, so that the segment is not small.
fn noise(world: &World, bytes: usize) -> String {
    (0..bytes).map(|_| char::from(b' ' + world.env.random.below(90) as u8)).collect()
}

#[test]
fn large_segments_are_objects_of_their_own() {
    let (result, _) = run(2, |world| async move {
        let life = begin(&world);
        let lines: Vec<String> = (0..8).map(|_| noise(&world, 100_000)).collect();
        for (number, line) in lines.iter().enumerate() {
            append_line(&life.door, number as u128, number as i64, line).await?;
        }
        flush_and_wait(&life).await?;
        let named = head(&life).await.handed_over;
        assert_eq!((named.len(), named[0].embedded, named[0].rows), (1, None, 8));
        check_once(&world, &life, &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

#[test]
fn heads_name_segments_of_the_range_only() {
    let (result, _) = run(3, |world| async move {
        let life = begin(&world);
        append_line(&life.door, 1, 1000, "line").await?;
        flush_and_wait(&life).await?;
        for (start, end, count) in [(0, 1000, 0), (0, 1001, 1), (1000, 2000, 1), (1001, 2000, 0)] {
            let request = LabelsRequest {
                selection: selection(&[], start, end),
                query: larch_proto::LabelsQuery::Names,
            };
            let head = life.door.labels(context(), request).await?.head;
            assert_eq!(head.handed_over.len(), count, "{start} {end}");
        }
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

/// While the store is away rows stay in files and are read from there; when it is back all are uploaded.
#[test]
fn a_store_that_is_away() {
    let (result, _) = run(4, |world| async move {
        let life = begin(&world);
        world.store.refuse(1000);
        append_line(&life.door, 1, 1, "one").await?;
        let failed = flush_and_wait(&life).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Unavailable, "{failed}");
        append_line(&life.door, 2, 2, "two").await?;
        assert_eq!(rows(&life.door).await?.len(), 2);
        let state = life.door.state(context().call).await?;
        assert_eq!(state.uploads_waiting, 1);
        world.env.sleep(HOUR * 3).await;
        world.store.refuse(0);
        world.env.sleep(Duration::from_secs(300)).await;
        assert_eq!(life.door.state(context().call).await?.uploads_waiting, 0);
        check_once(&world, &life, &["one", "two"]).await;
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

/// An add is sent within an hour of its first upload. After that the rows go under another id, unless it turns
/// out that the first came through.
#[test]
fn what_took_too_long_gets_another_id() {
    for (lost, uploads) in [(false, 1), (true, 1)] {
        let (result, _) = run(5, |world| async move {
            let life = begin(&world);
            if lost {
                world.store.lose_answers(1000);
            } else {
                world.store.refuse(1000);
            }
            append_line(&life.door, 1, 1, "one").await?;
            flush(&life.door).await?;
            let own = life.door.node()?.tenants.all()[0].shelf.files()[0].id();
            world.env.sleep(HOUR * 2).await;
            world.store.refuse(0);
            world.store.lose_answers(0);
            world.env.sleep(Duration::from_secs(300)).await;
            let segments = segments(&world, &life, Vec::new()).await;
            assert_eq!(segments.len(), uploads);
            assert_eq!(segments[0].id == own, lost);
            check_once(&world, &life, &["one"]).await;
            Ok::<(), CallError>(())
        });
        result.unwrap();
    }
}

/// A view that is old does not hide what was handed over, and what a restart names again is named once.
#[test]
fn a_restart_names_again_what_is_still_named() {
    let (result, _) = run(6, |world| async move {
        let life = begin(&world);
        append_line(&life.door, 1, 1, "one").await?;
        flush_and_wait(&life).await?;
        world.env.sleep(Duration::from_secs(1000)).await;
        end(&world, life).await;
        let life = begin(&world);
        assert_eq!(head(&life).await.handed_over.len(), 1);
        world.env.sleep(Duration::from_secs(1000)).await;
        assert_eq!(head(&life).await.handed_over.len(), 1, "as long as if it were new");
        check_once(&world, &life, &["one"]).await;
        world.env.sleep(Duration::from_secs(1000)).await;
        assert!(head(&life).await.handed_over.is_empty());
        check_once(&world, &life, &["one"]).await;
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

#[test]
fn a_budget_stops_pushes_until_rows_are_uploaded() {
    let (result, _) = run(7, |world| async move {
        let life = begin_with(&world, |settings| settings.wal.disk_budget = ByteSize::mib(4));
        world.store.refuse(1000);
        let mut refused = None;
        for number in 0..100_u32 {
            let line = noise(&world, 100_000);
            if let Err(error) = append_line(&life.door, u128::from(number), i64::from(number), &line).await {
                refused = Some((number, error));
                break;
            }
            flush(&life.door).await?;
        }
        let (count, error) = refused.expect("the budget is met");
        assert!(count > 10, "{count} pushes were taken");
        assert_eq!(error.kind(), ErrorKind::TooMany);
        world.env.sleep(Duration::from_secs(300)).await;
        let error = append_line(&life.door, 999, 999, "once more").await.unwrap_err();
        assert!(error.text().contains("wait for their upload, which fails: "), "{error}");
        assert_eq!(rows(&life.door).await?.len(), count as usize);
        world.store.refuse(0);
        world.env.sleep(Duration::from_secs(300)).await;
        append_line(&life.door, 1000, 1000, "goes on").await?;
        assert_eq!(life.door.state(context().call).await?.uploads_waiting, 0);
        let node = life.door.node()?;
        assert!(node.disk.waiting() + node.disk.uploaded() < 4 << 20, "uploaded files make room");
        assert_eq!(everywhere(&world, &life).await.len(), count as usize + 1);
        assert!(head(&life).await.handed_over.len() >= count as usize, "and are named all the same");
        end(&world, life).await;
        let life = begin(&world);
        assert!(head(&life).await.handed_over.len() >= count as usize, "after a restart too");
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

/// Everything that a node does with rows, up to where the store alone has them. Gives what was acknowledged.
async fn script(world: &World, life: &Life, acknowledged: &std::sync::Mutex<Vec<String>>) {
    for number in 0..2_u32 {
        let line = format!("line {number}");
        let time = i64::from(number) * DAY_NANOS;
        if append_line(&life.door, u128::from(number), time, &line).await.is_ok() {
            acknowledged.lock().unwrap().push(line);
        }
    }
    drop(flush_and_wait(life).await);
    if append_line(&life.door, 9, 1, "between").await.is_ok() {
        acknowledged.lock().unwrap().push("between".to_owned());
    }
    drop(flush(&life.door).await);
    world.env.sleep(HOUR * 2).await;
}

/// The power goes at every call that changes the disk or goes to the store. Whatever was acknowledged is found
/// by the next life, and once things have settled all of it is in the store.
#[test]
fn a_crash_at_every_step_loses_and_doubles_nothing() {
    let crash_at = |calls: u64| {
        run(calls, move |world| async move {
            world.fuse.blow_after(calls);
            let acknowledged = std::sync::Mutex::new(Vec::new());
            let mut finished = false;
            if let Some(life) = try_begin(&world) {
                let ended = select(
                    Box::pin(script(&world, &life, &acknowledged)),
                    Box::pin(async {
                        world.fuse.blown().await;
                    }),
                );
                finished = matches!(ended.await, futures_util::future::Either::Left(_));
                end(&world, life).await;
            } else {
                world.wal_dir.power_cut();
            }
            world.fuse.reset();
            let acknowledged: BTreeSet<String> = acknowledged.into_inner().unwrap().into_iter().collect();
            let life = begin(&world);
            for wait in [Duration::ZERO, Duration::from_secs(10), HOUR * 3] {
                world.env.sleep(wait).await;
                let found: BTreeSet<String> = everywhere(&world, &life).await.into_keys().collect();
                assert!(found.is_superset(&acknowledged), "{calls}: {found:?} after {wait:?}");
            }
            assert!(head(&life).await.handed_over.is_empty(), "{calls}");
            assert_eq!(life.door.state(context().call).await.unwrap().uploads_waiting, 0, "{calls}");
            assert_eq!(file_names(&world).len(), 0, "{calls}");
            if calls > 0 {
                let twice = everywhere(&world, &life).await.into_values().filter(|count| *count > 2).count();
                assert_eq!(twice, 0, "{calls}: one crash leaves at most one copy");
            }
            finished
        })
        .0
    };
    let mut calls = 0;
    while !crash_at(calls) {
        calls += 1;
        assert!(calls < 1000, "the script ends");
    }
    assert!(calls > 40, "{calls} calls");
}

fn try_begin(world: &World) -> Option<Life> {
    let settings = IngesterSettings::default();
    let life = try_start(world, LogSettings::default(), &limits(|_| {}), usize::MAX, &settings).ok()?;
    life.upload();
    Some(life)
}

/// A log that is gone takes no rows with it that were cut: their files say whose they are.
#[test]
fn files_of_a_lost_log_are_read_and_uploaded() {
    let (result, _) = run(8, |world| async move {
        let life = begin(&world);
        append_line(&life.door, 1, 1, "announced").await?;
        flush_and_wait(&life).await?;
        world.store.refuse(1000);
        append_line(&life.door, 2, 2, "waiting").await?;
        flush(&life.door).await?;
        end(&world, life).await;
        for name in world.wal_dir.list().unwrap() {
            if name.as_str().ends_with(".wal") {
                world.wal_dir.remove(&name).unwrap();
            }
        }
        world.wal_dir.sync().unwrap();
        let life = begin(&world);
        assert_eq!(rows(&life.door).await?.len(), 2, "both, since nothing says what was announced");
        append_line(&life.door, 3, 3, "new").await?;
        world.store.refuse(0);
        world.env.sleep(Duration::from_secs(200)).await;
        check_once(&world, &life, &["announced", "waiting", "new"]).await;
        world.env.sleep(HOUR * 3).await;
        assert_eq!(file_names(&world).len(), 0);
        check_once(&world, &life, &["announced", "waiting", "new"]).await;
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

/// The memory that a start takes does not grow with the log.
#[test]
fn rows_beyond_the_ceiling_go_into_files_while_the_log_is_read() {
    const CEILING: usize = 4 << 20;
    let (result, _) = run(9, |world| async move {
        let limits = limits(|limits| limits.per_stream_rate_limit_burst = ByteSize::gib(1));
        let settings = IngesterSettings::default();
        let life = start(&world, SyncMode::Always, &limits, usize::MAX);
        let mut lines = BTreeSet::new();
        for number in 0..200_u32 {
            let line = format!("{number} {}", "x".repeat(100_000));
            append_line(&life.door, u128::from(number), i64::from(number), &line).await?;
            lines.insert(line);
        }
        end(&world, life).await;
        let life = start_settled(&world, LogSettings::default(), &limits, CEILING, &settings);
        let node = Arc::clone(life.door.node()?);
        assert!(node.held_bytes() <= CEILING, "{} bytes", node.held_bytes());
        assert!(node.tenants.all()[0].shelf.files().len() >= 4);
        let found: BTreeSet<String> = rows(&life.door).await?.into_keys().collect();
        assert_eq!(found, lines);
        end(&world, life).await;
        // The log does not name the files of a life that did not say so.
        let life = start_settled(&world, LogSettings::default(), &limits, CEILING, &settings);
        life.upload();
        world.env.sleep(HOUR).await;
        let found: BTreeSet<String> = everywhere(&world, &life).await.into_keys().collect();
        assert_eq!(found, lines);
        Ok::<(), CallError>(())
    });
    result.unwrap();
}
