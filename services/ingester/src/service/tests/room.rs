//! What a node gives back: the log where the disk is short, tenants that have nothing, files that are uploaded.

use larch_types::SegmentId;
use larch_wal::Dir;

use super::uploads::{begin, check_once, flush_and_wait};
use super::*;

fn of(tenant: &str) -> TenantContext {
    TenantContext { tenant: tenant.parse().unwrap(), ..context() }
}

async fn append_to(life: &Life, tenant: u64, number: u64) -> Result<(), CallError> {
    let line = format!("{number}{}", "x".repeat(10_000));
    let request = push(u128::from(number), &[(APP, number as i64, &line)]);
    life.door.append(of(&format!("tenant-{tenant}")), Arc::unwrap_or_clone(request)).await.map(drop)
}

/// Rows of many tenants, each with far too few for a cut, fill the log. What is refused is taken a moment later.
async fn fill(world: &World, life: &Life) -> Result<u64, CallError> {
    let mut refused = 0;
    for number in 0..1200 {
        let mut tries = 0;
        while let Err(error) = append_to(life, number % 10, number).await {
            assert_eq!(error.kind(), ErrorKind::TooMany, "{error}");
            tries += 1;
            if tries == 10 {
                return Err(error);
            }
            refused += 1;
            world.env.sleep(Duration::from_secs(1)).await;
        }
        world.env.sleep(Duration::from_millis(20)).await;
    }
    Ok(refused)
}

fn generous() -> TenantLimits {
    limits(|limits| limits.per_stream_rate_limit_burst = ByteSize::gib(1))
}

const SMALL_FILES: u64 = 512 << 10;

#[test]
fn a_budget_that_the_log_fills_is_given_back_by_cuts() {
    for store_is_away in [false, true] {
        let (result, _) = run(1, |world| async move {
            let mut settings = IngesterSettings::default();
            settings.wal.disk_budget = ByteSize::bytes(8 * SMALL_FILES);
            let log = LogSettings { file_bytes: SMALL_FILES, ..LogSettings::default() };
            let life = start_settled(&world, log, &generous(), usize::MAX, &settings);
            life.upload();
            if store_is_away {
                world.store.refuse(1000);
            }
            fill(&world, &life).await
        });
        result.unwrap();
    }
}

#[test]
fn a_disk_that_the_log_fills_is_given_back_by_cuts() {
    let (result, _) = run(2, |world| async move {
        world.wal_dir.set_capacity(8 * SMALL_FILES);
        let log = LogSettings { file_bytes: SMALL_FILES, ..LogSettings::default() };
        let life = start_with(&world, log, &generous(), usize::MAX);
        life.upload();
        fill(&world, &life).await
    });
    assert!(result.unwrap() > 0, "the disk was full at times");
}

#[test]
fn tenants_that_have_nothing_are_forgotten() {
    let (result, _) = run(3, |world| async move {
        let life = begin(&world);
        let node = Arc::clone(life.door.node()?);
        for tenant in 0..50 {
            append_to(&life, tenant, tenant).await?;
        }
        append_line(&life.door, 99, 99, "here").await?;
        let request = || SubscribeRequest { selection: selection(&[], 0, 1), needles: vec![], from: None };
        let tail = life.door.subscribe(of("listens"), request()).await?;
        let count = || {
            node.forget_idle();
            node.tenants.count()
        };
        assert_eq!(count(), 52);
        flush(&life.door).await?;
        world.env.sleep(Duration::from_secs(20 * 60)).await;
        assert_eq!(count(), 52, "what is handed over is still named");
        // Somebody works with one, as a push does that is on its way.
        let held = node.tenants.find(&of("tenant-7").tenant).unwrap();
        world.env.sleep(Duration::from_secs(20 * 60)).await;
        assert_eq!(count(), 2, "those that are held and that listen");
        drop((held, tail));
        assert_eq!(count(), 1, "who listened may come back");
        world.env.sleep(Duration::from_secs(31)).await;
        assert_eq!((count(), node.held_bytes()), (0, 0));
        append_line(&life.door, 100, 100, "again").await?;
        assert_eq!(rows(&life.door).await?.len(), 1);
        check_once(&world, &life, &["here", "again"]).await;
        world.wal_dir.power_cut();
        drop(life.scope.close(Duration::from_secs(1)).await);
        let life = begin(&world);
        check_once(&world, &life, &["here", "again"]).await;
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

#[test]
fn uploaded_files_that_stay_are_counted_and_removed_later() {
    let (result, _) = run(4, |world| async move {
        let life = begin(&world);
        let node = Arc::clone(life.door.node()?);
        append_line(&life.door, 1, 1, "one").await?;
        flush_and_wait(&life).await?;
        let first: SegmentId = node.tenants.all()[0].shelf.handed_over()[0].file();
        append_line(&life.door, 2, 2, "two").await?;
        flush_and_wait(&life).await?;
        let (both, kept) =
            (node.disk.uploaded(), crate::segment_file::name::finished(first, &context().tenant));
        world.wal_dir.keep_names(Some(kept.as_str()));
        world.env.sleep(Duration::from_secs(3600)).await;
        let left = node.disk.uploaded();
        assert!(left > 0 && left < both, "{left} of {both}: the other one went");
        assert!(world.wal_dir.list().unwrap().contains(&kept));
        world.wal_dir.keep_names(None);
        world.env.sleep(Duration::from_secs(10)).await;
        assert_eq!(node.disk.uploaded(), 0);
        assert!(!world.wal_dir.list().unwrap().contains(&kept));
        Ok::<(), CallError>(())
    });
    result.unwrap();
}
