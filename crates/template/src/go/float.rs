//! Floating point text: what `strconv.ParseFloat` takes and `strconv.FormatFloat` gives.

use crate::go::quote_bytes;

/// With the texts of Go's `strconv`.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidFloat {
    #[error("strconv.ParseFloat: parsing {}: invalid syntax", quote_bytes(.0))]
    Syntax(Vec<u8>),
    /// Too large; the value is the infinity that Go gives with the error.
    #[error("strconv.ParseFloat: parsing {}: value out of range", quote_bytes(.text))]
    Range { text: Vec<u8>, value: f64 },
}

/// Decimal and hexadecimal literals with underscores between digits, `inf`, `infinity` and `nan` in any
/// case. No blanks and no hexadecimal integers.
pub fn parse_float(text: &[u8]) -> Result<f64, InvalidFloat> {
    let syntax = || InvalidFloat::Syntax(text.to_vec());
    let value = match scan(text).ok_or_else(syntax)? {
        Scanned::Value(value) => return Ok(value),
        Scanned::Decimal(digits) => digits.parse::<f64>().map_err(|_| syntax())?,
        Scanned::Hexadecimal(value) => value,
    };
    if value.is_infinite() {
        return Err(InvalidFloat::Range { text: text.to_vec(), value });
    }
    Ok(value)
}

enum Scanned<'a> {
    Value(f64),
    /// Checked, and in the syntax that Rust reads.
    Decimal(std::borrow::Cow<'a, str>),
    Hexadecimal(f64),
}

fn scan(text: &[u8]) -> Option<Scanned<'_>> {
    let (negative, body) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if body.eq_ignore_ascii_case(b"inf") || body.eq_ignore_ascii_case(b"infinity") {
        return Some(Scanned::Value(if negative { f64::NEG_INFINITY } else { f64::INFINITY }));
    }
    if text.eq_ignore_ascii_case(b"nan") {
        return Some(Scanned::Value(f64::NAN));
    }
    if body.contains(&b'_') && !underscores_separate_digits(body) {
        return None;
    }
    if body.len() > 2 && body[0] == b'0' && body[1] | 0x20 == b'x' {
        return hexadecimal(&body[2..])
            .map(|value| Scanned::Hexadecimal(if negative { -value } else { value }));
    }
    if !is_decimal(body) {
        return None;
    }
    let text = str::from_utf8(text).ok()?;
    Some(Scanned::Decimal(if body.contains(&b'_') { text.replace('_', "").into() } else { text.into() }))
}

/// Digits with at most one point, at least one digit, then perhaps an exponent. Underscores are skipped.
fn is_decimal(body: &[u8]) -> bool {
    let (mut digits, mut points) = (0, 0);
    let mut rest = body;
    while let Some((byte, tail)) = rest.split_first() {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'.' => points += 1,
            b'_' => {}
            b'e' | b'E' => return digits > 0 && points <= 1 && is_exponent(tail),
            _ => return false,
        }
        rest = tail;
    }
    digits > 0 && points <= 1
}

fn is_exponent(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    digits.first().is_some_and(u8::is_ascii_digit) && digits.iter().all(|b| b.is_ascii_digit() || *b == b'_')
}

/// An underscore stands between two digits, or between a base prefix and a digit.
pub(super) fn underscores_separate_digits(body: &[u8]) -> bool {
    let prefixed = body.len() >= 2 && body[0] == b'0' && matches!(body[1] | 0x20, b'x' | b'o' | b'b');
    let hexadecimal = prefixed && body[1] | 0x20 == b'x';
    let is_digit = |b: u8| b.is_ascii_digit() || (hexadecimal && b.is_ascii_hexdigit());
    let mut before_is_digit = prefixed;
    let digits = if prefixed { &body[2..] } else { body };
    for (index, byte) in digits.iter().enumerate() {
        if *byte == b'_' {
            let after_is_digit = digits.get(index + 1).is_some_and(|b| is_digit(*b));
            if !before_is_digit || !after_is_digit {
                return false;
            }
        }
        before_is_digit = is_digit(*byte);
    }
    true
}

/// `1.8p3` behind the `0x`. The exponent is required.
fn hexadecimal(text: &[u8]) -> Option<f64> {
    let mut mantissa: u64 = 0;
    let mut exponent: i64 = 0;
    let (mut digits, mut seen_point) = (0, false);
    let mut rest = text;
    loop {
        let (byte, tail) = rest.split_first()?;
        rest = tail;
        match byte {
            b'_' => {}
            b'.' if !seen_point => seen_point = true,
            b'p' | b'P' => break,
            _ => {
                let digit = u64::from(char::from(*byte).to_digit(16)?);
                digits += 1;
                if mantissa >> 58 == 0 {
                    mantissa = mantissa << 4 | digit;
                    exponent -= if seen_point { 4 } else { 0 };
                } else {
                    // What no longer fits only matters for rounding: one sticky bit holds it.
                    mantissa |= u64::from(digit != 0);
                    exponent += if seen_point { 0 } else { 4 };
                }
            }
        }
    }
    if digits == 0 || !is_exponent(rest) {
        return None;
    }
    Some(scaled(mantissa, exponent.saturating_add(written_exponent(rest))))
}

/// Clamped: beyond a hundred thousand every value is zero or infinite.
fn written_exponent(text: &[u8]) -> i64 {
    let mut value: i64 = 0;
    for digit in text.iter().filter(|b| b.is_ascii_digit()) {
        value = (value * 10 + i64::from(digit - b'0')).min(100_000);
    }
    if text.first() == Some(&b'-') { -value } else { value }
}

/// `mantissa * 2^exponent`, rounded half to even.
fn scaled(mantissa: u64, exponent: i64) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let bits = i64::from(64 - mantissa.leading_zeros());
    let top = bits + exponent;
    if top > 1024 {
        return f64::INFINITY;
    }
    // Below 2^-1022 fewer bits are kept.
    let keep = 53.min(top + 1074);
    if keep < 0 {
        return 0.0;
    }
    let drop = bits - keep;
    let mut kept = if drop > 0 { mantissa.checked_shr(drop as u32).unwrap_or(0) } else { mantissa };
    if drop > 0 {
        let rest = u128::from(mantissa) & ((1 << drop) - 1);
        let half = 1_u128 << (drop - 1);
        if rest > half || (rest == half && kept & 1 == 1) {
            kept += 1;
        }
    }
    let scale = exponent + drop.max(0);
    // Two steps, because 2^scale alone may be too small for a normal number.
    kept as f64 * power_of_two(scale / 2) * power_of_two(scale - scale / 2)
}

fn power_of_two(exponent: i64) -> f64 {
    2_f64.powi(exponent as i32)
}

/// The verbs `e`, `f`, `g`, `b`, `x`, as `strconv.FormatFloat` knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FloatForm {
    Exponent,
    Plain,
    General,
    /// Mantissa and binary exponent as integers.
    Binary,
    Hexadecimal,
}

/// `precision` `None` is the shortest text that reads back as the same value.
pub(crate) fn float_text(value: f64, form: FloatForm, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() };
    }
    match form {
        FloatForm::Plain => match precision {
            Some(digits) => format!("{value:.digits$}"),
            None => format!("{value}"),
        },
        FloatForm::Exponent => match precision {
            Some(digits) => with_go_exponent(&format!("{value:.digits$e}")),
            None => with_go_exponent(&format!("{value:e}")),
        },
        FloatForm::General => general(value, precision),
        FloatForm::Binary => {
            let (mantissa, exponent) = parts(value);
            format!("{}{mantissa}p{exponent:+}", sign(value))
        }
        FloatForm::Hexadecimal => hexadecimal_text(value, precision),
    }
}

fn sign(value: f64) -> &'static str {
    if value.is_sign_negative() { "-" } else { "" }
}

/// Without its sign a value is `mantissa * 2^exponent`.
fn parts(value: f64) -> (u64, i64) {
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let biased = (bits >> 52 & 0x7ff) as i64;
    if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased - 1075) }
}

/// `0x1.8p+00`: one digit before the point.
fn hexadecimal_text(value: f64, precision: Option<usize>) -> String {
    let (mut mantissa, mut exponent) = parts(value);
    if mantissa == 0 {
        exponent = 0;
    } else {
        // The leading one at bit 60, so that fifteen digits follow it.
        let shift = mantissa.leading_zeros() - 3;
        mantissa <<= shift;
        exponent += 60 - i64::from(shift);
    }
    let digits = precision.unwrap_or(15);
    if digits < 15 {
        let dropped = 60 - 4 * digits;
        let (rest, half) = (mantissa & ((1 << dropped) - 1), 1_u64 << (dropped - 1));
        mantissa >>= dropped;
        if rest > half || (rest == half && mantissa & 1 == 1) {
            mantissa += 1;
        }
        mantissa <<= dropped;
        if mantissa >> 61 == 1 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let fraction = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let fraction = match precision {
        Some(digits) => format!("{:0<digits$}", &fraction[..digits.min(15)]),
        None => fraction.trim_end_matches('0').to_owned(),
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    let (lead, exponent) = (mantissa >> 60, exponent.abs());
    format!("{}0x{lead}{point}{fraction}p{exponent_sign}{exponent:02}", sign(value))
}

/// Rust writes `1e6` and `1e-7`; Go writes a sign and at least two digits.
fn with_go_exponent(text: &str) -> String {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, magnitude) = match exponent.strip_prefix('-') {
        Some(magnitude) => ('-', magnitude),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{magnitude:0>2}")
}

/// Plain where the decimal exponent is small, else with an exponent; no trailing zeros.
fn general(value: f64, precision: Option<usize>) -> String {
    let digits = precision.map(|p| p.max(1));
    let scientific = match digits {
        Some(digits) => format!("{value:.*e}", digits - 1),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let mantissa = without_trailing_zeros(mantissa);
    let count = mantissa.bytes().filter(u8::is_ascii_digit).count() as i64;
    // With the shortest form Go decides as if six digits had been asked for.
    let mut limit = digits.map_or(6, |digits| digits as i64);
    if digits.is_some() && limit > count && count > exponent {
        limit = count;
    }
    if exponent < -4 || exponent >= limit {
        return with_go_exponent(&format!("{mantissa}e{exponent}"));
    }
    let behind = usize::try_from(count - 1 - exponent).unwrap_or(0);
    // The digits are already rounded, so that printing them again cannot round differently.
    let rounded: f64 = format!("{mantissa}e{exponent}").parse().unwrap_or(value);
    format!("{rounded:.behind$}")
}

fn without_trailing_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepted() {
        for (text, value) in [
            ("1", 1.0),
            ("-1.5", -1.5),
            ("+2", 2.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("1E-2", 0.01),
            ("1_000", 1000.0),
            ("0x1p4", 16.0),
            ("0X1.8p3", 12.0),
            ("-0x_1p-1", -0.5),
            ("0x1p-1074", 5e-324),
            ("0x1p-1075", 0.0),
            ("0x1.8p-1075", 5e-324),
            ("0x1.00000000000008p0", 1.0),
            ("0x1.00000000000018p0", 1.000_000_000_000_000_4),
            ("0x1.000000000000080000000000000001p0", 1.000_000_000_000_000_2),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("Inf", f64::INFINITY),
            ("-infinity", f64::NEG_INFINITY),
            ("1e-400", 0.0),
        ] {
            assert_eq!(parse_float(text.as_bytes()), Ok(value), "{text}");
        }
        assert!(parse_float(b"NaN").unwrap().is_nan());
    }

    #[test]
    fn refused() {
        for text in [
            "", " 1", "1 ", "abc", "0x10", "1__0", "_1", "1_", "1_e3", "1e", "1e+", "e3", ".", "+nan",
            "infin", "0x", "0xp1", "1,000", "12abc", "1.2.3", "0b11", "1e_3", "--1",
        ] {
            let error = parse_float(text.as_bytes()).unwrap_err().to_string();
            assert_eq!(error, format!("strconv.ParseFloat: parsing \"{text}\": invalid syntax"));
        }
        let error = parse_float(b"-1e999").unwrap_err();
        assert_eq!(error.to_string(), r#"strconv.ParseFloat: parsing "-1e999": value out of range"#);
        assert!(matches!(error, InvalidFloat::Range { value: f64::NEG_INFINITY, .. }));
        assert!(matches!(parse_float(b"0x1p99999"), Err(InvalidFloat::Range { .. })));
        assert_eq!(
            parse_float(b"a\"\xff").unwrap_err().to_string(),
            r#"strconv.ParseFloat: parsing "a\"\xff": invalid syntax"#
        );
    }

    #[test]
    fn printed() {
        for (value, want) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (100_000.0, "100000"),
            (1_000_000.0, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (123_456.789, "123456.789"),
            (123_456_789.0, "1.23456789e+08"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
            (1e300, "1e+300"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(float_text(value, FloatForm::General, None), want);
        }
        for (value, precision, want) in [
            (1234.5678, 3, "1.23e+03"),
            (100.0, 6, "100"),
            (123_456.0, 3, "1.23e+05"),
            (0.000_123_4, 2, "0.00012"),
            (9.99, 2, "10"),
            (100.0, 2, "1e+02"),
        ] {
            assert_eq!(float_text(value, FloatForm::General, Some(precision)), want);
        }
        assert_eq!(float_text(2.5, FloatForm::Plain, Some(0)), "2");
        assert_eq!(float_text(1234.5, FloatForm::Exponent, Some(2)), "1.23e+03");
    }

    proptest! {
        #[test]
        fn text_comes_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            for form in [FloatForm::General, FloatForm::Plain, FloatForm::Exponent] {
                prop_assert_eq!(parse_float(float_text(value, form, None).as_bytes()), Ok(value));
            }
        }

        #[test]
        fn wild_text_never_panics(text in prop::collection::vec(any::<u8>(), 0..40)) {
            drop(parse_float(&text));
        }
    }
}
