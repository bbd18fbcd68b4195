//! The index answers as the labels themselves do.

use std::collections::BTreeSet;

use larch_types::{Labels, StreamId, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::set::OrdinalSet;

fn index(streams: &[Labels]) -> Index {
    let mut builder = IndexBuilder::default();
    for (ordinal, labels) in streams.iter().enumerate() {
        builder.add_stream(StreamId::of(labels), labels.clone());
        builder.add_span(ordinal as u32, span(ordinal as u32));
    }
    let sections = builder.finish();
    let bytes = IndexBytes {
        symbols: sections.symbols.into(),
        stream_ids: sections.stream_ids.into(),
        series: sections.series.into(),
        postings: sections.postings.into(),
    };
    Index::new(&bytes, streams.len() as u32).unwrap()
}

fn span(chunk: u32) -> SeriesSpan {
    SeriesSpan {
        chunk,
        rows: 7,
        raw_bytes: 900,
        first_time: Timestamp::MIN,
        last_time: Timestamp::from_nanos(i64::from(chunk)),
    }
}

#[track_caller]
fn check(streams: &[Labels], index: &Index, selector: Selector<'_>, passes: impl Fn(&str) -> bool) {
    let want: Vec<u32> = (0..streams.len() as u32)
        .filter(|ordinal| passes(streams[*ordinal as usize].get(selector.name).unwrap_or("")))
        .collect();
    let set = index.select(&[selector]).unwrap();
    assert_eq!(set.iter().collect::<Vec<_>>(), want);
}

proptest! {
    #[test]
    fn selectors_pass_what_they_say(
        streams in prop::collection::vec(prop::collection::btree_map("[a-d]", "[a-c]{1,3}", 0..4), 0..100),
        name in "[a-e]",
        value in "[a-c]{0,3}",
        dropped in prop::collection::btree_set(0_u32..7, 0..7),
    ) {
        let streams: Vec<Labels> =
            streams.iter().map(|pairs| Labels::from_pairs(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str()))).unwrap()).collect();
        let index = index(&streams);
        let name = name.as_str();
        check(&streams, &index, Selector { name, test: Test::Is(&value) }, |v| v == value);
        check(&streams, &index, Selector { name, test: Test::IsNot(&value) }, |v| v != value);
        check(&streams, &index, Selector { name, test: Test::OneOf(&[&value, "ab"]) }, |v| v == value || v == "ab");
        let predicate = |v: &str| v >= value.as_str();
        check(&streams, &index, Selector { name, test: Test::Passes(&predicate) }, predicate);
        let values: BTreeSet<&str> = streams.iter().filter_map(|s| s.get(name)).collect();
        prop_assert_eq!(index.label_values(name).unwrap(), values.into_iter().collect::<Vec<_>>());
        for (ordinal, labels) in streams.iter().enumerate() {
            let info = index.stream(ordinal as u32).unwrap();
            prop_assert_eq!(&info.labels, labels);
            prop_assert_eq!(info.id, StreamId::of(labels));
            prop_assert_eq!(info.spans, vec![span(ordinal as u32)]);
        }
        prop_assert_eq!(index.verify(), Ok(()));
        let mut some = OrdinalSet::none(streams.len() as u32);
        (0..streams.len() as u32).filter(|ordinal| !dropped.contains(&(ordinal % 7))).for_each(|one| some.insert(one));
        let chosen = || some.iter().map(|ordinal| &streams[ordinal as usize]);
        let names: BTreeSet<&str> = chosen().flatten().map(|label| &*label.name).collect();
        prop_assert_eq!(index.names_of(&some).unwrap(), names.into_iter().collect::<Vec<_>>());
        let values: BTreeSet<&str> = chosen().filter_map(|labels| labels.get(name)).collect();
        prop_assert_eq!(index.values_of(name, &some).unwrap(), values.into_iter().collect::<Vec<_>>());
        let (mut walk, mut spans) = (index.walk(), Vec::new());
        for ordinal in some.iter().chain(some.iter().take(2)) {
            walk.spans(ordinal, &mut spans).unwrap();
            prop_assert_eq!(&spans, &vec![span(ordinal)]);
            prop_assert_eq!(walk.canonical(ordinal).unwrap(), streams[ordinal as usize].canonical());
        }
    }
}

#[test]
fn conditions_are_joined() {
    let labels = |a: &str, b: &str| Labels::from_pairs([("a", a), ("b", b)]).unwrap();
    let streams = [labels("1", "1"), labels("1", "2"), labels("2", "2")];
    let index = index(&streams);
    let set = index
        .select(&[Selector { name: "a", test: Test::Is("1") }, Selector { name: "b", test: Test::Is("2") }])
        .unwrap();
    assert_eq!(set.iter().collect::<Vec<_>>(), [1]);
    assert_eq!(index.label_names().unwrap(), ["a", "b"]);
    assert!(index.stream(3).is_err());
}
