//! A log that is not synced for each push: a loss of power takes what came last, and nothing that was durable.

use futures_util::future::{Either, select};
use larch_wal::Dir;

use super::uploads::{end, everywhere};
use super::*;

const EVERY: Duration = Duration::from_secs(1);

fn try_begin(world: &World) -> Result<Life, larch_runtime::StartError> {
    let log = LogSettings { sync: SyncMode::Interval(EVERY), file_bytes: 400, ..LogSettings::default() };
    let life = try_start(world, log, &limits(|_| {}), usize::MAX, &IngesterSettings::default())?;
    life.upload();
    Ok(life)
}

/// Rows that are synced, cut, uploaded, and removed from a disk that is short of room, and rows behind them.
async fn script(world: &World, life: &Life, durable: &std::sync::Mutex<Vec<String>>) {
    for round in 0..2_u32 {
        for number in 0..4_u32 {
            let line = format!("{round} {number} {}", "x".repeat(200));
            if append_line(&life.door, u128::from(round * 4 + number), 1, &line).await.is_ok() {
                world.env.sleep(2 * EVERY).await;
                durable.lock().unwrap().push(line);
            }
        }
        drop(append_line(&life.door, 9, 1, "may be lost").await);
        drop(flush(&life.door).await);
        // Uploaded files go before their time.
        let used = world.wal_dir.space().map(|space| space.total - space.available).unwrap_or(0);
        world.wal_dir.set_capacity(used + used / 8);
        world.env.sleep(10 * EVERY).await;
        world.wal_dir.set_capacity(1 << 30);
        world.env.sleep(2 * EVERY).await;
    }
}

#[test]
fn a_loss_of_power_takes_nothing_that_was_durable() {
    let crash_at = |calls: u64, seed: u64| {
        run(seed << 32 | calls, move |world| async move {
            world.fuse.blow_after(calls);
            let durable = std::sync::Mutex::new(Vec::new());
            let mut finished = false;
            match try_begin(&world) {
                Ok(life) => {
                    let ended = select(
                        Box::pin(script(&world, &life, &durable)),
                        Box::pin(async { world.fuse.blown().await }),
                    );
                    finished = matches!(ended.await, Either::Left(_));
                    end(&world, life).await;
                }
                Err(_) => world.wal_dir.power_cut(),
            }
            world.fuse.reset();
            world.wal_dir.set_capacity(1 << 30);
            let life = try_begin(&world).unwrap_or_else(|error| panic!("{calls} {seed}: {error}"));
            for wait in [Duration::ZERO, Duration::from_secs(3 * 3600)] {
                world.env.sleep(wait).await;
                let found = everywhere(&world, &life).await;
                for line in durable.lock().unwrap().iter() {
                    assert!(found.contains_key(line), "{calls} {seed}: {line} is lost");
                }
            }
            finished
        })
        .0
    };
    for seed in 0..4 {
        let mut calls = 0;
        while !crash_at(calls, seed) {
            calls += 1;
            assert!(calls < 1000, "the script ends");
        }
        assert!(calls > 60, "{calls} calls");
    }
}
