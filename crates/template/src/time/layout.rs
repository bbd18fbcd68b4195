//! Go's layouts: an example date in which every part stands for itself.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperPm,
    LowerPm,
    ZoneName,
    Offset {
        /// `Z` in the place of a zero offset.
        iso: bool,
        shape: OffsetShape,
    },
    Fraction {
        digits: usize,
        separator: u8,
        /// Trailing zeros, or all of it, may be missing.
        trims: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OffsetShape {
    Hours,
    Minutes,
    ColonMinutes,
    Seconds,
    ColonSeconds,
}

/// The literal text before the first part, the part, and the layout behind it.
pub(super) fn next_part(layout: &[u8]) -> (&[u8], Option<Part>, &[u8]) {
    for start in 0..layout.len() {
        if let Some((part, skipped, len)) = part_at(&layout[start..]) {
            let at = start + skipped;
            return (&layout[..at], Some(part), &layout[at + len..]);
        }
    }
    (layout, None, b"")
}

/// A part here, the literal bytes before it, and its length.
fn part_at(text: &[u8]) -> Option<(Part, usize, usize)> {
    let found = |part: Part, len: usize| Some((part, 0, len));
    match text[0] {
        b'J' if text.starts_with(b"January") => found(Part::LongMonth, 7),
        b'J' if text.starts_with(b"Jan") && !starts_lower(&text[3..]) => found(Part::Month, 3),
        b'M' if text.starts_with(b"Monday") => found(Part::LongWeekday, 6),
        b'M' if text.starts_with(b"Mon") && !starts_lower(&text[3..]) => found(Part::Weekday, 3),
        b'M' if text.starts_with(b"MST") => found(Part::ZoneName, 3),
        b'0' => zero_part(text),
        b'1' if text.starts_with(b"15") => found(Part::Hour, 2),
        b'1' => found(Part::NumMonth, 1),
        b'2' if text.starts_with(b"2006") => found(Part::LongYear, 4),
        b'2' => found(Part::Day, 1),
        // An underscore before a whole year is literal.
        b'_' if text.starts_with(b"_2006") => Some((Part::LongYear, 1, 4)),
        b'_' if text.starts_with(b"_2") => found(Part::UnderDay, 2),
        b'_' if text.starts_with(b"__2") => found(Part::UnderYearDay, 3),
        b'3' => found(Part::Hour12, 1),
        b'4' => found(Part::Minute, 1),
        b'5' => found(Part::Second, 1),
        b'P' if text.starts_with(b"PM") => found(Part::UpperPm, 2),
        b'p' if text.starts_with(b"pm") => found(Part::LowerPm, 2),
        b'-' => offset_part(text, false),
        b'Z' => offset_part(text, true),
        b'.' | b',' => fraction_part(text),
        _ => None,
    }
}

fn starts_lower(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_lowercase)
}

fn zero_part(text: &[u8]) -> Option<(Part, usize, usize)> {
    let part = match text.get(1)? {
        b'1' => Part::ZeroMonth,
        b'2' => Part::ZeroDay,
        b'3' => Part::ZeroHour12,
        b'4' => Part::ZeroMinute,
        b'5' => Part::ZeroSecond,
        b'6' => Part::Year,
        b'0' if text.get(2) == Some(&b'2') => return Some((Part::ZeroYearDay, 0, 3)),
        _ => return None,
    };
    Some((part, 0, 2))
}

fn offset_part(text: &[u8], iso: bool) -> Option<(Part, usize, usize)> {
    let tail = &text[1..];
    let (shape, len) = if tail.starts_with(b"070000") {
        (OffsetShape::Seconds, 7)
    } else if tail.starts_with(b"07:00:00") {
        (OffsetShape::ColonSeconds, 9)
    } else if tail.starts_with(b"0700") {
        (OffsetShape::Minutes, 5)
    } else if tail.starts_with(b"07:00") {
        (OffsetShape::ColonMinutes, 6)
    } else if tail.starts_with(b"07") {
        (OffsetShape::Hours, 3)
    } else {
        return None;
    };
    Some((Part::Offset { iso, shape }, 0, len))
}

/// A point or comma with only zeros or only nines behind it.
fn fraction_part(text: &[u8]) -> Option<(Part, usize, usize)> {
    let digit = *text.get(1).filter(|b| matches!(b, b'0' | b'9'))?;
    let digits = text[1..].iter().take_while(|b| **b == digit).count();
    if text.get(1 + digits).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    Some((Part::Fraction { digits, separator: text[0], trims: digit == b'9' }, 0, 1 + digits))
}
