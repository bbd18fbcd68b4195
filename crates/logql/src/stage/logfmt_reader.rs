//! Pairs of a logfmt line: `key=value key="quoted value" key`.

use std::borrow::Cow;

use larch_template::decode_rune;

use crate::stage::scan::string_end;
use crate::stage::text::{from_surrogates, hex_unit, push_code, short_escape};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LogfmtMessage {
    #[error("unexpected '{0}'")]
    Unexpected(char),
    #[error("invalid key")]
    Key,
    #[error("unterminated quoted value")]
    Unterminated,
    #[error("invalid quoted value")]
    Quoted,
}

/// `position` counts bytes from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("logfmt syntax error at pos {position} : {message}")]
pub(crate) struct LogfmtFault {
    position: usize,
    message: LogfmtMessage,
}

#[derive(Debug)]
pub(crate) struct LogfmtReader<'l> {
    line: &'l [u8],
    at: usize,
}

/// A value is empty where there is none.
pub(crate) type Pair<'l> = (&'l [u8], Cow<'l, [u8]>);

impl<'l> LogfmtReader<'l> {
    pub(crate) fn new(line: &'l [u8]) -> Self {
        Self { line, at: 0 }
    }

    /// `None` at the end of the line. After a fault the reader stands behind the damage.
    pub(crate) fn next(&mut self) -> Option<Result<Pair<'l>, LogfmtFault>> {
        let start = self.at + self.line[self.at..].iter().position(|b| *b > b' ')?;
        self.at = start;
        let pair = self.pair();
        if pair.is_err() {
            self.skip_to_blank();
        }
        Some(pair)
    }

    fn skip_to_blank(&mut self) {
        let rest = &self.line[self.at..];
        self.at += rest.iter().position(|b| *b <= b' ').unwrap_or(rest.len());
    }

    fn fault<T>(&self, message: LogfmtMessage) -> Result<T, LogfmtFault> {
        Err(LogfmtFault { position: self.at + 1, message })
    }

    fn unexpected<T>(&self) -> Result<T, LogfmtFault> {
        self.fault(LogfmtMessage::Unexpected(char::from(self.line[self.at])))
    }

    fn pair(&mut self) -> Result<Pair<'l>, LogfmtFault> {
        let line = self.line;
        let start = self.at;
        let rest = &line[start..];
        let len = rest.iter().position(|b| *b <= b' ' || matches!(b, b'=' | b'"')).unwrap_or(rest.len());
        let key = &rest[..len];
        self.at += len;
        let stop = rest.get(len);
        if stop == Some(&b'"') || (stop == Some(&b'=') && key.is_empty()) {
            return self.unexpected();
        }
        if !key.is_ascii() && !is_clean(key) {
            return self.fault(LogfmtMessage::Key);
        }
        if stop != Some(&b'=') {
            return Ok((key, Cow::Borrowed(b"")));
        }
        self.at += 1;
        match line.get(self.at) {
            Some(b'"') => Ok((key, self.quoted()?)),
            _ => Ok((key, Cow::Borrowed(self.plain()?))),
        }
    }

    fn plain(&mut self) -> Result<&'l [u8], LogfmtFault> {
        let rest = &self.line[self.at..];
        let len = rest.iter().position(|b| *b <= b' ' || matches!(b, b'=' | b'"')).unwrap_or(rest.len());
        self.at += len;
        match rest.get(len) {
            Some(b'=' | b'"') => self.unexpected(),
            _ => Ok(&rest[..len]),
        }
    }

    fn quoted(&mut self) -> Result<Cow<'l, [u8]>, LogfmtFault> {
        let line = self.line;
        let inside = &line[self.at + 1..];
        let Some((end, is_escaped)) = string_end(inside) else {
            self.at = line.len();
            return self.fault(LogfmtMessage::Unterminated);
        };
        self.at += 1 + end;
        let raw = &inside[..end - 1];
        if !is_escaped {
            return Ok(Cow::Borrowed(raw));
        }
        let mut value = Vec::with_capacity(raw.len());
        if unquote(&mut value, raw) { Ok(Cow::Owned(value)) } else { self.fault(LogfmtMessage::Quoted) }
    }
}

/// UTF-8 without U+FFFD.
fn is_clean(text: &[u8]) -> bool {
    str::from_utf8(text).is_ok_and(|text| !text.contains(char::REPLACEMENT_CHARACTER))
}

/// Escapes of JSON and `\'`. Control characters must be escaped, half a surrogate pair and bytes that are
/// not UTF-8 are U+FFFD.
fn unquote(out: &mut Vec<u8>, raw: &[u8]) -> bool {
    let mut rest = raw;
    while let Some(byte) = rest.first() {
        match byte {
            b'\\' => match push_escape(out, rest) {
                Some(len) => rest = &rest[len..],
                None => return false,
            },
            0..=0x1f => return false,
            _ => {
                let Some(rune) = decode_rune(rest) else {
                    return true;
                };
                push_code(out, u32::from(rune.c));
                rest = &rest[rune.len..];
            }
        }
    }
    true
}

fn push_escape(out: &mut Vec<u8>, text: &[u8]) -> Option<usize> {
    match text.get(1)? {
        b'u' => {
            let first = hex_unit(text)?;
            let second = if text[6..].starts_with(b"\\u") { hex_unit(&text[6..]) } else { None };
            if let (0xD800..=0xDBFF, Some(second @ 0xDC00..=0xDFFF)) = (first, second) {
                push_code(out, from_surrogates(first, second));
                return Some(12);
            }
            push_code(out, first);
            Some(6)
        }
        b'\'' => {
            out.push(b'\'');
            Some(2)
        }
        byte => {
            out.push(short_escape(*byte)?);
            Some(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[u8]) -> Vec<String> {
        let mut reader = LogfmtReader::new(line);
        let mut out = Vec::new();
        while let Some(pair) = reader.next() {
            out.push(match pair {
                Ok((key, value)) => {
                    format!("{}={}", String::from_utf8_lossy(key), String::from_utf8_lossy(&value))
                }
                Err(fault) => fault.to_string(),
            });
        }
        out
    }

    #[test]
    fn pairs_and_faults() {
        let at =
            |position: usize, message: &str| format!("logfmt syntax error at pos {position} : {message}");
        for (line, want) in [
            (&b""[..], vec![]),
            (b"  \t", vec![]),
            (b"a=1 b=\"x y\" c= d", vec!["a=1".into(), "b=x y".into(), "c=".into(), "d=".into()]),
            (br#"e="q\"r" f='x'"#, vec!["e=q\"r".into(), "f='x'".into()]),
            (b"a=1 =x b=2", vec!["a=1".into(), at(5, "unexpected '='"), "b=2".into()]),
            (b"a=b=c d=e", vec![at(4, "unexpected '='"), "d=e".into()]),
            (b"a\"b c=1", vec![at(2, "unexpected '\"'"), "c=1".into()]),
            (b"a=b\"c d=1", vec![at(4, "unexpected '\"'"), "d=1".into()]),
            (b"a=\"x", vec![at(5, "unterminated quoted value")]),
            (b"a=\"x\\\" b=1", vec![at(11, "unterminated quoted value")]),
            (b"a=\"x\"y=2", vec!["a=x".into(), "y=2".into()]),
            (br#"a="\x" b=1"#, vec![at(7, "invalid quoted value"), "b=1".into()]),
            (b"a=\"\\n\t\" b=1", vec![at(8, "invalid quoted value"), "b=1".into()]),
            (b"\xff=1 b=2", vec![at(2, "invalid key"), "b=2".into()]),
            ("\u{e9}=1".as_bytes(), vec!["\u{e9}=1".into()]),
            (br#"a="\u00e9\ud83d\ude00\ud800x""#, vec!["a=\u{e9}\u{1f600}\u{fffd}x".into()]),
            (b"a=\"\"", vec!["a=".into()]),
        ] {
            assert_eq!(read(line), want, "{}", String::from_utf8_lossy(line));
        }
    }
}
