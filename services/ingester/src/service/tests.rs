//! A whole node on a simulated disk.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::future::join_all;
use larch_launch::TenantLimits;
use larch_limits::{LimitsSettings, OperationalSettings};
use larch_membership::Members;
use larch_proto::Direction;
use larch_rpc::Deadline;
use larch_runtime::Scope;
use larch_store::{Backing, Catalog, Store, StoreOptions};
use larch_telemetry::{Namespace, Registry};
use larch_testkit::sim::{World, run};
use larch_types::{ByteSize, RequestId, TenantId, TraceContext};
use larch_wal::{LogMetrics, LogSettings, SyncMode};

use super::*;
use crate::append::apply_committed;
use crate::cut::cut_when_due;
use crate::metrics::Metrics;
use crate::node::{Bounds, Parts};
use crate::replay::Replay;
use crate::settings::IngesterSettings;
use crate::testing::{push, selection};
use crate::upload::{UploadSettings, forget_when_due, upload_waiting};

const APP: &str = "{app=\"a\"}";

mod carry;
mod leaving;
mod modes;
mod room;
mod set_aside;
mod uploads;

/// One life of a node.
struct Life {
    door: Door,
    scope: Scope,
    store: Store,
}

impl Life {
    /// From now on files are uploaded, and forgotten after a while.
    fn upload(&self) {
        let node = self.door.node().unwrap();
        self.scope.spawn("upload", upload_waiting(Arc::clone(node), self.scope.clone()));
        self.scope.spawn("forget", forget_when_due(Arc::clone(node), self.scope.clone()));
    }

    /// What another process finds in the store.
    fn fresh_catalog(&self, world: &World) -> Catalog {
        Catalog::new(self.store.clone(), world.env.clone(), &Registry::default())
    }
}

fn limits(change: impl FnOnce(&mut LimitsSettings)) -> TenantLimits {
    let mut limits = LimitsSettings::default();
    change(&mut limits);
    TenantLimits::new(limits, OperationalSettings::default())
}

fn start(world: &World, sync: SyncMode, limits: &TenantLimits, memory_bytes: usize) -> Life {
    start_with(world, LogSettings { sync, ..LogSettings::default() }, limits, memory_bytes)
}

fn start_with(world: &World, settings: LogSettings, limits: &TenantLimits, memory_bytes: usize) -> Life {
    start_settled(world, settings, limits, memory_bytes, &IngesterSettings::default())
}

fn start_settled(
    world: &World,
    log: LogSettings,
    limits: &TenantLimits,
    memory_bytes: usize,
    settings: &IngesterSettings,
) -> Life {
    try_start(world, log, limits, memory_bytes, settings).unwrap()
}

fn try_start(
    world: &World,
    log_settings: LogSettings,
    limits: &TenantLimits,
    memory_bytes: usize,
    settings: &IngesterSettings,
) -> Result<Life, larch_runtime::StartError> {
    let (sync, disk_threshold) = (log_settings.sync, log_settings.full_threshold);
    let registry = Registry::new("loki".parse::<Namespace>().unwrap());
    let metrics = Metrics::new(&registry);
    let replay = Replay {
        env: world.env.clone(),
        limits: limits.clone(),
        metrics: metrics.clone(),
        log_metrics: LogMetrics::new(&registry, &world.env),
        ceiling: memory_bytes,
    };
    let dir: Arc<dyn larch_wal::Dir> = Arc::new(world.wal_dir.clone());
    let (recovery, replayed) = replay.run(&dir, log_settings)?;
    let scope = Scope::default();
    let id = recovery.node();
    let (log, committed) = recovery.start(&scope);
    let options = StoreOptions::default();
    let store =
        Store::new(Backing::other(Arc::new(world.store.clone())), options, world.env.clone(), &registry);
    let catalog = Catalog::new(store.clone(), world.env.clone(), &registry);
    let node = Arc::new(Node::new(Parts {
        id,
        scope: scope.clone(),
        env: world.env.clone(),
        limits: limits.clone(),
        members: Members::default(),
        here: "node-0:9095".parse().unwrap(),
        replication: 1,
        bounds: Bounds {
            memory_bytes,
            disk_bytes: settings.wal.disk_budget.as_u64(),
            aside_bytes: settings.wal.set_aside_budget.as_u64(),
            disk_threshold,
            named_rows: 10,
            named_dropped: 10,
        },
        synced: sync == SyncMode::Always,
        metrics,
        log,
        dir,
        store: store.clone(),
        catalog,
        uploading: UploadSettings::new(settings),
        replayed,
    }));
    scope.spawn("apply", apply_committed(Arc::clone(&node), committed));
    let max_age = Duration::from_secs(7200);
    scope.spawn("cut", cut_when_due(Arc::clone(&node), max_age, scope.clone()));
    let door = Door::default();
    door.open(node);
    Ok(Life { door, scope, store })
}

fn context() -> TenantContext {
    let call = CallContext {
        request: RequestId::from_random(1),
        trace: TraceContext::new(1, 1, 0).unwrap(),
        deadline: Deadline::after(Duration::from_secs(3600)),
    };
    TenantContext { tenant: "acme".parse::<TenantId>().unwrap(), call }
}

async fn rows(door: &Door) -> Result<BTreeMap<String, u32>, CallError> {
    let request = ReadRequest {
        selection: selection(&[], 0, i64::MAX),
        needles: Vec::new(),
        direction: Direction::Forward,
        limit: 0,
        tombstones_known: Vec::new(),
    };
    let mut answer = door.read(context(), request).await?.body;
    let mut lines = BTreeMap::new();
    while let Some(batch) = answer.next().await {
        for row in batch?.rows {
            *lines.entry(String::from_utf8(row.line.to_vec()).unwrap()).or_insert(0) += 1;
        }
    }
    Ok(lines)
}

/// The rows of a read, in its order, as what they are told apart by.
async fn rows_in_order(
    door: &Door,
    direction: Direction,
    limit: u64,
) -> Result<Vec<(i64, String)>, CallError> {
    let request = ReadRequest {
        selection: selection(&[], 0, i64::MAX),
        needles: Vec::new(),
        direction,
        limit,
        tombstones_known: Vec::new(),
    };
    let mut answer = door.read(context(), request).await?.body;
    let mut rows = Vec::new();
    while let Some(batch) = answer.next().await {
        for row in batch?.rows {
            rows.push((row.timestamp.nanos(), String::from_utf8(row.line.to_vec()).unwrap()));
        }
    }
    Ok(rows)
}

async fn flush(door: &Door) -> Result<u64, CallError> {
    let request = FlushRequest { tenant: None, any_of: Vec::new(), wait_for_upload: false };
    Ok(door.flush(context().call, request).await?.segments)
}

async fn append_line(door: &Door, stamp: u128, time: i64, line: &str) -> Result<AppendResponse, CallError> {
    let request = push(stamp, &[(APP, time, line)]);
    door.append(context(), Arc::unwrap_or_clone(request)).await
}

/// Pushes from four clients until the power goes; what was acknowledged is added to the list.
async fn push_until_cut(world: &World, life: &Life, round: u64, acknowledged: &mut Vec<String>) {
    let clients = (0..4_u64).map(|client| async move {
        let mut taken = Vec::new();
        for number in 0..world.env.random.below(20) {
            let line = format!("{round}-{client}-{number}");
            let stamp = u128::from(round << 32 | client << 16 | number);
            if append_line(&life.door, stamp, number as i64, &line).await.is_ok() {
                taken.push(line);
            }
            world.env.sleep(Duration::from_millis(world.env.random.below(3))).await;
        }
        taken
    });
    for taken in join_all(clients).await {
        acknowledged.extend(taken);
    }
}

/// Lives that end with the power, one after the other on one disk. Returns acknowledged lines that are
/// lost.
async fn lives(world: World, sync: SyncMode, count: u64) -> usize {
    let limits = limits(|_| {});
    let mut acknowledged = Vec::new();
    for round in 0..count {
        let life = start(&world, sync, &limits, usize::MAX);
        let found = rows(&life.door).await.unwrap();
        assert!(found.values().all(|count| *count == 1), "every line is there once");
        let lost = acknowledged.iter().filter(|line| !found.contains_key(*line)).count();
        if lost > 0 {
            return lost;
        }
        push_until_cut(&world, &life, round, &mut acknowledged).await;
        world.wal_dir.power_cut();
        drop(life.scope.close(Duration::from_secs(1)).await);
    }
    0
}

#[test]
fn a_power_cut_takes_nothing_that_was_acknowledged() {
    for seed in 0..100 {
        assert_eq!(run(seed, |world| lives(world, SyncMode::Always, 10)).0, 0, "seed {seed}");
    }
    let lost: usize = (0..20).map(|seed| run(seed, |world| lives(world, SyncMode::Never, 10)).0).sum();
    assert!(lost > 0, "without syncs the same cuts lose lines, so the test can tell");
}

#[test]
fn a_full_disk_refuses_pushes_and_answers_readers() {
    let (result, _) = run(1, |world| async move {
        let life = start(&world, SyncMode::Always, &limits(|_| {}), usize::MAX);
        append_line(&life.door, 1, 1, "before").await?;
        world.wal_dir.set_capacity(2000);
        let refused = append_line(&life.door, 2, 2, &"x".repeat(5000)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooMany, "{refused}");
        assert_eq!(rows(&life.door).await?.len(), 1, "what was refused is not seen");
        world.wal_dir.set_capacity(1 << 30);
        world.env.sleep(Duration::from_secs(3)).await;
        append_line(&life.door, 3, 3, "after").await?;
        world.wal_dir.power_cut();
        drop(life.scope.close(Duration::from_secs(1)).await);
        let life = start(&world, SyncMode::Always, &limits(|_| {}), usize::MAX);
        let found = rows(&life.door).await?;
        assert!(found.contains_key("before") && found.contains_key("after"));
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

#[test]
fn a_disk_that_became_read_only_refuses_pushes_and_answers_readers() {
    let (result, _) = run(2, |world| async move {
        let life = start(&world, SyncMode::Always, &limits(|_| {}), usize::MAX);
        append_line(&life.door, 1, 1, "before").await?;
        world.wal_dir.set_read_only(true);
        let refused = append_line(&life.door, 2, 2, "refused").await.unwrap_err();
        assert!(refused.text().contains("write-ahead log"), "{refused}");
        assert_eq!(rows(&life.door).await?.len(), 1);
        world.wal_dir.set_read_only(false);
        world.env.sleep(Duration::from_secs(3)).await;
        append_line(&life.door, 3, 3, "after").await?;
        assert_eq!(rows(&life.door).await?.len(), 2);
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

#[test]
fn limits_refuse_streams_whole() {
    let (result, _) = run(3, |world| async move {
        let limits = limits(|limits| {
            limits.max_global_streams_per_user = 1;
            limits.per_stream_rate_limit = ByteSize::bytes(10);
            limits.per_stream_rate_limit_burst = ByteSize::bytes(10);
        });
        let life = start(&world, SyncMode::Always, &limits, usize::MAX);
        let request = push(1, &[(APP, 1, "12345"), ("{app=\"b\"}", 1, "other"), (APP, 2, "12345")]);
        let answer = life.door.append(context(), Arc::unwrap_or_clone(request)).await?;
        assert_eq!(answer.outcomes[0].refusal, None);
        let refusal = answer.outcomes[1].refusal.as_ref().unwrap();
        assert!(refusal.text.starts_with("maximum active stream limit exceeded"), "{}", refusal.text);
        let answer = append_line(&life.door, 2, 3, "1").await?;
        let refusal = answer.outcomes[0].refusal.as_ref().unwrap();
        assert!(refusal.text.contains("Per stream rate limit exceeded (limit: 10B/sec)"), "{}", refusal.text);
        assert_eq!(rows(&life.door).await?.values().sum::<u32>(), 2);
        let again = push(3, &[(APP, 1, "12345")]);
        world.env.sleep(Duration::from_secs(1)).await;
        let answer = life.door.append(context(), Arc::unwrap_or_clone(again)).await?;
        assert_eq!((answer.outcomes[0].duplicate_rows, answer.outcomes[0].duplicate_bytes), (1, 5));
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

#[test]
fn memory_has_a_bound() {
    let (result, _) = run(4, |world| async move {
        let life = start(&world, SyncMode::Always, &limits(|_| {}), 200_000);
        // Else they would be cut at half of it.
        world.wal_dir.refuse_names(Some(".seg-new"));
        let mut refused = None;
        for number in 0..1000 {
            if let Err(error) = append_line(&life.door, number, number as i64, &"y".repeat(1000)).await {
                refused = Some((number, error));
                break;
            }
        }
        let (number, error) = refused.expect("the bound is met");
        assert_eq!(error.kind(), ErrorKind::TooMany);
        assert!(number > 10, "{number} rows fit");
        assert_eq!(rows(&life.door).await?.values().sum::<u32>(), number as u32);
        world.wal_dir.refuse_names(None);
        world.env.sleep(Duration::from_secs(5)).await;
        append_line(&life.door, 1000, 1000, "fits again").await?;
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

#[test]
fn what_cannot_be_stored_is_not_logged() {
    let (result, _) = run(5, |world| async move {
        let life = start(&world, SyncMode::Always, &limits(|_| {}), usize::MAX);
        for labels in ["{b=\"1\",a=\"2\"}", "app", "{app=\"\"}"] {
            let request = push(1, &[(labels, 1, "x")]);
            let refused = life.door.append(context(), Arc::unwrap_or_clone(request)).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Invalid, "{labels}");
        }
        let line = "z".repeat(larch_segment::MAX_LINE_BYTES + 1);
        let refused = append_line(&life.door, 1, 1, &line).await.unwrap_err();
        assert!(!refused.kind().row().retryable, "{refused}");
        assert_eq!(life.door.node()?.log.used_bytes(), life.door.node()?.log.files()[0].bytes);
        assert_eq!(rows(&life.door).await?.len(), 0);
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

#[test]
fn a_tail_begins_where_a_read_ends() {
    let (result, _) = run(6, |world| async move {
        let life = start(&world, SyncMode::Always, &limits(|_| {}), usize::MAX);
        append_line(&life.door, 1, 1, "read").await?;
        let request =
            SubscribeRequest { selection: selection(&[], 0, i64::MAX), needles: Vec::new(), from: None };
        let mut tail = life.door.subscribe(context(), request).await?;
        append_line(&life.door, 2, 2, "live").await?;
        let Some(Ok(TailEvent::Rows { batch, position })) = tail.body.next().await else { panic!() };
        assert_eq!((batch.rows.len(), &batch.rows[0].line[..]), (1, &b"live"[..]));
        assert!(position > tail.head.position);
        let Some(Ok(TailEvent::Rows { batch, .. })) = tail.body.next().await else { panic!() };
        assert_eq!(batch.rows.len(), 0, "a heartbeat");
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

/// Pushes, repeated pushes, cuts and restarts at random; after each the rows are those of a model, in both
/// directions and with a limit.
async fn history(world: World, steps: u64) {
    let limits = limits(|_| {});
    let mut life = start(&world, SyncMode::Always, &limits, usize::MAX);
    let mut model: Vec<(i64, String)> = Vec::new();
    for step in 0..steps {
        match world.env.random.below(10) {
            0..=4 => {
                // Few times and lines, so that many are equal.
                let time = 1 + world.env.random.below(3) as i64 * 86_400_000_000_000;
                let line = format!("line {}", world.env.random.below(40));
                append_line(&life.door, u128::from(step), time, &line).await.unwrap();
                if !model.contains(&(time, line.clone())) {
                    model.push((time, line));
                }
            }
            5 | 6 => {
                flush(&life.door).await.unwrap();
            }
            7 => {
                world.wal_dir.power_cut();
                drop(life.scope.close(Duration::from_secs(1)).await);
                life = start(&world, SyncMode::Always, &limits, usize::MAX);
            }
            8 => {
                drop(life.scope.close(Duration::from_secs(1)).await);
                life = start(&world, SyncMode::Always, &limits, usize::MAX);
            }
            _ => world.env.sleep(Duration::from_secs(2)).await,
        }
        // The order of equal times is that of their pushes, whose stamps rise here.
        let mut forward = model.clone();
        forward.sort_by_key(|(time, _)| *time);
        let backward: Vec<_> = forward.iter().rev().cloned().collect();
        assert_eq!(rows_in_order(&life.door, Direction::Forward, 0).await.unwrap(), forward, "step {step}");
        assert_eq!(rows_in_order(&life.door, Direction::Backward, 0).await.unwrap(), backward);
        let limit = 1 + world.env.random.below(5) as usize;
        let mut first = limit.min(forward.len());
        // Rows of the last one's time come with it.
        while first > 0 && first < forward.len() && forward[first].0 == forward[first - 1].0 {
            first += 1;
        }
        let limited = rows_in_order(&life.door, Direction::Forward, limit as u64).await.unwrap();
        assert_eq!(limited, forward[..first]);
    }
}

#[test]
fn rows_are_the_same_in_memory_and_in_files() {
    for seed in 0..60 {
        run(seed, |world| history(world, 60));
    }
}

#[test]
fn cuts_let_the_log_go() {
    let (result, _) = run(7, |world| async move {
        let limits = limits(|limits| limits.per_stream_rate_limit_burst = ByteSize::gib(1));
        let life = start(&world, SyncMode::Always, &limits, usize::MAX);
        let line = "x".repeat(1 << 20);
        for number in 0..140 {
            append_line(&life.door, number, number as i64, &format!("{number}{line}")).await?;
            world.env.sleep(Duration::from_millis(100)).await;
        }
        world.env.sleep(Duration::from_secs(5)).await;
        let node = life.door.node()?;
        let held = node.tenants.all()[0].shelf.holdings();
        assert!(held.raw_bytes < 80 << 20, "rows are cut at 64 MiB: {} held", held.raw_bytes);
        assert!(held.files >= 1, "{} files", held.files);
        assert!(node.log.used_bytes() < 140 << 20, "{} bytes of log", node.log.used_bytes());
        assert!(node.held_bytes() < 200 << 20, "{} bytes of memory", node.held_bytes());
        assert_eq!(rows(&life.door).await?.len(), 140);
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

#[test]
fn old_rows_are_cut_whatever_their_size() {
    let (result, _) = run(8, |world| async move {
        let life = start(&world, SyncMode::Always, &limits(|_| {}), usize::MAX);
        append_line(&life.door, 1, 1, "old").await?;
        world.env.sleep(Duration::from_secs(7300)).await;
        let tenant = Arc::clone(&life.door.node()?.tenants.all()[0]);
        let held = tenant.shelf.holdings();
        assert_eq!((held.rows, held.files), (0, 1), "two hours are enough");
        assert!(tenant.shelf.oldest_description().is_some_and(|at| at.0 > 0), "the log names the file");
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

/// A quiet tenant's rows and files do not keep what a busy one logs.
#[test]
fn few_rows_and_old_files_do_not_hold_the_log() {
    let (result, _) = run(10, |world| async move {
        let limits = limits(|limits| limits.per_stream_rate_limit_burst = ByteSize::gib(1));
        let small_files = LogSettings { file_bytes: 1 << 20, ..LogSettings::default() };
        let life = start_with(&world, small_files.clone(), &limits, usize::MAX);
        let quiet = |line: &str, time| push(time as u128, &[(APP, time, line)]);
        let of = |tenant: &str| TenantContext { tenant: tenant.parse().unwrap(), ..context() };
        life.door.append(of("filed"), Arc::unwrap_or_clone(quiet("filed", 1))).await?;
        flush(&life.door).await?;
        life.door.append(of("held"), Arc::unwrap_or_clone(quiet("held", 2))).await?;
        let line = "y".repeat(256 << 10);
        for number in 0..60 {
            append_line(&life.door, number, number as i64, &format!("{number}{line}")).await?;
            world.env.sleep(Duration::from_millis(500)).await;
        }
        world.env.sleep(Duration::from_secs(5)).await;
        let node = life.door.node()?;
        assert!(node.log.used_bytes() < 10 << 20, "{} bytes of log", node.log.used_bytes());
        world.wal_dir.power_cut();
        drop(life.scope.close(Duration::from_secs(1)).await);
        let life = start_with(&world, small_files, &limits, usize::MAX);
        let node = life.door.node()?;
        for (tenant, rows, files) in [("filed", 0, 1), ("held", 1, 0)] {
            let found = node.tenants.find(&tenant.parse().unwrap()).unwrap().shelf.holdings();
            assert_eq!((found.rows, found.files), (rows, files), "{tenant}");
        }
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

#[test]
fn a_cut_that_fails_is_tried_again() {
    let (result, _) = run(9, |world| async move {
        let life = start(&world, SyncMode::Always, &limits(|_| {}), usize::MAX);
        append_line(&life.door, 1, 1, "one").await?;
        world.wal_dir.fail_syncs(1000);
        for _ in 0..3 {
            assert!(flush(&life.door).await.is_err());
        }
        let refused = append_line(&life.door, 2, 2, "two").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooMany, "{refused}");
        assert_eq!(rows(&life.door).await?.len(), 1);
        world.wal_dir.fail_syncs(0);
        world.env.sleep(Duration::from_secs(5)).await;
        append_line(&life.door, 3, 3, "three").await?;
        assert_eq!(rows(&life.door).await?.len(), 2);
        assert_eq!(life.door.node()?.tenants.all()[0].shelf.holdings().files, 1);
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

/// The record that names a file may be lost with the log; the file is then the only copy of its rows.
#[test]
fn files_that_a_damaged_log_does_not_name_stay() {
    use larch_wal::Dir;
    let segments = |world: &World| {
        let names = world.wal_dir.list().unwrap();
        names.into_iter().filter(|name| name.as_str().ends_with(".seg")).collect::<Vec<_>>()
    };
    let (result, _) = run(11, |world| async move {
        let life = start(&world, SyncMode::Always, &limits(|_| {}), usize::MAX);
        append_line(&life.door, 1, 1, "one").await?;
        flush(&life.door).await?;
        drop(life.scope.close(Duration::from_secs(1)).await);
        let before = segments(&world);
        assert_eq!(before.len(), 1);
        for name in world.wal_dir.list().unwrap() {
            if name.as_str().ends_with(".wal") {
                world.wal_dir.remove(&name).unwrap();
            }
        }
        let life = start(&world, SyncMode::Always, &limits(|_| {}), usize::MAX);
        assert_eq!(segments(&world), before);
        append_line(&life.door, 2, 2, "two").await?;
        Ok::<(), CallError>(())
    });
    result.unwrap();
}
