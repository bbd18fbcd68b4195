//! `fromJson`: JSON text to values. What is not valid JSON is no value.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::go::{decode_rune, parse_float};
use crate::value::{Text, Value};

/// Lists and maps inside one another; deeper ones are refused, because what walks them recurses.
const MAX_DEPTH: usize = 128;

pub(super) fn from_json<'a>(text: &[u8]) -> Value<'a> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let value = reader.value();
    reader.skip_space();
    match value {
        Some(value) if reader.at == text.len() => value,
        _ => Value::Nil,
    }
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, literal: &[u8]) -> Option<()> {
        let found = self.text[self.at..].starts_with(literal);
        self.at += if found { literal.len() } else { 0 };
        found.then_some(())
    }

    fn value<'a>(&mut self) -> Option<Value<'a>> {
        self.skip_space();
        match self.peek()? {
            b'n' => self.take(b"null").map(|()| Value::Nil),
            b't' => self.take(b"true").map(|()| Value::Bool(true)),
            b'f' => self.take(b"false").map(|()| Value::Bool(false)),
            b'"' => self.string().map(Value::Text),
            b'[' => self.nested(Self::list),
            b'{' => self.nested(Self::map),
            _ => self.number(),
        }
    }

    fn nested<'a>(&mut self, read: fn(&mut Self) -> Option<Value<'a>>) -> Option<Value<'a>> {
        self.depth += 1;
        self.at += 1;
        let value = if self.depth <= MAX_DEPTH { read(self) } else { None };
        self.depth -= 1;
        value
    }

    fn list<'a>(&mut self) -> Option<Value<'a>> {
        let mut items = Vec::new();
        self.skip_space();
        if self.take(b"]").is_some() {
            return Some(Value::list(items));
        }
        loop {
            items.push(Value::element(self.value()?));
            self.skip_space();
            if self.take(b"]").is_some() {
                return Some(Value::list(items));
            }
            self.take(b",")?;
        }
    }

    /// The last of several members with one name counts.
    fn map<'a>(&mut self) -> Option<Value<'a>> {
        let mut entries: BTreeMap<Text<'a>, Value<'a>> = BTreeMap::new();
        self.skip_space();
        if self.take(b"}").is_some() {
            return Some(Value::Map(Rc::new(entries)));
        }
        loop {
            self.skip_space();
            let key = self.string()?;
            self.skip_space();
            self.take(b":")?;
            entries.insert(key, Value::element(self.value()?));
            self.skip_space();
            if self.take(b"}").is_some() {
                return Some(Value::Map(Rc::new(entries)));
            }
            self.take(b",")?;
        }
    }

    fn digits(&mut self) -> Option<()> {
        let count = self.text[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        (count > 0).then_some(())
    }

    /// A number too large for a float is no value, but does not spoil what it is in.
    fn number<'a>(&mut self) -> Option<Value<'a>> {
        let start = self.at;
        self.take(b"-");
        if self.take(b"0").is_none() {
            self.digits()?;
        }
        if self.take(b".").is_some() {
            self.digits()?;
        }
        if self.take(b"e").or_else(|| self.take(b"E")).is_some() {
            self.take(b"+").or_else(|| self.take(b"-"));
            self.digits()?;
        }
        Some(parse_float(&self.text[start..self.at]).map_or(Value::Nil, Value::Float))
    }

    fn string<'a>(&mut self) -> Option<Text<'a>> {
        self.take(b"\"")?;
        let mut out = Vec::new();
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(Cow::Owned(out));
                }
                b'\\' => self.escape(&mut out)?,
                0..=0x1f => return None,
                _ => {
                    let rune = decode_rune(&self.text[self.at..])?;
                    out.extend_from_slice(rune.c.encode_utf8(&mut [0; 4]).as_bytes());
                    self.at += rune.len;
                }
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let escaped = *self.text.get(self.at + 1)?;
        self.at += 2;
        out.push(match escaped {
            b'"' | b'\\' | b'/' => escaped,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let c = self.unicode_escape()?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Some(());
            }
            _ => return None,
        });
        Some(())
    }

    /// Half of a surrogate pair stands for U+FFFD.
    fn unicode_escape(&mut self) -> Option<char> {
        let first = self.hex_unit(self.at)?;
        self.at += 4;
        if (0xD800..0xDC00).contains(&first) && self.text[self.at..].starts_with(b"\\u") {
            let second = self.hex_unit(self.at + 2)?;
            if (0xDC00..0xE000).contains(&second) {
                self.at += 6;
                return char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00));
            }
        }
        Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex_unit(&self, at: usize) -> Option<u32> {
        let mut unit = 0;
        for byte in self.text.get(at..at + 4)? {
            unit = unit << 4 | char::from(*byte).to_digit(16)?;
        }
        Some(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_valid_json() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\"}",
            "01",
            "1.",
            "nul",
            "\"a\nb\"",
            "\"\\x\"",
            "1 2",
            "+1",
            "{\"a\":1,}",
            "'a'",
            "\"\\u12\"",
        ] {
            assert!(matches!(from_json(text.as_bytes()), Value::Nil), "{text}");
        }
        for (text, want) in [
            (r#""a\u00e9\ud83d\ude00\n\/""#, "a\u{e9}\u{1f600}\n/"),
            (r#""\ud800x""#, "\u{fffd}x"),
            (r#" "x" "#, "x"),
        ] {
            match from_json(text.as_bytes()) {
                Value::Text(got) => assert_eq!(got, want.as_bytes()),
                other => panic!("{other:?}"),
            }
        }
        let deep = "[".repeat(100_000);
        assert!(matches!(from_json(deep.as_bytes()), Value::Nil));
    }
}
