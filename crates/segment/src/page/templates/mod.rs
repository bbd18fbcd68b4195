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
    pieces: Vec<Vec<u8>>,
    slots: Vec<Slot>,
    /// Bytes of all pieces.
    text_len: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    kind: SlotKind,
    column: usize,
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
    columns: HashMap<(SlotKind, usize, Vec<u8>), usize>,
    kinds: Vec<SlotKind>,
}

impl ColumnPlan {
    fn template(&mut self, text: &[u8]) -> Template {
        let mut template = Template { pieces: vec![Vec::new()], slots: Vec::new(), text_len: 0 };
        let mut piece_start = 0;
        for (at, byte) in text.iter().enumerate() {
            let Some(kind) = SlotKind::of_mark(*byte) else { continue };
            let piece = &text[piece_start..at];
            let context = piece[piece.len().saturating_sub(CONTEXT)..].to_vec();
            let column = self.column(kind, template.slots.len(), context);
            template.push_piece(piece);
            template.slots.push(Slot { kind, column });
            template.pieces.push(Vec::new());
            piece_start = at + 1;
        }
        template.push_piece(&text[piece_start..]);
        template
    }

    fn column(&mut self, kind: SlotKind, number: usize, context: Vec<u8>) -> usize {
        let next = self.kinds.len();
        let column = *self.columns.entry((kind, number, context)).or_insert(next);
        if column == next {
            self.kinds.push(kind);
        }
        column
    }
}

impl Template {
    /// Fills the last piece.
    fn push_piece(&mut self, text: &[u8]) {
        self.text_len += text.len();
        if let Some(last) = self.pieces.last_mut() {
            last.extend_from_slice(text);
        }
    }
}

#[cfg(test)]
mod tests;
