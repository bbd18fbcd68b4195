//! Character classes and escapes.

use crate::regex::ast::{Class, ClassItem};
use crate::regex::error::{RegexError, RegexFault};

type Ranges = &'static [(char, char)];

const DIGIT: Ranges = &[('0', '9')];
const SPACE: Ranges = &[('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')];
const WORD: Ranges = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

const POSIX: [(&str, Ranges); 14] = [
    ("alnum", &[('0', '9'), ('A', 'Z'), ('a', 'z')]),
    ("alpha", &[('A', 'Z'), ('a', 'z')]),
    ("ascii", &[('\0', '\u{7f}')]),
    ("blank", &[('\t', '\t'), (' ', ' ')]),
    ("cntrl", &[('\0', '\u{1f}'), ('\u{7f}', '\u{7f}')]),
    ("digit", DIGIT),
    ("graph", &[('!', '~')]),
    ("lower", &[('a', 'z')]),
    ("print", &[(' ', '~')]),
    ("punct", &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
    ("space", &[('\t', '\r'), (' ', ' ')]),
    ("upper", &[('A', 'Z')]),
    ("word", WORD),
    ("xdigit", &[('0', '9'), ('A', 'F'), ('a', 'f')]),
];

/// The class that the text starts with, and what follows it.
pub(super) fn parse_class(whole: &str, fold: bool) -> Result<(Class, &str), RegexError> {
    let mut rest = &whole[1..];
    let mut class = Class { negated: false, fold, items: Vec::new() };
    if let Some(tail) = rest.strip_prefix('^') {
        class.negated = true;
        rest = tail;
    }
    let mut first = true;
    while first || !rest.starts_with(']') {
        first = false;
        if let Some((item, tail)) = posix_class(rest)? {
            class.items.push(item);
            rest = tail;
            continue;
        }
        if let Some((item, tail)) = parse_class_escape(rest)? {
            class.items.push(item);
            rest = tail;
            continue;
        }
        let start = rest;
        let (low, tail) = class_char(rest, whole)?;
        rest = tail;
        let mut high = low;
        // A dash before the closing bracket is itself.
        if rest.len() >= 2 && rest.starts_with('-') && !rest[1..].starts_with(']') {
            (high, rest) = class_char(&rest[1..], whole)?;
            if high < low {
                let fragment = &start[..start.len() - rest.len()];
                return Err(RegexError::new(RegexFault::ClassRange, fragment));
            }
        }
        class.items.extend(range(low, high));
    }
    Ok((class, &rest[1..]))
}

/// Without the surrogates, which no text holds.
fn range(low: u32, high: u32) -> Option<ClassItem> {
    let low = char::from_u32(low).unwrap_or('\u{E000}');
    let high = char::from_u32(high).unwrap_or('\u{D7FF}');
    (low <= high).then_some(ClassItem::Range(low, high))
}

fn class_char<'p>(text: &'p str, whole: &str) -> Result<(u32, &'p str), RegexError> {
    let Some(c) = text.chars().next() else {
        return Err(RegexError::new(RegexFault::MissingBracket, whole));
    };
    if c == '\\' {
        return parse_escape(text);
    }
    Ok((u32::from(c), &text[c.len_utf8()..]))
}

/// `[:alpha:]`, `[:^alpha:]`.
fn posix_class(text: &str) -> Result<Option<(ClassItem, &str)>, RegexError> {
    let Some(inner) = text.strip_prefix("[:") else {
        return Ok(None);
    };
    let Some(end) = inner.find(":]") else {
        return Ok(None);
    };
    let (name, negated) = match inner[..end].strip_prefix('^') {
        Some(name) => (name, true),
        None => (&inner[..end], false),
    };
    match POSIX.iter().find(|(known, _)| *known == name) {
        Some((_, ranges)) => Ok(Some((ClassItem::Named { ranges, negated }, &inner[end + 2..]))),
        None => Err(RegexError::new(RegexFault::ClassRange, &text[..end + 4])),
    }
}

/// `\d`, `\pL`, `\p{Greek}` and their like.
pub(super) fn parse_class_escape(text: &str) -> Result<Option<(ClassItem, &str)>, RegexError> {
    let Some(escaped) = text.strip_prefix('\\').and_then(|tail| tail.chars().next()) else {
        return Ok(None);
    };
    let (ranges, negated) = match escaped {
        'd' => (DIGIT, false),
        'D' => (DIGIT, true),
        's' => (SPACE, false),
        'S' => (SPACE, true),
        'w' => (WORD, false),
        'W' => (WORD, true),
        'p' | 'P' => return property(text).map(Some),
        _ => return Ok(None),
    };
    Ok(Some((ClassItem::Named { ranges, negated }, &text[2..])))
}

fn property(text: &str) -> Result<(ClassItem, &str), RegexError> {
    let invalid = |fragment: &str| RegexError::new(RegexFault::ClassRange, fragment);
    let mut negated = text.starts_with(r"\P");
    let (name, len) = match text[2..].chars().next() {
        None => return Err(invalid(text)),
        Some('{') => match text.find('}') {
            Some(end) => (&text[3..end], end + 1),
            None => return Err(invalid(text)),
        },
        Some(c) => (&text[2..2 + c.len_utf8()], 2 + c.len_utf8()),
    };
    let name = match name.strip_prefix('^') {
        Some(name) => {
            negated = !negated;
            name
        }
        None => name,
    };
    match property_name(name) {
        Some(name) => Ok((ClassItem::Property { name, negated }, &text[len..])),
        None => Err(invalid(&text[..len])),
    }
}

/// Go knows general categories and scripts, and no other properties.
fn property_name(name: &str) -> Option<String> {
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b' '))
    {
        return None;
    }
    for kind in ["gc", "sc"] {
        let candidate = format!("{kind}={name}");
        if regex::Regex::new(&format!(r"\p{{{candidate}}}")).is_ok() {
            return Some(candidate);
        }
    }
    None
}

/// One character written with a backslash, as a number because it may be a surrogate.
pub(super) fn parse_escape(text: &str) -> Result<(u32, &str), RegexError> {
    let body = &text[1..];
    let Some(c) = body.chars().next() else {
        return Err(RegexError::new(RegexFault::TrailingBackslash, ""));
    };
    let rest = &body[c.len_utf8()..];
    let octal_next = rest.starts_with(|c: char| ('0'..='7').contains(&c));
    match c {
        // A single digit would be a back-reference.
        '1'..='7' if octal_next => Ok(octal(body)),
        '0' => Ok(octal(body)),
        'x' => hexadecimal(text, rest),
        'a' => Ok((7, rest)),
        'f' => Ok((12, rest)),
        'n' => Ok((10, rest)),
        'r' => Ok((13, rest)),
        't' => Ok((9, rest)),
        'v' => Ok((11, rest)),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok((u32::from(c), rest)),
        _ => Err(RegexError::new(RegexFault::Escape, &text[..text.len() - rest.len()])),
    }
}

/// One to three digits.
fn octal(text: &str) -> (u32, &str) {
    let digits = text.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
    (u32::from_str_radix(&text[..digits], 8).unwrap_or(0), &text[digits..])
}

/// Two digits, or any number of them in braces. The error shows what was looked at.
fn hexadecimal<'p>(text: &'p str, digits: &'p str) -> Result<(u32, &'p str), RegexError> {
    let invalid = |rest: &str| RegexError::new(RegexFault::Escape, &text[..text.len() - rest.len()]);
    let mut chars = digits.chars();
    let Some(first) = chars.next() else {
        return Err(invalid(""));
    };
    if first != '{' {
        let Some(second) = chars.next() else {
            // Go reads on behind the end here.
            return Err(RegexError::new(RegexFault::Escape, text));
        };
        let rest = chars.as_str();
        return match (first.to_digit(16), second.to_digit(16)) {
            (Some(high), Some(low)) => Ok((high * 16 + low, rest)),
            _ => Err(invalid(rest)),
        };
    }
    let mut code = 0;
    let mut count = 0;
    while let Some(c) = chars.next() {
        let rest = chars.as_str();
        if c == '}' {
            return if count > 0 { Ok((code, rest)) } else { Err(invalid(rest)) };
        }
        let Some(digit) = c.to_digit(16) else {
            return Err(invalid(rest));
        };
        code = code * 16 + digit;
        count += 1;
        if code > u32::from(char::MAX) {
            return Err(invalid(rest));
        }
    }
    Err(invalid(""))
}
