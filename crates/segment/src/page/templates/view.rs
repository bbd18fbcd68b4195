//! Templates and columns for whoever wants to know parts of lines without having the lines.

use xxhash_rust::xxh3::xxh3_128;

use crate::page::templates::column::{Column, PLAIN, PREFIXED};
use crate::page::templates::decode::TemplateLines;
use crate::page::templates::joiner::Joiner;
use crate::page::templates::{Slot, SlotKind};

/// The lines of a chunk as templates and columns.
#[derive(Debug, Clone, Copy)]
pub struct Templates<'a>(pub(crate) &'a TemplateLines);

impl<'a> Templates<'a> {
    pub fn count(&self) -> usize {
        self.0.templates.len()
    }

    pub fn columns(&self) -> usize {
        self.0.columns.len()
    }

    /// The template of each row.
    pub fn of_rows(&self) -> &'a [u16] {
        &self.0.rows
    }

    /// What is before, between and behind the slots: one more than those. Panics if there is no such template.
    pub fn pieces(&self, template: usize) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.0.templates[template].pieces()
    }

    /// Stands for a template, also among those of other pages: no two that anybody will ever store share it.
    /// Panics if there is no such template.
    pub fn key(&self, template: usize) -> u128 {
        xxh3_128(&self.0.templates[template].text)
    }

    /// Panics if there is no such template.
    pub fn slots(&self, template: usize) -> impl ExactSizeIterator<Item = (SlotKind, usize)> + use<'a> {
        self.0.templates[template].slots.iter().map(|Slot { kind, column, .. }| (*kind, *column))
    }

    /// The values of one column, in the order of the rows whose templates have it; made the first time. Panics
    /// if there is no such column.
    pub fn values(&self, column: usize) -> SlotValues<'a> {
        SlotValues(self.0.columns[column].get())
    }
}

/// The values of a column. What is asked of a value that is not there panics.
#[derive(Debug, Clone, Copy)]
pub struct SlotValues<'a>(&'a Column);

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Digits {
    /// Without leading zeros.
    Plain,
    /// At least so many digits.
    Fixed(u8),
    /// What is behind the first digit of the number, which is 1.
    BehindOne,
}

impl<'a> SlotValues<'a> {
    /// All of them, if they are numbers.
    pub fn numbers(&self) -> Option<(Digits, &'a [u64])> {
        let Column::Numbers { form, values } = self.0 else { return None };
        let digits = match *form {
            PLAIN => Digits::Plain,
            PREFIXED => Digits::BehindOne,
            fixed => Digits::Fixed(fixed),
        };
        Some((digits, values))
    }

    /// What [`SlotValues::key`] means: keys of columns with one form are equal where the values are.
    pub fn form(&self) -> u32 {
        match self.0 {
            Column::Numbers { form, .. } => u32::from(*form),
            Column::Text(_) => 1 << 8,
            // Lines of a page are far below 2^31 bytes.
            Column::Hex { digits, .. } => 1 << 9 | (*digits as u32) << 10,
        }
    }

    /// Stands for the n-th value: no two that anybody will ever store in columns of one form share it.
    pub fn key(&self, n: usize) -> u128 {
        match self.0 {
            Column::Numbers { values, .. } => u128::from(values[n]),
            Column::Text(texts) => xxh3_128(texts.view().get(n)),
            Column::Hex { digits, bytes } => {
                let len = digits.div_ceil(2);
                let value = &bytes[n * len..(n + 1) * len];
                let mut key = [0; 16];
                match key.get_mut(..len) {
                    Some(start) => {
                        start.copy_from_slice(value);
                        u128::from_le_bytes(key)
                    }
                    None => xxh3_128(value),
                }
            }
        }
    }

    /// The text of the n-th value.
    pub fn append(&self, n: usize, out: &mut Vec<u8>) {
        let mut joiner = Joiner::new(self.0.most_bytes(n));
        self.0.put_value(n, &mut joiner);
        out.extend_from_slice(&joiner.finish());
    }
}
