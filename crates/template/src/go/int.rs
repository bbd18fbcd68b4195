//! Integer text as `strconv.ParseInt` with base 0 takes it, and Go's conversion from floats.

use crate::go::float::underscores_separate_digits;
use crate::go::quote_bytes;

/// With the texts of Go's `strconv`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidInt {
    #[error("strconv.ParseInt: parsing {}: invalid syntax", quote_bytes(.0))]
    Syntax(Vec<u8>),
    #[error("strconv.ParseInt: parsing {}: value out of range", quote_bytes(.0))]
    Range(Vec<u8>),
}

/// `base` is 10, or 0 for Go's literals: `0x1f`, `0b1`, `0o17`, `017`, underscores.
pub fn parse_int(text: &[u8], base: u32) -> Result<i64, InvalidInt> {
    let syntax = || InvalidInt::Syntax(text.to_vec());
    let (negative, body) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = if base == 0 { split_base(body) } else { (base, body) };
    if digits.is_empty() {
        return Err(syntax());
    }
    let underscores = digits.contains(&b'_');
    if underscores && (base != 0 || !underscores_separate_digits(body)) {
        return Err(syntax());
    }
    let mut magnitude: u64 = 0;
    let mut fits = true;
    for byte in digits.iter().filter(|b| **b != b'_') {
        let digit = char::from(*byte).to_digit(radix).ok_or_else(syntax)?;
        match magnitude.checked_mul(u64::from(radix)).and_then(|m| m.checked_add(u64::from(digit))) {
            Some(next) => magnitude = next,
            None => fits = false,
        }
    }
    let limit = 1_u64 << 63;
    if !fits || magnitude > limit || (magnitude == limit && !negative) {
        return Err(InvalidInt::Range(text.to_vec()));
    }
    Ok(if negative { 0_i64.wrapping_sub_unsigned(magnitude) } else { magnitude as i64 })
}

fn split_base(body: &[u8]) -> (u32, &[u8]) {
    if body.len() < 2 || body[0] != b'0' {
        return (10, body);
    }
    match body[1] | 0x20 {
        b'x' if body.len() > 2 => (16, &body[2..]),
        b'o' if body.len() > 2 => (8, &body[2..]),
        b'b' if body.len() > 2 => (2, &body[2..]),
        _ => (8, &body[1..]),
    }
}

/// Towards zero. What does not fit gives the smallest integer, as on the machines that Loki runs on.
pub(crate) fn truncate_float(value: f64) -> i64 {
    let limit = 2_f64.powi(63);
    if (-limit..limit).contains(&value) { value as i64 } else { i64::MIN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        for (text, base, value) in [
            ("12", 10, 12),
            ("-12", 0, -12),
            ("+7", 0, 7),
            ("0x1f", 0, 31),
            ("0b101", 0, 5),
            ("0o17", 0, 15),
            ("017", 0, 15),
            ("017", 10, 17),
            ("1_000", 0, 1000),
            ("0x_1", 0, 1),
            ("0_7", 0, 7),
            ("-9223372036854775808", 10, i64::MIN),
        ] {
            assert_eq!(parse_int(text.as_bytes(), base), Ok(value), "{text}");
        }
        for (text, base) in [
            ("", 10),
            ("-", 0),
            ("1_000", 10),
            ("0x", 0),
            ("08", 0),
            ("1__0", 0),
            ("a", 10),
            (" 1", 10),
            ("0b2", 0),
        ] {
            let want = format!("strconv.ParseInt: parsing \"{text}\": invalid syntax");
            assert_eq!(parse_int(text.as_bytes(), base).unwrap_err().to_string(), want);
        }
        assert_eq!(
            parse_int(b"9223372036854775808", 10).unwrap_err().to_string(),
            r#"strconv.ParseInt: parsing "9223372036854775808": value out of range"#
        );
    }

    #[test]
    fn floats_are_cut() {
        for (value, want) in [(1.9, 1), (-1.9, -1), (1e30, i64::MIN), (f64::NAN, i64::MIN), (-1e30, i64::MIN)]
        {
            assert_eq!(truncate_float(value), want);
        }
    }
}
