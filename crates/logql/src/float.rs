//! Numbers as queries write them and as Go prints them.

use larch_template::{InvalidFloat, parse_float};

/// The value of a number as the lexer found it: unsigned, its underscores in place. Hexadecimal numbers
/// need an exponent; binary and octal ones have no value.
pub(crate) fn parse_number(text: &str) -> Result<f64, InvalidFloat> {
    parse_float(text.as_bytes())
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
