//! Cuts a line into its template and the values of its slots.

use crate::page::templates::{DIGITS_MARK, HEX_MARK};

/// Kinds of bytes in a word.
const DIGIT: u8 = 1;
const HEX_LETTER: u8 = 2;
const OTHER: u8 = 4;

static KINDS: [u8; 256] = kinds();

const fn kinds() -> [u8; 256] {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' => HEX_LETTER,
            b'g'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => OTHER,
            _ => 0,
        };
        byte += 1;
    }
    kinds
}

/// Shorter words of hexadecimal digits are more often words or numbers with a unit.
const MIN_HEX: usize = 8;

/// Appends the template; `slots` gets the ranges of the values. The line has no bytes that are marks.
pub(super) fn split(line: &[u8], template: &mut Vec<u8>, slots: &mut Vec<(usize, usize)>) {
    slots.clear();
    let mut copied = 0;
    let mut at = 0;
    while at < line.len() {
        let start = at;
        let mut mask = KINDS[usize::from(line[at])];
        at += 1;
        if mask == 0 {
            continue;
        }
        while at < line.len() {
            let kind = KINDS[usize::from(line[at])];
            if kind == 0 {
                break;
            }
            mask |= kind;
            at += 1;
        }
        if mask & DIGIT == 0 {
            continue;
        }
        let is_hex = mask == DIGIT | HEX_LETTER && at - start >= MIN_HEX;
        if is_hex || mask == DIGIT {
            template.extend_from_slice(&line[copied..start]);
            template.push(if is_hex { HEX_MARK } else { DIGITS_MARK });
            slots.push((start, at));
            copied = at;
        } else {
            copied = split_mixed(line, copied, (start, at), template, slots);
        }
    }
    template.extend_from_slice(&line[copied..]);
}

/// Takes the runs of digits out of a word that has other bytes too; returns up to where the line is
/// copied then.
fn split_mixed(
    line: &[u8],
    mut copied: usize,
    (start, end): (usize, usize),
    template: &mut Vec<u8>,
    slots: &mut Vec<(usize, usize)>,
) -> usize {
    let mut at = start;
    while at < end {
        if !line[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let run = at;
        while at < end && line[at].is_ascii_digit() {
            at += 1;
        }
        template.extend_from_slice(&line[copied..run]);
        template.push(DIGITS_MARK);
        slots.push((run, at));
        copied = at;
    }
    copied
}
