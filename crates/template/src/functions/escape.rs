//! Text made safe for HTML, JavaScript and URLs.

use crate::functions::{Call, CallError, CallResult, Function, Type, fixed, variadic};
use crate::go::{decode_rune, quote_bytes};
use crate::print::sprint;
use crate::value::Value;

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("html", &[], Type::Any, |call| printed(call).map(|text| Value::text(html(&text)))),
    variadic("js", &[], Type::Any, |call| printed(call).map(|text| Value::text(javascript(&text)))),
    variadic("urlquery", &[], Type::Any, |call| printed(call).map(|text| Value::text(query_escape(&text)))),
    fixed("urlencode", &[Type::Text], |call| Ok(Value::text(query_escape(&call.text(0))))),
    fixed("urldecode", &[Type::Text], urldecode),
];

fn printed(call: &Call<'_, '_>) -> Result<Vec<u8>, CallError> {
    Ok(sprint(call.args, call.input)?)
}

fn html(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            _ => out.push(*byte),
        }
    }
    out
}

fn javascript(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(rune) = decode_rune(rest) {
        match rune.c {
            '\\' | '\'' | '"' => out.extend_from_slice(&[b'\\', rest[0]]),
            '<' | '>' | '&' | '=' | '\0'..=' ' if rune.c != ' ' => {
                out.extend_from_slice(format!("\\u{:04X}", u32::from(rune.c)).as_bytes());
            }
            c if c.is_ascii() || is_printable(c) => out.extend_from_slice(&rest[..rune.len]),
            c => out.extend_from_slice(format!("\\u{:04X}", u32::from(c)).as_bytes()),
        }
        rest = &rest[rune.len..];
    }
    out
}

fn is_printable(c: char) -> bool {
    let mut buffer = [0; 4];
    let text = c.encode_utf8(&mut buffer);
    quote_bytes(text.as_bytes()).contains(c)
}

/// A blank becomes `+`; letters, digits and `-_.~` stay.
fn query_escape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b' ' => out.push(b'+'),
            b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            byte if byte.is_ascii_alphanumeric() => out.push(*byte),
            byte => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    out
}

fn urldecode<'a>(call: &mut Call<'_, 'a>) -> CallResult<'a> {
    let text = call.text(0);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = &*text;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let Some(value) = hexadecimal_pair(tail) else {
                    let shown = &tail[..tail.len().min(2)];
                    let escape = quote_bytes(&[b"%", shown].concat());
                    return Err(CallError(format!("invalid URL escape {escape}")));
                };
                out.push(value);
                rest = &tail[2..];
            }
            _ => out.push(*byte),
        }
    }
    Ok(Value::text(out))
}

fn hexadecimal_pair(text: &[u8]) -> Option<u8> {
    let high = char::from(*text.first()?).to_digit(16)?;
    let low = char::from(*text.get(1)?).to_digit(16)?;
    u8::try_from(high << 4 | low).ok()
}
