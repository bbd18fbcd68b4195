//! Characters of byte strings as Go sees them: a byte that is no part of valid UTF-8 is one character
//! of its own, U+FFFD.

/// One character and the bytes it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rune {
    pub c: char,
    pub len: usize,
    /// False for a byte that is not part of valid UTF-8.
    pub valid: bool,
}

/// The first character, or `None` at the end.
pub fn decode_rune(text: &[u8]) -> Option<Rune> {
    let first = *text.first()?;
    if first < 0x80 {
        return Some(Rune { c: char::from(first), len: 1, valid: true });
    }
    let bad = Rune { c: char::REPLACEMENT_CHARACTER, len: 1, valid: false };
    let len = match first {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return Some(bad),
    };
    let c = text.get(..len).and_then(|bytes| str::from_utf8(bytes).ok()).and_then(|s| s.chars().next());
    Some(c.map_or(bad, |c| Rune { c, len, valid: true }))
}

/// The last character, or `None` of an empty text.
pub(crate) fn last_rune(text: &[u8]) -> Option<Rune> {
    for len in 1..=text.len().min(4) {
        let tail = &text[text.len() - len..];
        if let Some(rune) = decode_rune(tail)
            && rune.valid
            && rune.len == len
        {
            return Some(rune);
        }
    }
    text.last().map(|_| Rune { c: char::REPLACEMENT_CHARACTER, len: 1, valid: false })
}

/// Without white space at its ends.
pub fn trim_space(mut text: &[u8]) -> &[u8] {
    while let Some(rune) = decode_rune(text).filter(|rune| is_space(rune.c)) {
        text = &text[rune.len..];
    }
    while let Some(rune) = last_rune(text).filter(|rune| is_space(rune.c)) {
        text = &text[..text.len() - rune.len];
    }
    text
}

/// All characters with the offset of their first byte.
pub(crate) fn runes(text: &[u8]) -> impl Iterator<Item = (usize, Rune)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rune = decode_rune(&text[at..])?;
        let start = at;
        at += rune.len;
        Some((start, rune))
    })
}

/// Rust's alphabetic characters are Go's letters plus combining marks, which no identifier starts with
/// in practice.
pub(crate) fn is_letter(c: char) -> bool {
    c.is_alphabetic()
}

pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace()
}

/// Go maps one character to one character; where Unicode's full mapping is longer, the simple one
/// counts.
pub(crate) fn to_upper(c: char) -> char {
    match only(c.to_uppercase()) {
        Some(upper) => upper,
        None => with_iota_subscript(c),
    }
}

pub(crate) fn to_lower(c: char) -> char {
    match only(c.to_lowercase()) {
        Some(lower) => lower,
        None if c == '\u{130}' => 'i',
        None => c,
    }
}

/// The digraphs have a form of their own for the start of a word.
pub(crate) fn to_title(c: char) -> char {
    match c {
        '\u{1C4}'..='\u{1C6}' => '\u{1C5}',
        '\u{1C7}'..='\u{1C9}' => '\u{1C8}',
        '\u{1CA}'..='\u{1CC}' => '\u{1CB}',
        '\u{1F1}'..='\u{1F3}' => '\u{1F2}',
        // Georgian letters have capitals, but none that start a word.
        '\u{10D0}'..='\u{10FF}' => c,
        _ => to_upper(c),
    }
}

fn only(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    let first = mapped.next()?;
    mapped.next().is_none().then_some(first)
}

/// Greek small letters with an iota below.
fn with_iota_subscript(c: char) -> char {
    let offset = match c {
        '\u{1F80}'..='\u{1F87}' | '\u{1F90}'..='\u{1F97}' | '\u{1FA0}'..='\u{1FA7}' => 8,
        '\u{1FB3}' | '\u{1FC3}' | '\u{1FF3}' => 9,
        _ => 0,
    };
    char::from_u32(u32::from(c) + offset).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_byte_is_one_character() {
        let all: Vec<_> = runes(b"a\xff\xe2\x82z\xe2\x82\xac").map(|(at, r)| (at, r.c, r.valid)).collect();
        let bad = char::REPLACEMENT_CHARACTER;
        assert_eq!(
            all,
            [
                (0, 'a', true),
                (1, bad, false),
                (2, bad, false),
                (3, bad, false),
                (4, 'z', true),
                (5, '\u{20AC}', true)
            ]
        );
        assert_eq!(last_rune(b"a\xe2\x82\xac").map(|r| r.c), Some('\u{20AC}'));
        assert_eq!(last_rune(b"a\xe2\x82").map(|r| r.valid), Some(false));
        assert_eq!(last_rune(b""), None);
    }

    #[test]
    fn simple_case_mapping() {
        for (c, upper, lower) in [
            ('a', 'A', 'a'),
            ('\u{df}', '\u{df}', '\u{df}'),
            ('\u{130}', '\u{130}', 'i'),
            ('\u{1f80}', '\u{1f88}', '\u{1f80}'),
            ('\u{1fb3}', '\u{1fbc}', '\u{1fb3}'),
            ('\u{3c3}', '\u{3a3}', '\u{3c3}'),
        ] {
            assert_eq!((to_upper(c), to_lower(c)), (upper, lower), "{c}");
        }
        assert_eq!(to_title('\u{1c6}'), '\u{1c5}');
        assert_eq!(to_title('\u{10d0}'), '\u{10d0}');
    }
}
