//! Many wait, the disk is asked once; and where calls block, they block nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larch_runtime::{Clock, Env, Random, Scope};
use larch_testkit::sim::run;
use larch_types::{ErrorKind, Monotonic, Timestamp};
use larch_wal::{AppendError, LogSettings, OsDir, Position, SyncMode};

use crate::gate::Gated;
use crate::support::{read, recover, small_files, start};

const SYNCS: &str = "larch_wal_sync_duration_seconds_count";

#[test]
fn all_that_wait_share_one_sync() {
    run(1, async |world| {
        let mut log = start(world.wal_dir.clone(), LogSettings::default(), &world.env);
        for number in 0..5000_u64 {
            log.enqueue(&number.to_le_bytes()).unwrap();
        }
        let outcomes = log.committed.next().await.unwrap();
        assert_eq!(outcomes.len(), 5000);
        for (index, (token, position)) in outcomes.into_iter().enumerate() {
            assert_eq!((token, position.unwrap()), (index, Position(1 + index as u64)));
        }
        assert_eq!(log.metric(SYNCS), 1.0);
        assert_eq!(log.metric("loki_ingester_wal_records_logged_total"), 5000.0);
        assert_eq!(log.metric("loki_ingester_wal_logged_bytes_total"), 5000.0 * 48.0);
        log.close().await;
    });
}

#[test]
fn a_batch_has_a_bound() {
    run(1, async |world| {
        let settings = LogSettings { queue_bytes: 100 << 20, ..LogSettings::default() };
        let mut log = start(world.wal_dir.clone(), settings, &world.env);
        for _ in 0..20 {
            log.enqueue(&vec![1; 1 << 20]).unwrap();
        }
        let mut sizes = Vec::new();
        while sizes.iter().sum::<usize>() < 20 {
            sizes.push(log.committed.next().await.unwrap().len());
        }
        assert_eq!(sizes, [7, 7, 6], "8 MiB at most, headers included");
    });
}

#[test]
fn a_full_queue_refuses_at_once() {
    run(1, async |world| {
        let settings = LogSettings { queue_records: 3, queue_bytes: 1000, ..LogSettings::default() };
        let mut log = start(world.wal_dir.clone(), settings, &world.env);
        log.enqueue(&[0; 5000]).unwrap();
        let error = log.enqueue(b"").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the write-ahead log does not keep up: 5040 bytes in 1 records wait for the disk"
        );
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(log.metric("larch_wal_waiting_bytes"), 5040.0);
        log.committed.next().await.unwrap();
        for _ in 0..3 {
            log.enqueue(b"").unwrap();
        }
        assert!(matches!(log.enqueue(b""), Err(AppendError::Busy { records: 3, .. })));
        log.committed.next().await.unwrap();
        log.enqueue(b"").unwrap();
    });
}

#[test]
fn closing_writes_what_waits() {
    run(1, async |world| {
        for by_scope in [false, true] {
            let settings = LogSettings { sync: SyncMode::Never, ..small_files() };
            let before = read(&world.wal_dir).0.len();
            let mut log = start(world.wal_dir.clone(), settings, &world.env);
            for _ in 0..100 {
                log.enqueue(&[1; 100]).unwrap();
            }
            if by_scope {
                log.scope.cancel();
            }
            let handle = log.log.clone();
            log.close().await;
            assert!(matches!(handle.append(vec![1], 0), Err((AppendError::Closed, 0))));
            world.wal_dir.power_cut();
            assert_eq!(read(&world.wal_dir).0.len(), before + 100);
        }
    });
}

#[test]
fn nobody_left_to_take_ends_the_log() {
    run(1, async |world| {
        let log = start(world.wal_dir.clone(), LogSettings::default(), &world.env);
        drop(log.committed);
        log.log.append(vec![1], 0).unwrap();
        log.log.close().await;
        assert!(log.scope.running().is_empty());
        assert!(matches!(log.log.append(vec![1], 0), Err((AppendError::Closed, 0))));
    });
}

#[test]
fn a_process_that_stops_already_starts_no_log() {
    run(1, async |world| {
        let recovery = recover(Arc::new(world.wal_dir.clone()), LogSettings::default(), &world.env).unwrap();
        let scope = Scope::default();
        scope.close(Duration::from_secs(1)).await.unwrap();
        let (log, mut committed) = recovery.start::<()>(&scope);
        assert!(matches!(log.append(vec![1], ()), Err((AppendError::Closed, ()))));
        log.close().await;
        assert!(committed.next().await.is_none());
    });
}

#[test]
fn with_an_interval_answers_do_not_wait_for_the_disk() {
    run(1, async |world| {
        let sync = SyncMode::Interval(Duration::from_secs(5));
        let mut log =
            start(world.wal_dir.clone(), LogSettings { sync, ..LogSettings::default() }, &world.env);
        for _ in 0..10 {
            log.append(b"x").await.unwrap();
        }
        assert_eq!(log.metric(SYNCS), 0.0);
        world.env.sleep(Duration::from_millis(5100)).await;
        assert_eq!(log.metric(SYNCS), 1.0);
        world.env.sleep(Duration::from_secs(60)).await;
        assert_eq!(log.metric(SYNCS), 1.0, "nothing new to sync");
        world.wal_dir.power_cut();
        assert_eq!(read(&world.wal_dir).0.len(), 10);
    });
}

#[test]
fn the_mode_is_shown() {
    run(1, async |world| {
        let settings = LogSettings { sync: SyncMode::Never, ..LogSettings::default() };
        let log = start(world.wal_dir.clone(), settings, &world.env);
        let text = log.registry.encode(larch_telemetry::Format::Prometheus);
        assert!(text.contains("larch_wal_sync_mode{mode=\"never\"} 1\n"), "{text}");
    });
}

#[test]
fn while_one_sync_runs_the_others_gather() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gated::new(OsDir::open(folder.path()).unwrap());
    let clock = Arc::new(Watch::default());
    let env = Env {
        clock: clock.clone(),
        random: Arc::new(Random::from_seed(1)),
        compute: larch_runtime::Compute::Threads,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    runtime.block_on(async {
        // However full the disk of the machine is.
        let settings = LogSettings { full_threshold: 0.0, ..LogSettings::default() };
        let mut log = start(gate.clone(), settings, &env);
        let closed = gate.close();
        log.enqueue(b"first").unwrap();
        gate.wait_for_a_sync();
        for _ in 0..1000 {
            log.enqueue(b"other").unwrap();
        }
        clock.0.store(3, Ordering::Relaxed);
        assert_eq!(log.log.running_call(), Some(Duration::from_secs(3)), "the node can call itself stalled");
        assert_eq!(log.metric("larch_wal_running_call_seconds"), 3.0);
        drop(closed);
        assert_eq!(log.committed.next().await.unwrap().len(), 1);
        assert_eq!(log.committed.next().await.unwrap().len(), 1000);
        assert_eq!(log.metric(SYNCS), 2.0);
        log.close().await;
    });
}

/// Shows the seconds that it is set to.
#[derive(Debug, Default)]
struct Watch(AtomicU64);

impl Clock for Watch {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(self.0.load(Ordering::Relaxed)))
    }
}
