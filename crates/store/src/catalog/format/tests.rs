//! The bytes of facts: what was written reads the same, what was damaged is refused, and files of every
//! version stay readable.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::catalog::testing::{entry, fact, partition};
use crate::testing::mutations;

fn add() -> (Fact, Vec<u8>) {
    let (small, large) = (SegmentEntry { object_bytes: 1000, footer_offset: 10, ..entry(1, 0) }, entry(2, 0));
    let carried = Bytes::from(vec![7; 1000]);
    let given = [(small, Some(carried)), (large, None)];
    let (bytes, entries) = encode_add(FactId::from_u128(11), partition(), &given);
    (fact(11, FactBody::Add { entries }), bytes)
}

fn swap() -> Fact {
    let carried_by = Some(FactId::from_u128(11));
    let inputs = vec![
        Input { id: SegmentId::from_u128(1), carried_by },
        Input { id: SegmentId::from_u128(2), carried_by: None },
    ];
    fact(12, FactBody::Swap { outputs: vec![entry(3, 0)], inputs })
}

fn snap() -> Fact {
    let mut sets = CatalogSets::default();
    sets.apply(&add().0);
    sets.apply(&swap());
    fact(13, FactBody::Snap { sets, folds: [add().0.name(), swap().name()].into() })
}

#[test]
fn facts_come_back() {
    let (add, bytes) = add();
    assert_eq!(Fact::decode(add.name(), &bytes), Ok(add.clone()));
    for fact in [swap(), snap()] {
        assert_eq!(Fact::decode(fact.name(), &fact.encode()), Ok(fact.clone()));
    }
    let FactBody::Add { entries } = add.body else { panic!("an add") };
    let place = entries[0].embedded.unwrap();
    assert_eq!(place.add_id, 11);
    assert_eq!(bytes[place.offset as usize..], [7; 1000]);
    assert_eq!(entries[1].embedded, None);
}

#[test]
fn every_cut_and_every_flipped_bit_is_noticed() {
    for (fact, bytes) in [(swap(), swap().encode()), (snap(), snap().encode()), add()] {
        let own = fact.encode().len();
        for length in 0..bytes.len() {
            assert!(
                Fact::decode(fact.name(), &bytes[..length]).is_err(),
                "{length} bytes of {}",
                bytes.len()
            );
        }
        for bit in 0..own * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // The header's zero is for later versions, and covered by the checksum like all else.
            assert!(Fact::decode(fact.name(), &flipped).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn refuses_what_is_not_what_its_name_says() {
    let bytes = swap().encode();
    for name in [snap().name(), FactName { id: FactId::from_u128(1), ..swap().name() }] {
        assert_eq!(Fact::decode(name, &bytes), Err(DecodeError::Name(swap().name().to_string())));
    }
    let mut later = bytes.clone();
    later[8] = 2;
    let text = Fact::decode(swap().name(), &later).unwrap_err().to_string();
    assert_eq!(text, "its version is 2, and this program reads version 1");
    assert_eq!(Fact::decode(swap().name(), b"something else, of some length"), Err(DecodeError::Magic));
}

#[test]
fn refuses_entries_that_cannot_be() {
    let good = entry(1, 0);
    for (bad, why) in [
        (
            SegmentEntry { last: good.first, first: good.last, ..good.clone() },
            "a segment ends before it begins",
        ),
        (SegmentEntry { footer_offset: 4500, ..good.clone() }, "a footer is not inside its segment"),
        (SegmentEntry { footer_offset: u64::MAX, ..good.clone() }, "a footer is not inside its segment"),
        (
            SegmentEntry { first: Timestamp::from_nanos(good.first.nanos() - 1), ..good.clone() },
            "a segment has rows of another day",
        ),
        (
            SegmentEntry { embedded: Some(Embedded { add_id: 11, offset: 1 << 20 }), ..good.clone() },
            "a segment is not inside the fact that carries it",
        ),
        (
            SegmentEntry {
                label_summaries: vec![LabelSummary {
                    name: "a".into(),
                    values: vec!["b".into(), "a".into()],
                }],
                ..good.clone()
            },
            "the values of a label are not sorted",
        ),
    ] {
        let fact = fact(11, FactBody::Add { entries: vec![good.clone(), bad] });
        assert_eq!(Fact::decode(fact.name(), &fact.encode()), Err(DecodeError::Invalid(why)));
    }
}

#[test]
fn a_later_version_may_say_more_of_an_entry() {
    let fact = fact(11, FactBody::Add { entries: vec![entry(1, 0)] });
    let mut bytes = fact.encode();
    let body = bytes.len() - HEADER_BYTES - CHECKSUM_BYTES;
    bytes.truncate(HEADER_BYTES + body);
    bytes.extend_from_slice(b"more");
    let at = HEADER_BYTES + ID_BYTES + TEXT_BYTES + partition().to_string().len() + 4;
    for (place, more) in [(12, 4), (at, 4)] {
        let length = u32::from_le_bytes(bytes[place..place + 4].try_into().unwrap()) + more;
        bytes[place..place + 4].copy_from_slice(&length.to_le_bytes());
    }
    let checksum = xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    assert_eq!(Fact::decode(fact.name(), &bytes), Ok(fact));
}

#[test]
fn no_bytes_break_the_reader() {
    let (swap, snap, (_, add)) = (swap().encode(), snap().encode(), add());
    mutations(&[&swap, &snap, &add[..400], b""], fuzz_fact);
}

proptest! {
    #[test]
    fn any_entry_comes_back(
        ids in prop::collection::vec(any::<u128>(), 0..5),
        numbers in any::<[u32; 4]>(),
        wide in any::<bool>(),
        values in prop::collection::btree_set("\\PC{0,20}", 0..5),
    ) {
        let [rows, raw, offset, footer] = numbers;
        let partition = if wide { Partition::Wide } else { partition() };
        let entries: Vec<SegmentEntry> = ids
            .into_iter()
            .map(|id| SegmentEntry {
                partition,
                rows: rows.into(),
                raw_bytes: raw.into(),
                footer_offset: offset.into(),
                footer_bytes: footer,
                object_bytes: u64::from(offset) + u64::from(footer),
                label_summaries: vec![LabelSummary { name: "n".into(), values: values.iter().cloned().collect() }],
                ..entry(id, 0)
            })
            .collect();
        let fact = Fact { id: FactId::from_u128(1), partition, body: FactBody::Add { entries } };
        prop_assert_eq!(Fact::decode(fact.name(), &fact.encode()), Ok(fact));
    }
}

/// Files are named after what they hold, and never changed once they are there: a new version gets a folder
/// of its own.
#[test]
fn files_of_every_version_are_read() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/catalog/v1");
    let (add, add_bytes) = add();
    for (fact, bytes) in [(add, add_bytes), (swap(), swap().encode()), (snap(), snap().encode())] {
        let path = folder.join(fact.name().to_string());
        let kept = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(Fact::decode(fact.name(), &kept), Ok(fact.clone()), "{}", path.display());
        assert!(kept == bytes, "{} is written otherwise now", path.display());
    }
}
