//! Lines of few forms: each line's *template* is what is left when its numbers and hexadecimal ids are
//! taken out; those lie in columns of their own. Request logs take half of what zstd makes of them, and
//! a search looks at the templates and at the one column that the needle can be in.
//!
//! `codec · bytes of blob((template · NUL)*) · bytes of blob(template of each row: u8, or u16 if there
//! are more than 256) · columns`. In a template byte 1 stands for digits, byte 2 for a hexadecimal word.
//!
//! Columns are not listed: going through the templates in order and through the slots of each, a slot
//! has the column of an earlier one if kind, number in the template and up to 8 bytes before it are the
//! same, else the next. Values of a column lie in the order of rows; see column.rs.

mod column;
mod decode;
mod encode;
mod joiner;
mod search;
mod split;
mod stored;
mod view;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use memchr::memchr2_iter;

pub(crate) use decode::{TemplateLines, decode};
pub(crate) use encode::{Choice, encode};
pub use view::{Digits, SlotValues, Templates};

/// Stand for slots in a template. Lines that have such bytes themselves are not split.
const DIGITS_MARK: u8 = 1;
const HEX_MARK: u8 = 2;

/// What becomes known while lines are split: templates in their order, each before its first line.
#[derive(Clone, Copy)]
pub(crate) enum Split<'a> {
    Template(&'a [u8]),
    Line { line: &'a [u8], template: usize, slots: &'a [(usize, usize)] },
}

pub(crate) const fn is_mark(byte: u8) -> bool {
    SlotKind::of_mark(byte).is_some()
}

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotKind {
    /// A longest run of digits.
    Digits,
    /// A whole word of digits and letters a to f, both, of eight bytes or more.
    Hex,
}

impl SlotKind {
    const fn of_mark(mark: u8) -> Option<Self> {
        match mark {
            DIGITS_MARK => Some(Self::Digits),
            HEX_MARK => Some(Self::Hex),
            _ => None,
        }
    }

    const fn holds(self, byte: u8) -> bool {
        byte.is_ascii_digit() || (matches!(self, Self::Hex) && matches!(byte, b'a'..=b'f'))
    }

    /// Bytes at the front that can be in such a slot. What follows a slot in a line cannot.
    fn run(self, text: &[u8]) -> usize {
        text.iter().take_while(|byte| self.holds(**byte)).count()
    }
}

/// A template: pieces of text with slots between them, one fewer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Template {
    /// With a mark for each slot.
    text: Vec<u8>,
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    kind: SlotKind,
    column: usize,
    /// Place of the mark in the text.
    at: u32,
}

/// Bytes before a slot that say what it is.
const CONTEXT: usize = 8;

/// Bytes of all templates, columns, and values of all columns, that a page may have: far more than any
/// page that pays, and few enough that nobody can make a reader take gigabytes for them.
const MAX_TEMPLATE_BYTES: usize = 1 << 20;
const MAX_COLUMNS: usize = 4096;
const MAX_VALUES: usize = 2 << 20;

/// Gives each slot of each template its column.
#[derive(Default)]
struct ColumnPlan {
    columns: HashMap<ColumnKey, usize, BuildHasherDefault<Mixed>>,
    kinds: Vec<SlotKind>,
}

/// Kind and number of a slot, and the bytes before it with their length.
#[derive(PartialEq, Eq)]
struct ColumnKey(u128);

impl ColumnKey {
    /// Templates have far fewer than 2^32 slots.
    fn new(kind: SlotKind, number: usize, before: &[u8]) -> Self {
        let mut context = [0; CONTEXT];
        context[..before.len()].copy_from_slice(before);
        let rest = (number as u64) << 8 | (before.len() as u64) << 1 | u64::from(kind == SlotKind::Hex);
        Self(u128::from(rest) << 64 | u128::from(u64::from_le_bytes(context)))
    }
}

impl Hash for ColumnKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0 as u64);
        state.write_u64((self.0 >> 64) as u64);
    }
}

/// Every slot of every page is looked up. Whoever makes keys that collide makes a slow page of his own.
#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u64(&mut self, number: u64) {
        // The odd number nearest to 2^64 divided by the golden ratio.
        self.0 = (self.0.rotate_left(26) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl ColumnPlan {
    fn template(&mut self, text: &[u8]) -> Template {
        let mut template = Template { text: text.to_vec(), slots: Vec::new() };
        let mut piece_start = 0;
        for at in memchr2_iter(DIGITS_MARK, HEX_MARK, text) {
            let Some(kind) = SlotKind::of_mark(text[at]) else { continue };
            let piece = &text[piece_start..at];
            let context = &piece[piece.len().saturating_sub(CONTEXT)..];
            let column = self.column(kind, template.slots.len(), context);
            // All templates together have at most a megabyte.
            template.slots.push(Slot { kind, column, at: at as u32 });
            piece_start = at + 1;
        }
        template
    }

    fn column(&mut self, kind: SlotKind, number: usize, context: &[u8]) -> usize {
        let next = self.kinds.len();
        let column = *self.columns.entry(ColumnKey::new(kind, number, context)).or_insert(next);
        if column == next {
            self.kinds.push(kind);
        }
        column
    }
}

impl Template {
    /// Bytes of all pieces.
    fn text_len(&self) -> usize {
        self.text.len() - self.slots.len()
    }

    /// There is one more than slots.
    fn piece(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).map_or(0, |before| self.slots[before].at as usize + 1);
        let end = self.slots.get(number).map_or(self.text.len(), |slot| slot.at as usize);
        &self.text[start..end]
    }

    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        (0..=self.slots.len()).map(|number| self.piece(number))
    }
}

#[cfg(test)]
mod tests;
