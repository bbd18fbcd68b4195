//! Names and values of metadata as they are stored.

use std::borrow::Cow;

use crate::stage::push_readable;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    #[error("label name is empty")]
    Empty,
    #[error(
        "normalization for label name {} resulted in invalid name {}",
        larch_types::quoted(.name),
        larch_types::quoted(.normalized)
    )]
    OnlyUnderscores { name: String, normalized: String },
}

impl InvalidName {
    pub fn kind(&self) -> larch_types::ErrorKind {
        larch_types::ErrorKind::Invalid
    }
}

/// Runs of other characters than ASCII letters and digits become one underscore each, those that are
/// underscores already included; two at both ends of a name are kept. A leading digit gets a prefix.
pub fn normalized_name(name: &str) -> Result<Cow<'_, str>, InvalidName> {
    if name.is_empty() {
        return Err(InvalidName::Empty);
    }
    if is_normal(name) {
        return Ok(Cow::Borrowed(name));
    }
    let reserved = name.strip_prefix("__").and_then(|inner| inner.strip_suffix("__"));
    let mut out = String::with_capacity(name.len() + 4);
    if reserved.is_some() {
        out.push_str("__");
    }
    let start = out.len();
    for c in reserved.unwrap_or(name).chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if out.len() == start || !out.ends_with('_') {
            out.push('_');
        }
    }
    if reserved.is_some() {
        out.push_str("__");
    }
    if out.starts_with(|c: char| c.is_ascii_digit()) {
        out.insert_str(0, "key_");
    }
    if out.bytes().all(|b| b == b'_') {
        return Err(InvalidName::OnlyUnderscores { name: name.to_owned(), normalized: out });
    }
    Ok(Cow::Owned(out))
}

/// Nearly all names: nothing would change.
fn is_normal(name: &str) -> bool {
    let bytes = name.as_bytes();
    !bytes[0].is_ascii_digit()
        && bytes.iter().any(|b| *b != b'_')
        && bytes.iter().all(|b| *b == b'_' || b.is_ascii_alphanumeric())
        && bytes.windows(2).all(|pair| pair != b"__")
}

/// Bytes that are not UTF-8 and U+FFFD become a blank each.
pub fn readable_value(value: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(value)
        && !text.contains(char::REPLACEMENT_CHARACTER)
    {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(value.len());
    push_readable(&mut out, value);
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names() {
        for (name, want) in [
            ("http.method", "http_method"),
            ("a__b", "a_b"),
            ("_x", "_x"),
            ("__x", "_x"),
            ("x.", "x_"),
            ("2nd", "key_2nd"),
            ("__meta__", "__meta__"),
            ("__a.b__", "__a_b__"),
            ("größe", "gr_e"),
            ("plain", "plain"),
            ("x y", "x_y"),
            ("__2__", "__2__"),
        ] {
            assert_eq!(normalized_name(name).as_deref(), Ok(want));
        }
        assert_eq!(normalized_name("").unwrap_err().to_string(), "label name is empty");
        for (name, normalized) in
            [("...", "_"), ("ключ", "_"), ("____", "____"), ("_", "_"), ("__-__", "_____")]
        {
            let want =
                format!("normalization for label name \"{name}\" resulted in invalid name \"{normalized}\"");
            assert_eq!(normalized_name(name).unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn values() {
        assert_eq!(readable_value(b"a\xff\xe2\x82b"), "a   b");
        assert_eq!(readable_value("a\u{fffd}é".as_bytes()), "a é");
    }

    proptest! {
        #[test]
        fn a_normal_name_stays(name in "\\PC{1,12}") {
            if let Ok(once) = normalized_name(&name) {
                let twice = normalized_name(&once);
                prop_assert_eq!(twice.as_deref(), Ok(&*once));
            }
        }
    }
}
