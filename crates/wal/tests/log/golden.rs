//! Files that older programs wrote are read for ever: logs of every version of the format stay in
//! `testdata/v<version>/`, and what they hold is known from the records that they were made of.

use std::fs;
use std::path::{Path, PathBuf};

use larch_testkit::sim::run;

use crate::support::{Records, directory, files, read, small_files, start};

fn golden_records() -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    for number in 0..20_u8 {
        records.push(vec![number; usize::from(number) * 20]);
    }
    // Has the mark in it, and is therefore masked.
    records.push(b"\xf5larch\r\n is not the end".to_vec());
    records
}

fn folder(version: u16) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/v{version}"))
}

#[test]
fn logs_of_every_version_are_read() {
    const NEWEST: u16 = 1;
    for version in 1..=NEWEST {
        let folder = folder(version);
        // Only what is not there is written: what is there never changes.
        if version == NEWEST && !folder.try_exists().unwrap() {
            fs::create_dir_all(&folder).unwrap();
            for (name, bytes) in written() {
                fs::write(folder.join(name), bytes).unwrap();
            }
            panic!("{} was missing and is written now: commit it", folder.display());
        }
        let mut stored = Vec::new();
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            stored.push((name, fs::read(entry.path()).unwrap()));
        }
        assert!(stored.len() > 3, "several files and the node");
        let (found, replayed) = read(&directory(&stored));
        let expected: Records = (1..).zip(golden_records()).collect();
        assert_eq!(found, expected);
        assert_eq!(replayed.corruptions + replayed.torn_bytes, 0);
    }
}

fn written() -> Vec<(String, Vec<u8>)> {
    let (written, _) = run(1, async |world| {
        let mut log = start(world.wal_dir.clone(), small_files(), &world.env);
        for record in golden_records() {
            log.append(&record).await.unwrap();
        }
        log.close().await;
        files(&world.wal_dir)
    });
    written
}
