//! Go's double-quoted string form, which canonical label text and many of Loki's messages use.

use crate::quote_table::PRINTABLE;

/// The text in double quotes, escaped as Go's `%q` does it.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote_into(&mut out, text);
    out
}

/// Appends the quoted text.
pub fn quote_into(out: &mut String, text: &str) {
    out.push('"');
    // Most values are written as they are.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
        out.push_str(text);
    } else {
        text.chars().for_each(|c| push_escaped(out, c));
    }
    out.push('"');
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        ' '..='~' => out.push(c),
        '\u{07}' => out.push_str("\\a"),
        '\u{08}' => out.push_str("\\b"),
        '\u{0c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{0b}' => out.push_str("\\v"),
        c if is_printable(c) => out.push(c),
        c if u32::from(c) < 0x80 => push_hex(out, 'x', u32::from(c), 2),
        c if u32::from(c) < 0x10000 => push_hex(out, 'u', u32::from(c), 4),
        c => push_hex(out, 'U', u32::from(c), 8),
    }
}

fn push_hex(out: &mut String, marker: char, code: u32, digits: u32) {
    out.push('\\');
    out.push(marker);
    for position in (0..digits).rev() {
        let nibble = (code >> (4 * position)) & 0xf;
        out.push(char::from_digit(nibble, 16).unwrap_or('0'));
    }
}

fn is_printable(c: char) -> bool {
    let code = u32::from(c);
    PRINTABLE
        .binary_search_by(|(first, last)| {
            if *last < code {
                std::cmp::Ordering::Less
            } else if *first > code {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        })
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go_does() {
        for (text, want) in [
            ("", r#""""#),
            ("plain text", r#""plain text""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("\u{07}\u{08}\u{0c}\n\r\t\u{0b}", r#""\a\b\f\n\r\t\v""#),
            ("\0\u{1b}\u{7f}", r#""\x00\x1b\x7f""#),
            ("naïve 日本 😀", r#""naïve 日本 😀""#),
            ("\u{a0}\u{ad}\u{200b}\u{feff}", r#""\u00a0\u00ad\u200b\ufeff""#),
            ("\u{e000}\u{10ffff}", r#""\ue000\U0010ffff""#),
            ("\u{fffd}", "\"\u{fffd}\""),
        ] {
            assert_eq!(quoted(text), want);
        }
    }

    #[test]
    fn the_table_is_sorted() {
        for pair in PRINTABLE.windows(2) {
            assert!(pair[0].0 <= pair[0].1 && pair[0].1 + 1 < pair[1].0);
        }
    }
}
