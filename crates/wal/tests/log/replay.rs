//! What was appended comes back, in order, over any number of files and starts.

use std::cell::RefCell;
use std::sync::Arc;

use larch_runtime::Env;
use larch_testkit::sim::{SimDir, run};
use larch_types::NodeId;
use larch_wal::{Dir, LogSettings, MAX_RECORD_BYTES, OpenError, OsDir, Position, ReplayError, Replayed};
use proptest::prelude::*;

use crate::support::{Records, directory, files, read, recover, replay, small_files, start};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn all_comes_back(
        starts in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..12), 1..4),
        file_bytes in 1_u64..3000,
    ) {
        let dir = SimDir::new(1);
        let settings = LogSettings { file_bytes, ..LogSettings::default() };
        let mut expected = Records::new();
        for records in starts {
            let (same, settings) = (dir.clone(), settings.clone());
            let (written, _) = run(1, async move |world| {
                let mut log = start(same, settings, &world.env);
                let mut written = Records::new();
                for record in records {
                    written.push((log.append(&record).await.unwrap().0, record));
                }
                log.close().await;
                written
            });
            expected.extend(written);
            let mut found = read(&directory(&files(&dir)));
            prop_assert_eq!(&found.0, &expected);
            found.1.records -= expected.len() as u64;
            found.1.bytes -= expected.iter().map(|(_, record)| record.len() as u64).sum::<u64>();
            prop_assert_eq!(found.1, Replayed::default());
        }
    }
}

#[test]
fn numbers_are_dense_over_files_and_leave_room_after_a_start() {
    run(1, async |world| {
        let mut log = start(world.wal_dir.clone(), small_files(), &world.env);
        for number in 1..=100 {
            assert_eq!(log.append(&[7; 300]).await.unwrap(), Position(number));
        }
        let files = log.log.files();
        assert!(files.len() > 30);
        for pair in files.windows(2) {
            assert_eq!(pair[0].end, pair[1].first);
        }
        assert_eq!(files.iter().map(|file| file.bytes).sum::<u64>(), log.log.used_bytes());
        let last = files.last().unwrap().first.0;
        log.close().await;
        let mut log = start(world.wal_dir.clone(), small_files(), &world.env);
        assert_eq!(log.append(b"x").await.unwrap(), Position(last + (1 << 20)));
    });
}

#[test]
fn an_idle_start_leaves_no_file_behind() {
    run(1, async |world| {
        for _ in 0..10 {
            start(world.wal_dir.clone(), small_files(), &world.env).close().await;
        }
        let names: Vec<String> = files(&world.wal_dir).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["00000000000000000001.wal", "node"]);
    });
}

#[test]
fn a_record_may_be_as_long_as_the_bound_and_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let env = Env::system();
    let settings = LogSettings { full_threshold: 0.0, ..LogSettings::default() };
    let longest = vec![0xf5; MAX_RECORD_BYTES];
    let dir = || OsDir::open(folder.path()).unwrap();
    runtime.block_on(async {
        let mut log = start(dir(), settings.clone(), &env);
        let error = log.append(&[longest.as_slice(), b"x"].concat()).await.unwrap_err();
        assert_eq!(error.kind().http(), 413);
        log.append(b"before").await.unwrap();
        log.append(&longest).await.unwrap();
        log.append(b"").await.unwrap();
        assert_eq!(log.log.files().len(), 3, "it has a file of its own");
        log.close().await;
    });
    let (records, _) = replay(&mut recover(Arc::new(dir()), settings, &env).unwrap());
    assert_eq!(records.len(), 3);
    assert!(records[1].1 == longest);
    assert_eq!(records[2], (3, Vec::new()));
}

#[test]
fn a_second_process_is_refused() {
    run(1, async |world| {
        let dir = world.wal_dir.clone();
        let again = || recover(Arc::new(dir.clone()), LogSettings::default(), &world.env).map(drop);
        let log = start(dir.clone(), LogSettings::default(), &world.env);
        assert!(matches!(again(), Err(OpenError::Lock(_))));
        log.close().await;
        again().unwrap();

        let log = start(dir.clone(), LogSettings::default(), &world.env);
        log.scope.cancel();
        log.log.close().await;
        again().unwrap();
    });
}

#[test]
fn whoever_reads_may_stop() {
    run(1, async |world| {
        let mut log = start(world.wal_dir.clone(), small_files(), &world.env);
        for number in 0..5_u8 {
            log.append(&[number]).await.unwrap();
        }
        log.close().await;
        let mut recovery = recover(Arc::new(world.wal_dir.clone()), small_files(), &world.env).unwrap();
        let seen = RefCell::new(0);
        let stopped = recovery.replay(|_, record| {
            *seen.borrow_mut() += 1;
            if record == [2] { Err(std::fmt::Error) } else { Ok(()) }
        });
        assert!(matches!(stopped, Err(ReplayError::Visit(std::fmt::Error))));
        assert_eq!(seen.into_inner(), 3);
        assert_eq!(replay(&mut recovery).0.len(), 5, "it can be read again");
    });
}

#[test]
fn the_node_is_named_with_its_log() {
    run(1, async |world| {
        let dir = Arc::new(world.wal_dir.clone());
        let node = || recover(dir.clone(), small_files(), &world.env).map(|recovery| recovery.node());
        let first: NodeId = node().unwrap();
        assert_eq!(node().unwrap(), first, "it stays");
        let text = files(&dir).pop().unwrap();
        assert_eq!(text, ("node".to_owned(), first.to_string().into_bytes()));

        dir.remove(&"00000000000000000001.wal".parse().unwrap()).unwrap();
        let second = node().unwrap();
        assert_ne!(second, first, "numbers begin anew, and so does the node");

        dir.remove(&"node".parse().unwrap()).unwrap();
        dir.create(&"node".parse().unwrap()).unwrap().append(b"node-1").unwrap();
        assert!(matches!(node(), Err(OpenError::Node)));
        dir.remove(&"node".parse().unwrap()).unwrap();
        assert_ne!(node().unwrap(), second);
    });
}

#[test]
fn the_node_id_is_whole_or_not_there() {
    // Power is cut at every call to the disk in turn.
    for calls in 1.. {
        let dir = SimDir::new(calls);
        let fused = crate::power::Fused::new(&dir, calls);
        let env = Env::system();
        let opened = recover(Arc::new(fused), small_files(), &env).map(|recovery| recovery.node());
        let survived = opened.is_ok();
        if !survived {
            dir.power_cut();
        }
        let node = recover(Arc::new(dir.clone()), small_files(), &env).unwrap().node();
        assert_eq!(recover(Arc::new(dir.clone()), small_files(), &env).unwrap().node(), node);
        if survived {
            assert_eq!(opened.unwrap(), node);
            return;
        }
    }
}

#[test]
fn the_future_is_refused_by_name() {
    let name = "00000000000000000007.wal";
    let mut header = *b"LARCHWAL\x02\0\0\0\0\0\0\0aaaaaaaabbbbbbbbcccccccc--------";
    let checksum = xxhash_rust::xxh3::xxh3_64(&header[..40]);
    header[40..].copy_from_slice(&checksum.to_le_bytes());
    let dir = directory(&[(name.to_owned(), header.to_vec())]);
    let refused = recover(Arc::new(dir), small_files(), &Env::system()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "00000000000000000007.wal is of version 2 of the log format, and this program reads versions up to 1: \
         start the program that wrote it, or a newer one"
    );
}

#[test]
fn numbers_do_not_run_over() {
    let dir = directory(&[(format!("{:020}.wal", u64::MAX), Vec::new())]);
    let refused = recover(Arc::new(dir), small_files(), &Env::system()).unwrap_err();
    assert!(matches!(refused, OpenError::NumbersUsedUp { .. }));
}

#[test]
fn other_files_are_left_alone() {
    run(1, async |world| {
        let dir = world.wal_dir.clone();
        dir.create(&"1.seg".parse().unwrap()).unwrap().append(b"a segment").unwrap();
        let mut log = start(dir.clone(), small_files(), &world.env);
        let position = log.append(b"x").await.unwrap();
        log.log.release(position.next());
        log.close().await;
        assert!(dir.open(&"1.seg".parse().unwrap()).is_ok());
        let Replayed { records, corruptions, .. } = read(&dir).1;
        assert_eq!((records, corruptions), (1, 0));
    });
}
