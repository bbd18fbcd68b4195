//! Damage at every place of a small log, and at random ones: never a panic, never a record that was not
//! written, and all that lies before and after is given back under its number.

use std::sync::Arc;

use larch_runtime::{Env, Random};
use larch_telemetry::Registry;
use larch_testkit::sim::run;
use larch_wal::{LogMetrics, LogSettings, Recovery, Replayed, fuzz_replay};

use crate::support::{Records, directory, files, read, small_files, start};

type Files = Vec<(String, Vec<u8>)>;

const HEADER: usize = 48;
const FRAME: usize = 40;

/// Three files with some records each, of which one would like to be read as a file.
fn small_log() -> (Files, Records) {
    let (written, _) = run(7, async |world| {
        let settings = LogSettings { file_bytes: 400, ..small_files() };
        let mut log = start(world.wal_dir.clone(), settings, &world.env);
        let mut written = Records::new();
        let mut poser = files(&world.wal_dir)[0].1.clone();
        for number in 0..9_u8 {
            let record = match number {
                4 => std::mem::take(&mut poser),
                number => vec![number; usize::from(number) * 7],
            };
            written.push((log.append(&record).await.unwrap().0, record));
            if number == 3 {
                poser = files(&world.wal_dir)[0].1.clone();
            }
        }
        log.close().await;
        (files(&world.wal_dir), written)
    });
    assert_eq!(written.0.len(), 4, "three log files and the node");
    written
}

/// Where each record lies: the file's index, and the frame's bytes there.
fn frames(files: &Files, records: &Records) -> Vec<(usize, std::ops::Range<usize>)> {
    let mut frames = Vec::new();
    let (mut file, mut at) = (0, HEADER);
    for (_, record) in records {
        if at == files[file].1.len() {
            file += 1;
            at = HEADER;
        }
        let end = at + FRAME + record.len();
        assert!(end <= files[file].1.len());
        frames.push((file, at..end));
        at = end;
    }
    frames
}

#[test]
fn a_flip_of_every_byte() {
    let (whole, records) = small_log();
    let frames = frames(&whole, &records);
    let last_file = whole.len() - 2;
    let mut mask = 1_u8;
    for file in 0..=last_file {
        for at in 0..whole[file].1.len() {
            let mut flipped = whole.clone();
            flipped[file].1[at] ^= mask;
            mask = mask.rotate_left(1);
            let hit = frames.iter().position(|(of, bytes)| *of == file && bytes.contains(&at));
            let mut expected = records.clone();
            let mut damaged = HEADER;
            if let Some(hit) = hit {
                expected.remove(hit);
                damaged = frames[hit].1.len();
            }
            let torn = hit == Some(records.len() - 1);
            let (found, replayed) = read(&directory(&flipped));
            assert_eq!(found, expected, "byte {at} of file {file}");
            let bytes = [replayed.corrupt_bytes, replayed.torn_bytes].map(|bytes| bytes as usize);
            let counts = (replayed.corruptions, bytes);
            assert_eq!(counts, if torn { (0, [0, damaged]) } else { (1, [damaged, 0]) });
        }
    }
}

#[test]
fn a_cut_at_every_byte() {
    let (whole, records) = small_log();
    let frames = frames(&whole, &records);
    let last_file = whole.len() - 2;
    for file in 0..=last_file {
        for at in 0..whole[file].1.len() {
            let mut cut = whole.clone();
            cut[file].1.truncate(at);
            let mut expected = records.clone();
            let mut index = 0;
            expected.retain(|_| {
                let (of, bytes) = &frames[index];
                index += 1;
                *of != file || bytes.end <= at
            });
            let (found, replayed) = read(&directory(&cut));
            assert_eq!(found, expected, "file {file} cut to {at} bytes");
            let torn = replayed.torn_bytes > 0;
            let ends = frames.iter().any(|(of, bytes)| *of == file && bytes.end == at);
            if file == last_file {
                assert_eq!((replayed.corruptions, torn), (0, !(ends || at <= HEADER)));
            } else {
                assert!(replayed.corruptions > 0 && !torn, "the end of file {file} is missing from {at} on");
            }
        }
    }
}

#[test]
fn a_missing_file_is_damage() {
    let (whole, records) = small_log();
    let frames = frames(&whole, &records);
    for file in 0..whole.len() - 1 {
        let mut rest = whole.clone();
        rest.remove(file);
        let mut expected = records.clone();
        let mut index = 0;
        expected.retain(|_| {
            index += 1;
            frames[index - 1].0 != file
        });
        let (found, replayed) = read(&directory(&rest));
        assert_eq!(found, expected);
        // The first may have been released, and the last was never there as far as the others know.
        let inner = file > 0 && file + 2 < whole.len();
        assert_eq!(replayed.corruptions, u64::from(inner), "without file {file}");
    }
}

#[test]
fn files_under_each_others_names_give_nothing() {
    let (mut whole, records) = small_log();
    let first = std::mem::take(&mut whole[0].1);
    whole[0].1 = std::mem::replace(&mut whole[1].1, first);
    let (found, replayed) = read(&directory(&whole));
    assert!(found.len() < records.len() && found.iter().all(|record| records.contains(record)));
    assert!(replayed.corruptions >= 2);
}

#[test]
fn a_torn_end_is_no_damage_once_the_log_has_gone_on() {
    let (mut whole, records) = small_log();
    let last = whole.len() - 2;
    let length = whole[last].1.len();
    whole[last].1.truncate(length - 3);
    let dir = directory(&whole);
    run(1, async move |world| {
        let mut log = start(dir.clone(), small_files(), &world.env);
        log.append(b"more").await.unwrap();
        log.close().await;
        let (found, replayed) = read(&dir);
        assert_eq!(found[..records.len() - 1], records[..records.len() - 1]);
        assert_eq!(found.last().unwrap().1, b"more");
        assert_eq!((replayed.corruptions, replayed.torn_bytes), (0, 0));
    });
}

/// A mutation that a disk, an operator or an enemy could make.
fn mutate(data: &mut Vec<u8>, random: &Random) {
    let below = |bound: usize| random.below(bound as u64) as usize;
    let at = below(data.len() + 1);
    let end = at + below(data.len() + 1 - at);
    match below(7) {
        0 => data.insert(at, below(256) as u8),
        1 => data.truncate(at),
        2 if at < data.len() => data[at] ^= 1 << below(8),
        3 => drop(data.drain(at..end)),
        4 => data[at..end].fill(0),
        5 => {
            let copy = data[at..end].to_vec();
            let to = below(data.len() + 1);
            data.splice(to..to, copy);
        }
        _ => data.extend_from_within(at..end),
    }
    data.truncate(8192);
}

#[test]
fn twenty_thousand_mutations() {
    let (whole, records) = small_log();
    let random = Random::from_seed(0x6c61_7263_6821);
    let env = Env::system();
    let metrics = LogMetrics::new(&Registry::default(), &env);
    let mut returned = 0;
    for round in 0..20_000 {
        let mut damaged = whole.clone();
        for _ in 0..=random.below(3) {
            let file = random.below(whole.len() as u64 - 1) as usize;
            mutate(&mut damaged[file].1, &random);
            fuzz_replay(&damaged[file].1);
        }
        let dir = Arc::new(directory(&damaged));
        let mut recovery = Recovery::open(dir, LogSettings::default(), &env, &metrics).unwrap();
        let mut last = 0;
        let replayed: Result<Replayed, larch_wal::ReplayError<std::fmt::Error>> =
            recovery.replay(|position, record| {
                assert!(position.0 > last, "round {round}");
                last = position.0;
                let written = records.iter().any(|(number, bytes)| *number == last && bytes == record);
                assert!(written, "round {round}: record {last} was never written");
                returned += 1;
                Ok(())
            });
        assert!(replayed.unwrap().records <= records.len() as u64);
    }
    assert!(returned > 20_000 * 4, "most records are out of the way of most damage: {returned}");
}
