//! A time as text by a layout.

use crate::time::Time;
use crate::time::civil::{Civil, MONTHS, WEEKDAYS};
use crate::time::layout::{OffsetShape, Part, next_part};

impl Time {
    pub(crate) fn format(&self, layout: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(layout.len() + 10);
        let civil = self.civil();
        let mut rest = layout;
        loop {
            let (literal, part, tail) = next_part(rest);
            out.extend_from_slice(literal);
            let Some(part) = part else {
                return out;
            };
            self.append_part(&mut out, part, &civil);
            rest = tail;
        }
    }

    fn append_part(&self, out: &mut Vec<u8>, part: Part, civil: &Civil) {
        let twelve = if civil.hour % 12 == 0 { 12 } else { civil.hour % 12 };
        match part {
            Part::Year => number(out, civil.year.abs() % 100, 2),
            Part::LongYear => number(out, civil.year, 4),
            Part::Month => out.extend_from_slice(&month(civil).as_bytes()[..3]),
            Part::LongMonth => out.extend_from_slice(month(civil).as_bytes()),
            Part::NumMonth => number(out, civil.month, 0),
            Part::ZeroMonth => number(out, civil.month, 2),
            Part::Weekday => out.extend_from_slice(&weekday(civil).as_bytes()[..3]),
            Part::LongWeekday => out.extend_from_slice(weekday(civil).as_bytes()),
            Part::Day => number(out, civil.day, 0),
            Part::UnderDay => out.extend_from_slice(format!("{:2}", civil.day).as_bytes()),
            Part::ZeroDay => number(out, civil.day, 2),
            Part::UnderYearDay => out.extend_from_slice(format!("{:3}", civil.day_of_year()).as_bytes()),
            Part::ZeroYearDay => number(out, civil.day_of_year(), 3),
            Part::Hour => number(out, civil.hour, 2),
            Part::Hour12 => number(out, twelve, 0),
            Part::ZeroHour12 => number(out, twelve, 2),
            Part::Minute => number(out, civil.minute, 0),
            Part::ZeroMinute => number(out, civil.minute, 2),
            Part::Second => number(out, civil.second, 0),
            Part::ZeroSecond => number(out, civil.second, 2),
            Part::UpperPm => out.extend_from_slice(if civil.hour >= 12 { b"PM" } else { b"AM" }),
            Part::LowerPm => out.extend_from_slice(if civil.hour >= 12 { b"pm" } else { b"am" }),
            Part::ZoneName => self.append_zone_name(out),
            Part::Offset { iso, shape } => self.append_offset(out, iso, shape),
            Part::Fraction { digits, separator, trims } => {
                self.append_fraction(out, digits, separator, trims)
            }
        }
    }

    /// Without a name the offset stands for it.
    fn append_zone_name(&self, out: &mut Vec<u8>) {
        let name = self.zone.name_at(self.seconds);
        if name.is_empty() {
            self.append_offset(out, false, OffsetShape::Minutes);
        } else {
            out.extend_from_slice(name.as_bytes());
        }
    }

    fn append_offset(&self, out: &mut Vec<u8>, iso: bool, shape: OffsetShape) {
        let offset = i64::from(self.zone.offset_at(self.seconds));
        if iso && offset == 0 {
            out.push(b'Z');
            return;
        }
        let minutes = offset / 60;
        out.push(if minutes < 0 { b'-' } else { b'+' });
        number(out, minutes.abs() / 60, 2);
        if matches!(shape, OffsetShape::ColonMinutes | OffsetShape::ColonSeconds) {
            out.push(b':');
        }
        if shape != OffsetShape::Hours {
            number(out, minutes.abs() % 60, 2);
        }
        match shape {
            OffsetShape::ColonSeconds => {
                out.push(b':');
                number(out, offset.abs() % 60, 2);
            }
            OffsetShape::Seconds => number(out, offset.abs() % 60, 2),
            _ => {}
        }
    }

    fn append_fraction(&self, out: &mut Vec<u8>, digits: usize, separator: u8, trims: bool) {
        if trims && self.nanos == 0 {
            return;
        }
        let text = format!("{:09}", self.nanos);
        let mut shown = &text[..digits.min(9)];
        if trims {
            shown = shown.trim_end_matches('0');
            if shown.is_empty() {
                return;
            }
        }
        out.push(separator);
        out.extend_from_slice(shown.as_bytes());
    }
}

fn month(civil: &Civil) -> &'static str {
    MONTHS[(civil.month - 1) as usize]
}

fn weekday(civil: &Civil) -> &'static str {
    WEEKDAYS[civil.weekday() as usize]
}

/// With zeros up to the width; a sign comes before them and does not count.
fn number(out: &mut Vec<u8>, value: i64, width: usize) {
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(format!("{:0width$}", value.unsigned_abs()).as_bytes());
}
