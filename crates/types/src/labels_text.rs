//! From canonical label text back to labels.

use std::borrow::Cow;
use std::str::{Chars, FromStr};

use crate::{InvalidLabels, Labels};

/// How much of a refused text an error shows.
const SHOWN_CHARS: usize = 120;

impl FromStr for Labels {
    type Err = InvalidLabels;

    /// Takes the canonical text only, so that two texts never mean the same stream.
    fn from_str(text: &str) -> Result<Self, InvalidLabels> {
        let labels = Self::from_pairs(canonical_pairs(text)?)?;
        if labels.canonical() != text {
            return Err(not_canonical(text));
        }
        Ok(labels)
    }
}

/// The names and values of a canonical text, which are not copied where they are written as they are. For
/// whoever reads texts by the million that Larch itself has written: what else means nothing may pass.
pub fn canonical_pairs(text: &str) -> Result<Vec<(&str, Cow<'_, str>)>, InvalidLabels> {
    read_pairs(text).ok_or_else(|| not_canonical(text))
}

fn not_canonical(text: &str) -> InvalidLabels {
    InvalidLabels::NotCanonical(text.chars().take(SHOWN_CHARS).collect())
}

/// `{a="1", b="2"}`, leniently: the caller compares with the canonical text.
fn read_pairs(text: &str) -> Option<Vec<(&str, Cow<'_, str>)>> {
    let mut rest = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut pairs = Vec::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = read_value(after)?;
        pairs.push((name, value));
        rest = after.strip_prefix(", ").unwrap_or(after);
    }
    Some(pairs)
}

/// The value up to its closing quote, and what follows the quote.
fn read_value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let plain = text.find(['"', '\\'])?;
    let (head, tail) = text.split_at(plain);
    if let Some(after) = tail.strip_prefix('"') {
        return Some((Cow::Borrowed(head), after));
    }
    let mut value = head.to_owned();
    let mut chars = tail.chars();
    loop {
        match chars.next()? {
            '"' => return Some((Cow::Owned(value), chars.as_str())),
            '\\' => value.push(read_escape(&mut chars)?),
            c => value.push(c),
        }
    }
}

fn read_escape(chars: &mut Chars<'_>) -> Option<char> {
    match chars.next()? {
        'a' => Some('\u{07}'),
        'b' => Some('\u{08}'),
        'f' => Some('\u{0c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{0b}'),
        'x' => read_code(chars, 2),
        'u' => read_code(chars, 4),
        'U' => read_code(chars, 8),
        c @ ('"' | '\\') => Some(c),
        _ => None,
    }
}

fn read_code(chars: &mut Chars<'_>, digits: u32) -> Option<char> {
    let mut code = 0_u32;
    for _ in 0..digits {
        // Eight digits fit exactly.
        code = (code << 4) | chars.next()?.to_digit(16)?;
    }
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_every_other_text() {
        for text in [
            "",
            "{",
            "}",
            "{a=1}",
            r#"{a="1",b="2"}"#,
            r#"{b="1", a="2"}"#,
            r#"{a="1", }"#,
            r#"{a="1"}}"#,
            r#"{a="1"} "#,
            r#"{a=""}"#,
            r#"{a="1" b="2"}"#,
            r#"{a="\x41"}"#,
            r#"{a="\u00e9"}"#,
            r#"{a="\ud800"}"#,
            r#"{a="\q"}"#,
            r#"{a="1}"#,
            r#"{a="1\"}"#,
            "{a=\"\n\"}",
        ] {
            let error = text.parse::<Labels>().expect_err(text);
            assert!(matches!(error, InvalidLabels::NotCanonical(_)), "{text}: {error}");
        }
        assert_eq!(r#"{="1"}"#.parse::<Labels>(), Err(InvalidLabels::EmptyName));
        let twice = r#"{a="1", a="2"}"#.parse::<Labels>();
        assert_eq!(twice, Err(InvalidLabels::Duplicate("a".into())));
    }

    #[test]
    fn an_error_is_short() {
        let long = "x".repeat(10_000);
        assert!(long.parse::<Labels>().expect_err("no labels").to_string().len() < 200);
    }

    proptest! {
        #[test]
        fn canonical_text_comes_back(
            map in prop::collection::btree_map("[a-z_:][a-z0-9_:]{0,8}", any::<String>(), 0..6),
        ) {
            let labels = Labels::from_pairs(map.iter().map(|(n, v)| (n.as_str(), v.as_str()))).unwrap();
            let text = labels.canonical();
            let pairs = canonical_pairs(&text).unwrap();
            let want: Vec<(&str, Cow<'_, str>)> =
                labels.iter().map(|label| (&*label.name, Cow::Borrowed(&*label.value))).collect();
            prop_assert_eq!(pairs, want);
            prop_assert_eq!(text.parse::<Labels>(), Ok(labels));
        }

        #[test]
        fn a_text_that_is_taken_is_canonical(text in r#"\{([ab]="(1|\\n|\\u200b|é)"(, )?){0,3}\}"#) {
            if let Ok(labels) = text.parse::<Labels>() {
                prop_assert_eq!(labels.canonical(), text);
            }
        }
    }
}
