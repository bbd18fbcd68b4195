//! Text functions. Offsets are bytes unless a function says otherwise.

use memchr::memmem;

use crate::budget::{OverBudget, append, append_padding};
use crate::functions::{Call, CallError, CallResult, Function, Type, fixed, over_budget, part};
use crate::go::{decode_rune, is_letter, is_space, last_rune, runes, to_lower, to_title, to_upper};
use crate::value::{Text, Value};

const ONE: &[Type] = &[Type::Text];
const TWO: &[Type] = &[Type::Text, Type::Text];
const COUNT_AND_TEXT: &[Type] = &[Type::Int, Type::Text];

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("lower", ONE, |call| Ok(mapped(&call.text(0), to_lower))),
    fixed("upper", ONE, |call| Ok(mapped(&call.text(0), to_upper))),
    fixed("ToLower", ONE, |call| Ok(mapped(&call.text(0), to_lower))),
    fixed("ToUpper", ONE, |call| Ok(mapped(&call.text(0), to_upper))),
    fixed("title", ONE, |call| Ok(title(&call.text(0)))),
    fixed("trim", ONE, |call| Ok(trimmed(&call.text(0), BOTH, is_space))),
    fixed("TrimSpace", ONE, |call| Ok(trimmed(&call.text(0), BOTH, is_space))),
    fixed("trimAll", TWO, |call| Ok(trim_set(&call.text(1), BOTH, &call.text(0)))),
    fixed("Trim", TWO, |call| Ok(trim_set(&call.text(0), BOTH, &call.text(1)))),
    fixed("TrimLeft", TWO, |call| Ok(trim_set(&call.text(0), LEFT, &call.text(1)))),
    fixed("TrimRight", TWO, |call| Ok(trim_set(&call.text(0), RIGHT, &call.text(1)))),
    fixed("trimPrefix", TWO, |call| Ok(without_prefix(&call.text(1), &call.text(0)))),
    fixed("trimSuffix", TWO, |call| Ok(without_suffix(&call.text(1), &call.text(0)))),
    fixed("TrimPrefix", TWO, |call| Ok(without_prefix(&call.text(0), &call.text(1)))),
    fixed("TrimSuffix", TWO, |call| Ok(without_suffix(&call.text(0), &call.text(1)))),
    fixed("hasPrefix", TWO, |call| Ok(Value::Bool(call.text(1).starts_with(&call.text(0))))),
    fixed("hasSuffix", TWO, |call| Ok(Value::Bool(call.text(1).ends_with(&call.text(0))))),
    fixed("contains", TWO, |call| Ok(Value::Bool(memmem::find(&call.text(1), &call.text(0)).is_some()))),
    fixed("replace", &[Type::Text, Type::Text, Type::Text], |call| {
        replaced(&call.text(2), &call.text(0), &call.text(1), usize::MAX)
    }),
    fixed("Replace", &[Type::Text, Type::Text, Type::Text, Type::Int], |call| {
        let count = usize::try_from(call.int(3)).unwrap_or(usize::MAX);
        replaced(&call.text(0), &call.text(1), &call.text(2), count)
    }),
    fixed("repeat", COUNT_AND_TEXT, repeat),
    fixed("trunc", COUNT_AND_TEXT, |call| Ok(trunc(call.int(0), &call.text(1)))),
    fixed("substr", &[Type::Int, Type::Int, Type::Text], substr),
    fixed("alignLeft", COUNT_AND_TEXT, |call| align(call, false)),
    fixed("alignRight", COUNT_AND_TEXT, |call| align(call, true)),
    fixed("indent", COUNT_AND_TEXT, |call| Ok(Value::text(indented(b"", call.int(0), &call.text(1))?))),
    fixed("nindent", COUNT_AND_TEXT, |call| Ok(Value::text(indented(b"\n", call.int(0), &call.text(1))?))),
];

/// Character by character; a byte that is not UTF-8 becomes U+FFFD, as Go's mapping does it.
fn mapped<'a>(text: &[u8], map: fn(char) -> char) -> Value<'a> {
    let mut out = String::with_capacity(text.len());
    for (_, rune) in runes(text) {
        out.push(map(rune.c));
    }
    Value::text(out)
}

fn title<'a>(text: &[u8]) -> Value<'a> {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for (_, rune) in runes(text) {
        out.push(if separates_words(before) { to_title(rune.c) } else { rune.c });
        before = rune.c;
    }
    Value::text(out)
}

fn separates_words(c: char) -> bool {
    if c.is_ascii() { !c.is_ascii_alphanumeric() && c != '_' } else { !is_letter(c) && is_space(c) }
}

#[derive(Clone, Copy)]
struct Ends {
    left: bool,
    right: bool,
}

const LEFT: Ends = Ends { left: true, right: false };
const RIGHT: Ends = Ends { left: false, right: true };
const BOTH: Ends = Ends { left: true, right: true };

fn trimmed<'a>(text: &Text<'a>, ends: Ends, cut: impl Fn(char) -> bool) -> Value<'a> {
    let mut from = 0;
    let mut to = text.len();
    if ends.left {
        while let Some(rune) = decode_rune(&text[from..to]).filter(|rune| cut(rune.c)) {
            from += rune.len;
        }
    }
    if ends.right {
        while let Some(rune) = last_rune(&text[from..to]).filter(|rune| cut(rune.c)) {
            to -= rune.len;
        }
    }
    part(text, from..to)
}

fn trim_set<'a>(text: &Text<'a>, ends: Ends, set: &[u8]) -> Value<'a> {
    let set: Vec<char> = runes(set).map(|(_, rune)| rune.c).collect();
    trimmed(text, ends, |c| set.contains(&c))
}

fn without_prefix<'a>(text: &Text<'a>, prefix: &[u8]) -> Value<'a> {
    let from = if text.starts_with(prefix) { prefix.len() } else { 0 };
    part(text, from..text.len())
}

fn without_suffix<'a>(text: &Text<'a>, suffix: &[u8]) -> Value<'a> {
    let cut = if text.ends_with(suffix) { suffix.len() } else { 0 };
    part(text, 0..text.len() - cut)
}

/// At most `count` times from the left. An empty `old` is found before every character and at the end.
fn replaced<'a>(text: &Text<'a>, old: &[u8], new: &[u8], count: usize) -> CallResult<'a> {
    if old == new {
        return Ok(Value::Text(text.clone()));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut copied = 0;
    if old.is_empty() {
        let starts = runes(text).map(|(at, _)| at).chain(std::iter::once(text.len()));
        for at in starts.take(count) {
            push(&mut out, &text[copied..at])?;
            push(&mut out, new)?;
            copied = at;
        }
    } else {
        for at in memmem::find_iter(text, old).take(count) {
            push(&mut out, &text[copied..at])?;
            push(&mut out, new)?;
            copied = at + old.len();
        }
    }
    push(&mut out, &text[copied..])?;
    Ok(Value::text(out))
}

fn push(out: &mut Vec<u8>, text: &[u8]) -> Result<(), CallError> {
    append(out, text).map_err(over_budget)
}

fn repeat<'a>(call: &mut Call<'_, 'a>) -> CallResult<'a> {
    let text = call.text(1);
    let Ok(count) = usize::try_from(call.int(0)) else {
        return Err(CallError::from("strings: negative Repeat count"));
    };
    if text.is_empty() {
        return Ok(Value::Text(text));
    }
    let mut out = Vec::new();
    for _ in 0..count {
        push(&mut out, &text)?;
    }
    Ok(Value::text(out))
}

/// The first `count` bytes, or the last ones for a negative count.
fn trunc<'a>(count: i64, text: &Text<'a>) -> Value<'a> {
    let kept = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if kept >= text.len() {
        return Value::Text(text.clone());
    }
    if count < 0 { part(text, text.len() - kept..text.len()) } else { part(text, 0..kept) }
}

fn substr<'a>(call: &mut Call<'_, 'a>) -> CallResult<'a> {
    let (start, end, text) = (call.int(0), call.int(1), call.text(2));
    let len = text.len();
    let out_of_bounds =
        |what: String| Err(CallError(format!("runtime error: slice bounds out of range {what}")));
    let Ok(from) = usize::try_from(start) else {
        return match usize::try_from(end) {
            Ok(to) if to <= len => Ok(part(&text, 0..to)),
            Ok(to) => out_of_bounds(format!("[:{to}] with length {len}")),
            Err(_) => out_of_bounds(format!("[:{end}]")),
        };
    };
    let to = usize::try_from(end).ok().filter(|to| *to <= len).unwrap_or(len);
    if from > to {
        return out_of_bounds(format!("[{from}:{to}]"));
    }
    Ok(part(&text, from..to))
}

/// To a width in characters: to the left keeps the head and fills behind, to the right the reverse.
fn align<'a>(call: &mut Call<'_, 'a>, right: bool) -> CallResult<'a> {
    let text = call.text(1);
    let Ok(width) = usize::try_from(call.int(0)) else {
        return Ok(Value::Text(text));
    };
    let len = runes(&text).count();
    if width == len {
        return Ok(Value::Text(text));
    }
    if width < len {
        let kept = runes(&text).skip(if right { len - width } else { 0 }).take(width);
        let characters: String = kept.map(|(_, rune)| rune.c).collect();
        return Ok(Value::text(characters));
    }
    Ok(Value::text(padded(&text, width - len, right)?))
}

fn padded(text: &[u8], blanks: usize, in_front: bool) -> Result<Vec<u8>, OverBudget> {
    let mut out = Vec::new();
    if in_front {
        append_padding(&mut out, b' ', blanks)?;
        append(&mut out, text)?;
    } else {
        append(&mut out, text)?;
        append_padding(&mut out, b' ', blanks)?;
    }
    Ok(out)
}

/// Blanks before every line.
fn indented(before: &[u8], blanks: i64, text: &[u8]) -> Result<Vec<u8>, CallError> {
    let Ok(blanks) = usize::try_from(blanks) else {
        return Err(CallError::from("strings: negative Repeat count"));
    };
    let mut out = before.to_vec();
    for (index, line) in text.split(|b| *b == b'\n').enumerate() {
        if index > 0 {
            append(&mut out, b"\n")?;
        }
        append_padding(&mut out, b' ', blanks)?;
        append(&mut out, line)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn replacing() {
        for (text, old, new, count, want) in [
            ("aXbXc", "X", "--", usize::MAX, "a--b--c"),
            ("aXbXc", "X", "", 1, "abXc"),
            ("ab", "", "-", usize::MAX, "-a-b-"),
            ("ab", "", "-", 2, "-a-b"),
            ("é", "", "-", usize::MAX, "-é-"),
            ("ab", "a", "b", 0, "ab"),
        ] {
            let got = replaced(&Cow::Borrowed(text.as_bytes()), old.as_bytes(), new.as_bytes(), count);
            match got {
                Ok(Value::Text(got)) => assert_eq!(got, want.as_bytes()),
                other => panic!("{other:?}"),
            }
        }
    }
}
