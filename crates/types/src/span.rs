//! Lengths of time as configuration and queries write them: Go's form (`1h30m`, `1.5s`) and
//! Prometheus' form (`30d1h`, `1w`).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const MICROSECOND: i64 = 1_000;
const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
const YEAR: i64 = 365 * DAY;

/// A signed length of time in nanoseconds, up to 292 years either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span(i64);

/// The texts of Go's and Prometheus' own parsers, which Loki passes on to its users.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpan {
    #[error("empty duration string")]
    Empty,
    #[error("not a valid duration string: {}", crate::quoted(.0))]
    Prometheus(String),
    #[error("duration out of range")]
    Range,
    #[error("time: invalid duration {}", crate::quoted(.0))]
    Go(String),
    #[error("time: missing unit in duration {}", crate::quoted(.0))]
    MissingUnit(String),
    #[error("time: unknown unit {} in duration {}", crate::quoted(.unit), crate::quoted(.text))]
    UnknownUnit { unit: String, text: String },
}

impl Span {
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(i64::MAX);

    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(MILLISECOND))
    }

    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(SECOND))
    }

    pub const fn from_mins(mins: i64) -> Self {
        Self(mins.saturating_mul(MINUTE))
    }

    pub const fn from_hours(hours: i64) -> Self {
        Self(hours.saturating_mul(HOUR))
    }

    pub const fn from_days(days: i64) -> Self {
        Self(days.saturating_mul(DAY))
    }

    pub const fn nanos(self) -> i64 {
        self.0
    }

    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / SECOND as f64
    }

    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// For timers: a negative span waits no time.
    pub fn to_std(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }

    /// Go's `time.ParseDuration`: fractions, any order of units, up to hours, a sign.
    pub fn parse_go(text: &str) -> Result<Self, InvalidSpan> {
        let invalid = || InvalidSpan::Go(text.to_owned());
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self::ZERO);
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        // The magnitude may be 2^63 for the most negative value, so it is summed unsigned.
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let number = GoNumber::take(rest).ok_or_else(invalid)?;
            rest = &rest[number.len..];
            let unit_len = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
            if unit_len == 0 {
                return Err(InvalidSpan::MissingUnit(text.to_owned()));
            }
            let unit = go_unit(&rest[..unit_len]).ok_or_else(|| InvalidSpan::UnknownUnit {
                unit: rest[..unit_len].to_owned(),
                text: text.to_owned(),
            })?;
            let part = number.times(unit).ok_or_else(invalid)?;
            total = total.checked_add(part).filter(|sum| *sum <= 1 << 63).ok_or_else(invalid)?;
            rest = &rest[unit_len..];
        }
        if negative {
            return Ok(Self(0_i64.wrapping_sub_unsigned(total)));
        }
        i64::try_from(total).map(Self).map_err(|_| invalid())
    }

    /// Prometheus' `model.ParseDuration`: whole numbers, units from years to milliseconds in falling
    /// order, each at most once.
    pub fn parse_prometheus(text: &str) -> Result<Self, InvalidSpan> {
        if text == "0" {
            return Ok(Self::ZERO);
        }
        if text.is_empty() {
            return Err(InvalidSpan::Empty);
        }
        let invalid = || InvalidSpan::Prometheus(text.to_owned());
        let mut rest = text;
        let mut total: i64 = 0;
        let mut units = PROMETHEUS_UNITS.iter();
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let letters = rest[digits..].bytes().take_while(u8::is_ascii_lowercase).count();
            if digits == 0 || letters == 0 {
                return Err(invalid());
            }
            let name = &rest[digits..digits + letters];
            let (_, unit) = units.find(|(unit, _)| *unit == name).ok_or_else(invalid)?;
            let number: i64 = rest[..digits].parse().map_err(|_| InvalidSpan::Range)?;
            let part = number.checked_mul(*unit).ok_or(InvalidSpan::Range)?;
            total = total.checked_add(part).ok_or(InvalidSpan::Range)?;
            rest = &rest[digits + letters..];
        }
        Ok(Self(total))
    }

    /// Go's `Duration.String`: `1h30m0s`, `1.5s`, `250ms`.
    pub fn to_go(self) -> String {
        let magnitude = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        if magnitude == 0 {
            return "0s".to_owned();
        }
        for (unit, name) in [(MICROSECOND, "ns"), (MILLISECOND, "µs"), (SECOND, "ms")] {
            if magnitude < unit.unsigned_abs() {
                // The unit printed is a thousandth of the bound just compared with.
                return format!("{sign}{}{name}", decimal(magnitude, unit.unsigned_abs() / 1000));
            }
        }
        let seconds = decimal(magnitude % MINUTE.unsigned_abs(), SECOND.unsigned_abs());
        let minutes = magnitude / MINUTE.unsigned_abs();
        match (minutes / 60, minutes % 60) {
            (0, 0) => format!("{sign}{seconds}s"),
            (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
            (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
        }
    }

    /// Prometheus' `model.Duration.String`: `30d1h`, `1w`. It counts milliseconds; what is finer is cut.
    pub fn to_prometheus(self) -> String {
        let mut rest = self.0 / MILLISECOND;
        if rest == 0 {
            return "0s".to_owned();
        }
        let mut out = String::new();
        if rest < 0 {
            out.push('-');
            rest = -rest;
        }
        for (name, nanos) in PROMETHEUS_UNITS {
            let unit = nanos / MILLISECOND;
            let only_if_exact = matches!(name, "y" | "w");
            if rest < unit || (only_if_exact && rest % unit != 0) {
                continue;
            }
            out.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
        out
    }
}

const PROMETHEUS_UNITS: [(&str, i64); 7] =
    [("y", YEAR), ("w", WEEK), ("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", MILLISECOND)];

fn go_unit(name: &str) -> Option<u64> {
    let nanos = match name {
        "ns" => 1,
        // Micro sign and Greek mu are both in use.
        "us" | "\u{b5}s" | "\u{3bc}s" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return None,
    };
    u64::try_from(nanos).ok()
}

/// `[0-9]*(\.[0-9]*)?` with at least one digit.
struct GoNumber {
    len: usize,
    whole: u64,
    /// Digits behind the point that still fit, and ten to the power of their count.
    fraction: u64,
    scale: f64,
}

impl GoNumber {
    fn take(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
        let mut whole: u64 = 0;
        for digit in &bytes[..digits] {
            whole = whole.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            if whole > 1 << 63 {
                return None;
            }
        }
        let mut number = Self { len: digits, whole, fraction: 0, scale: 1.0 };
        if bytes.get(digits) == Some(&b'.') {
            let behind = bytes[digits + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
            number.len += 1 + behind;
            number.read_fraction(&bytes[digits + 1..digits + 1 + behind]);
            if digits + behind == 0 {
                return None;
            }
        }
        (number.len > 0).then_some(number)
    }

    fn read_fraction(&mut self, digits: &[u8]) {
        for digit in digits {
            // Digits that no longer fit are too small to matter.
            let Some(next) =
                self.fraction.checked_mul(10).and_then(|f| f.checked_add(u64::from(digit - b'0')))
            else {
                return;
            };
            self.fraction = next;
            self.scale *= 10.0;
        }
    }

    fn times(&self, unit: u64) -> Option<u64> {
        let whole = self.whole.checked_mul(unit)?;
        let fraction = (self.fraction as f64 * (unit as f64 / self.scale)) as u64;
        whole.checked_add(fraction).filter(|sum| *sum <= 1 << 63)
    }
}

/// `value / unit` with its fraction, without trailing zeros.
fn decimal(value: u64, unit: u64) -> String {
    let fraction = value % unit;
    if fraction == 0 {
        return (value / unit).to_string();
    }
    let width = unit.ilog10() as usize;
    let digits = format!("{fraction:0width$}");
    format!("{}.{}", value / unit, digits.trim_end_matches('0'))
}

impl FromStr for Span {
    type Err = InvalidSpan;

    /// Settings take both forms.
    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        Self::parse_prometheus(text).or_else(|first| Self::parse_go(text).map_err(|_| first))
    }
}

impl fmt::Display for Span {
    /// Prometheus' form where it is exact, Go's where it is not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 % MILLISECOND == 0 {
            f.write_str(&self.to_prometheus())
        } else {
            f.write_str(&self.to_go())
        }
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn go_forms() {
        for (text, nanos) in [
            ("0", 0),
            ("-0", 0),
            ("1h30m", 90 * MINUTE),
            ("1.5h", 90 * MINUTE),
            (".5s", SECOND / 2),
            ("1.s", SECOND),
            ("-1.5ms", -1_500_000),
            ("+2us3ns", 2_003),
            ("2µs", 2_000),
            ("2μs", 2_000),
            ("3m1h", HOUR + 3 * MINUTE),
            ("0.3333333333333333333h", 20 * MINUTE),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
        ] {
            assert_eq!(Span::parse_go(text), Ok(Span(nanos)), "{text}");
        }
        for (text, error) in [
            ("", r#"time: invalid duration """#),
            ("x", r#"time: invalid duration "x""#),
            (".s", r#"time: invalid duration ".s""#),
            ("1", r#"time: missing unit in duration "1""#),
            ("1d", r#"time: unknown unit "d" in duration "1d""#),
            ("9223372036854775808ns", r#"time: invalid duration "9223372036854775808ns""#),
            ("3000000h", r#"time: invalid duration "3000000h""#),
        ] {
            assert_eq!(Span::parse_go(text).expect_err(text).to_string(), error);
        }
    }

    #[test]
    fn prometheus_forms() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("1y2w3d4h5m6s7ms", YEAR + 2 * WEEK + 3 * DAY + 4 * HOUR + 5 * MINUTE + 6 * SECOND + 7_000_000),
            ("30d1h", 30 * DAY + HOUR),
            ("1h0m0s", HOUR),
        ] {
            assert_eq!(Span::parse_prometheus(text), Ok(Span(nanos)), "{text}");
        }
        for (text, error) in [
            ("", "empty duration string"),
            ("1", r#"not a valid duration string: "1""#),
            ("1m1h", r#"not a valid duration string: "1m1h""#),
            ("1.5h", r#"not a valid duration string: "1.5h""#),
            ("-1h", r#"not a valid duration string: "-1h""#),
            ("300y", "duration out of range"),
            ("99999999999999999999s", "duration out of range"),
        ] {
            assert_eq!(Span::parse_prometheus(text).expect_err(text).to_string(), error);
        }
    }

    #[test]
    fn printed_forms() {
        for (nanos, go, prometheus) in [
            (0, "0s", "0s"),
            (1, "1ns", "0s"),
            (1_500, "1.5µs", "0s"),
            (2_000_000, "2ms", "2ms"),
            (1_234_567, "1.234567ms", "1ms"),
            (SECOND + 500 * MILLISECOND, "1.5s", "1s500ms"),
            (MINUTE, "1m0s", "1m"),
            (721 * HOUR, "721h0m0s", "30d1h"),
            (WEEK, "168h0m0s", "1w"),
            (-(HOUR + 1), "-1h0m0.000000001s", "-1h"),
        ] {
            assert_eq!(Span(nanos).to_go(), go);
            assert_eq!(Span(nanos).to_prometheus(), prometheus);
        }
    }

    #[test]
    fn a_setting_takes_either_form() {
        assert_eq!("1.5h".parse(), Ok(Span(90 * MINUTE)));
        assert_eq!("2w".parse(), Ok(Span(2 * WEEK)));
        assert_eq!("soon".parse::<Span>().unwrap_err().to_string(), r#"not a valid duration string: "soon""#);
    }

    proptest! {
        #[test]
        fn go_text_comes_back(nanos in any::<i64>()) {
            let span = Span(nanos);
            // Beyond 2^53 ns Go's own printer stays exact because it prints whole digits.
            prop_assert_eq!(Span::parse_go(&span.to_go()), Ok(span));
        }

        #[test]
        fn display_comes_back(millis in 0..i64::MAX / MILLISECOND) {
            let span = Span::from_millis(millis);
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }

        #[test]
        fn wild_text_never_panics(text in "\\PC*") {
            drop(Span::parse_go(&text));
            drop(Span::parse_prometheus(&text));
        }
    }
}
