//! Seconds to calendar and clock, in the proleptic Gregorian calendar.

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(crate) const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const SECONDS_PER_DAY: i64 = 86_400;
/// From 0000-03-01, where the years of the conversion begin, to 1970-01-01.
const DAYS_BEFORE_EPOCH: i64 = 719_468;
const DAYS_PER_ERA: i64 = 146_097;

/// `month` counts from 1.
pub(crate) fn month_name(month: i64) -> String {
    name(&MONTHS, month - 1).map_or_else(|| format!("%!Month({month})"), str::to_owned)
}

/// Counts from Sunday, which is 0.
pub(crate) fn weekday_name(weekday: i64) -> String {
    name(&WEEKDAYS, weekday).map_or_else(|| format!("%!Weekday({weekday})"), str::to_owned)
}

fn name(names: &[&'static str], index: i64) -> Option<&'static str> {
    names.get(usize::try_from(index).ok()?).copied()
}

/// A reading of a wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    /// Days since 1970-01-01.
    days: i64,
}

impl Civil {
    pub(crate) fn from_seconds(seconds: i64) -> Self {
        let days = seconds.div_euclid(SECONDS_PER_DAY);
        let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
        // Years begin in March here, so that the leap day is the last of its year.
        let shifted = days + DAYS_BEFORE_EPOCH;
        let era = shifted.div_euclid(DAYS_PER_ERA);
        let of_era = shifted.rem_euclid(DAYS_PER_ERA);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: of_year - (153 * month_from_march + 2) / 5 + 1,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            days,
        }
    }

    pub(crate) fn weekday(&self) -> i64 {
        // 1970-01-01 was a Thursday.
        (self.days + 4).rem_euclid(7)
    }

    /// From 1.
    pub(crate) fn day_of_year(&self) -> i64 {
        self.days - days_from_date(self.year, 1, 1) + 1
    }
}

pub(super) fn seconds_from_date(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> i64 {
    days_from_date(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second
}

fn days_from_date(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * DAYS_PER_ERA + of_era - DAYS_BEFORE_EPOCH
}

pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_days() {
        for (seconds, date, weekday, of_year) in [
            (0, (1970, 1, 1), 4, 1),
            (951_782_400, (2000, 2, 29), 2, 60),
            (-62_135_596_800, (1, 1, 1), 1, 1),
            (1_790_812_800, (2026, 10, 1), 4, 274),
        ] {
            let civil = Civil::from_seconds(seconds);
            assert_eq!((civil.year, civil.month, civil.day), date);
            assert_eq!((civil.weekday(), civil.day_of_year()), (weekday, of_year));
        }
        assert_eq!((month_name(10), weekday_name(0)), ("October".to_owned(), "Sunday".to_owned()));
    }

    proptest! {
        #[test]
        fn there_and_back(seconds in -400_000_000_000_i64..400_000_000_000) {
            let c = Civil::from_seconds(seconds);
            prop_assert_eq!(seconds_from_date(c.year, c.month, c.day, c.hour, c.minute, c.second), seconds);
            prop_assert!(c.day <= days_in_month(c.year, c.month));
        }
    }
}
