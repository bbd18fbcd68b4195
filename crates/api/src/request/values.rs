//! The syntax of single parameters: times, lengths of time, numbers.

use larch_types::{InvalidSpan, Span, Timestamp, quoted};

/// Go's words for what is no number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("strconv.{function}: parsing {}: {reason}", quoted(.text))]
pub struct InvalidNumber {
    function: &'static str,
    text: String,
    reason: &'static str,
}

/// A `step` or an `interval` that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    #[error("cannot parse {} to a valid duration", quoted(.0))]
    Text(String),
    #[error("cannot parse {} to a valid duration. It overflows int64", quoted(.0))]
    Overflow(String),
}

/// A whole number as Go's `strconv` reads it; the function that Loki calls names itself in the error.
pub(crate) fn whole(function: &'static str, text: &str) -> Result<i64, InvalidNumber> {
    text.parse().map_err(|error: std::num::ParseIntError| {
        use std::num::IntErrorKind;
        let reason = match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        InvalidNumber { function, text: text.to_owned(), reason }
    })
}

/// Integers of more digits are nanoseconds.
const MAX_SECONDS_LEN: usize = 10;

/// Seconds, with a fraction down to milliseconds; nanoseconds; or RFC 3339.
pub(crate) fn timestamp(text: &str) -> Result<Timestamp, InvalidNumber> {
    if text.contains('.')
        && let Some(seconds) = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite())
    {
        // Beyond the ends of time the cast stops, and so does what is made of it.
        return Ok(Timestamp::from_millis((seconds * 1000.0).round() as i64));
    }
    match whole("ParseInt", text) {
        Ok(seconds) if text.len() <= MAX_SECONDS_LEN => Ok(Timestamp::from_secs(seconds)),
        Ok(nanos) => Ok(Timestamp::from_nanos(nanos)),
        Err(error) if is_rfc3339(text) => text.parse().map_err(|_| error),
        Err(error) => Err(error),
    }
}

/// `2026-03-01T10:00:00.5+02:00`: the shape, so that nothing is taken that Go would refuse.
fn is_rfc3339(text: &str) -> bool {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    const OFFSET: &[u8] = b"+00:00";
    let Some((head, mut rest)) = text.as_bytes().split_at_checked(SHAPE.len()) else { return false };
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return false;
        }
        rest = &fraction[digits..];
    }
    has_shape(head, SHAPE) && (rest == b"Z" || has_shape(rest, OFFSET))
}

/// Digits where the shape has zeros, either sign where it has a plus, else the same bytes.
fn has_shape(bytes: &[u8], shape: &[u8]) -> bool {
    let fits = |(byte, shape): (&u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        b'+' => matches!(byte, b'+' | b'-'),
        other => byte == other,
    };
    bytes.len() == shape.len() && bytes.iter().zip(shape).all(fits)
}

/// Seconds as a number, or a duration in Prometheus' form.
pub(crate) fn seconds_or_duration(text: &str) -> Result<Span, InvalidDuration> {
    if let Ok(seconds) = text.parse::<f64>() {
        let nanos = seconds * 1e9;
        if nanos.is_nan() {
            return Err(InvalidDuration::Text(text.to_owned()));
        }
        // 2^63 itself is let through and stops at the largest span.
        if nanos.abs() > i64::MAX as f64 {
            return Err(InvalidDuration::Overflow(text.to_owned()));
        }
        return Ok(Span::from_nanos(nanos as i64));
    }
    Span::parse_prometheus(text).map_err(|_| InvalidDuration::Text(text.to_owned()))
}

/// A duration in Prometheus' form only.
pub(crate) fn duration(text: &str) -> Result<Span, InvalidSpan> {
    Span::parse_prometheus(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps() {
        let second = 1_000_000_000_i64;
        for (text, nanos) in [
            ("1700000000", 1_700_000_000 * second),
            ("-100", -100 * second),
            ("-123456789", -123_456_789 * second),
            ("-1234567890", -1_234_567_890),
            ("4000000000", 4_000_000_000 * second),
            ("1700000000000", 1_700_000_000_000),
            ("1790812800000000001", 1_790_812_800_000_000_001),
            ("1.7e9", 1_700_000_000 * second),
            ("1790812800.5", 1_790_812_800 * second + 500_000_000),
            ("1790812800.25149", 1_790_812_800 * second + 251_000_000),
            ("1790812800.2515", 1_790_812_800 * second + 252_000_000),
            ("-0.5", -500_000_000),
            (".5", 500_000_000),
            ("1700000000000000000.0", i64::MAX),
            ("2026-03-01T10:00:00.5Z", 1_772_359_200 * second + 500_000_000),
            ("2026-03-01T10:00:00+02:00", (1_772_359_200 - 7200) * second),
            ("2026-03-01T10:00:00.000000001-00:00", 1_772_359_200 * second + 1),
        ] {
            assert_eq!(timestamp(text), Ok(Timestamp::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_no_timestamp() {
        for (text, reason) in [
            ("17e8", "invalid syntax"),
            ("now", "invalid syntax"),
            (" 1", "invalid syntax"),
            ("1.2.3", "invalid syntax"),
            ("1.0e999", "invalid syntax"),
            ("99999999999999999999", "value out of range"),
            ("2026-03-01", "invalid syntax"),
            ("2026-03-01T10:00Z", "invalid syntax"),
            ("2026-03-01 10:00:00Z", "invalid syntax"),
            ("2026-03-01T10:00:00", "invalid syntax"),
            ("2026-03-01T10:00:00.Z", "invalid syntax"),
            ("2026-13-01T10:00:00Z", "invalid syntax"),
            ("2026-03-01T10:00:00+02", "invalid syntax"),
            ("2026-03-01T10:00:00[UTC]", "invalid syntax"),
            ("3000-01-01T00:00:00Z", "invalid syntax"),
            ("2026-03-01T10:00:0é", "invalid syntax"),
        ] {
            let text_of_error = format!("strconv.ParseInt: parsing {}: {reason}", quoted(text));
            assert_eq!(timestamp(text).unwrap_err().to_string(), text_of_error);
        }
    }

    #[test]
    fn durations() {
        for (text, nanos) in [
            ("15", 15_000_000_000),
            ("0.5", 500_000_000),
            ("1e3", 1_000_000_000_000),
            ("-5", -5_000_000_000),
            ("15000ms", 15_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1h0m0s", 3_600_000_000_000),
            ("0", 0),
        ] {
            assert_eq!(seconds_or_duration(text), Ok(Span::from_nanos(nanos)), "{text}");
        }
        for text in ["abc", "", "NaN", "1m30.5s", "5 m", "1s1h"] {
            let want = format!("cannot parse {} to a valid duration", quoted(text));
            assert_eq!(seconds_or_duration(text).unwrap_err().to_string(), want);
        }
        for text in ["1e10", "-1e10", "inf"] {
            let want = format!("cannot parse {} to a valid duration. It overflows int64", quoted(text));
            assert_eq!(seconds_or_duration(text).unwrap_err().to_string(), want);
        }
    }
}
