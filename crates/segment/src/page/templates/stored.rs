//! A column as the page has it. It is checked when the page is read, and its values are made when somebody
//! first asks for one: most queries look at one column of many.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::compress::Decoder;
use crate::error::{Corrupt, Section};
use crate::pack::{packed_len, unpack, width_of};
use crate::page::lines::DecodedPlain;
use crate::page::templates::SlotKind;
use crate::page::templates::column::{
    Column, ENTRIES, HEX, MAX_DIGITS, MAX_ENTRIES, PACKED, PREFIXED, RUNS, TEXT, longest_number,
};
use crate::wire::Cursor;

#[derive(Debug)]
pub(super) struct StoredColumn {
    count: usize,
    stored: Stored,
    values: OnceLock<Column>,
}

/// Everything in it is in its range.
#[derive(Debug)]
enum Stored {
    Packed { form: u8, least: u64, width: u32, bytes: Bytes },
    Entries { form: u8, known: Vec<u64>, width: u32, bytes: Bytes },
    Runs { form: u8, runs: Vec<(u64, u32)> },
    Hex { digits: usize },
    Text,
}

impl StoredColumn {
    /// `page` is where the cursor reads.
    pub(super) fn read(
        cursor: &mut Cursor<'_>,
        page: &Bytes,
        count: usize,
        decoder: &mut Decoder,
    ) -> Result<Self, Corrupt> {
        let column = |stored| Self { count, stored, values: OnceLock::new() };
        match cursor.u8()? {
            HEX => {
                let digits = cursor.at_most(2 * cursor.remaining())?.max(1);
                let len = digits.div_ceil(2).checked_mul(count).ok_or(cursor.corrupt("ids are too long"))?;
                let bytes = page.slice_ref(cursor.take(len)?);
                let values = OnceLock::from(Column::Hex { digits, bytes });
                Ok(Self { count, stored: Stored::Hex { digits }, values })
            }
            TEXT => {
                let mut part = Cursor::new(cursor.bytes()?, Section::Lines);
                let joined = decoder.blob(&mut part)?.into_owned();
                let texts = DecodedPlain::separated(joined, count, Section::Lines)?;
                Ok(Self { count, stored: Stored::Text, values: OnceLock::from(Column::Text(texts)) })
            }
            way => {
                let form = cursor.u8()?;
                if form as usize > MAX_DIGITS && form != PREFIXED {
                    return Err(cursor.corrupt("unknown form of numbers"));
                }
                read_numbers((way, form), cursor, page, count).map(column)
            }
        }
    }

    /// Its values, made the first time.
    pub(super) fn get(&self) -> &Column {
        self.values.get_or_init(|| self.decode())
    }

    fn decode(&self) -> Column {
        let mut values = Vec::with_capacity(self.count);
        let form = match &self.stored {
            Stored::Packed { form, least, width, bytes } => {
                unpack(bytes, *width, self.count, |value| values.push(least.wrapping_add(value)));
                *form
            }
            Stored::Entries { form, known, width, bytes } => {
                let last = known.len().saturating_sub(1);
                let value = |place: u64| known.get((place as usize).min(last)).copied().unwrap_or(0);
                unpack(bytes, *width, self.count, |place| values.push(value(place)));
                *form
            }
            Stored::Runs { form, runs } => {
                for (value, len) in runs {
                    values.resize(values.len() + *len as usize, *value);
                }
                *form
            }
            // These two are there from the start.
            Stored::Hex { .. } | Stored::Text => 0,
        };
        Column::Numbers { form, values }
    }

    /// All values together have no more bytes, as far as can be told without making them.
    pub(super) fn at_most(&self) -> usize {
        match &self.stored {
            Stored::Packed { form, least, width, .. } => {
                let widest = u64::MAX.checked_shr(64 - width).unwrap_or(0);
                longest_number(*form, least.checked_add(widest).unwrap_or(u64::MAX)) * self.count
            }
            Stored::Entries { form, known, .. } => {
                longest_number(*form, known.iter().copied().max().unwrap_or(0)) * self.count
            }
            Stored::Runs { form, runs } => {
                longest_number(*form, runs.iter().map(|(value, _)| *value).max().unwrap_or(0)) * self.count
            }
            Stored::Hex { .. } | Stored::Text => self.get().longest(),
        }
    }

    /// Whether any value that is related to the text so could be in the column, by what is known of all.
    pub(super) fn can_hold(&self, text: &[u8], is_all_of_it: bool) -> bool {
        match &self.stored {
            // Sixty-four bits have twenty digits.
            Stored::Packed { .. } | Stored::Entries { .. } | Stored::Runs { .. } => {
                text.len() <= 20 && SlotKind::Digits.run(text) == text.len()
            }
            Stored::Hex { digits } if is_all_of_it => text.len() == *digits,
            Stored::Hex { digits } => text.len() <= *digits,
            Stored::Text => true,
        }
    }
}

fn read_numbers(
    (way, form): (u8, u8),
    cursor: &mut Cursor<'_>,
    page: &Bytes,
    count: usize,
) -> Result<Stored, Corrupt> {
    match way {
        PACKED => {
            let least = cursor.varint()?;
            let width = u32::from(cursor.u8()?);
            if width > 64 {
                return Err(cursor.corrupt("a width is out of range"));
            }
            let bytes = page.slice_ref(cursor.take(packed_len(count, width))?);
            Ok(Stored::Packed { form, least, width, bytes })
        }
        ENTRIES => {
            let entries = cursor.count()?;
            let mut known = Vec::with_capacity(entries.min(MAX_ENTRIES));
            for _ in 0..entries {
                known.push(cursor.varint()?);
            }
            let width = width_of(entries.saturating_sub(1) as u64);
            let bytes = page.slice_ref(cursor.take(packed_len(count, width))?);
            let mut last = 0;
            // Where all places that fit the width are entries there is nothing to check.
            if entries != 1 << width {
                unpack(&bytes, width, count, |place| last = last.max(place));
            }
            if count > 0 && last >= entries as u64 {
                return Err(cursor.corrupt("an entry is out of range"));
            }
            Ok(Stored::Entries { form, known, width, bytes })
        }
        RUNS => {
            let (mut value, mut left, mut runs) = (0_u64, count, Vec::new());
            for _ in 0..cursor.count()? {
                value = value.wrapping_add(cursor.signed()? as u64);
                let len = cursor.at_most(left)?;
                left -= len;
                // Values of a page are far fewer than 2^32.
                runs.push((value, len as u32));
            }
            if left > 0 {
                return Err(cursor.corrupt("the runs do not cover the rows"));
            }
            Ok(Stored::Runs { form, runs })
        }
        _ => Err(cursor.corrupt("unknown kind of column")),
    }
}
