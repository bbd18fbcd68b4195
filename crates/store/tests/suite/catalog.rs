//! The catalog over stores that are slow, refuse, lose answers, deliver late and twice, and whose lists lag
//! and tear.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use larch_proto::{LabelSummary, Partition, SegmentEntry};
use larch_runtime::{Clock, Env};
use larch_store::{
    Backing, Catalog, CatalogError, FactKind, FactName, Failure, Input, Key, MAX_UNFOLDED, MAX_VIEW_AGE,
    NewSegment, SegmentPlace, Store, StoreOptions,
};
use larch_telemetry::Registry;
use larch_testkit::sim::{World, run};
use larch_types::{Day, ErrorKind, FactId, Monotonic, NodeId, SegmentId, Span, TenantId, Timestamp};
use object_store::{ObjectStore, ObjectStoreExt};

use crate::harness::metrics;

/// One process: what it knows is its own.
struct Process {
    catalog: Catalog,
    registry: Registry,
}

fn process(world: &World) -> Process {
    process_with(world, world.env.clone())
}

fn process_with(world: &World, env: Env) -> Process {
    let registry = Registry::default();
    let backing = Backing::other(Arc::new(world.store.clone()));
    let store = Store::new(backing, StoreOptions::default(), env.clone(), &registry);
    Process { catalog: Catalog::new(store, env, &registry), registry }
}

fn tenant() -> TenantId {
    "team".parse().unwrap()
}

fn day() -> Partition {
    Partition::Day("20260701".parse::<Day>().unwrap())
}

fn entry(id: SegmentId) -> SegmentEntry {
    let start = "20260701".parse::<Day>().unwrap().start();
    SegmentEntry {
        id,
        partition: day(),
        first: start,
        last: start,
        rows: 1,
        raw_bytes: 1,
        uploader: NodeId::from_u128(1),
        object_bytes: 100,
        footer_offset: 50,
        footer_bytes: 50,
        embedded: None,
        label_summaries: Vec::new(),
        tombstones_applied: Vec::new(),
    }
}

fn plain(id: SegmentId) -> NewSegment {
    NewSegment { entry: entry(id), carried: None }
}

/// An hour from now: the last moment for an add.
fn in_time(world: &World) -> Monotonic {
    let start = Monotonic::from_start(Duration::ZERO);
    Monotonic::from_start(world.env.clock.monotonic().since(start) + Duration::from_secs(3600))
}

impl Process {
    async fn add(&self, world: &World, ids: &[SegmentId]) -> Result<(), CatalogError> {
        let segments = ids.iter().map(|id| plain(*id)).collect();
        let name = self.catalog.new_fact_id();
        self.catalog.add(&tenant(), day(), name, segments, in_time(world)).await.map(|_| ())
    }

    async fn live(&self, max_age: Duration) -> BTreeSet<SegmentId> {
        let view = self.catalog.view(&tenant(), day(), max_age).await.unwrap();
        view.segments().map(|entry| entry.id).collect()
    }

    fn objects_read(&self) -> u64 {
        let text = metrics(&self.registry);
        let lines = text.lines().filter(|line| line.starts_with("larch_catalog_objects_read_total{"));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }
}

fn set(ids: &[SegmentId]) -> BTreeSet<SegmentId> {
    ids.iter().copied().collect()
}

#[test]
fn what_one_announces_others_see() {
    let ((), _) = run(1, async |world: World| {
        let (writer, reader) = (process(&world), process(&world));
        let [a, b, c] = [1, 2, 3].map(SegmentId::from_u128);
        assert!(reader.live(MAX_VIEW_AGE).await.is_empty());
        writer.add(&world, &[a, b]).await.unwrap();
        assert_eq!(writer.live(MAX_VIEW_AGE).await, set(&[a, b]), "one's own are seen at once");
        assert!(reader.live(MAX_VIEW_AGE).await.is_empty(), "the view is young enough");
        world.env.sleep(MAX_VIEW_AGE).await;
        assert_eq!(reader.live(MAX_VIEW_AGE).await, set(&[a, b]));
        let inputs = vec![Input { id: a, carried_by: None }];
        let swap = writer.catalog.new_fact_id();
        writer.catalog.swap(&tenant(), day(), swap, vec![entry(c)], inputs, in_time(&world)).await.unwrap();
        assert_eq!(reader.live(Duration::ZERO).await, set(&[b, c]));
        let view = reader.catalog.view(&tenant(), day(), MAX_VIEW_AGE).await.unwrap();
        assert!(view.is_removed(a) && !view.is_removed(b));
        assert!(view.age(world.env.clock.monotonic()) <= Duration::from_secs(1));
        assert_eq!(reader.catalog.partitions(&tenant()).await.unwrap(), [day()]);
        assert_eq!(reader.catalog.tenants().await.unwrap(), [tenant()]);
        assert_eq!(reader.objects_read(), 2, "each object is read once");
    });
}

#[test]
fn small_segments_travel_inside() {
    let ((), _) = run(2, async |world: World| {
        let (writer, reader) = (process(&world), process(&world));
        let [small, tiny, large] = [1, 2, 3].map(SegmentId::from_u128);
        let carried = |id, byte: u8| {
            let bytes = Bytes::from((0..100).map(|at| at ^ byte).collect::<Vec<u8>>());
            NewSegment { entry: entry(id), carried: Some(bytes) }
        };
        let segments = vec![carried(small, 0), plain(large), carried(tiny, 0x55)];
        let add = FactId::from_u128(9);
        let entries =
            writer.catalog.add(&tenant(), day(), add, segments.clone(), in_time(&world)).await.unwrap();
        // A second time, as after an answer that was lost.
        writer.catalog.add(&tenant(), day(), add, segments, in_time(&world)).await.unwrap();
        let view = reader.catalog.view(&tenant(), day(), MAX_VIEW_AGE).await.unwrap();
        let found: BTreeMap<SegmentId, &SegmentEntry> =
            view.segments().map(|entry| (entry.id, entry)).collect();
        assert!(entries.iter().all(|entry| found[&entry.id] == entry));
        for (id, byte) in [(small, 0), (tiny, 0x55)] {
            let place = SegmentPlace::of(&tenant(), found[&id]);
            assert_eq!(place.key.as_str(), format!("team/cat/20260701/add-{add}"));
            let read = reader.catalog.get_ranges(&place, &[0..2, 99..100]).await.unwrap();
            assert_eq!(read, [vec![byte, 1 ^ byte], vec![99 ^ byte]]);
            let outside = reader.catalog.get_ranges(&place, &[0..1, 99..101]).await.unwrap_err();
            assert_eq!(outside.kind(), ErrorKind::Corrupt);
        }
        let place = SegmentPlace::of(&tenant(), found[&large]);
        assert_eq!(place.key, Key::segment(&tenant(), day(), large));
        assert_eq!(place.offset, 0);
    });
}

/// Adds and swaps by several writers on a bad store, read by several readers all the while.
async fn a_bad_day(world: World) -> (BTreeSet<SegmentId>, BTreeSet<SegmentId>) {
    let store = world.store.clone();
    store.refuse(30);
    store.lose_answers(50);
    store.delay_puts(20, Duration::from_secs(1800));
    store.set_list_lag(Duration::from_secs(1200));
    store.tear_lists(7);
    let (writers, readers) = ([process(&world), process(&world)], [process(&world), process(&world)]);
    let mut acknowledged: BTreeMap<SegmentId, Monotonic> = BTreeMap::new();
    let mut removed = BTreeSet::new();
    for step in 0..300 {
        let writer = &writers[step % 2];
        world.env.sleep(Duration::from_secs(world.env.random.below(60))).await;
        let id = world.env.new_segment_id();
        if writer.add(&world, &[id]).await.is_ok() {
            acknowledged.insert(id, world.env.clock.monotonic());
        }
        if step % 10 == 9 {
            let live: Vec<SegmentId> = writer.live(Duration::ZERO).await.into_iter().take(4).collect();
            let inputs = live.iter().map(|id| Input { id: *id, carried_by: None }).collect();
            let output = world.env.new_segment_id();
            let swap = writer.catalog.new_fact_id();
            let last = in_time(&world);
            // A swap that failed may be done all the same: its inputs count as neither here nor there.
            if writer.catalog.swap(&tenant(), day(), swap, vec![entry(output)], inputs, last).await.is_ok() {
                acknowledged.insert(output, world.env.clock.monotonic());
            }
            removed.extend(live);
        }
        let reader = &readers[step % 2];
        let now = world.env.clock.monotonic();
        let seen = reader.live(MAX_VIEW_AGE).await;
        for (id, at) in &acknowledged {
            // A view of V, over a listing that lags.
            let due = now.since(*at) > MAX_VIEW_AGE + Duration::from_secs(1200);
            assert!(!due || removed.contains(id) || seen.contains(id), "step {step}: {id} is not seen");
        }
        if step % 50 == 49 {
            reader.catalog.fold(&tenant(), day()).await.unwrap();
        }
    }
    store.refuse(0);
    store.lose_answers(0);
    store.delay_puts(0, Duration::ZERO);
    world.env.sleep(Duration::from_secs(1801)).await;
    let mut views = Vec::new();
    for process in writers.iter().chain(&readers).chain([&process(&world)]) {
        world.env.sleep(Duration::from_secs(1201)).await;
        views.push(process.live(Duration::ZERO).await);
    }
    assert!(views.windows(2).all(|pair| pair[0] == pair[1]), "in the end all see the same");
    let expected = acknowledged.keys().filter(|id| !removed.contains(id)).copied().collect();
    (views.remove(0), expected)
}

#[test]
fn nothing_announced_is_ever_lost_on_a_bad_store() {
    for seed in 1..=4 {
        let ((seen, expected), _) = run(seed, a_bad_day);
        assert!(expected.len() > 100);
        assert!(seen.is_superset(&expected), "seed {seed}: {:?}", expected.difference(&seen));
    }
}

#[test]
fn a_snapshot_takes_the_place_of_what_it_folds() {
    let ((), _) = run(5, async |world: World| {
        let (writer, folder) = (process(&world), process(&world));
        let ids: Vec<SegmentId> = (0..=MAX_UNFOLDED as u128).map(SegmentId::from_u128).collect();
        for id in &ids[..MAX_UNFOLDED] {
            writer.add(&world, &[*id]).await.unwrap();
        }
        folder.live(Duration::ZERO).await;
        assert_eq!(folder.catalog.fold(&tenant(), day()).await.unwrap(), None, "too few");
        writer.add(&world, &ids[MAX_UNFOLDED..]).await.unwrap();
        let view = folder.catalog.view(&tenant(), day(), Duration::ZERO).await.unwrap();
        assert_eq!(view.unfolded, MAX_UNFOLDED + 1);
        let snapshot = folder.catalog.fold(&tenant(), day()).await.unwrap().unwrap();
        assert_eq!(snapshot.kind, FactKind::Snap);
        assert_eq!(folder.catalog.fold(&tenant(), day()).await.unwrap(), None, "all is folded");

        let late = SegmentId::from_u128(1000);
        writer.add(&world, &[late]).await.unwrap();
        let fresh = process(&world);
        let all: BTreeSet<SegmentId> = ids.iter().copied().chain([late]).collect();
        assert_eq!(fresh.live(MAX_VIEW_AGE).await, all);
        assert_eq!(fresh.objects_read(), 2, "the snapshot and what came after");

        // What is folded may go.
        let path = |name: FactName| Key::fact(&tenant(), day(), name).as_str().into();
        for object in names(&world).await {
            let name: FactName = object.rsplit('/').next().unwrap().parse().unwrap();
            if name.kind == FactKind::Add && name != newest_add(&world).await {
                world.store.delete(&path(name)).await.unwrap();
            }
        }
        assert_eq!(process(&world).live(MAX_VIEW_AGE).await, all);
        assert_eq!(folder.live(Duration::ZERO).await, all);
    });
}

/// Of all objects, whatever lists show.
async fn names(world: &World) -> Vec<String> {
    let all: Vec<_> = world.store.list(None).try_collect().await.unwrap();
    all.iter().map(|meta| meta.location.to_string()).collect()
}

async fn newest_add(world: &World) -> FactName {
    let paths = names(world).await;
    let names = paths.iter().filter_map(|path| path.rsplit('/').next()?.parse::<FactName>().ok());
    names.filter(|name| name.kind == FactKind::Add).max_by_key(|name| name.id).unwrap()
}

#[test]
fn a_bad_object_is_named_and_foreign_ones_are_left_alone() {
    let ((), _) = run(6, async |world: World| {
        let (writer, reader) = (process(&world), process(&world));
        let id = SegmentId::from_u128(1);
        writer.add(&world, &[id]).await.unwrap();
        for name in ["team/cat/20260701/README", "team/cat/20260701/add-x", "team/cat/20260701/add-x/y"] {
            world.store.put(&name.into(), "foreign".into()).await.unwrap();
        }
        assert_eq!(reader.live(Duration::ZERO).await, set(&[id]));
        let name = FactName { kind: FactKind::Add, id: FactId::from_u128(7) };
        let key = Key::fact(&tenant(), day(), name);
        world.store.put(&key.as_str().into(), "LARCHCATxx".into()).await.unwrap();
        let error = reader.catalog.view(&tenant(), day(), Duration::ZERO).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(error.to_string(), format!("read {key}"));
        // It hides the day, and no other.
        assert_eq!(
            reader.catalog.view(&tenant(), Partition::Wide, Duration::ZERO).await.unwrap().unfolded,
            0
        );
        world.store.delete(&key.as_str().into()).await.unwrap();
        assert_eq!(reader.live(Duration::ZERO).await, set(&[id]));
    });
}

#[test]
fn an_add_that_comes_too_late_is_not_sent() {
    let ((), _) = run(7, async |world: World| {
        let writer = process(&world);
        let last = in_time(&world);
        world.env.sleep(Duration::from_secs(3601)).await;
        let segments = vec![plain(SegmentId::from_u128(1))];
        let error =
            writer.catalog.add(&tenant(), day(), FactId::from_u128(1), segments, last).await.unwrap_err();
        assert!(
            matches!(&error, CatalogError::Store(error) if error.failure() == Failure::Expired),
            "{error}"
        );
        assert!(writer.live(Duration::ZERO).await.is_empty());
        let elsewhere = NewSegment {
            entry: SegmentEntry { partition: Partition::Wide, ..entry(SegmentId::from_u128(2)) },
            carried: None,
        };
        let (id, last) = (FactId::from_u128(2), in_time(&world));
        let error = writer.catalog.add(&tenant(), day(), id, vec![elsewhere], last).await.unwrap_err();
        assert!(matches!(error, CatalogError::Misplaced { .. }));
    });
}

/// Clocks stand still at different times: whoever was suspended for a night has an old view by one of them only.
#[derive(Debug)]
struct Suspended(Arc<dyn Clock>, AtomicI64);

impl Clock for Suspended {
    fn now(&self) -> Timestamp {
        self.0.now().plus(Span::from_secs(self.1.load(Ordering::Relaxed)))
    }

    fn monotonic(&self) -> Monotonic {
        self.0.monotonic()
    }
}

#[test]
fn a_view_is_old_if_either_clock_says_so() {
    let ((), _) = run(8, async |world: World| {
        let clock = Arc::new(Suspended(Arc::clone(&world.env.clock), AtomicI64::new(0)));
        let env = Env { clock: clock.clone(), ..world.env.clone() };
        let (writer, reader) = (process(&world), process_with(&world, env));
        assert!(reader.live(MAX_VIEW_AGE).await.is_empty());
        let id = SegmentId::from_u128(1);
        writer.add(&world, &[id]).await.unwrap();
        for (stepped, want) in [(-3600, set(&[])), (299, set(&[])), (3600, set(&[id]))] {
            clock.1.store(stepped, Ordering::Relaxed);
            assert_eq!(reader.live(MAX_VIEW_AGE).await, want, "{stepped}");
        }
    });
}

/// Reads need no write: not the one of a snapshot either, which may take as long as the store likes.
#[test]
fn a_day_is_read_and_learns_while_it_is_folded() {
    let ((), _) = run(9, async |world: World| {
        let process = process(&world);
        let ids: Vec<SegmentId> = (0..=MAX_UNFOLDED as u128).map(SegmentId::from_u128).collect();
        for id in &ids {
            process.add(&world, &[*id]).await.unwrap();
        }
        process.live(Duration::ZERO).await;
        world.store.set_latency(Duration::from_secs(10));
        let clock = &world.env.clock;
        let reading = async {
            world.env.sleep(Duration::from_secs(1)).await;
            let begun = clock.monotonic();
            assert_eq!(process.live(MAX_VIEW_AGE).await.len(), ids.len());
            clock.monotonic().since(begun)
        };
        let tenant = tenant();
        let (folded, waited) = futures_util::join!(process.catalog.fold(&tenant, day()), reading);
        assert!(folded.unwrap().is_some());
        assert_eq!(waited, Duration::ZERO);
        let view = process.catalog.view(&tenant, day(), MAX_VIEW_AGE).await.unwrap();
        assert_eq!(view.unfolded, 1, "the snapshot alone is folded by none");
    });
}

/// Whoever waits for a listing that began after they asked takes its result.
#[test]
fn those_who_ask_together_do_not_queue_for_listings() {
    let ((), _) = run(10, async |world: World| {
        let process = process(&world);
        process.add(&world, &[SegmentId::from_u128(1)]).await.unwrap();
        let ask = async |after: u64| {
            world.env.sleep(Duration::from_millis(after)).await;
            process.live(Duration::ZERO).await
        };
        futures_util::future::join_all((0..20).map(ask)).await;
        let text = metrics(&process.registry);
        let lists = text.lines().find_map(|line| {
            let rest = line.strip_prefix("loki_objstore_bucket_operations_total{")?;
            rest.split_once("operation=\"iter\"} ")?.1.parse::<f64>().ok()
        });
        let lists = lists.expect("the listings are counted");
        assert!((1.0..=3.0).contains(&lists), "{lists} listings");
    });
}

/// What adds carry is read when rows are, not with the catalog.
#[test]
fn of_adds_that_carry_segments_the_facts_are_read() {
    let ((), _) = run(11, async |world: World| {
        let (writer, reader) = (process(&world), process(&world));
        let summary = |of: u32| LabelSummary { name: "x".repeat(of as usize), values: Vec::new() };
        // The fact of one add is longer than what is read of it at first.
        for (add, (entries, carried_bytes)) in
            [(1, 200_000), (1, 50_000), (300, 50_000)].into_iter().enumerate()
        {
            let mut segments = Vec::new();
            for number in 0..entries {
                let mut entry = entry(SegmentId::from_u128(add as u128 * 1_000 + u128::from(number)));
                entry.label_summaries = vec![summary(number)];
                entry.object_bytes = carried_bytes / u64::from(entries);
                let bytes = Bytes::from(vec![number as u8; entry.object_bytes as usize]);
                segments.push(NewSegment { entry, carried: Some(bytes) });
            }
            let id = FactId::from_u128(add as u128);
            writer.catalog.add(&tenant(), day(), id, segments, in_time(&world)).await.unwrap();
        }
        let view = reader.catalog.view(&tenant(), day(), Duration::ZERO).await.unwrap();
        assert_eq!(view.segments().len(), 302);
        let last = view.segments().last().unwrap();
        let place = SegmentPlace::of(&tenant(), last);
        let ends = [0..1, last.object_bytes - 1..last.object_bytes];
        let read = reader.catalog.get_ranges(&place, &ends).await.unwrap();
        assert_eq!(read, [vec![299_u32 as u8], vec![299_u32 as u8]]);
        let text = metrics(&reader.registry);
        let of_reads =
            text.lines().filter(|line| line.starts_with("larch_store_bytes_total{operation=\"get"));
        let bytes: u64 = of_reads.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
        assert!(bytes < 150_000, "{bytes} bytes were read");
        // The bytes behind are not there: that is said of the object, whose fact is whole.
        let key = Key::fact(&tenant(), day(), FactName { kind: FactKind::Add, id: FactId::from_u128(0) });
        let object = world.store.get(&key.as_str().into()).await.unwrap().bytes().await.unwrap();
        world.store.put(&key.as_str().into(), object.slice(..100_000).into()).await.unwrap();
        let error = process(&world).catalog.view(&tenant(), day(), Duration::ZERO).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    });
}
