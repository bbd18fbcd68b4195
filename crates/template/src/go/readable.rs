//! Text as regexes see it: a byte that is not part of valid UTF-8 is U+FFFD, and matches what that does.

use std::ops::Range;

use crate::go::decode_rune;

#[derive(Debug)]
pub struct Readable<'t> {
    original: &'t [u8],
    /// Only if the two differ.
    replaced: Option<Replaced>,
}

#[derive(Debug)]
struct Replaced {
    text: String,
    /// For every offset in the text the one in the original.
    offsets: Vec<usize>,
}

impl<'t> Readable<'t> {
    pub fn new(original: &'t [u8]) -> Self {
        if str::from_utf8(original).is_ok() {
            return Self::unchanged(original);
        }
        let mut text = String::with_capacity(original.len() + 16);
        let mut offsets = Vec::with_capacity(original.len() + 16);
        let mut at = 0;
        while let Some(rune) = decode_rune(&original[at..]) {
            text.push(rune.c);
            offsets.resize(text.len(), at);
            at += rune.len;
        }
        offsets.push(at);
        Self { original, replaced: Some(Replaced { text, offsets }) }
    }

    /// For a regex to which other bytes make no difference.
    pub fn unchanged(original: &'t [u8]) -> Self {
        Self { original, replaced: None }
    }

    /// What to match.
    pub fn bytes(&self) -> &[u8] {
        match &self.replaced {
            None => self.original,
            Some(replaced) => replaced.text.as_bytes(),
        }
    }

    /// Not between the bytes of one character, where a match that begins does not count.
    pub fn is_boundary(&self, at: usize) -> bool {
        self.bytes().get(at).is_none_or(|byte| byte & 0xC0 != 0x80)
    }

    /// What a part was before.
    pub fn original(&self, part: Range<usize>) -> &'t [u8] {
        match &self.replaced {
            None => &self.original[part],
            Some(Replaced { offsets, .. }) => &self.original[offsets[part.start]..offsets[part.end]],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_again() {
        let readable = Readable::new(b"a\xff\xe2\x82b\xc3\xa9");
        assert_eq!(readable.bytes(), "a\u{fffd}\u{fffd}\u{fffd}b\u{e9}".as_bytes());
        assert_eq!(readable.original(0..4), b"a\xff");
        assert_eq!(readable.original(4..11), b"\xe2\x82b");
        assert_eq!(readable.original(11..13), b"\xc3\xa9");
        assert_eq!(readable.original(13..13), b"");
        let boundaries: Vec<_> = (0..=13).filter(|at| readable.is_boundary(*at)).collect();
        assert_eq!(boundaries, [0, 1, 4, 7, 10, 11, 13]);
        assert_eq!(Readable::new("\u{e9}".as_bytes()).original(0..2), "\u{e9}".as_bytes());
    }
}
