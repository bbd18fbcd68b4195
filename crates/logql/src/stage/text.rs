//! Values taken out of lines: escapes resolved, and no bytes that are not text.

use std::borrow::Cow;

use larch_template::decode_rune;

const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// Appends a value. Bytes that are not UTF-8 and U+FFFD become a blank each.
pub(crate) fn push_readable(out: &mut Vec<u8>, value: &[u8]) {
    if value.is_ascii()
        || (str::from_utf8(value).is_ok() && memchr::memmem::find(value, REPLACEMENT).is_none())
    {
        out.extend_from_slice(value);
        return;
    }
    let mut rest = value;
    while let Some(rune) = decode_rune(rest) {
        if rune.c == char::REPLACEMENT_CHARACTER {
            out.push(b' ');
        } else {
            out.extend_from_slice(&rest[..rune.len]);
        }
        rest = &rest[rune.len..];
    }
}

/// Appends the inside of a JSON string. A bad escape leaves nothing of the value.
pub(crate) fn push_unescaped(out: &mut Vec<u8>, inside: &[u8]) {
    if memchr::memchr(b'\\', inside).is_none() {
        push_readable(out, inside);
        return;
    }
    let mut text = Vec::with_capacity(inside.len());
    if unescape_json(&mut text, inside) {
        push_readable(out, &text);
    }
}

/// Appends the inside of a JSON string with its escapes resolved; false at a bad one.
pub(crate) fn unescape_json(out: &mut Vec<u8>, inside: &[u8]) -> bool {
    let mut rest = inside;
    while let Some(plain) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..plain]);
        rest = &rest[plain..];
        let Some(len) = push_escape(out, rest) else {
            return false;
        };
        rest = &rest[len..];
    }
    out.extend_from_slice(rest);
    true
}

/// A key as it stands between its quotes; `None` if it has a bad escape.
pub(crate) fn json_key(inside: &[u8], is_escaped: bool) -> Option<Cow<'_, [u8]>> {
    if !is_escaped {
        return Some(Cow::Borrowed(inside));
    }
    let mut key = Vec::with_capacity(inside.len());
    unescape_json(&mut key, inside).then_some(Cow::Owned(key))
}

/// The escape that the text starts with, and its length.
fn push_escape(out: &mut Vec<u8>, text: &[u8]) -> Option<usize> {
    match text.get(1)? {
        b'u' => push_unicode_escape(out, text),
        byte => {
            out.push(short_escape(*byte)?);
            Some(2)
        }
    }
}

/// What the byte behind a backslash stands for.
pub(crate) fn short_escape(byte: u8) -> Option<u8> {
    match byte {
        b'"' | b'\\' | b'/' => Some(byte),
        b'b' => Some(0x08),
        b'f' => Some(0x0c),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        _ => None,
    }
}

/// Anything in the range of surrogates needs a second escape that is at least a low one; the sum is taken
/// as it comes.
fn push_unicode_escape(out: &mut Vec<u8>, text: &[u8]) -> Option<usize> {
    let first = hex_unit(text)?;
    if !(0xD800..=0xDFFF).contains(&first) {
        push_code(out, first);
        return Some(6);
    }
    let second = text[6..].starts_with(b"\\u").then(|| hex_unit(&text[6..])).flatten()?;
    if second < 0xDC00 {
        return None;
    }
    push_code(out, from_surrogates(first, second));
    Some(12)
}

pub(crate) fn from_surrogates(high: u32, low: u32) -> u32 {
    0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
}

/// A number that is no character is U+FFFD.
pub(crate) fn push_code(out: &mut Vec<u8>, code: u32) {
    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// The four digits behind `\u`.
pub(crate) fn hex_unit(text: &[u8]) -> Option<u32> {
    let mut unit = 0;
    for byte in text.get(2..6)? {
        unit = unit << 4 | char::from(*byte).to_digit(16)?;
    }
    Some(unit)
}

/// For messages and for what must be text.
pub(crate) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (inside, want) in [
            (&br#"a\tb\"\\\/"#[..], &b"a\tb\"\\/"[..]),
            (br"\u00e9", "\u{e9}".as_bytes()),
            (br"\ud83d\ude00", "\u{1f600}".as_bytes()),
            (br"\ud800", b""),
            (br"\ud800\u0041", b""),
            (br"\x41", b""),
            (br"\u12", b""),
            (br"ok\", b""),
            (br"\ufffd", b" "),
            (br"\udfff\udfff", b" "),
            (b"a\xff\xe2\x82b", b"a   b"),
            ("\u{fffd}\u{e9}".as_bytes(), " \u{e9}".as_bytes()),
        ] {
            let mut out = Vec::new();
            push_unescaped(&mut out, inside);
            assert_eq!(out, want, "{}", lossy(inside));
        }
    }
}
