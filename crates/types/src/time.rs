//! Points in time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::Span;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_MINUTE: i64 = 60 * NANOS_PER_SECOND;
const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SECOND;

/// Nanoseconds since 1970-01-01 UTC. Arithmetic stops at the ends of the range (1677 and 2262): a
/// window that reaches past them means "as far as time goes".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time between 1677 and 2262: {}", crate::quoted(.0))]
pub struct InvalidTimestamp(String);

impl Timestamp {
    pub const MIN: Self = Self(i64::MIN);
    pub const MAX: Self = Self(i64::MAX);
    pub const EPOCH: Self = Self(0);

    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(NANOS_PER_SECOND))
    }

    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Rounds down, also before 1970.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NANOS_PER_SECOND as f64
    }

    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.nanos()))
    }

    pub const fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.nanos()))
    }

    pub const fn since(self, earlier: Self) -> Span {
        Span::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The UTC day that holds it.
    pub const fn day(self) -> Day {
        // The quotient of an i64 by the nanoseconds of a day is within ±106,752.
        Day(self.0.div_euclid(NANOS_PER_DAY) as i32)
    }

    /// The minute that holds it, named by its end: minutes are (m − 1 min, m], as LogQL's windows are.
    pub const fn minute_end(self) -> Self {
        let into = self.0.rem_euclid(NANOS_PER_MINUTE);
        if into == 0 { self } else { Self(self.0.saturating_add(NANOS_PER_MINUTE - into)) }
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with as many digits behind the second as it needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or_default();
        fmt::Display::fmt(&time, f)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let invalid = || InvalidTimestamp(text.to_owned());
        let time: jiff::Timestamp = text.parse().map_err(|_| invalid())?;
        i64::try_from(time.as_nanosecond()).map(Self).map_err(|_| invalid())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a day such as 20240131: {}", crate::quoted(.0))]
pub struct InvalidDay(String);

/// A UTC day, as catalog partitions name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(i32);

impl Day {
    /// The first instant; the days at the two ends of time are cut short.
    pub const fn start(self) -> Timestamp {
        Timestamp((self.0 as i64).saturating_mul(NANOS_PER_DAY))
    }

    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Day {
    /// `yyyymmdd`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = jiff::civil::Date::ZERO
            .saturating_add(jiff::Span::new().days(i64::from(self.0) + DAYS_FROM_YEAR_ZERO));
        write!(f, "{:04}{:02}{:02}", date.year(), date.month(), date.day())
    }
}

impl FromStr for Day {
    type Err = InvalidDay;

    /// Only the one canonical text, so that two names never mean one day.
    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        let invalid = || InvalidDay(text.to_owned());
        if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        let year = text[..4].parse().map_err(|_| invalid())?;
        let (month, day) = (text[4..6].parse(), text[6..].parse());
        let (month, day) = (month.map_err(|_| invalid())?, day.map_err(|_| invalid())?);
        let date = jiff::civil::Date::new(year, month, day).map_err(|_| invalid())?;
        let hours = date.duration_since(jiff::civil::Date::ZERO).as_hours();
        i32::try_from(hours / 24 - DAYS_FROM_YEAR_ZERO).map(Self).map_err(|_| invalid())
    }
}

/// From 0000-01-01 to 1970-01-01 in the proleptic Gregorian calendar.
const DAYS_FROM_YEAR_ZERO: i64 = 719_528;

/// A reading of a clock that never steps back, for waits and ages. It means nothing outside the
/// process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Monotonic(Duration);

impl Monotonic {
    pub const fn from_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// So much later.
    pub const fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_are_floored() {
        for (nanos, day) in [
            (0, "19700101"),
            (NANOS_PER_DAY - 1, "19700101"),
            (NANOS_PER_DAY, "19700102"),
            (-1, "19691231"),
            (1_782_864_000 * NANOS_PER_SECOND, "20260701"),
            (i64::MAX, "22620411"),
            (i64::MIN, "16770921"),
        ] {
            assert_eq!(Timestamp(nanos).day().to_string(), day, "{nanos}");
            assert_eq!(day.parse(), Ok(Timestamp(nanos).day()));
        }
    }

    #[test]
    fn only_days_are_days() {
        for text in
            ["", "wide", "2026070", "202607011", "20260732", "20230229", "+2260101", "2026-7-1", "２0260101"]
        {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
    }

    #[test]
    fn minutes_end_where_logql_windows_end() {
        let minute = NANOS_PER_MINUTE;
        for (nanos, end) in [(0, 0), (1, minute), (minute, minute), (minute + 1, 2 * minute), (-1, 0)] {
            assert_eq!(Timestamp(nanos).minute_end(), Timestamp(end));
        }
        assert_eq!(Timestamp::MAX.minute_end(), Timestamp::MAX);
    }

    #[test]
    fn rfc_3339() {
        let time: Timestamp = "2026-03-01T10:00:00.5+02:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-03-01T08:00:00.5Z");
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert!("3000-01-01T00:00:00Z".parse::<Timestamp>().is_err());
        assert_eq!(Timestamp(-1).millis(), -1);
    }

    proptest! {
        #[test]
        fn text_comes_back(nanos in any::<i64>()) {
            let time = Timestamp(nanos);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }

        #[test]
        fn a_day_comes_back(nanos in any::<i64>()) {
            let day = Timestamp(nanos).day();
            prop_assert_eq!(day.to_string().parse(), Ok(day));
        }

        #[test]
        fn a_day_holds_its_timestamps(nanos in any::<i64>()) {
            let time = Timestamp(nanos);
            prop_assert!(time.day().start() <= time);
            prop_assert!(time < time.day().next().start() || time.day().next().start() == Timestamp::MAX);
        }
    }
}
