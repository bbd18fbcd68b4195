//! Text to time by a layout. Callers show no reasons, so that a failure is just `None`.

use std::sync::Arc;

use crate::time::civil::{MONTHS, WEEKDAYS, days_in_month, is_leap, seconds_from_date};
use crate::time::layout::{OffsetShape, Part, next_part};
use crate::time::{Time, Zone};

/// `zone` counts where the text names none.
pub(crate) fn parse_time(layout: &[u8], text: &[u8], zone: &Zone) -> Option<Time> {
    let mut fields = Fields::default();
    let mut layout = layout;
    let mut rest = text;
    loop {
        let (literal, part, tail) = next_part(layout);
        rest = skip_literal(rest, literal)?;
        let Some(part) = part else {
            return if rest.is_empty() { fields.finish(zone) } else { None };
        };
        layout = tail;
        rest = fields.take(part, rest, layout)?;
    }
}

/// A run of blanks matches any run of blanks, and none at the end of the text.
fn skip_literal<'t>(mut text: &'t [u8], mut literal: &[u8]) -> Option<&'t [u8]> {
    while let Some(byte) = literal.first() {
        if *byte == b' ' {
            if text.first().is_some_and(|b| *b != b' ') {
                return None;
            }
            literal = without_blanks(literal);
            text = without_blanks(text);
            continue;
        }
        text = text.strip_prefix(&[*byte])?;
        literal = &literal[1..];
    }
    Some(text)
}

fn without_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|b| **b == b' ').count();
    &text[blanks..]
}

#[derive(Debug, Default)]
struct Fields {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: u32,
    is_am: bool,
    is_pm: bool,
    utc: bool,
    offset: Option<i32>,
    zone_name: Vec<u8>,
}

impl Fields {
    /// What is left of the text.
    fn take<'t>(&mut self, part: Part, text: &'t [u8], layout_tail: &[u8]) -> Option<&'t [u8]> {
        match part {
            Part::Year => {
                let (digits, rest) = text.split_at_checked(2)?;
                let year = signed(digits)?;
                // Unix time begins in 1969 in some zones.
                self.year = if year >= 69 { year + 1900 } else { year + 2000 };
                Some(rest)
            }
            Part::LongYear => {
                let (digits, rest) = text.split_at_checked(4)?;
                self.year = if digits[0].is_ascii_digit() { signed(digits)? } else { return None };
                Some(rest)
            }
            Part::Month | Part::LongMonth => {
                let (index, rest) = named(&MONTHS, part == Part::Month, text)?;
                self.month = Some(index + 1);
                Some(rest)
            }
            Part::NumMonth | Part::ZeroMonth => {
                let (month, rest) = number(text, part == Part::ZeroMonth, 1..=12)?;
                self.month = Some(month);
                Some(rest)
            }
            Part::Weekday | Part::LongWeekday => {
                named(&WEEKDAYS, part == Part::Weekday, text).map(|(_, rest)| rest)
            }
            Part::Day | Part::UnderDay | Part::ZeroDay => {
                let text =
                    if part == Part::UnderDay { text.strip_prefix(b" ").unwrap_or(text) } else { text };
                let (day, rest) = number(text, part == Part::ZeroDay, 0..=99)?;
                self.day = Some(day);
                Some(rest)
            }
            Part::UnderYearDay | Part::ZeroYearDay => self.take_year_day(part, text),
            Part::Hour => into(&mut self.hour, number(text, false, 0..=23)?),
            Part::Hour12 | Part::ZeroHour12 => {
                into(&mut self.hour, number(text, part == Part::ZeroHour12, 0..=12)?)
            }
            Part::Minute | Part::ZeroMinute => {
                into(&mut self.minute, number(text, part == Part::ZeroMinute, 0..=59)?)
            }
            Part::Second | Part::ZeroSecond => self.take_second(part, text, layout_tail),
            Part::UpperPm => self.take_half(text, b"AM", b"PM"),
            Part::LowerPm => self.take_half(text, b"am", b"pm"),
            Part::Offset { iso, shape } => self.take_offset(text, iso, shape),
            Part::ZoneName => self.take_zone_name(text),
            Part::Fraction { digits, trims: false, .. } => self.take_fraction(text, 1 + digits),
            Part::Fraction { trims: true, .. } => {
                let digits = fraction_digits(text);
                if digits == 0 { Some(text) } else { self.take_fraction(text, 1 + digits) }
            }
        }
    }

    fn take_year_day<'t>(&mut self, part: Part, text: &'t [u8]) -> Option<&'t [u8]> {
        let mut rest = text;
        if part == Part::UnderYearDay {
            for _ in 0..2 {
                rest = rest.strip_prefix(b" ").unwrap_or(rest);
            }
        }
        let digits = rest.iter().take(3).take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 || (part == Part::ZeroYearDay && digits != 3) {
            return None;
        }
        self.year_day = signed(&rest[..digits]);
        Some(&rest[digits..])
    }

    /// A fraction may follow even if the layout has none.
    fn take_second<'t>(&mut self, part: Part, text: &'t [u8], layout_tail: &[u8]) -> Option<&'t [u8]> {
        let (second, rest) = number(text, part == Part::ZeroSecond, 0..=59)?;
        self.second = second;
        let digits = fraction_digits(rest);
        let expected = matches!(next_part(layout_tail).1, Some(Part::Fraction { .. }));
        if digits == 0 || expected { Some(rest) } else { self.take_fraction(rest, 1 + digits) }
    }

    /// `len` counts the separator.
    fn take_fraction<'t>(&mut self, text: &'t [u8], len: usize) -> Option<&'t [u8]> {
        let (fraction, rest) = text.split_at_checked(len)?;
        if !matches!(fraction[0], b'.' | b',') {
            return None;
        }
        let digits = &fraction[1..len.min(10)];
        let value = u32::try_from(signed(digits)?).ok()?;
        self.nanos = value * 10_u32.pow(9 - digits.len() as u32);
        Some(rest)
    }

    fn take_half<'t>(&mut self, text: &'t [u8], am: &[u8], pm: &[u8]) -> Option<&'t [u8]> {
        if let Some(rest) = text.strip_prefix(am) {
            self.is_am = true;
            return Some(rest);
        }
        self.is_pm = true;
        text.strip_prefix(pm)
    }

    fn take_offset<'t>(&mut self, text: &'t [u8], iso: bool, shape: OffsetShape) -> Option<&'t [u8]> {
        if iso && let Some(rest) = text.strip_prefix(b"Z") {
            self.utc = true;
            return Some(rest);
        }
        // Where the digits of minutes and seconds stand, and where colons do.
        let (len, minutes, seconds, colons): (usize, Option<usize>, Option<usize>, &[usize]) = match shape {
            OffsetShape::Hours => (3, None, None, &[]),
            OffsetShape::Minutes => (5, Some(3), None, &[]),
            OffsetShape::ColonMinutes => (6, Some(4), None, &[3]),
            OffsetShape::Seconds => (7, Some(3), Some(5), &[]),
            OffsetShape::ColonSeconds => (9, Some(4), Some(7), &[3, 6]),
        };
        let (offset, rest) = text.split_at_checked(len)?;
        if colons.iter().any(|at| offset[*at] != b':') {
            return None;
        }
        let two = |at: usize, max: i64| number(&offset[at..at + 2], true, 0..=max).map(|(value, _)| value);
        let hour = two(1, 24)?;
        let minute = minutes.map_or(Some(0), |at| two(at, 60))?;
        let second = seconds.map_or(Some(0), |at| two(at, 60))?;
        let total = i32::try_from((hour * 60 + minute) * 60 + second).ok()?;
        self.offset = Some(match offset[0] {
            b'+' => total,
            b'-' => -total,
            _ => return None,
        });
        Some(rest)
    }

    fn take_zone_name<'t>(&mut self, text: &'t [u8]) -> Option<&'t [u8]> {
        if let Some(rest) = text.strip_prefix(b"UTC") {
            self.utc = true;
            return Some(rest);
        }
        let len = zone_name_len(text)?;
        self.zone_name = text[..len].to_vec();
        Some(&text[len..])
    }

    fn finish(mut self, zone: &Zone) -> Option<Time> {
        if self.is_pm && self.hour < 12 {
            self.hour += 12;
        } else if self.is_am && self.hour == 12 {
            self.hour = 0;
        }
        let (month, day) = self.date()?;
        if day < 1 || day > days_in_month(self.year, month) {
            return None;
        }
        let wall = seconds_from_date(self.year, month, day, self.hour, self.minute, self.second);
        let time = |seconds: i64, zone: Zone| Some(Time { seconds, nanos: self.nanos, zone });
        if self.utc {
            return time(wall, Zone::Utc);
        }
        let name = String::from_utf8_lossy(&self.zone_name);
        // Go's value for "no offset read" is also what -00:00:01 means.
        if let Some(offset) = self.offset.filter(|offset| *offset != -1) {
            let seconds = wall - i64::from(offset);
            let fits =
                zone.offset_at(seconds) == offset && (name.is_empty() || zone.name_at(seconds) == name);
            let fixed = || Zone::Fixed { name: Arc::from(&*name), offset };
            return time(seconds, if fits { zone.clone() } else { fixed() });
        }
        if name.is_empty() {
            return time(zone.seconds_of(wall), zone.clone());
        }
        if let Some(offset) = zone.offset_of_name(&name, wall) {
            return time(wall - i64::from(offset), zone.clone());
        }
        let hours = self.zone_name.strip_prefix(b"GMT").and_then(signed).unwrap_or(0);
        let offset = i32::try_from(hours * 3600).unwrap_or(0);
        // The offset is shown, but the clock is read as UTC.
        time(wall, Zone::Fixed { name: Arc::from(&*name), offset })
    }

    fn date(&self) -> Option<(i64, i64)> {
        let Some(mut of_year) = self.year_day else {
            return Some((self.month.unwrap_or(1), self.day.unwrap_or(1)));
        };
        let length = if is_leap(self.year) { 366 } else { 365 };
        if !(1..=length).contains(&of_year) {
            return None;
        }
        let mut month = 1;
        while of_year > days_in_month(self.year, month) {
            of_year -= days_in_month(self.year, month);
            month += 1;
        }
        let agrees = self.month.is_none_or(|m| m == month) && self.day.is_none_or(|d| d == of_year);
        agrees.then_some((month, of_year))
    }
}

fn into<'t>(field: &mut i64, (value, rest): (i64, &'t [u8])) -> Option<&'t [u8]> {
    *field = value;
    Some(rest)
}

/// One or two digits, or exactly two.
fn number(text: &[u8], two: bool, range: std::ops::RangeInclusive<i64>) -> Option<(i64, &[u8])> {
    let digits = text.iter().take(2).take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 || (two && digits == 1) {
        return None;
    }
    let value = signed(&text[..digits])?;
    range.contains(&value).then_some((value, &text[digits..]))
}

/// Digits with perhaps a sign.
fn signed(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let mut value: i64 = 0;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
    }
    Some(if negative { -value } else { value })
}

fn named<'t>(names: &[&str], short: bool, text: &'t [u8]) -> Option<(i64, &'t [u8])> {
    for (index, name) in names.iter().enumerate() {
        let name = if short { &name[..3] } else { name };
        if text.len() >= name.len() && text[..name.len()].eq_ignore_ascii_case(name.as_bytes()) {
            return Some((index as i64, &text[name.len()..]));
        }
    }
    None
}

/// Digits behind a point or comma here.
fn fraction_digits(text: &[u8]) -> usize {
    match text.first() {
        Some(b'.' | b',') => text[1..].iter().take_while(|b| b.is_ascii_digit()).count(),
        _ => 0,
    }
}

/// Three to five capitals, or what else is in use as an abbreviation.
fn zone_name_len(text: &[u8]) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix(b"GMT") {
        return Some(3 + signed_offset_len(rest));
    }
    if matches!(text[0], b'+' | b'-') {
        return Some(signed_offset_len(text)).filter(|len| *len > 0);
    }
    match text.iter().take(6).take_while(|b| b.is_ascii_uppercase()).count() {
        5 if text[4] == b'T' => Some(5),
        4 if text[3] == b'T' || text.starts_with(b"WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

/// `+5`, `-03`: at most 23 hours. 0: none here.
fn signed_offset_len(text: &[u8]) -> usize {
    if !matches!(text.first(), Some(b'+' | b'-')) {
        return 0;
    }
    let digits = text[1..].iter().take_while(|b| b.is_ascii_digit()).count();
    match signed(&text[1..1 + digits]) {
        Some(hours) if digits > 0 && hours <= 23 => 1 + digits,
        _ => 0,
    }
}
