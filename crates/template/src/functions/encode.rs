//! Base64 with the standard alphabet.

use crate::functions::{Call, CallResult, Function, Type, fixed};
use crate::value::Value;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("b64enc", &[Type::Text], |call| Ok(Value::text(encode(&call.text(0))))),
    fixed("b64dec", &[Type::Text], b64dec),
];

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len().div_ceil(3) * 4);
    for chunk in text.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for position in 0..4 {
            if position <= chunk.len() {
                out.push(ALPHABET[(bits >> (18 - 6 * position) & 63) as usize]);
            } else {
                out.push(b'=');
            }
        }
    }
    out
}

/// What does not decode gives the error's text as the value. Missing padding is added.
fn b64dec<'a>(call: &mut Call<'_, 'a>) -> CallResult<'a> {
    let mut text = call.text(0).into_owned();
    match text.len() % 4 {
        2 => text.extend_from_slice(b"=="),
        3 => text.push(b'='),
        _ => {}
    }
    Ok(Value::text(match decode(&text) {
        Ok(decoded) => decoded,
        Err(at) => format!("illegal base64 data at input byte {at}").into_bytes(),
    }))
}

/// Line ends between characters are skipped. The error is the offset that Go names.
fn decode(text: &[u8]) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut at = 0;
    loop {
        let mut group = [0_u8; 4];
        let mut count = 0;
        while count < 4 {
            let Some(byte) = text.get(at) else {
                return match count {
                    0 => Ok(out),
                    _ => Err(at - count),
                };
            };
            at += 1;
            if matches!(byte, b'\r' | b'\n') {
                continue;
            }
            if let Some(value) = ALPHABET.iter().position(|letter| letter == byte) {
                group[count] = value as u8;
                count += 1;
                continue;
            }
            if *byte != b'=' || count < 2 {
                return Err(at - 1);
            }
            finish(text, at, count)?;
            append_group(&mut out, group, count);
            return Ok(out);
        }
        append_group(&mut out, group, 4);
    }
}

/// After the first padding character: a second one if needed, then only line ends.
fn finish(text: &[u8], mut at: usize, count: usize) -> Result<(), usize> {
    let skip = |at: &mut usize| {
        while matches!(text.get(*at), Some(b'\r' | b'\n')) {
            *at += 1;
        }
    };
    skip(&mut at);
    if count == 2 {
        match text.get(at) {
            None => return Err(text.len()),
            Some(b'=') => at += 1,
            Some(_) => return Err(at - 1),
        }
        skip(&mut at);
    }
    if at < text.len() { Err(at) } else { Ok(()) }
}

fn append_group(out: &mut Vec<u8>, group: [u8; 4], count: usize) {
    let mut bits: u32 = 0;
    for value in group {
        bits = bits << 6 | u32::from(value);
    }
    let bytes = bits.to_be_bytes();
    out.extend_from_slice(&bytes[1..count]);
}
