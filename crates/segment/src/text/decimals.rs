//! Decimals with the same number of digits behind the point: `codec · digits u8 · numbers`, the numbers
//! as in integers.rs and without their point.

use crate::error::{Corrupt, Section};
use crate::page::codec;
use crate::text::integers::{put_numbers, read_numbers};
use crate::text::{Texts, TextsBuilder};
use crate::wire::Cursor;

/// With more, hardly any number fits 64 bits.
const MAX_DIGITS: usize = 15;

pub(super) fn encode(values: &[&str]) -> Option<Vec<u8>> {
    let (_, fraction) = values.first()?.split_once('.')?;
    let digits = fraction.len();
    if digits == 0 || digits > MAX_DIGITS {
        return None;
    }
    let mut numbers = Vec::with_capacity(values.len());
    let mut text = String::new();
    for value in values {
        let number = parse(value, digits)?;
        text.clear();
        print(&mut text, number, digits);
        if text != *value {
            return None;
        }
        numbers.push(number);
    }
    let mut out = vec![codec::TEXT_DECIMALS, digits as u8];
    put_numbers(&mut out, &numbers);
    Some(out)
}

pub(super) fn decode(body: &[u8], count: usize, section: Section) -> Result<Texts, Corrupt> {
    let mut cursor = Cursor::new(body, section);
    let digits = usize::from(cursor.u8()?);
    if digits == 0 || digits > MAX_DIGITS {
        return Err(cursor.corrupt("a number of digits is out of range"));
    }
    let mut builder = TextsBuilder::with_capacity(count, 0);
    for number in read_numbers(&mut cursor, count)? {
        print(&mut builder.entries, number, digits);
        builder.end();
    }
    Ok(builder.finish(None))
}

fn parse(text: &str, digits: usize) -> Option<i64> {
    let (whole, fraction) = text.split_once('.')?;
    if fraction.len() != digits {
        return None;
    }
    format!("{whole}{fraction}").parse().ok()
}

fn print(out: &mut String, number: i64, digits: usize) {
    if number < 0 {
        out.push('-');
    }
    let scale = 10_u64.pow(digits as u32);
    let magnitude = number.unsigned_abs();
    out.push_str(&(magnitude / scale).to_string());
    out.push('.');
    out.push_str(&format!("{:0digits$}", magnitude % scale));
}
