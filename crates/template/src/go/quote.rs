//! Go's quoted strings: writing (`%q`) and reading (`strconv.Unquote`).

use larch_types::quote_into;

use crate::go::{Rune, decode_rune};

/// The text in double quotes; bytes that are not UTF-8 become `\xHH`.
pub fn quote_bytes(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for chunk in text.utf8_chunks() {
        push_inner(&mut out, chunk.valid());
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.push('"');
    out
}

/// As `quote_bytes`, with everything outside ASCII escaped (`%+q`).
pub(crate) fn quote_ascii(text: &[u8]) -> String {
    let quoted = quote_bytes(text);
    let mut out = String::with_capacity(quoted.len());
    for c in quoted.chars() {
        match u32::from(c) {
            0..0x80 => out.push(c),
            code @ 0x80..0x10000 => out.push_str(&format!("\\u{code:04x}")),
            code => out.push_str(&format!("\\U{code:08x}")),
        }
    }
    out
}

/// One character in single quotes (`%q` of an integer).
pub(crate) fn quote_rune(c: char) -> String {
    match c {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        _ => {
            let mut out = String::from("'");
            push_inner(&mut out, c.encode_utf8(&mut [0; 4]));
            out.push('\'');
            out
        }
    }
}

fn push_inner(out: &mut String, text: &str) {
    let mut quoted = String::with_capacity(text.len() + 2);
    quote_into(&mut quoted, text);
    out.push_str(&quoted[1..quoted.len() - 1]);
}

/// A string literal in double quotes or backticks, quotes included. `None`: not a valid one.
pub(crate) fn unquote(literal: &str) -> Option<Vec<u8>> {
    let quote = *literal.as_bytes().first()?;
    let inner = literal.get(1..literal.len().checked_sub(1)?)?;
    if literal.len() < 2 || literal.as_bytes().last() != Some(&quote) {
        return None;
    }
    if quote == b'`' {
        if inner.contains('`') {
            return None;
        }
        return Some(inner.bytes().filter(|b| *b != b'\r').collect());
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner.as_bytes();
    while !rest.is_empty() {
        if rest[0] == b'"' || rest[0] == b'\n' {
            return None;
        }
        let (unit, len) = unquote_char(rest, b'"')?;
        match unit {
            Unquoted::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Unquoted::Byte(byte) => out.push(byte),
        }
        rest = &rest[len..];
    }
    Some(out)
}

/// What one character or escape stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unquoted {
    Char(char),
    /// From an octal or `\x` escape.
    Byte(u8),
}

/// The first character or escape of a literal's inside, and its length.
pub(crate) fn unquote_char(text: &[u8], quote: u8) -> Option<(Unquoted, usize)> {
    let Rune { c, len, .. } = decode_rune(text)?;
    if c != '\\' {
        if u32::from(c) == u32::from(quote) {
            return None;
        }
        return Some((Unquoted::Char(c), len));
    }
    let simple = |c: char| Some((Unquoted::Char(c), 2));
    match *text.get(1)? {
        b'a' => simple('\u{07}'),
        b'b' => simple('\u{08}'),
        b'f' => simple('\u{0c}'),
        b'n' => simple('\n'),
        b'r' => simple('\r'),
        b't' => simple('\t'),
        b'v' => simple('\u{0b}'),
        b'\\' => simple('\\'),
        escaped @ (b'\'' | b'"') if escaped == quote => simple(char::from(escaped)),
        b'x' => digits(text, 2, 2, 16).and_then(|code| Some((Unquoted::Byte(u8::try_from(code).ok()?), 4))),
        b'0'..=b'7' => {
            digits(text, 1, 3, 8).and_then(|code| Some((Unquoted::Byte(u8::try_from(code).ok()?), 4)))
        }
        b'u' => digits(text, 2, 4, 16).and_then(|code| Some((Unquoted::Char(char::from_u32(code)?), 6))),
        b'U' => digits(text, 2, 8, 16).and_then(|code| Some((Unquoted::Char(char::from_u32(code)?), 10))),
        _ => None,
    }
}

fn digits(text: &[u8], from: usize, count: usize, radix: u32) -> Option<u32> {
    let mut code: u32 = 0;
    for byte in text.get(from..from + count)? {
        code = code.checked_mul(radix)?.checked_add(char::from(*byte).to_digit(radix)?)?;
    }
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        assert_eq!(quote_bytes(b"a\"\xff\n\xc3\xa9"), "\"a\\\"\\xff\\n\u{e9}\"");
        assert_eq!(quote_ascii("é😀".as_bytes()), r#""\u00e9\U0001f600""#);
        for (c, want) in [('a', "'a'"), ('\'', r"'\''"), ('"', "'\"'"), ('\n', r"'\n'"), ('\0', r"'\x00'")] {
            assert_eq!(quote_rune(c), want);
        }
    }

    #[test]
    fn unquoting() {
        for (literal, want) in [
            (r#""a\n\x41\102\u00e9\"""#, Some("a\nAB\u{e9}\"".as_bytes().to_vec())),
            (r#""\xff""#, Some(vec![0xff])),
            (r#""\'""#, None),
            (r#""\d""#, None),
            (r#""\ud800""#, None),
            (r#""\400""#, None),
            ("`a\\n\r`", Some(b"a\\n".to_vec())),
            ("`", None),
            ("\"", None),
            ("", None),
        ] {
            assert_eq!(unquote(literal), want, "{literal}");
        }
    }
}
