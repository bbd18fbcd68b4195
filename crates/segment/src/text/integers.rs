//! Decimal integers that print back to the same text: `codec · body`, the body either
//! `0 · least signed varint · width u8 · packed differences to it` or `1 · page of times` if they ascend.

use crate::error::{Corrupt, Section};
use crate::pack::{pack, packed_len, unpack, width_of};
use crate::page::{codec, times};
use crate::text::{Texts, TextsBuilder};
use crate::wire::{Cursor, put_signed};

const PACKED: u8 = 0;
const ASCENDING: u8 = 1;

pub(super) fn encode(values: &[&str]) -> Option<Vec<u8>> {
    let numbers: Vec<i64> = values.iter().map(|value| parse(value)).collect::<Option<_>>()?;
    let mut out = vec![codec::TEXT_INTEGERS];
    put_numbers(&mut out, &numbers);
    Some(out)
}

pub(super) fn decode(body: &[u8], count: usize, section: Section) -> Result<Texts, Corrupt> {
    let mut builder = TextsBuilder::with_capacity(count, 0);
    for number in read_numbers(&mut Cursor::new(body, section), count)? {
        builder.push(&number.to_string());
    }
    Ok(builder.finish(None))
}

/// Only the one text that the number prints as.
fn parse(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_canonical = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', ..] => true,
        _ => false,
    };
    if is_canonical { text.parse().ok() } else { None }
}

/// Ends the page.
pub(super) fn put_numbers(out: &mut Vec<u8>, numbers: &[i64]) {
    if numbers.is_sorted() {
        out.push(ASCENDING);
        out.extend_from_slice(&times::encode(numbers));
        return;
    }
    let least = numbers.iter().copied().min().unwrap_or(0);
    let above = |number: &i64| number.wrapping_sub(least) as u64;
    let width = numbers.iter().map(|number| width_of(above(number))).max().unwrap_or(0);
    out.push(PACKED);
    put_signed(out, least);
    out.push(width as u8);
    pack(numbers.iter().map(above), width, out);
}

pub(super) fn read_numbers(cursor: &mut Cursor<'_>, count: usize) -> Result<Vec<i64>, Corrupt> {
    match cursor.u8()? {
        ASCENDING => {
            times::decode(cursor.rest(), count).map_err(|_| cursor.corrupt("ascending numbers do not decode"))
        }
        PACKED => {
            let least = cursor.signed()?;
            let width = u32::from(cursor.u8()?);
            if width > 64 {
                return Err(cursor.corrupt("a width is out of range"));
            }
            let packed = cursor.take(packed_len(count, width))?;
            cursor.finish()?;
            let mut numbers = Vec::with_capacity(count);
            unpack(packed, width, count, |above| numbers.push(least.wrapping_add(above as i64)));
            Ok(numbers)
        }
        _ => Err(cursor.corrupt("unknown kind of numbers")),
    }
}
