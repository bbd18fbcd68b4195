//! Few rows that hold an old file of the log are written again at its end.

use std::collections::BTreeSet;

use futures_util::future::{Either, select};
use larch_wal::Dir;

use super::*;
use crate::cut::MOST_LOG_FILES;

fn of(tenant: &str) -> TenantContext {
    TenantContext { tenant: tenant.parse().unwrap(), ..context() }
}

async fn append_to(life: &Life, tenant: &str, number: u64, line: &str) -> Result<AppendResponse, CallError> {
    let request = push(u128::from(number), &[(APP, number as i64, line)]);
    life.door.append(of(tenant), Arc::unwrap_or_clone(request)).await
}

fn generous() -> TenantLimits {
    limits(|limits| limits.per_stream_rate_limit_burst = ByteSize::gib(1))
}

/// One tenant that fills the log beside a thousand that have a row each: the log goes on, and nobody is cut
/// but the one.
#[test]
fn small_tenants_beside_a_large_one_are_not_cut_with_it() {
    const TENANTS: u64 = 1000;
    const FILE: u64 = 2 << 20;
    let (result, _) = run(1, |world| async move {
        let small_files = LogSettings { file_bytes: FILE, ..LogSettings::default() };
        let life = start_with(&world, small_files.clone(), &generous(), usize::MAX);
        for number in 0..TENANTS {
            append_to(&life, &format!("small-{number}"), number, "few").await?;
        }
        let line = "x".repeat(512 << 10);
        for number in 0..100 {
            append_to(&life, "large", number, &format!("{number}{line}")).await?;
            world.env.sleep(Duration::from_millis(700)).await;
        }
        world.env.sleep(Duration::from_secs(3)).await;
        let node = life.door.node()?;
        let files = node.log.files();
        assert!(files.len() <= MOST_LOG_FILES + 1, "{} files", files.len());
        assert!(files[0].first.0 > 2 * TENANTS, "the rows were carried more than once");
        // Each eight files of the large one are a cut.
        let cuts = node.metrics.cuts.get();
        assert!(cuts <= 5, "{cuts} cuts");
        let carried = node.metrics.carried_bytes.get();
        assert!(carried > 0 && carried < 100 * (512 << 10) / 3, "{carried} bytes were written again");
        world.wal_dir.power_cut();
        drop(life.scope.close(Duration::from_secs(1)).await);
        let life = start_with(&world, small_files, &generous(), usize::MAX);
        for number in 0..TENANTS {
            let id = format!("small-{number}").parse().unwrap();
            let held = life.door.node()?.tenants.find(&id).unwrap().shelf.holdings();
            assert_eq!((held.rows, held.files), (1, 0), "small-{number}");
        }
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

/// What is more than a part of the file is cut, and what would be a segment of its own.
#[test]
fn more_than_a_part_of_a_file_is_cut() {
    for (file_bytes, lines, cut) in
        [(64 << 10, 5, false), (64 << 10, 30, true), (8 << 20, 800, false), (8 << 20, 3000, true)]
    {
        let (result, _) = run(2, |world| async move {
            let files = LogSettings { file_bytes, ..LogSettings::default() };
            let life = start_with(&world, files, &generous(), usize::MAX);
            let line = "y".repeat(1 << 10);
            for number in 0..lines {
                append_to(&life, "middle", number, &format!("{number}{line}")).await?;
            }
            let filler = "x".repeat(file_bytes as usize / 2);
            for number in 0..20 {
                append_to(&life, "large", number, &format!("{number}{filler}")).await?;
            }
            world.env.sleep(Duration::from_secs(3)).await;
            let node = life.door.node()?;
            let held = node.tenants.find(&"middle".parse().unwrap()).unwrap().shelf.holdings();
            assert_eq!(
                (held.rows, held.files),
                if cut { (0, 1) } else { (lines, 0) },
                "{file_bytes} {lines}"
            );
            assert!(node.log.files().len() <= MOST_LOG_FILES + 1);
            Ok::<(), CallError>(())
        });
        result.unwrap();
    }
}

/// A file that cannot be read is cut out of the way: its rows are in memory.
#[test]
fn what_cannot_be_read_is_cut() {
    let (result, _) = run(3, |world| async move {
        let files = LogSettings { file_bytes: 8192, ..LogSettings::default() };
        let life = start_with(&world, files, &generous(), usize::MAX);
        append_to(&life, "acme", 1, "one").await?;
        append_to(&life, "acme", 2, "two").await?;
        let name =
            world.wal_dir.list().unwrap().into_iter().find(|name| name.as_str().ends_with(".wal")).unwrap();
        world.wal_dir.damage(&name, 60);
        let filler = "x".repeat(4000);
        for number in 0..40 {
            append_to(&life, "large", number, &format!("{number}{filler}")).await?;
        }
        world.env.sleep(Duration::from_secs(3)).await;
        let node = life.door.node()?;
        let held = node.tenants.find(&"acme".parse().unwrap()).unwrap().shelf.holdings();
        assert_eq!((held.rows, held.files), (0, 1));
        assert!(node.log.files().len() <= MOST_LOG_FILES + 1);
        assert_eq!(rows(&life.door).await?.len(), 2);
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

const FILES: LogSettings = LogSettings {
    sync: SyncMode::Always,
    file_bytes: 8192,
    budget_bytes: 0,
    full_threshold: 0.85,
    queue_bytes: 64 << 20,
    queue_records: 10_000,
};

fn begin(world: &World) -> Result<Life, larch_runtime::StartError> {
    try_start(world, FILES, &generous(), usize::MAX, &IngesterSettings::default())
}

/// A few rows of one tenant, and rows of another until the first are carried; some more of both, and a cut.
async fn script(world: &World, life: &Life, acknowledged: &std::sync::Mutex<BTreeSet<String>>) {
    let filler = "x".repeat(7000);
    for round in 0..3_u64 {
        let line = format!("round {round}");
        if append_to(life, "acme", round, &line).await.is_ok() {
            acknowledged.lock().unwrap().insert(line);
        }
        for number in 0..5 {
            drop(append_to(life, "other", round * 5 + number, &format!("{round} {number}{filler}")).await);
        }
        world.env.sleep(Duration::from_secs(2)).await;
    }
    let tenant = Some(context().tenant);
    let request = FlushRequest { tenant, any_of: Vec::new(), wait_for_upload: false };
    drop(life.door.flush(context().call, request).await);
    drop(append_to(life, "other", 99, "behind the cut").await);
}

/// The power goes at every call that changes the disk. What was acknowledged is there once: in memory or in
/// a file, as the next life finds it and as the one after.
#[test]
fn a_crash_at_every_step_of_carrying_loses_and_doubles_nothing() {
    let mut carried = 0;
    for calls in 0..2000 {
        let ((finished, copied), _) = run(calls, |world| async move {
            world.fuse.blow_after(calls);
            let acknowledged = std::sync::Mutex::new(BTreeSet::new());
            let (mut finished, mut copied) = (false, 0);
            if let Ok(life) = begin(&world) {
                let running = Box::pin(script(&world, &life, &acknowledged));
                finished = matches!(select(running, Box::pin(world.fuse.blown())).await, Either::Left(_));
                copied = life.door.node().unwrap().metrics.carried_bytes.get();
                world.wal_dir.power_cut();
                drop(life.scope.close(Duration::from_secs(1)).await);
            } else {
                world.wal_dir.power_cut();
            }
            world.fuse.reset();
            let acknowledged = acknowledged.into_inner().unwrap();
            for _ in 0..2 {
                let life = begin(&world).unwrap();
                let found = rows(&life.door).await.unwrap();
                assert!(found.values().all(|count| *count == 1), "{calls}: {found:?}");
                let lines: BTreeSet<String> = found.into_keys().collect();
                assert!(lines.is_superset(&acknowledged), "{calls}: {acknowledged:?} in {lines:?}");
                world.env.sleep(Duration::from_secs(3)).await;
                if let Some(tenant) = life.door.node().unwrap().tenants.find(&context().tenant) {
                    let held = tenant.shelf.holdings();
                    let held = (held.rows as usize, held.files);
                    assert!(
                        held == (lines.len(), 0) || held == (0, 1),
                        "{calls}: {held:?} of {}",
                        lines.len()
                    );
                }
                world.wal_dir.power_cut();
                drop(life.scope.close(Duration::from_secs(1)).await);
            }
            (finished, copied)
        });
        carried += u64::from(copied > 0);
        if finished {
            assert!(carried > 10, "carried before the power went in {carried} of {calls} runs");
            return;
        }
    }
    panic!("the script ends");
}
