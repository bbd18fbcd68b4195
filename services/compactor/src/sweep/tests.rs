//! Sweepers beside writers, mergers and folders, in a store that is late, repeats, refuses, loses answers, and
//! whose lists lag and tear.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larch_proto::{Partition, SegmentEntry};
use larch_runtime::{Clock, Env, Job, Next};
use larch_segment::{Effort, Provenance, Row, Segment, SegmentBuilder, verify};
use larch_store::{
    Backing, Catalog, DocumentKind, Folder, Input, Key, NewSegment, Patience, SegmentPlace, Store,
    StoreOptions, entry_of, pin, rebuild_tenant, survey, survey_tenant,
};
use larch_telemetry::{Format, Registry};
use larch_testkit::sim::{World, run};
use larch_types::{FactId, Monotonic, NodeId, SegmentId, Span, TenantId, Timestamp};

use super::*;
use crate::metrics::Metrics;

const HOUR: Duration = Duration::from_secs(3600);

/// One process: what it knows is its own.
#[derive(Clone)]
struct Process {
    env: Env,
    tools: Tools,
    registry: Registry,
}

impl Process {
    fn new(world: &World, env: Env) -> Self {
        let registry = Registry::default();
        // A late put is not tried so often that it is done in time anyway.
        let patience = Patience { tries: 2, ..Patience::default() };
        let options = StoreOptions { patience, ..StoreOptions::default() };
        let backing = Backing::other(Arc::new(world.store.clone()));
        let store = Store::new(backing, options, env.clone(), &registry);
        let catalog = Catalog::new(store.clone(), env.clone(), &registry);
        Self { env, tools: Tools { store, catalog, parallel: 4 }, registry }
    }

    fn job(&self) -> SweepJob {
        SweepJob::new(self.tools.clone(), self.env.clone(), Metrics::new(&self.registry))
    }

    /// A whole round; how many objects went, by kind.
    async fn sweep(&self) -> String {
        let mut job = self.job();
        while job.run_once(self.env.clock.now()).await == Next::Again {}
        let text = self.registry.encode(Format::Prometheus);
        let is_of_objects = |line: &&str| {
            ["larch_compactor_swept", "larch_compactor_sweep_failures", "larch_compactor_unannounced"]
                .iter()
                .any(|name| line.starts_with(name))
        };
        let lines = text.lines().filter(is_of_objects);
        lines.map(|line| line.replace("larch_compactor_", "")).collect::<Vec<_>>().join("\n")
    }

    fn in_an_hour(&self) -> Monotonic {
        self.env.clock.monotonic().plus(HOUR)
    }

    async fn add(&self, segments: Vec<NewSegment>) -> Result<Vec<SegmentEntry>, String> {
        let id = self.tools.catalog.new_fact_id();
        let added = self.tools.catalog.add(&tenant(), day(), id, segments, self.in_an_hour()).await;
        added.map_err(|error| error.to_string())
    }

    async fn put(&self, entry: &SegmentEntry, bytes: Bytes) -> Result<(), String> {
        let key = Key::segment(&tenant(), entry.partition, entry.id);
        self.tools.store.put(&key, bytes).await.map_err(|error| error.to_string())
    }

    /// Puts and announces.
    async fn announce(&self, (entry, bytes): (SegmentEntry, Bytes)) {
        self.put(&entry, bytes).await.unwrap();
        let (partition, id) = (entry.partition, self.tools.catalog.new_fact_id());
        let (new, last) = (vec![plain(entry)], self.in_an_hour());
        self.tools.catalog.add(&tenant(), partition, id, new, last).await.unwrap();
    }

    async fn lose_facts(&self, partition: Partition) {
        for name in survey(&self.tools.store, &tenant(), partition).await.unwrap().facts.into_keys() {
            self.tools.store.delete(&Key::fact(&tenant(), partition, name)).await.unwrap();
        }
    }

    async fn live(&self) -> Vec<SegmentEntry> {
        let view = self.tools.catalog.view(&tenant(), day(), Duration::ZERO).await.unwrap();
        view.segments().cloned().collect()
    }

    async fn is_there(&self, id: u128) -> bool {
        let key = Key::segment(&tenant(), day(), SegmentId::from_u128(id));
        self.tools.store.head(&key).await.is_ok()
    }
}

fn tenant() -> TenantId {
    "t".parse().unwrap()
}

fn day() -> Partition {
    Partition::Day(Timestamp::EPOCH.day())
}

/// A segment of one row.
fn segment(id: SegmentId) -> (SegmentEntry, Bytes) {
    made(id, Timestamp::EPOCH, &id.to_string(), &[])
}

fn made(id: SegmentId, timestamp: Timestamp, line: &str, inputs: &[u128]) -> (SegmentEntry, Bytes) {
    let mut builder = SegmentBuilder::new();
    let stream = builder.stream(&r#"{app="a"}"#.parse().unwrap()).unwrap();
    let row = Row { timestamp, line: line.as_bytes(), metadata: &[], level: None };
    builder.push(stream, &row, None).unwrap();
    let inputs = inputs.iter().map(|id| SegmentId::from_u128(*id)).collect();
    let (siblings, tombstones) = (Vec::new(), Vec::new());
    let provenance = Provenance { id, uploader: NodeId::from_u128(1), inputs, siblings, tombstones };
    let bytes: Bytes = builder.finish(provenance, Effort::Fresh).unwrap().bytes.into();
    let opened = Segment::open(&bytes, bytes.len() as u64).unwrap();
    (entry_of(&opened, bytes.len() as u64).unwrap(), bytes)
}

fn numbered(id: u128) -> (SegmentEntry, Bytes) {
    segment(SegmentId::from_u128(id))
}

fn plain(entry: SegmentEntry) -> NewSegment {
    NewSegment { entry, carried: None }
}

fn input(entry: &SegmentEntry) -> Input {
    Input { id: entry.id, carried_by: entry.embedded.map(|place| FactId::from_u128(place.add_id)) }
}

#[test]
fn orphans_go_after_two_days() {
    run(1, async |world: World| {
        let process = Process::new(&world, world.env.clone());
        assert_eq!(process.sweep().await, "unannounced_partitions 0", "a store without tenants");
        let ((named, bytes), (orphan, other)) = (numbered(1), numbered(2));
        process.put(&named, bytes).await.unwrap();
        process.put(&orphan, other).await.unwrap();
        process.add(vec![plain(named)]).await.unwrap();
        world.env.sleep(47 * HOUR).await;
        assert!(!process.sweep().await.contains("orphan\"} 1"));
        world.env.sleep(HOUR).await;
        let swept = process.sweep().await;
        assert!(swept.contains("swept_objects_total{kind=\"orphan\"} 1"), "{swept}");
        assert!(process.is_there(1).await && !process.is_there(2).await);
    });
}

#[test]
fn inputs_go_a_day_after_what_took_their_place_is_there() {
    run(1, async |world: World| {
        let process = Process::new(&world, world.env.clone());
        let all: Vec<_> = (0..6).map(numbered).collect();
        for number in [1, 2, 5] {
            process.put(&all[number].0, all[number].1.clone()).await.unwrap();
        }
        let entry = |number: usize| all[number].0.clone();
        let mut added = process.add(vec![plain(entry(1)), plain(entry(2)), plain(entry(5))]).await.unwrap();
        let carried = vec![NewSegment { entry: entry(3), carried: Some(all[3].1.clone()) }];
        added.extend(process.add(carried).await.unwrap());
        let swap = async |outputs: Vec<SegmentEntry>, inputs: &[&SegmentEntry]| {
            let (id, inputs) =
                (process.tools.catalog.new_fact_id(), inputs.iter().map(|one| input(one)).collect());
            process
                .tools
                .catalog
                .swap(&tenant(), day(), id, outputs, inputs, process.in_an_hour())
                .await
                .unwrap();
        };
        // 4 takes the place of 1 and of 3, and its object is not there; 5 is dropped for good.
        swap(vec![entry(4)], &[&added[0], &added[3]]).await;
        swap(Vec::new(), &[&added[2]]).await;
        world.env.sleep(23 * HOUR).await;
        process.sweep().await;
        assert!(process.is_there(5).await);
        world.env.sleep(2 * HOUR).await;
        process.sweep().await;
        assert!(process.is_there(1).await && !process.is_there(5).await);
        let facts = async || survey(&process.tools.store, &tenant(), day()).await.unwrap().facts.len();
        assert_eq!(facts().await, 4);
        process.put(&all[4].0, all[4].1.clone()).await.unwrap();
        process.sweep().await;
        assert!(!process.is_there(1).await && process.is_there(2).await && process.is_there(4).await);
        assert_eq!(facts().await, 3, "the add that carried 3 went with it");
    });
}

#[test]
fn folded_facts_go_after_a_week() {
    run(1, async |world: World| {
        let process = Process::new(&world, world.env.clone());
        for number in 0..70 {
            let (entry, bytes) = numbered(number);
            // One travels inside its add, which stays.
            let carried = (number == 0).then_some(bytes);
            process.add(vec![NewSegment { entry, carried }]).await.unwrap();
        }
        let before = process.live().await;
        process.tools.catalog.fold(&tenant(), day()).await.unwrap().expect("a snapshot");
        let facts = async || survey(&process.tools.store, &tenant(), day()).await.unwrap().facts.len();
        world.env.sleep(7 * 24 * HOUR - HOUR).await;
        process.sweep().await;
        assert_eq!(facts().await, 71);
        world.env.sleep(2 * HOUR).await;
        process.sweep().await;
        assert_eq!(facts().await, 2, "the snapshot, and the add that carries a segment");
        assert_eq!(Process::new(&world, world.env.clone()).live().await, before);
    });
}

#[test]
fn pins_keep_everything_until_they_end() {
    run(1, async |world: World| {
        let process = Process::new(&world, world.env.clone());
        process.announce(numbered(1)).await;
        let (orphan, bytes) = numbered(2);
        process.put(&orphan, bytes).await.unwrap();
        world.env.sleep(50 * HOUR).await;
        let until = world.env.clock.now().plus(Span::from(HOUR));
        pin(&process.tools.store, &tenant(), until, FactId::from_u128(1)).await.unwrap();
        process.sweep().await;
        assert!(process.is_there(2).await);
        world.env.sleep(2 * HOUR).await;
        let swept = process.sweep().await;
        assert!(!process.is_there(2).await && swept.contains("kind=\"pin\"} 1"), "{swept}");
    });
}

/// A catalog that was lost is not completed: segments without facts may be the only copy of their rows.
#[test]
fn a_day_without_facts_keeps_its_segments() {
    run(1, async |world: World| {
        let writer = Process::new(&world, world.env.clone());
        let next_day = Timestamp::from_secs(86_400);
        for id in 1..=3 {
            writer.announce(numbered(id)).await;
        }
        writer.announce(made(SegmentId::from_u128(4), next_day, "named", &[])).await;
        let (orphan, bytes) = made(SegmentId::from_u128(5), next_day, "orphan", &[]);
        writer.put(&orphan, bytes).await.unwrap();
        writer.sweep().await;
        writer.lose_facts(day()).await;
        world.env.sleep(50 * HOUR).await;
        let fresh = Process::new(&world, world.env.clone());
        // One of them still knows what there was, the other one does not.
        for process in [&writer, &fresh] {
            let swept = process.sweep().await;
            assert!(swept.contains(r#"sweep_failures_total{reason="unannounced"} 1"#), "{swept}");
            assert!(!swept.contains("orphan\"} 1"), "nor do orphans of the tenant's other days go: {swept}");
            assert!(swept.contains("unannounced_partitions 1"), "{swept}");
        }
        let left = survey_tenant(&fresh.tools.store, &tenant()).await.unwrap();
        assert_eq!(left.partitions.values().map(|found| found.segments.len()).sum::<usize>(), 5);
        let (store, catalog) = (&fresh.tools.store, &fresh.tools.catalog);
        rebuild_tenant(store, catalog, &world.env, &tenant(), true, &mut |_| {}).await.unwrap();
        let swept = fresh.sweep().await;
        assert!(
            swept.contains(r#"reason="unannounced"} 1"#) && swept.contains("unannounced_partitions 0"),
            "{swept}"
        );
        assert_eq!(fresh.live().await.len(), 3);
    });
}

/// A day with many more segments than facts name: they go if it is proved that they are superfluous.
#[test]
fn many_unnamed_segments_of_a_day() {
    let (none, named, gone): (&[u128], &[u128], &[u128]) = (&[], &[1000], &[1000, 7777]);
    for (names, orphans, line, inputs, goes) in [
        (1, 16, "other", none, true),
        (1, 17, "other", none, false),
        (17, 17, "other", none, true),
        (1, 17, "1000", none, true),
        (1, 17, "merged", named, true),
        (1, 17, "merged", gone, false),
    ] {
        run(1, async |world: World| {
            let process = Process::new(&world, world.env.clone());
            for id in 1000..1000 + names {
                let segment = made(SegmentId::from_u128(id), Timestamp::EPOCH, &id.to_string(), &[]);
                process.announce(segment).await;
            }
            for id in 0..orphans {
                let (entry, bytes) = made(SegmentId::from_u128(id), Timestamp::EPOCH, line, inputs);
                process.put(&entry, bytes).await.unwrap();
            }
            world.env.sleep(50 * HOUR).await;
            let swept = process.sweep().await;
            let left = survey(&process.tools.store, &tenant(), day()).await.unwrap().segments.len() as u128;
            assert_eq!(left, if goes { names } else { names + orphans }, "{names} {orphans} {line}: {swept}");
            assert_eq!(swept.contains("unannounced\"} 1"), !goes, "{swept}");
        });
    }
}

#[test]
fn what_readings_of_the_clock_leave_goes() {
    run(1, async |world: World| {
        let process = Process::new(&world, world.env.clone());
        process.announce(numbered(1)).await;
        let folder = Folder::documents(&tenant(), DocumentKind::Usage);
        let usage = async || {
            let listed = process.tools.store.list(&folder, None, 10).await.unwrap().objects;
            listed.into_iter().map(|object| object.name).collect::<Vec<_>>()
        };
        for name in ["clock-x", "other"] {
            let key = Key::document(&tenant(), DocumentKind::Usage, &[name]).unwrap();
            process.tools.store.put(&key, Bytes::new()).await.unwrap();
        }
        process.sweep().await;
        assert_eq!(usage().await, ["clock-x", "other"]);
        world.env.sleep(HOUR).await;
        let swept = process.sweep().await;
        assert!(swept.contains("kind=\"probe\"} 1"), "{swept}");
        assert_eq!(usage().await, ["other"]);
    });
}

/// A clock that is wrong by so much.
#[derive(Debug)]
struct Skewed(Arc<dyn Clock>, Span);

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        self.0.now().plus(self.1)
    }

    fn monotonic(&self) -> Monotonic {
        self.0.monotonic()
    }
}

#[test]
fn nothing_goes_by_a_wrong_clock() {
    run(1, async |world: World| {
        let (orphan, bytes) = numbered(2);
        let process = Process::new(&world, world.env.clone());
        process.announce(numbered(1)).await;
        process.put(&orphan, bytes).await.unwrap();
        world.env.sleep(50 * HOUR).await;
        for (minutes, goes) in [(24 * 60, false), (-24 * 60, false), (6, false), (-6, false), (4, true)] {
            let clock = Arc::new(Skewed(Arc::clone(&world.env.clock), Span::from_mins(minutes)));
            let process = Process::new(&world, Env { clock, ..world.env.clone() });
            let swept = process.sweep().await;
            assert_eq!(!process.is_there(2).await, goes, "{minutes}");
            if !goes {
                assert!(swept.contains("sweep_failures_total{reason=\"unavailable\"} 1"), "{swept}");
            }
        }
    });
}

/// What must hold, whatever happened.
#[derive(Default)]
struct Model {
    /// Announced with success.
    added: BTreeMap<SegmentId, SegmentEntry>,
    /// By any swap that was sent.
    removed: BTreeSet<SegmentId>,
}

/// One step of a writer, a merger or a folder.
async fn act(world: &World, process: &Process, model: &mut Model) {
    let random = &world.env.random;
    match random.below(10) {
        0..=4 => {
            let (entry, bytes) = segment(process.env.new_segment_id());
            let carried = random.below(3) == 0;
            let is_put = carried || process.put(&entry, bytes.clone()).await.is_ok();
            // Some die between the two.
            if is_put && random.below(8) > 0 {
                let new = NewSegment { entry, carried: carried.then_some(bytes) };
                for entry in process.add(vec![new]).await.into_iter().flatten() {
                    model.added.insert(entry.id, entry);
                }
            }
        }
        5..=7 => {
            let Ok(view) = process.tools.catalog.view(&tenant(), day(), 5 * HOUR / 60).await else { return };
            let inputs: Vec<SegmentEntry> =
                view.segments().take(2 + random.below(3) as usize).cloned().collect();
            if inputs.len() < 2 {
                return;
            }
            let (merged, bytes) = segment(process.env.new_segment_id());
            if process.put(&merged, bytes).await.is_err() || random.below(8) == 0 {
                return;
            }
            let id = process.tools.catalog.new_fact_id();
            let of_inputs = inputs.iter().map(input).collect();
            model.removed.extend(inputs.iter().map(|entry| entry.id));
            let catalog = &process.tools.catalog;
            let last = process.in_an_hour();
            if catalog.swap(&tenant(), day(), id, vec![merged.clone()], of_inputs, last).await.is_ok() {
                model.added.insert(merged.id, merged);
            }
        }
        _ => drop(process.tools.catalog.fold(&tenant(), day()).await),
    }
}

/// Every live segment is there and verifies, and nothing that was announced and not removed is missing.
async fn check(world: &World, model: &Model) {
    let process = Process::new(world, world.env.clone());
    let live: BTreeMap<SegmentId, SegmentEntry> =
        process.live().await.into_iter().map(|entry| (entry.id, entry)).collect();
    for id in model.added.keys().filter(|id| !model.removed.contains(id)) {
        assert!(live.contains_key(id), "{id} was announced and is not live");
    }
    for entry in live.values() {
        let place = SegmentPlace::of(&tenant(), entry);
        let bytes = process.tools.store.get_range(&place.key, place.offset..place.offset + place.bytes).await;
        let bytes = bytes.unwrap_or_else(|error| panic!("{} is live and cannot be read: {error}", entry.id));
        assert_eq!(verify(&bytes).unwrap().provenance().id, entry.id);
    }
}

#[test]
fn whatever_happens_what_is_live_is_there() {
    for seed in 1..=12 {
        run(seed, async |world: World| {
            let writers: Vec<Process> = (0..3).map(|_| Process::new(&world, world.env.clone())).collect();
            let sweepers: Vec<Process> = (0..2).map(|_| Process::new(&world, world.env.clone())).collect();
            let mut model = Model::default();
            for round in 0..30_u64 {
                world.store.refuse(20);
                world.store.lose_answers(20);
                world.store.delay_puts(50, 24 * HOUR);
                world.store.repeat_puts(50, 24 * HOUR);
                world.store.set_list_lag(Duration::from_secs(1200));
                world.store.tear_lists(7);
                for _ in 0..12 {
                    let writer = &writers[world.env.random.below(3) as usize];
                    act(&world, writer, &mut model).await;
                    world.env.sleep(Duration::from_secs(world.env.random.below(3 * 3600))).await;
                }
                for sweeper in &sweepers {
                    sweeper.sweep().await;
                }
                world.store.refuse(0);
                world.store.lose_answers(0);
                world.store.delay_puts(0, Duration::ZERO);
                world.store.repeat_puts(0, Duration::ZERO);
                if round % 10 == 9 {
                    // What was late has arrived, and listings show it.
                    world.env.sleep(26 * HOUR).await;
                    check(&world, &model).await;
                }
            }
            // In the end nothing is left but what is live, and the facts that say so.
            for _ in 0..3 {
                let folder = &writers[0].tools.catalog;
                folder.view(&tenant(), day(), Duration::ZERO).await.unwrap();
                folder.fold(&tenant(), day()).await.unwrap();
                world.env.sleep(8 * 24 * HOUR).await;
                sweepers[0].sweep().await;
            }
            check(&world, &model).await;
            let process = Process::new(&world, world.env.clone());
            let live = process.live().await;
            let left = survey(&process.tools.store, &tenant(), day()).await.unwrap();
            let own: BTreeSet<SegmentId> =
                live.iter().filter(|entry| entry.embedded.is_none()).map(|entry| entry.id).collect();
            assert_eq!(left.segments.keys().copied().collect::<BTreeSet<_>>(), own, "orphans are swept");
            assert!(left.facts.len() <= 64 + 2 + live.len(), "{} facts", left.facts.len());
        });
    }
}

/// What a round costs follows from what was written, not from how many tenants and days there are.
#[test]
fn a_round_asks_little_of_tenants_that_stay_as_they_are() {
    run(9, async |world: World| {
        let process = Process::new(&world, world.env.clone());
        let sums = || {
            let text = process.registry.encode(Format::Prometheus);
            let sum = |name: &str| -> f64 {
                let lines = text.lines().filter(|line| line.starts_with(name));
                lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
            };
            (
                sum("loki_objstore_bucket_operations_total"),
                sum("larch_compactor_sweep_examined_partitions_total"),
            )
        };
        // Thirty tenants whose rows travel inside their adds, and one with objects of its own.
        for number in 0..30 {
            let tenant: TenantId = format!("small-{number}").parse().unwrap();
            let (entry, bytes) = numbered(100 + number);
            let id = process.tools.catalog.new_fact_id();
            let new = NewSegment { entry, carried: Some(bytes) };
            process.tools.catalog.add(&tenant, day(), id, vec![new], process.in_an_hour()).await.unwrap();
        }
        let (entry, bytes) = numbered(1);
        process.put(&entry, bytes).await.unwrap();
        process.add(vec![plain(entry)]).await.unwrap();
        let mut job = process.job();
        let mut round = async || while job.run_once(world.env.clock.now()).await == Next::Again {};
        let mut costs = Vec::new();
        for _ in 0..3 {
            let before = sums();
            round().await;
            let after = sums();
            costs.push((after.0 - before.0, after.1 - before.1));
            world.env.sleep(HOUR).await;
        }
        // The tenants, the clock with three requests, a listing for each tenant; and once the day that has an object.
        assert_eq!(costs[1..], [(35.0, 0.0), (35.0, 0.0)], "{costs:?}");
        assert_eq!(costs[0].1, 1.0);
        let (orphan, bytes) = numbered(2);
        process.put(&orphan, bytes).await.unwrap();
        let before = sums();
        round().await;
        assert_eq!(sums().1 - before.1, 1.0, "another object came");
        world.env.sleep(49 * HOUR).await;
        round().await;
        assert!(!process.is_there(2).await && process.is_there(1).await);
    });
}
