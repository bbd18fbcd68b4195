//! A line of a form whose slots can be told in whatever is made of it.

use larch_types::{Labels, Timestamp};
use memchr::memmem;

use super::{FormPart, LineForm, SlotBytes, sign};
use crate::stage::Row;

/// The line, with a number in each slot that nothing else in it can be: digits and ids are in slots, so that
/// pieces have none.
#[derive(Debug)]
pub(super) struct Instance {
    line: Vec<u8>,
    /// The bytes of its slots.
    fills: Vec<Vec<u8>>,
    labels: Labels,
}

/// Begins every fill. The letters make an id of it.
const DIGITS_START: &str = "9070605";
const HEX_START: &str = "a9070605";
const START: &[u8] = b"9070605";

/// Digits of the slot's number, of which a page has fewer than a million.
const NUMBER_DIGITS: usize = 6;

impl Instance {
    pub(super) fn new(form: LineForm<'_>) -> Self {
        let mut instance = Self { line: Vec::new(), fills: Vec::new(), labels: Labels::default() };
        for (number, piece) in form.pieces.iter().enumerate() {
            instance.line.extend_from_slice(piece);
            let Some(slot) = form.slots.get(number) else { continue };
            let start = if *slot == SlotBytes::Hex { HEX_START } else { DIGITS_START };
            let fill = format!("{start}{number:0NUMBER_DIGITS$}").into_bytes();
            instance.line.extend_from_slice(&fill);
            instance.fills.push(fill);
        }
        instance
    }

    /// In a stream without labels.
    pub(super) fn load_into<'i>(&'i self, work: &mut Row<'i>) {
        work.load(&self.labels, Timestamp::EPOCH, &self.line);
    }

    pub(super) fn has_slot(&self, text: &[u8]) -> bool {
        memmem::find(text, START).is_some()
    }

    /// What of a value is text, and what is slots.
    pub(super) fn parts(&self, value: &[u8]) -> Vec<FormPart> {
        let (mut parts, mut rest) = (Vec::new(), value);
        while let Some((before, slot, behind)) = self.first_slot(rest) {
            if !before.is_empty() {
                parts.push(FormPart::Text(before.to_vec()));
            }
            parts.push(FormPart::Slot(slot));
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(FormPart::Text(rest.to_vec()));
        }
        parts
    }

    fn first_slot<'t>(&self, text: &'t [u8]) -> Option<(&'t [u8], u32, &'t [u8])> {
        let at = memmem::find(text, START)?;
        let digits = text.get(at + START.len()..at + START.len() + NUMBER_DIGITS)?;
        let slot = str::from_utf8(digits).ok()?.parse::<u32>().ok()?;
        let fill = self.fills.get(slot as usize)?;
        let start = (at + START.len() + NUMBER_DIGITS).checked_sub(fill.len())?;
        let behind = text[start..].strip_prefix(fill.as_slice())?;
        Some((&text[..start], slot, behind))
    }

    /// Other forms sign themselves differently.
    pub(super) fn sign(&self, signature: &mut Vec<u8>) {
        sign(signature, 6, &self.line);
    }
}
