//! Every codec gives back what it took, and is taken for what it is meant for.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(values: &[&str]) -> u8 {
    let page = encode(values, &mut Encoder::new(1));
    let mut decoder = Decoder::new();
    let back = decode(&page, values.len(), Section::Metadata, &mut decoder).unwrap();
    assert_eq!(back.len(), values.len());
    for (index, value) in values.iter().enumerate() {
        assert_eq!(back.get(index), *value);
    }
    page[0]
}

#[test]
fn the_codec_follows_the_values() {
    for (values, want) in [
        (vec![], codec::TEXT_CONSTANT),
        (vec!["x"], codec::TEXT_CONSTANT),
        (vec!["GET", "PUT", "GET", "GET", "PUT"], codec::TEXT_DICTIONARY),
        (vec!["1", "0", "-5"], codec::TEXT_INTEGERS),
        (vec!["1", "2", "9223372036854775807"], codec::TEXT_INTEGERS),
        (vec!["1", "02"], codec::TEXT_STRINGS),
        (vec!["1", "-0"], codec::TEXT_STRINGS),
        (vec!["1", "9223372036854775808"], codec::TEXT_STRINGS),
        (vec!["+1", "2"], codec::TEXT_STRINGS),
        (vec!["1.25", "-0.50", "0.00"], codec::TEXT_DECIMALS),
        (vec!["1.25", "-0.00"], codec::TEXT_STRINGS),
        (vec!["1.25", "1.5"], codec::TEXT_STRINGS),
        (vec!["1.25", "01.25"], codec::TEXT_STRINGS),
        (vec!["00ff00ff", "deadbeef"], codec::TEXT_HEX),
        (vec!["00FF00FF", "DEADBEEF"], codec::TEXT_HEX),
        (vec!["00FF00FF", "deadbeef"], codec::TEXT_STRINGS),
        (
            vec!["00000000-0000-4000-8000-0123456789ab", "ffffffff-0000-4000-8000-0123456789ab"],
            codec::TEXT_UUID,
        ),
        (vec!["a", "b\0c"], codec::TEXT_STRINGS),
        (vec!["", "ä"], codec::TEXT_STRINGS),
    ] {
        assert_eq!(check(&values), want, "{values:?}");
    }
}

#[test]
fn many_different_values_are_no_dictionary() {
    let values: Vec<String> = (0..2000).map(|i| format!("v{}", i % 257)).collect();
    assert_eq!(check(&values.iter().map(String::as_str).collect::<Vec<_>>()), codec::TEXT_STRINGS);
}

proptest! {
    #[test]
    fn any_texts_come_back(values in prop::collection::vec("[0-9a-f.\\-]{0,9}|\\PC{0,6}", 0..30)) {
        check(&values.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn numbers_come_back(values in prop::collection::vec(any::<i64>(), 0..30), digits in 0_usize..5) {
        let texts: Vec<String> = values
            .iter()
            .map(|value| if digits == 0 { value.to_string() } else { format!("{}.{:0digits$}", value / 1000, 7) })
            .collect();
        check(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn hostile_pages_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..60), codec in 32_u8..39) {
        let mut page = vec![codec];
        page.extend(bytes);
        let decoded = decode(&page, 5, Section::Metadata, &mut Decoder::new());
        if let Ok(texts) = decoded {
            for index in 0..5 {
                let _text = texts.get(index);
            }
        }
    }
}
