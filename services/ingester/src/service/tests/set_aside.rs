//! A tenant whose rows cannot be cut: it takes no more, the log goes on without it, and nothing is lost.

use futures_util::future::{Either, select};
use larch_wal::Dir;

use super::*;

/// Each push begins a file of the log or two.
const SMALL: u64 = 4096;

fn log() -> LogSettings {
    LogSettings { file_bytes: SMALL, ..LogSettings::default() }
}

fn begin(world: &World) -> Life {
    start_with(world, log(), &limits(|_| {}), usize::MAX)
}

fn other() -> TenantContext {
    TenantContext { tenant: "other".parse().unwrap(), ..context() }
}

async fn append_other(life: &Life, number: u128) -> Result<(), CallError> {
    let request = push(number, &[(APP, number as i64, &"o".repeat(2000))]);
    life.door.append(other(), Arc::unwrap_or_clone(request)).await.map(drop)
}

async fn flush_tenant(life: &Life) -> Result<u64, CallError> {
    let tenant = Some(context().tenant);
    let request = FlushRequest { tenant, any_of: Vec::new(), wait_for_upload: false };
    Ok(life.door.flush(context().call, request).await?.segments)
}

fn copies(world: &World) -> Vec<larch_wal::FileName> {
    let names = world.wal_dir.list().unwrap();
    names.into_iter().filter(|name| name.as_str().ends_with(".rows")).collect()
}

async fn end(world: &World, life: Life) {
    world.wal_dir.power_cut();
    drop(life.scope.close(Duration::from_secs(1)).await);
}

/// Rows that no cut takes, set aside, and the log without them.
async fn set_aside(world: &World, life: &Life) -> Result<(), CallError> {
    append_line(&life.door, 1, 1, "one").await?;
    append_line(&life.door, 2, 2, "two").await?;
    world.wal_dir.refuse_names(Some(".seg-new"));
    for _ in 0..3 {
        assert!(flush_tenant(life).await.is_err());
    }
    Ok(())
}

#[test]
fn a_tenant_that_cannot_be_cut_keeps_nobody_from_going_on() {
    let (result, _) = run(1, |world| async move {
        let mut life = begin(&world);
        set_aside(&world, &life).await?;
        let node = life.door.node()?;
        let refused = append_line(&life.door, 3, 3, "three").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooMany, "{refused}");
        assert_eq!(copies(&world).len(), 1);
        assert!(node.aside.used() > 0);
        // The other's rows are let go of, which the tenant's would have stood in the way of.
        world.wal_dir.refuse_names(None);
        for number in 0..20 {
            append_other(&life, number).await?;
        }
        world.wal_dir.refuse_names(Some(".acme.seg-new"));
        flush(&life.door).await.unwrap_err();
        let held = node.tenants.find(&other().tenant).unwrap().shelf.holdings();
        assert!(held.rows == 0 && held.files > 0, "a flush of all does not end with the first that fails");
        world.env.sleep(Duration::from_secs(3)).await;
        assert!(node.log.used_bytes() < 3 * SMALL, "{} bytes of log", node.log.used_bytes());
        assert_eq!(rows(&life.door).await?, BTreeMap::from([("one".to_owned(), 1), ("two".to_owned(), 1)]));
        for _ in 0..2 {
            end(&world, life).await;
            life = begin(&world);
            assert_eq!(rows(&life.door).await?.into_values().sum::<u32>(), 2, "they come back");
            assert_eq!(append_line(&life.door, 4, 4, "four").await.unwrap_err().kind(), ErrorKind::TooMany);
            assert!(life.door.node()?.aside.used() > 0);
            world.env.sleep(Duration::from_secs(100)).await;
            assert_eq!(copies(&world).len(), 1, "one copy is enough");
        }
        world.wal_dir.refuse_names(None);
        world.env.sleep(Duration::from_secs(61)).await;
        append_line(&life.door, 5, 5, "five").await?;
        assert_eq!(rows(&life.door).await?.into_values().sum::<u32>(), 3);
        assert_eq!((copies(&world).len(), life.door.node()?.aside.used()), (0, 0));
        end(&world, life).await;
        let life = begin(&world);
        assert_eq!(rows(&life.door).await?.into_values().collect::<Vec<_>>(), [1, 1, 1]);
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

#[test]
fn a_copy_has_a_budget_of_its_own() {
    let (result, _) = run(2, |world| async move {
        let mut settings = IngesterSettings::default();
        settings.wal.set_aside_budget = ByteSize::bytes(200);
        let life = start_settled(&world, log(), &limits(|_| {}), usize::MAX, &settings);
        set_aside(&world, &life).await?;
        assert_eq!((copies(&world).len(), life.door.node()?.aside.used()), (0, 0));
        assert!(append_line(&life.door, 3, 3, "three").await.is_err());
        end(&world, life).await;
        let life = begin(&world);
        assert_eq!(rows(&life.door).await?.len(), 2, "the log has kept them");
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

#[test]
fn what_can_be_read_of_a_damaged_copy_comes_back_and_the_copy_stays() {
    let (result, _) = run(3, |world| async move {
        let life = begin(&world);
        set_aside(&world, &life).await?;
        for number in 0..10 {
            append_other(&life, number).await?;
        }
        world.env.sleep(Duration::from_secs(3)).await;
        end(&world, life).await;
        let name = copies(&world).remove(0);
        let bytes = world.wal_dir.open(&name).unwrap().size().unwrap();
        world.wal_dir.damage(&name, bytes - 1);
        let life = begin(&world);
        let found = rows(&life.door).await?;
        assert!(found.contains_key("one"), "{found:?}");
        world.wal_dir.refuse_names(None);
        world.env.sleep(Duration::from_secs(3)).await;
        append_line(&life.door, 5, 5, "five").await?;
        assert_eq!(copies(&world).len(), 0);
        let names: Vec<String> = world.wal_dir.list().unwrap().iter().map(ToString::to_string).collect();
        assert!(names.contains(&format!("{name}-damaged")), "{names:?}");
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

/// Rows that were pushed before and after they could not be cut, with the power gone at any call to the disk.
async fn script(world: &World, life: &Life, acknowledged: &std::sync::Mutex<Vec<String>>) {
    for (number, line) in ["one", "two", "three"].into_iter().enumerate() {
        if append_line(&life.door, number as u128, number as i64, line).await.is_ok() {
            acknowledged.lock().unwrap().push(line.to_owned());
        }
        if number == 1 {
            world.wal_dir.refuse_names(Some(".acme.seg-new"));
            world.env.sleep(Duration::from_secs(1)).await;
            for _ in 0..4 {
                drop(flush_tenant(life).await);
            }
            for number in 0..4 {
                drop(append_other(life, number).await);
            }
            drop(flush(&life.door).await);
            world.wal_dir.refuse_names(None);
            drop(flush_tenant(life).await);
        }
    }
}

#[test]
fn a_crash_at_every_step_of_setting_aside_loses_nothing() {
    for calls in 0.. {
        let (finished, _) = run(calls, |world| async move {
            world.fuse.blow_after(calls);
            let acknowledged = std::sync::Mutex::new(Vec::new());
            let mut finished = false;
            let life = try_start(&world, log(), &limits(|_| {}), usize::MAX, &IngesterSettings::default());
            if let Ok(life) = life {
                let running = Box::pin(script(&world, &life, &acknowledged));
                finished = matches!(select(running, Box::pin(world.fuse.blown())).await, Either::Left(_));
                end(&world, life).await;
            } else {
                world.wal_dir.power_cut();
            }
            world.fuse.reset();
            world.wal_dir.refuse_names(None);
            let acknowledged = acknowledged.into_inner().unwrap();
            for _ in 0..2 {
                let life = begin(&world);
                world.env.sleep(Duration::from_secs(3)).await;
                let found = rows(&life.door).await.unwrap();
                assert!(found.values().all(|count| *count == 1), "{calls}: {found:?}");
                for line in &acknowledged {
                    assert!(found.contains_key(line), "{calls}: {line} of {acknowledged:?} in {found:?}");
                }
                assert_eq!(copies(&world).len(), 0, "{calls}");
                end(&world, life).await;
            }
            finished
        });
        if finished {
            return;
        }
    }
}
