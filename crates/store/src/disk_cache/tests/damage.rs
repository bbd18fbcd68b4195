//! Directories in which anything was changed: each read is right or a miss.

use larch_testkit::sim::SimDir;
use larch_wal::{Dir, FileName};

use super::super::entry::{EntryKey, encode_range};
use super::super::slab::{HEADER_BYTES, Row, encode_header, encode_table, fuzz_slab, slab_name};
use super::super::state::Bounds;
use super::{House, Id, SMALL, dir_of, files};
use crate::testing::mutations;

const IDS: [Id; 5] = [
    Id::new(1, 1, 0, 30),
    Id::new(2, 1, 0, 30),
    Id::new(1, 2, 500, 20),
    Id::new(1, 2, 520, 1),
    Id::new(2, 2, 500, 40),
];

/// A finished file, and one that was being written when the process ended.
async fn small() -> Vec<(FileName, Vec<u8>)> {
    let dir = SimDir::new(1);
    let house = House::open(SMALL, &dir).await;
    house.put(IDS[0]).await;
    house.put(IDS[1]).await;
    house.stop().await;
    let house = House::open(SMALL, &dir).await;
    house.put(IDS[2]).await;
    house.put(IDS[3]).await;
    house.put(IDS[4]).await;
    files(&dir).into_iter().collect()
}

/// How many are there; whatever is there must be right, and be there again.
async fn count_right(dir: &SimDir) -> usize {
    let house = House::open(SMALL, dir).await;
    let mut right = 0;
    for id in IDS {
        let is_there = house.has(id).await;
        assert_eq!(house.has(id).await, is_there, "damage is met once");
        right += usize::from(is_there);
    }
    right
}

#[tokio::test(start_paused = true)]
async fn every_byte_may_be_another() {
    let files = small().await;
    assert_eq!(count_right(&dir_of(files.iter().map(|(name, bytes)| (name, bytes)))).await, 5);
    for (name, bytes) in &files {
        let other_file = files.iter().filter(|(other, _)| other != name).count();
        assert_eq!(other_file, 1);
        for offset in 0..bytes.len() {
            let dir = dir_of(files.iter().map(|(name, bytes)| (name, bytes)));
            dir.damage(name, offset as u64);
            let right = count_right(&dir).await;
            assert!((2..5).contains(&right) || is_in_trailer(bytes, offset), "{right} at {offset} of {name}");
        }
    }
}

/// Without it the entries are found one after the other.
fn is_in_trailer(bytes: &[u8], offset: usize) -> bool {
    let table = bytes.len().checked_sub(24 + 2 * 24);
    bytes[bytes.len() - 24..].starts_with(b"LARCHTAB") && table.is_some_and(|table| offset >= table)
}

#[tokio::test(start_paused = true)]
async fn files_may_end_anywhere() {
    let files = small().await;
    for (name, bytes) in &files {
        for length in 0..bytes.len() {
            let torn = bytes[..length].to_vec();
            let dir =
                dir_of(files.iter().map(|(other, bytes)| (other, if other == name { &torn } else { bytes })));
            let right = count_right(&dir).await;
            assert!(right >= 2, "{right} with {length} bytes of {name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn files_may_have_each_others_names() {
    let files = small().await;
    let swapped = dir_of([(&files[0].0, &files[1].1), (&files[1].0, &files[0].1)]);
    assert_eq!(count_right(&swapped).await, 0);
    assert!(swapped.list().unwrap().is_empty(), "what is of no use makes room");
    let later = "0000000009.slab".parse().unwrap();
    let again = dir_of([(&files[0].0, &files[0].1), (&later, &files[0].1)]);
    assert_eq!(count_right(&again).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_file_is_gone_while_it_is_in_use() {
    let files = small().await;
    let dir = dir_of(files.iter().map(|(name, bytes)| (name, bytes)));
    let house = House::open(SMALL, &dir).await;
    dir.remove(&files[0].0).unwrap();
    assert!(!house.has(IDS[0]).await && house.has(IDS[2]).await);
    assert_eq!(house.metric("damaged_total"), 1);
    house.put(IDS[0]).await;
    assert!(house.has(IDS[0]).await);
}

/// The table leads every key to the entry of another: of another tenant, and of the same length too.
#[tokio::test(start_paused = true)]
async fn a_table_that_lies() {
    let (wanted, other) = (IDS[0], IDS[1]);
    let (tenants, contents) = ([wanted.tenant(), other.tenant()], [wanted.content(), other.content()]);
    let keys = [wanted, other].map(|id| {
        let tenant = &tenants[usize::from(id.tenant) - 1];
        EntryKey::of(tenant, id.segment(), &id.range()).unwrap()
    });
    let mut file = encode_header(0);
    encode_range(&mut file, &keys[0], &contents[0]);
    let second = file.len() as u32;
    encode_range(&mut file, &keys[1], &contents[1]);
    let bytes = keys[0].entry_bytes() as u32;
    let rows = [
        Row { digest: keys[0].digest(), offset: second, bytes },
        Row { digest: keys[1].digest(), offset: HEADER_BYTES as u32, bytes },
    ];
    let end = file.len() as u32;
    file.extend_from_slice(&encode_table(&rows, end));
    let dir = dir_of([(&slab_name(0), &file)]);
    let house = House::open(SMALL, &dir).await;
    assert_eq!(house.metric("entries"), 2);
    assert!(!house.has(wanted).await && !house.has(other).await);
    assert_eq!((house.metric("entries"), house.metric("damaged_total")), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn what_is_none_of_ours_stays() {
    let foreign: FileName = "notes.txt".parse().unwrap();
    let unfit: FileName = "0000000003.slab".parse().unwrap();
    let (notes, text) = (b"remember the milk".to_vec(), vec![7; 5000]);
    let dir = dir_of([(&foreign, &notes), (&unfit, &text)]);
    let house = House::open(Bounds { entries: 1, ..SMALL }, &dir).await;
    for id in IDS {
        house.put(id).await;
    }
    house.stop().await;
    let left = files(&dir);
    assert_eq!(left[&foreign], notes);
    assert!(!left.contains_key(&unfit));
}

#[test]
fn any_bytes_may_be_a_slab() {
    let tenant = "t".parse().unwrap();
    let key = EntryKey::of(&tenant, IDS[0].segment(), &(3..9)).unwrap();
    let mut torn = encode_header(7);
    encode_range(&mut torn, &key, b"abcdef");
    let bytes = key.entry_bytes() as u32;
    let mut whole = torn.clone();
    let row = Row { digest: key.digest(), offset: HEADER_BYTES as u32, bytes };
    whole.extend_from_slice(&encode_table(&[row, Row { bytes: 0, ..row }], torn.len() as u32));
    mutations(&[&torn, &whole, &encode_header(7), b""], fuzz_slab);
}
