//! The sample of a row from the slots that its label's text is made of.

use larch_logql::{FormPart, FormReader};
use larch_segment::{Digits, SlotValues};

/// A column, and the place of its next value.
#[derive(Debug)]
pub(crate) struct ReadColumn<'c> {
    pub(crate) column: usize,
    pub(crate) values: SlotValues<'c>,
    /// The values, if they are numbers.
    pub(crate) numbers: Option<(Digits, &'c [u64])>,
    pub(crate) next: usize,
}

impl<'c> ReadColumn<'c> {
    pub(crate) fn new(column: usize, values: SlotValues<'c>) -> Self {
        Self { column, values, numbers: values.numbers(), next: 0 }
    }

    /// The next value, if it is a number.
    pub(crate) fn number(&self) -> Option<u64> {
        self.numbers.map(|(_, values)| values[self.next])
    }
}

/// Where the text comes from. Columns are by their places among those that are read.
#[derive(Debug)]
pub(crate) enum FormValue {
    /// Digits, or digits, a point and digits.
    Number {
        is_negative: bool,
        whole: usize,
        fraction: Option<usize>,
    },
    Text(Vec<ValuePart>),
}

#[derive(Debug)]
pub(crate) enum ValuePart {
    Text(Vec<u8>),
    Column(usize),
}

/// Above it not every whole number is a floating-point number. Below it one division of a number by a power of
/// ten, up to the 22nd, rounds as reading the text does.
const MAX_EXACT: u64 = 1 << 53;
const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

impl FormValue {
    pub(crate) fn new(
        reader: &FormReader,
        parts: &[FormPart],
        place_of: &mut dyn FnMut(u32) -> usize,
    ) -> Self {
        if reader.value_is_number() {
            let (is_negative, unsigned) = match parts {
                [FormPart::Text(sign), unsigned @ ..] if sign == b"-" => (true, unsigned),
                _ => (false, parts),
            };
            match unsigned {
                [FormPart::Slot(whole)] => {
                    return Self::Number { is_negative, whole: place_of(*whole), fraction: None };
                }
                [FormPart::Slot(whole), FormPart::Text(point), FormPart::Slot(fraction)] if point == b"." => {
                    let (whole, fraction) = (place_of(*whole), Some(place_of(*fraction)));
                    return Self::Number { is_negative, whole, fraction };
                }
                _ => {}
            }
        }
        let mut placed = Vec::with_capacity(parts.len());
        for part in parts {
            placed.push(match part {
                FormPart::Text(text) => ValuePart::Text(text.clone()),
                FormPart::Slot(slot) => ValuePart::Column(place_of(*slot)),
            });
        }
        Self::Text(placed)
    }

    /// Of the row that is next; none if its text makes an error. `text` is a buffer.
    pub(crate) fn sample(
        &self,
        reader: &FormReader,
        columns: &[ReadColumn<'_>],
        text: &mut Vec<u8>,
    ) -> Option<f64> {
        text.clear();
        let put = |place: usize, text: &mut Vec<u8>| {
            let column = &columns[place];
            column.values.append(column.next, text);
        };
        match self {
            Self::Number { is_negative, whole, fraction } => {
                let number = exact(&columns[*whole], fraction.map(|place| &columns[place]));
                if let Some(number) = number {
                    return Some(if *is_negative { -number } else { number });
                }
                text.extend_from_slice(if *is_negative { b"-" } else { b"" });
                put(*whole, text);
                if let Some(fraction) = fraction {
                    text.push(b'.');
                    put(*fraction, text);
                }
            }
            Self::Text(parts) => {
                for part in parts {
                    match part {
                        ValuePart::Text(part) => text.extend_from_slice(part),
                        ValuePart::Column(place) => put(*place, text),
                    }
                }
            }
        }
        reader.value_of(text)
    }
}

/// What the text comes to, if that can be told without reading it.
fn exact(whole: &ReadColumn<'_>, fraction: Option<&ReadColumn<'_>>) -> Option<f64> {
    let (whole, _) = digits(whole)?;
    let (fraction, digits) = fraction.map_or(Some((0, 0)), digits)?;
    let scale = *POWERS.get(digits as usize)?;
    // Both factors are whole numbers below 2^63.
    let number = whole.checked_mul(scale as u64)?.checked_add(fraction)?;
    (number < MAX_EXACT).then(|| number as f64 / scale)
}

/// The number that the digits are, and how many they are.
fn digits(column: &ReadColumn<'_>) -> Option<(u64, u32)> {
    let (form, values) = column.numbers?;
    let value = values[column.next];
    let len = value.checked_ilog10().unwrap_or(0) + 1;
    Some(match form {
        Digits::Plain => (value, len),
        Digits::Fixed(least) => (value, len.max(least.into())),
        Digits::BehindOne if len == 1 => return None,
        Digits::BehindOne => (value.checked_sub(10_u64.pow(len - 1))?, len - 1),
    })
}
