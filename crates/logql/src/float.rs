//! Numbers as Go reads and writes them.

use larch_types::quoted;

/// Why Go's `ParseFloat` refuses a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("strconv.ParseFloat: parsing {}: {}", quoted(.text), if *.out_of_range { "value out of range" } else { "invalid syntax" })]
pub struct InvalidFloat {
    text: String,
    out_of_range: bool,
}

/// The value of a number as the lexer found it: unsigned, its underscores in place. Hexadecimal numbers
/// need an exponent; binary and octal ones have no value.
pub(crate) fn parse_number(text: &str) -> Result<f64, InvalidFloat> {
    let digits = text.replace('_', "");
    let has_letter = |letter: u8| digits.as_bytes().get(1).is_some_and(|b| b.eq_ignore_ascii_case(&letter));
    let value = if digits.starts_with('0') && has_letter(b'x') {
        parse_hex(&digits[2..])
    } else {
        digits.parse().ok()
    };
    match value {
        Some(value) if value.is_finite() => Ok(value),
        Some(_) => Err(InvalidFloat { text: text.to_owned(), out_of_range: true }),
        None => Err(InvalidFloat { text: text.to_owned(), out_of_range: false }),
    }
}

/// `1.8p3`: hexadecimal digits times two to a decimal power, rounded to the nearest, ties to even.
fn parse_hex(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // An exponent that does not fit leads to zero or infinity anyway.
    let mut power =
        exponent.parse::<i64>().unwrap_or(if exponent.starts_with('-') { -1 << 40 } else { 1 << 40 });
    power -= 4 * i64::try_from(fraction.len()).ok()?;
    let mut bits: u128 = 0;
    for digit in whole.chars().chain(fraction.chars()) {
        let digit = digit.to_digit(16)?;
        if bits >> 120 == 0 {
            bits = bits << 4 | u128::from(digit);
        } else {
            // What no longer fits only matters in that it is not zero.
            bits |= u128::from(digit != 0);
            power += 4;
        }
    }
    Some(scale(bits, power))
}

/// `bits` times two to `power`.
fn scale(bits: u128, power: i64) -> f64 {
    if bits == 0 {
        return 0.0;
    }
    let top = i64::from(bits.ilog2()) + power;
    if top > 1023 {
        return f64::INFINITY;
    }
    // The lowest bit that the result can hold: 52 below the highest, or the smallest there is.
    let lowest = (top - 52).max(-1074);
    let drop = lowest - power;
    let kept = match u32::try_from(drop) {
        // More than a whole mantissa is lost: less than half of the smallest number.
        Ok(drop) if drop > 127 => 0,
        Ok(drop) => round_to_even(bits, drop),
        Err(_) => bits << drop.unsigned_abs(),
    };
    // At most 54 bits are left, so that the conversion is exact; so are both multiplications, unless the
    // result is beyond the largest number.
    let half = lowest / 2;
    kept as f64 * power_of_two(half) * power_of_two(lowest - half)
}

fn round_to_even(bits: u128, drop: u32) -> u128 {
    if drop == 0 {
        return bits;
    }
    let kept = bits >> drop;
    let lost = bits & ((1 << drop) - 1);
    let half = 1 << (drop - 1);
    let up = lost > half || (lost == half && kept & 1 == 1);
    kept + u128::from(up)
}

/// For exponents of normal numbers.
fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// Go's `%v`: the shortest digits that come back, with an exponent from a million up and below 0.0001.
pub(crate) fn shortest(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value == 0.0 || (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// Go's `%f`.
pub(crate) fn six_decimals(value: f64) -> String {
    if value.is_finite() { format!("{value:.6}") } else { shortest(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_go_parses_them() {
        for (text, value) in [
            ("7", 7.0),
            ("007", 7.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1E-2", 0.01),
            ("1_000", 1000.0),
            ("0x1p4", 16.0),
            ("0X1.8P3", 12.0),
            ("0x_1p-1", 0.5),
            ("0x.8p1", 1.0),
            ("0x1p-1074", 5e-324),
            ("0x1p-1075", 0.0),
            ("0x1.8p-1075", 5e-324),
            ("0x0.0000000000001p-1022", 5e-324),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x1.fffffffffffff7p1023", f64::MAX),
            // Halfway between two numbers: to the even one.
            ("0x1.00000000000008p0", 1.0),
            ("0x1.00000000000018p0", 1.000_000_000_000_000_4),
            ("0x1.000000000000080000000000000000000000000001p0", 1.000_000_000_000_000_2),
            ("0x0p99999999999999999999", 0.0),
            ("1e-400", 0.0),
        ] {
            assert_eq!(parse_number(text), Ok(value), "{text}");
        }
        for (text, reason) in [
            ("0x10", "invalid syntax"),
            ("0b11", "invalid syntax"),
            ("0o17", "invalid syntax"),
            ("1e400", "value out of range"),
            ("0x1p1024", "value out of range"),
            ("0x1.fffffffffffff8p1023", "value out of range"),
            ("0x1p99999999999999999999", "value out of range"),
        ] {
            let error = parse_number(text).expect_err(text);
            assert_eq!(error.to_string(), format!("strconv.ParseFloat: parsing \"{text}\": {reason}"));
        }
    }

    #[test]
    fn numbers_as_go_prints_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (100_000.0, "100000"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (123_456.789, "123456.789"),
            (1e300, "1e+300"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(shortest(value), text);
        }
        assert_eq!(six_decimals(1.0), "1.000000");
        assert_eq!(six_decimals(f64::INFINITY), "+Inf");
    }
}
