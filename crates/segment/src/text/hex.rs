//! Hexadecimal texts of one even length and one case: `codec · case u8 · bytes a value varint · bytes`.

use crate::error::{Corrupt, Section};
use crate::page::codec;
use crate::text::{Texts, TextsBuilder};
use crate::wire::{Cursor, put_varint};

const LOWER: u8 = 0;
const UPPER: u8 = 1;

/// Shorter ones are as short as strings, once zstd has seen them.
const MIN_DIGITS: usize = 8;

pub(super) fn encode(values: &[&str]) -> Option<Vec<u8>> {
    let digits = values.first()?.len();
    if digits < MIN_DIGITS || digits % 2 != 0 {
        return None;
    }
    let is_upper = values.iter().any(|value| value.bytes().any(|byte| byte.is_ascii_uppercase()));
    let mut out = vec![codec::TEXT_HEX, if is_upper { UPPER } else { LOWER }];
    put_varint(&mut out, digits as u64 / 2);
    for value in values {
        if value.len() != digits {
            return None;
        }
        put_hex(&mut out, value.as_bytes(), is_upper)?;
    }
    Some(out)
}

pub(super) fn decode(body: &[u8], count: usize, section: Section) -> Result<Texts, Corrupt> {
    let mut cursor = Cursor::new(body, section);
    let is_upper = match cursor.u8()? {
        LOWER => false,
        UPPER => true,
        _ => return Err(cursor.corrupt("unknown case")),
    };
    let len = cursor.at_most(cursor.remaining())?;
    if len == 0 || cursor.remaining() != len.saturating_mul(count) {
        return Err(cursor.corrupt("values are missing or left over"));
    }
    let mut builder = TextsBuilder::with_capacity(count, 2 * cursor.remaining());
    for _ in 0..count {
        push_hex(&mut builder.entries, cursor.take(len)?, is_upper);
        builder.end();
    }
    Ok(builder.finish(None))
}

/// Appends the bytes that the digits stand for; `None` if one is no digit of that case.
pub(super) fn put_hex(out: &mut Vec<u8>, digits: &[u8], is_upper: bool) -> Option<()> {
    for pair in digits.chunks_exact(2) {
        out.push(value_of(pair[0], is_upper)? << 4 | value_of(pair[1], is_upper)?);
    }
    Some(())
}

pub(super) fn push_hex(out: &mut String, bytes: &[u8], is_upper: bool) {
    let digits = if is_upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    for byte in bytes {
        out.push(char::from(digits[usize::from(byte >> 4)]));
        out.push(char::from(digits[usize::from(byte & 15)]));
    }
}

const fn value_of(digit: u8, is_upper: bool) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' if !is_upper => Some(digit - b'a' + 10),
        b'A'..=b'F' if is_upper => Some(digit - b'A' + 10),
        _ => None,
    }
}
