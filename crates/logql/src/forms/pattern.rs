//! When the `pattern` parser cannot tell slots' contents apart: when no literal can lie over a slot, so that
//! it is found at the same place in all lines.

use super::{LineForm, SlotBytes};
use crate::pattern::{Pattern, PatternPart};

pub(super) fn literals(pattern: &Pattern) -> Vec<Vec<u8>> {
    let mut literals = Vec::new();
    for part in pattern.parts() {
        if let PatternPart::Literal(text) = part {
            literals.push(text.clone());
        }
    }
    literals
}

pub(super) fn is_uniform(form: LineForm<'_>, literals: &[Vec<u8>]) -> bool {
    let has_ids = form.slots.contains(&SlotBytes::Hex);
    literals.iter().all(|literal| !can_lie_over(literal, has_ids))
}

/// Digits of a line are all in slots. An id is a whole word, and has no other letters beside it.
fn can_lie_over(literal: &[u8], has_ids: bool) -> bool {
    if literal.iter().any(u8::is_ascii_digit) {
        return true;
    }
    let is_of_id = |byte: &u8| matches!(byte, b'a'..=b'f');
    let is_of_word = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_' || *byte >= 0x80;
    has_ids
        && literal.split(|byte| !is_of_word(byte)).any(|word| !word.is_empty() && word.iter().all(is_of_id))
}
