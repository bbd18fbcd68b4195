//! Disks that fail, are full, or may not be written to.

use std::time::Duration;

use larch_testkit::sim::{SimDir, World, run};
use larch_types::ErrorKind;
use larch_wal::{AppendError, Dir, Full, LogSettings, Position, Step, SyncMode};

use crate::support::{Opened, Records, files, read, small_files, start};

/// What was taken, in order.
#[derive(Default)]
struct Taken(Records);

impl Taken {
    async fn append(&mut self, log: &mut Opened, record: &[u8]) {
        self.0.push((log.append(record).await.unwrap().0, record.to_vec()));
    }

    /// What was taken is there, and nothing else, and nobody speaks of damage.
    fn check(&self, dir: &SimDir) {
        let (found, replayed) = read(dir);
        assert_eq!(found, self.0);
        assert_eq!((replayed.corruptions, replayed.torn_bytes), (0, 0));
    }
}

async fn a_minute(world: &World) {
    world.env.sleep(Duration::from_secs(60)).await;
}

fn anything() -> LogSettings {
    LogSettings { full_threshold: 0.0, ..LogSettings::default() }
}

#[test]
fn a_failed_sync_ends_the_file_and_refuses_the_batch() {
    run(1, async |world| {
        let (mut log, mut taken) = (start(world.wal_dir.clone(), anything(), &world.env), Taken::default());
        taken.append(&mut log, b"a").await;
        world.wal_dir.fail_syncs(1);
        for record in [b"b", b"c"] {
            log.enqueue(record).unwrap();
        }
        for (_, outcome) in log.committed.next().await.unwrap() {
            let error = outcome.unwrap_err();
            assert!(matches!(error, AppendError::Failed { step: Step::Sync, .. }));
            assert_eq!(
                (error.kind(), error.to_string()),
                (ErrorKind::Unavailable, "sync the write-ahead log".into())
            );
        }
        taken.append(&mut log, b"d").await;
        assert_eq!(taken.0[1].0, 4, "numbers of refused records are not used again");
        assert_eq!(log.log.files().len(), 2);
        log.close().await;
        taken.check(&world.wal_dir);
        world.wal_dir.power_cut();
        taken.check(&world.wal_dir);
    });
}

#[test]
fn refused_records_are_left_out_before_anything_else_is_written() {
    run(1, async |world| {
        let (mut log, mut taken) = (start(world.wal_dir.clone(), anything(), &world.env), Taken::default());
        taken.append(&mut log, b"a").await;
        // The sync of the record, and that of the file that would have told where the first one ends.
        world.wal_dir.fail_syncs(2);
        log.append(b"b").await.unwrap_err();
        a_minute(&world).await;
        log.close().await;
        taken.check(&world.wal_dir);
    });
}

#[test]
fn every_step_may_fail_any_number_of_times() {
    for failures in 0..12 {
        run(1, async |world| {
            let settings = LogSettings { file_bytes: 150, ..anything() };
            let (mut log, mut taken) = (start(world.wal_dir.clone(), settings, &world.env), Taken::default());
            let mut refused = 0;
            world.wal_dir.fail_syncs(failures);
            for record in 0..40_u8 {
                match log.append(&[record; 50]).await {
                    Ok(position) => taken.0.push((position.0, vec![record; 50])),
                    Err(_) => refused += 1,
                }
            }
            assert!(taken.0.len() > 20 && (refused > 0) == (failures > 0));
            log.close().await;
            taken.check(&world.wal_dir);
        });
    }
}

#[test]
fn a_disk_full_in_mid_record_loses_nothing_and_takes_more_once_there_is_room() {
    for room in 0..150 {
        run(1, async |world| {
            let dir = world.wal_dir.clone();
            let (mut log, mut taken) = (start(dir.clone(), anything(), &world.env), Taken::default());
            taken.append(&mut log, b"a").await;
            let used: u64 = files(&dir).iter().map(|(_, bytes)| bytes.len() as u64).sum();
            dir.set_capacity(used + room);
            for _ in 0..3 {
                let error = log.append(&[0; 200]).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::TooMany);
            }
            assert!(log.metric("loki_ingester_wal_disk_full_failures_total") >= 3.0);
            taken.check_as_is(&dir);
            dir.set_capacity(1 << 20);
            taken.append(&mut log, b"b").await;
            log.close().await;
            taken.check(&dir);
        });
    }
}

impl Taken {
    /// What was taken is there, while another process holds the log.
    fn check_as_is(&self, dir: &SimDir) {
        let copy = crate::support::directory(&files(dir));
        let (found, _) = read(&copy);
        assert_eq!(found, self.0);
    }
}

#[test]
fn a_disk_that_may_not_be_written_to() {
    run(1, async |world| {
        let dir = world.wal_dir.clone();
        let (mut log, mut taken) = (start(dir.clone(), anything(), &world.env), Taken::default());
        taken.append(&mut log, b"a").await;
        dir.set_read_only(true);
        for step in [Step::Write, Step::Begin] {
            let error = log.append(b"b").await.unwrap_err();
            assert!(matches!(error, AppendError::Failed { step: failed, .. } if failed == step));
            assert_eq!(error.kind(), ErrorKind::Unavailable);
        }
        a_minute(&world).await;
        dir.set_read_only(false);
        taken.append(&mut log, b"c").await;
        log.close().await;
        taken.check(&dir);
    });
}

#[test]
fn from_the_threshold_on_only_what_makes_room_is_taken() {
    run(1, async |world| {
        let dir = world.wal_dir.clone();
        let mut log = start(dir.clone(), LogSettings::default(), &world.env);
        log.append(&[0; 4000]).await.unwrap();
        a_minute(&world).await;
        dir.set_capacity(4500);
        a_minute(&world).await;
        assert_eq!(log.log.full(), None, "nothing was written since");
        log.append(b"one more is taken until the disk is asked").await.unwrap();
        world.env.sleep(Duration::from_secs(1)).await;
        let error = log.append(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooMany);
        assert_eq!(
            error.to_string(),
            "the disk of the write-ahead log is 93 % full, and from 85 % on no rows are taken; \
             try again when there is room"
        );
        assert_eq!(log.log.full(), Some(Full::Disk { used_percent: 93, limit_percent: 85 }));
        assert!(log.metric("loki_ingester_wal_disk_usage_percent") > 0.93);
        log.append_reserved(b"a cut").await.unwrap();
        dir.set_capacity(9000);
        world.env.sleep(Duration::from_millis(1100)).await;
        log.append(b"x").await.unwrap();
    });
}

#[test]
fn a_full_disk_is_known_before_the_first_record() {
    run(1, async |world| {
        let dir = world.wal_dir.clone();
        let mut log = start(dir.clone(), LogSettings::default(), &world.env);
        log.append(&[0; 1000]).await.unwrap();
        log.close().await;
        dir.set_capacity(1200);
        let mut log = start(dir, LogSettings::default(), &world.env);
        a_minute(&world).await;
        assert!(matches!(log.append(b"x").await, Err(AppendError::Full(_))));
    });
}

#[test]
fn a_budget_is_kept_and_given_back() {
    run(1, async |world| {
        let settings = LogSettings { budget_bytes: 10_000, ..LogSettings::default() };
        let mut log = start(world.wal_dir.clone(), settings, &world.env);
        for _ in 0..5 {
            let mut last = Position::START;
            let error = loop {
                match log.append(&[0; 300]).await {
                    Ok(position) => last = position,
                    Err(error) => break error,
                }
            };
            assert!(
                matches!(error, AppendError::Full(Full::Budget { used: 8000..=8500, limit: 8500 })),
                "{error}"
            );
            assert_eq!(error.kind(), ErrorKind::TooMany);
            let cut = log.append_reserved(&[1; 100]).await.unwrap();
            log.log.release(last);
            a_minute(&world).await;
            assert!(log.log.used_bytes() < 2000, "{:?}", log.log.files());
            log.log.release(cut);
        }
        loop {
            match log.append_reserved(&[0; 300]).await {
                Ok(_) => {}
                Err(AppendError::Full(Full::Budget { limit: 10_000, .. })) => break,
                Err(other) => panic!("{other}"),
            }
        }
    });
}

#[test]
fn one_large_file_gives_its_room_back_too() {
    run(1, async |world| {
        // A record that is most of the budget, in the only file.
        let settings = LogSettings { budget_bytes: 10_000, ..LogSettings::default() };
        let mut log = start(world.wal_dir.clone(), settings, &world.env);
        for _ in 0..3 {
            let position = log.append(&[0; 6000]).await.unwrap();
            assert!(log.append(&[0; 6000]).await.is_err());
            log.log.release(position.next());
            a_minute(&world).await;
            assert_eq!(log.log.used_bytes(), 48, "{:?}", log.log.files());
        }
    });
}

/// The modes in which answers do not wait for the disk.
const HASTY: [SyncMode; 2] = [SyncMode::Never, SyncMode::Interval(Duration::from_secs(3600))];

fn hasty(sync: SyncMode) -> LogSettings {
    LogSettings { sync, full_threshold: 0.0, ..small_files() }
}

/// Other copies go on the word of such a record.
#[test]
fn what_makes_room_is_durable_in_all_modes_with_all_before_it() {
    for (seed, sync) in (0..20).flat_map(|seed| HASTY.map(|sync| (seed, sync))) {
        run(seed, async |world| {
            let (mut log, mut taken) =
                (start(world.wal_dir.clone(), hasty(sync), &world.env), Taken::default());
            taken.append(&mut log, b"a push").await;
            taken.0.push((log.append_reserved(b"a cut").await.unwrap().0, b"a cut".to_vec()));
            log.append(b"may be lost").await.unwrap();
            world.wal_dir.power_cut();
            let (mut found, _) = read(&world.wal_dir);
            found.truncate(2);
            assert_eq!(found, taken.0);
        });
    }
}

/// Whether it ends because it is full, or because the disk was.
#[test]
fn a_file_that_ends_is_durable_in_all_modes() {
    for (seed, sync) in (0..20).flat_map(|seed| HASTY.map(|sync| (seed, sync))) {
        run(seed, async |world| {
            let dir = world.wal_dir.clone();
            let (mut log, mut taken) = (start(dir.clone(), hasty(sync), &world.env), Taken::default());
            for _ in 0..3 {
                taken.append(&mut log, &[1; 700]).await;
            }
            let space = dir.space().unwrap();
            dir.set_capacity(space.total - space.available + 10);
            log.append(&[2; 100]).await.unwrap_err();
            dir.power_cut();
            assert_eq!(read(&dir).0, taken.0);
        });
    }
}

/// A sync of what was handed out does not wait for whoever takes outcomes.
#[test]
fn what_is_due_is_done_while_outcomes_wait() {
    for seed in 0..20 {
        run(seed, async |world| {
            let settings = LogSettings { sync: SyncMode::Interval(Duration::from_secs(1)), ..anything() };
            let mut log = start(world.wal_dir.clone(), settings, &world.env);
            for record in 0..5 {
                log.enqueue(&[record; 50]).unwrap();
                world.env.sleep(Duration::from_millis(1)).await;
            }
            let written = files(&world.wal_dir);
            world.env.sleep(Duration::from_secs(2)).await;
            world.wal_dir.power_cut();
            assert_eq!(files(&world.wal_dir), written);
        });
    }
}

/// Whatever makes old records superfluous is newer than they are: where answers do not wait for the disk, a
/// loss of power must not take it when the old ones are gone already.
#[test]
fn what_was_written_is_durable_before_old_records_go() {
    for sync in [SyncMode::Interval(Duration::from_secs(3600)), SyncMode::Never] {
        run(1, async |world| {
            let settings = LogSettings { sync, ..small_files() };
            let mut log = start(world.wal_dir.clone(), settings, &world.env);
            log.append(&[0; 700]).await.unwrap();
            let copy = log.append(&[0; 700]).await.unwrap();
            log.log.release(copy);
            world.env.sleep(Duration::from_secs(1)).await;
            assert_eq!(log.log.files().len(), 1, "the first has gone");
            world.wal_dir.power_cut();
            let (found, _) = read(&world.wal_dir);
            assert_eq!(found.iter().map(|(position, _)| *position).collect::<Vec<_>>(), [copy.0], "{sync:?}");
        });
    }
}

#[test]
fn what_is_released_goes_file_by_file_and_the_newest_stays() {
    run(1, async |world| {
        let dir = world.wal_dir.clone();
        let mut log = start(dir.clone(), small_files(), &world.env);
        let mut positions = Vec::new();
        for _ in 0..10 {
            positions.push(log.append(&[0; 700]).await.unwrap());
        }
        let count = || dir.list().unwrap().len() - 1;
        log.log.release(positions[4]);
        a_minute(&world).await;
        assert_eq!(count(), 6, "the one with position 5 is needed");
        world.wal_dir.fail_syncs(1);
        log.log.release(positions[9].next());
        a_minute(&world).await;
        assert_eq!(count(), 1, "removal is tried again, and the newest file stays");
        assert_eq!(log.append(b"x").await.unwrap(), positions[9].next());
        log.close().await;
        assert_eq!(read(&dir).1.corruptions, 0);
    });
}
