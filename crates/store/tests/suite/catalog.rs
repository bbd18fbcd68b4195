//! The catalog over stores that are slow, refuse, lose answers, deliver late and twice, and whose lists lag
//! and tear.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use larch_proto::{Partition, SegmentEntry};
use larch_store::{
    Backing, Catalog, CatalogError, FactKind, FactName, Failure, Input, Key, MAX_UNFOLDED, MAX_VIEW_AGE,
    NewSegment, SegmentPlace, Store, StoreOptions,
};
use larch_telemetry::Registry;
use larch_testkit::sim::{World, run};
use larch_types::{Day, ErrorKind, FactId, Monotonic, NodeId, SegmentId, TenantId};
use object_store::{ObjectStore, ObjectStoreExt};

use crate::harness::metrics;

/// One process: what it knows is its own.
struct Process {
    catalog: Catalog,
    registry: Registry,
}

fn process(world: &World) -> Process {
    let registry = Registry::default();
    let backing = Backing::other(Arc::new(world.store.clone()));
    let store = Store::new(backing, StoreOptions::default(), world.env.clone(), &registry);
    Process { catalog: Catalog::new(store, world.env.clone(), &registry), registry }
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
