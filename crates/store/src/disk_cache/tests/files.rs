//! The bytes of a slab, which another version must know as its own or not at all.

use super::super::entry::{EntryKey, encode_range, encode_removed};
use super::super::slab::{Row, encode_header, encode_table, find_entries, number_of, slab_name};
use super::{Id, dir_of};
use larch_wal::Dir;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_bytes_of_a_slab() {
    let id = Id::new(1, 9, 0x0102, 3);
    let tenant = id.tenant();
    let key = EntryKey::of(&tenant, id.segment(), &id.range()).unwrap();
    let mut entry = Vec::new();
    encode_range(&mut entry, &key, b"abc");
    let mut removed = Vec::new();
    encode_removed(&mut removed, &key);
    let row = Row { digest: key.digest(), offset: 24, bytes: entry.len() as u32 };
    let text =
        [encode_header(5), entry, removed, encode_table(&[row], 133)].map(|bytes| hex(&bytes)).join("\n");
    expect_test::expect![[r#"
        4c41524348534c42010000000500000074aab437facd2b6a
        010800000300000002010000000000000900000000000000000000000000000050392f89945faf7874656e616e742d3197daece884efe513616263
        0208000003000000020100000000000009000000000000000000000000000000000000000000000074656e616e742d312a4f7b9b5d8058c3
        015c14d55ee29da97b6d11be0d8cf613180000003b0000004c415243485441428500000001000000746aa040264d06dc"#]].assert_eq(&text);
}

#[test]
fn names_are_numbers() {
    assert_eq!(slab_name(7).as_str(), "0000000007.slab");
    for number in [0, 7, u32::MAX] {
        assert_eq!(number_of(&slab_name(number)), Some(number));
    }
    for other in ["7.slab", "0000000007.wal", "00000000x7.slab", "9999999999.slab", "lock"] {
        assert_eq!(number_of(&other.parse().unwrap()), None, "{other}");
    }
}

#[test]
fn a_file_of_another_version_is_of_no_use() {
    let mut bytes = encode_header(5);
    bytes[8] = 2;
    let checksum = xxhash_rust::xxh3::xxh3_64(&bytes[..16]);
    bytes[16..].copy_from_slice(&checksum.to_le_bytes());
    let dir = dir_of([(&slab_name(5), &bytes)]);
    let found = find_entries(&*dir.open(&slab_name(5)).unwrap(), 5, 10).unwrap();
    assert!(found.is_damaged && found.rows.is_empty());
}
