//! Structured metadata as it is stored: normal names, readable values, each name once.

use std::borrow::Cow;

use bytes::Bytes;
use larch_logql::{FieldFinder, InvalidName, LevelDetector, normalized_name, readable_value};
use larch_proto::{Pair, Text};
use larch_types::Labels;

use crate::pushed::PushedPair;

const DETECTED_LEVEL: &str = "detected_level";

/// Sorted by name; of a name that comes twice the last value stays, and empty values are no values.
/// `sanitized` counts values that were not readable.
pub(super) fn normalized(pushed: Vec<PushedPair>, sanitized: &mut u64) -> Result<Vec<Pair>, InvalidName> {
    if pushed.is_empty() {
        return Ok(Vec::new());
    }
    let mut pairs = Vec::with_capacity(pushed.len());
    for PushedPair { name, value } in pushed {
        pairs.push(Pair { name: normal_name(&name)?, value: readable(value, sanitized) });
    }
    pairs.sort_by(|one, other| one.name.cmp(&other.name));
    // Sorting keeps the order of equal names: the one that is kept takes the value of the next.
    pairs.dedup_by(|later, kept| {
        let same = later.name == kept.name;
        if same {
            std::mem::swap(&mut later.value, &mut kept.value);
        }
        same
    });
    pairs.retain(|pair| !pair.value.as_bytes().is_empty());
    Ok(pairs)
}

/// Bytes that are not UTF-8 are such as no name keeps.
fn normal_name(name: &Bytes) -> Result<Text, InvalidName> {
    let text = String::from_utf8_lossy(name);
    let normal = match normalized_name(&text)? {
        Cow::Borrowed(same) if same.len() == name.len() => None,
        other => Some(other.into_owned()),
    };
    Ok(match normal {
        Some(normal) => Text::from(normal),
        // Nothing changed, and a normal name is ASCII.
        None => Text::from_utf8(name.clone()).unwrap_or_default(),
    })
}

fn readable(value: Bytes, sanitized: &mut u64) -> Text {
    let owned = match readable_value(&value) {
        Cow::Borrowed(_) => None,
        Cow::Owned(readable) => Some(readable),
    };
    match owned {
        Some(readable) => {
            *sanitized += 1;
            Text::from(readable)
        }
        // What is borrowed is the value itself, which is then UTF-8.
        None => Text::from_utf8(value).unwrap_or_default(),
    }
}

/// The level of a row, for the place beside its metadata. A level that the client itself set stays where
/// it is, in its normal form, and gives nothing.
pub(super) fn detect_level<'r>(
    detector: &LevelDetector,
    of_stream: Option<&'r str>,
    metadata: &'r mut [Pair],
    line: &[u8],
) -> Option<&'r str> {
    if let Ok(place) = find(metadata, DETECTED_LEVEL) {
        let value = &metadata[place].value;
        let normal = detector.of_row(None, |name| (name == DETECTED_LEVEL).then(|| value.as_str()), line);
        if normal != value.as_str() {
            let normal = Text::from(normal);
            metadata[place].value = normal;
        }
        return None;
    }
    let metadata = &*metadata;
    let value_of = |name: &str| find(metadata, name).ok().map(|place| metadata[place].value.as_str());
    Some(detector.of_row(of_stream, value_of, line))
}

/// Adds the fields that the tenant wants beside each row.
pub(super) fn add_fields(finder: &FieldFinder, labels: &Labels, line: &[u8], metadata: &mut Vec<Pair>) {
    let mut found = Vec::new();
    let value_of = |name: &str| find(metadata, name).ok().map(|place| metadata[place].value.as_str());
    finder.find(labels, value_of, line, |name, value| {
        found.push(Pair { name: Text::from(name.to_owned()), value: Text::from(value.into_owned()) });
    });
    if !found.is_empty() {
        metadata.append(&mut found);
        metadata.sort_by(|one, other| one.name.cmp(&other.name));
    }
}

fn find(metadata: &[Pair], name: &str) -> Result<usize, usize> {
    metadata.binary_search_by(|pair| pair.name.as_str().cmp(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &'static [u8], value: &'static [u8]) -> PushedPair {
        PushedPair { name: Bytes::from_static(name), value: Bytes::from_static(value) }
    }

    #[track_caller]
    fn check(pushed: &[(&'static [u8], &'static [u8])], want: &[(&str, &str)], want_sanitized: u64) {
        let mut sanitized = 0;
        let pushed = pushed.iter().map(|(name, value)| pair(name, value)).collect();
        let pairs = normalized(pushed, &mut sanitized).unwrap();
        let pairs: Vec<_> = pairs.iter().map(|pair| (pair.name.as_str(), pair.value.as_str())).collect();
        assert_eq!(pairs, want);
        assert_eq!(sanitized, want_sanitized);
    }

    #[test]
    fn names_values_and_order() {
        check(&[(b"b", b"2"), (b"a", b"1")], &[("a", "1"), ("b", "2")], 0);
        check(&[(b"a.b", b"1"), (b"a-b", b"2"), (b"a_b", b"3")], &[("a_b", "3")], 0);
        check(&[(b"a", b"1"), (b"a", b"")], &[], 0);
        check(&[(b"a", b""), (b"a", b"1")], &[("a", "1")], 0);
        check(&[(b"a", b"x\xffy"), (b"b", b"\xef\xbf\xbd")], &[("a", "x y"), ("b", " ")], 2);
        check(&[(b"na\xffme", b"1")], &[("na_me", "1")], 0);
        check(&[(b"1", b"1")], &[("key_1", "1")], 0);
    }

    #[test]
    fn names_without_a_normal_form() {
        for (name, text) in [
            (&b""[..], "label name is empty"),
            (b"...", "normalization for label name \"...\" resulted in invalid name \"_\""),
        ] {
            let error = normalized(vec![pair(name, b"v")], &mut 0).unwrap_err();
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn names_and_values_are_not_copied() {
        let body = Bytes::from_static(b"name=value");
        let pushed = PushedPair { name: body.slice(..4), value: body.slice(5..) };
        let pairs = normalized(vec![pushed], &mut 0).unwrap();
        assert_eq!(pairs[0].name.as_bytes().as_ptr(), body.as_ptr());
        assert_eq!(pairs[0].value.as_bytes().as_ptr(), body[5..].as_ptr());
    }
}
