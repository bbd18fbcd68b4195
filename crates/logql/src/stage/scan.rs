//! A tolerant scanner for JSON. It looks at a line only as far as it must, keeps what it found before
//! the damage, and names the damage in the words that users know.

use memchr::{memchr2, memchr3};

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonFault {
    #[error("Value looks like object, but can't find closing '}}' symbol")]
    Object,
    #[error("Value is array, but can't find closing ']' symbol")]
    Array,
    #[error("Value is string, but can't find closing '\"' symbol")]
    String,
    #[error("Unknown value type")]
    UnknownValue,
    #[error("Malformed JSON error")]
    Malformed,
    #[error("Encountered an invalid escape sequence in a string")]
    Escape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueKind {
    String,
    Number,
    Bool,
    Null,
    Object,
    Array,
}

/// A value and where it ends. Strings are without their quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'j> {
    pub(crate) kind: ValueKind,
    pub(crate) text: &'j [u8],
    pub(crate) end: usize,
}

/// Offset of the first byte that is no white space.
pub(crate) fn skip_space(text: &[u8]) -> Option<usize> {
    text.iter().position(|b| !is_space(*b))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// The end of a string of which the text is the inside: behind its closing quote. Also whether there is a
/// backslash before it.
pub(crate) fn string_end(text: &[u8]) -> Option<(usize, bool)> {
    let mut at = 0;
    let mut escaped = false;
    loop {
        let found = at + memchr2(b'"', b'\\', &text[at..])?;
        if text[found] == b'"' {
            return Some((found + 1, escaped));
        }
        escaped = true;
        // The byte behind a backslash is no quote that closes.
        at = found + 2;
        if at > text.len() {
            return None;
        }
    }
}

/// The end of an array or object, which the text starts with. Only its own kind of bracket is counted.
pub(crate) fn block_end(text: &[u8], open: u8, close: u8) -> Option<usize> {
    let mut level = 0_usize;
    let mut at = 0;
    loop {
        let found = at + memchr3(b'"', open, close, &text[at..])?;
        at = found + 1;
        match text[found] {
            b'"' => at += string_end(&text[at..])?.0,
            byte if byte == open => level += 1,
            _ => {
                level = level.wrapping_sub(1);
                if level == 0 {
                    return Some(at);
                }
            }
        }
    }
}

/// The value that starts behind the blanks at the start of the text.
pub(crate) fn value(text: &[u8]) -> Result<Value<'_>, JsonFault> {
    let start = skip_space(text).ok_or(JsonFault::Malformed)?;
    let rest = &text[start..];
    match rest[0] {
        b'"' => {
            let (len, _) = string_end(&rest[1..]).ok_or(JsonFault::String)?;
            Ok(Value { kind: ValueKind::String, text: &rest[1..len], end: start + 1 + len })
        }
        b'[' => {
            let len = block_end(rest, b'[', b']').ok_or(JsonFault::Array)?;
            Ok(Value { kind: ValueKind::Array, text: &rest[..len], end: start + len })
        }
        b'{' => {
            let len = block_end(rest, b'{', b'}').ok_or(JsonFault::Object)?;
            Ok(Value { kind: ValueKind::Object, text: &rest[..len], end: start + len })
        }
        _ => bare_value(rest).map(|(kind, text)| Value { kind, text, end: start + text.len() }),
    }
}

/// Numbers are not checked beyond their first byte.
fn bare_value(rest: &[u8]) -> Result<(ValueKind, &[u8]), JsonFault> {
    let len = rest.iter().position(|b| is_space(*b) || matches!(b, b',' | b'}' | b']')).unwrap_or(rest.len());
    let text = &rest[..len];
    let kind = match text {
        b"true" | b"false" => ValueKind::Bool,
        b"null" => ValueKind::Null,
        [b'0'..=b'9' | b'-', ..] => ValueKind::Number,
        _ => return Err(JsonFault::UnknownValue),
    };
    Ok((kind, text))
}

/// Walks the members of an object until its end or until damage. For each: `key`, `value`, `advance`.
#[derive(Debug)]
pub(crate) struct Members<'j> {
    rest: &'j [u8],
    done: bool,
}

impl<'j> Members<'j> {
    pub(crate) fn new(text: &'j [u8]) -> Result<Self, JsonFault> {
        let start = skip_space(text).filter(|start| text[*start] == b'{').ok_or(JsonFault::Object)?;
        let inside = &text[start + 1..];
        let first = skip_space(inside).ok_or(JsonFault::Malformed)?;
        Ok(Self { rest: &inside[first..], done: inside[first] == b'}' })
    }

    /// The next key between its quotes, and whether it has escapes. `None` at the end of the object; what
    /// follows it does not matter. A comma before the end does no harm.
    pub(crate) fn key(&mut self) -> Result<Option<(&'j [u8], bool)>, JsonFault> {
        if self.done {
            return Ok(None);
        }
        match self.rest.first() {
            Some(b'"') => {}
            Some(b'}') => return Ok(None),
            _ => return Err(JsonFault::Object),
        }
        let (len, is_escaped) = string_end(&self.rest[1..]).ok_or(JsonFault::Malformed)?;
        let key = &self.rest[1..len];
        self.rest = &self.rest[1 + len..];
        Ok(Some((key, is_escaped)))
    }

    pub(crate) fn value(&mut self) -> Result<Value<'j>, JsonFault> {
        let colon = skip_space(self.rest).filter(|at| self.rest[*at] == b':').ok_or(JsonFault::Malformed)?;
        let behind = &self.rest[colon + 1..];
        let value = value(behind)?;
        self.rest = &behind[value.end..];
        Ok(value)
    }

    pub(crate) fn advance(&mut self) -> Result<(), JsonFault> {
        let at = skip_space(self.rest).ok_or(JsonFault::Array)?;
        match self.rest[at] {
            b'}' => {
                self.done = true;
                return Ok(());
            }
            b',' => {}
            _ => return Err(JsonFault::Object),
        }
        let behind = &self.rest[at + 1..];
        let next = skip_space(behind).ok_or(JsonFault::Array)?;
        self.rest = &behind[next..];
        Ok(())
    }
}

/// Calls `each` with the place, the kind and the text of every element of the array that the text starts
/// with. Gives where it stopped: at the closing bracket or at the damage.
pub(crate) fn each_element<'j>(text: &'j [u8], mut each: impl FnMut(usize, Value<'j>)) -> usize {
    let Some(open) = skip_space(text) else {
        return text.len();
    };
    let mut at = open + 1;
    match skip_space(&text[at..]) {
        None => return at,
        Some(space) => at += space,
    }
    if text[at] == b']' {
        return at;
    }
    loop {
        let Ok(element) = value(&text[at..]) else {
            return at;
        };
        let start = at;
        at += element.end;
        each(start, element);
        match skip_space(&text[at..]) {
            None => return at,
            Some(space) => at += space,
        }
        if text[at] != b',' {
            return at;
        }
        at += 1;
    }
}
