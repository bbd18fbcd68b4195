//! The values of one column of slots.
//!
//! Numbers: `0 · form u8 · least varint · width u8 · packed differences to it`, or `1 · form · entries
//! varint · entry varint* · packed places of entries`, or `2 · form · runs varint · (step to the value
//! signed · rows varint)*`. The form says how a number is written: 0 without leading zeros, 1 to 18 with
//! so many digits, 255 by its digits behind a leading 1 that is not written.
//! Ids: `3 · digits varint · bytes, two digits each`, the last half byte of an odd length zero.
//! Anything else: `4 · bytes of blob((value · NUL)*)`.

use bytes::Bytes;

use crate::compress::Encoder;
use crate::pack::{pack, packed_len, width_of};
use crate::page::lines::{DecodedPlain, SEPARATOR};
use crate::page::templates::SlotKind;
use crate::page::templates::joiner::{BLOCK, Joiner};
use crate::wire::{put_bytes, put_signed, put_varint, varint_len, zigzag};

pub(super) const PACKED: u8 = 0;
pub(super) const ENTRIES: u8 = 1;
pub(super) const RUNS: u8 = 2;
pub(super) const HEX: u8 = 3;
pub(super) const TEXT: u8 = 4;

/// Forms of numbers besides the fixed numbers of digits.
pub(super) const PLAIN: u8 = 0;
pub(super) const PREFIXED: u8 = 255;

/// Of a number of sixty-four bits.
const MOST_DIGITS: usize = 20;

/// Longer ones do not fit 63 bits with a 1 before them.
pub(super) const MAX_DIGITS: usize = 18;

/// More entries take more bits a row than they save.
pub(super) const MAX_ENTRIES: usize = 16;

/// Values of slots one behind the other while they are collected.
#[derive(Default)]
pub(super) struct Values {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Values {
    pub(super) fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len() as u32);
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// As [`Column::longest`] will say, or more.
    pub(super) fn longest(&self) -> usize {
        self.iter().map(<[u8]>::len).max().unwrap_or(0) * self.ends.len()
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let value = &self.bytes[start..*end as usize];
            start = *end as usize;
            value
        })
    }

    pub(super) fn put(&self, kind: SlotKind, out: &mut Vec<u8>, encoder: &mut Encoder) {
        let is_put = match kind {
            SlotKind::Digits => self.put_numbers(out),
            SlotKind::Hex => self.put_hex(out),
        };
        if !is_put {
            let mut joined = Vec::with_capacity(self.bytes.len() + self.ends.len());
            for value in self.iter() {
                joined.extend_from_slice(value);
                joined.push(SEPARATOR);
            }
            let mut blob = Vec::new();
            encoder.put_blob(&mut blob, &joined);
            out.push(TEXT);
            put_bytes(out, &blob);
        }
    }

    fn put_numbers(&self, out: &mut Vec<u8>) -> bool {
        let Some(form) = self.form() else { return false };
        let mut numbers = Vec::with_capacity(self.ends.len());
        let start = u64::from(form == PREFIXED);
        for value in self.iter() {
            numbers.push(value.iter().fold(start, |number, digit| number * 10 + u64::from(digit - b'0')));
        }
        put_numbers(&numbers, form, out);
        true
    }

    /// None if a number is too long.
    fn form(&self) -> Option<u8> {
        let first = self.iter().next()?.len();
        let (mut is_plain, mut is_fixed) = (true, true);
        for value in self.iter() {
            if value.len() > MAX_DIGITS {
                return None;
            }
            is_plain &= value[0] != b'0' || value.len() == 1;
            is_fixed &= value.len() == first;
        }
        Some(if is_plain {
            PLAIN
        } else if is_fixed {
            first as u8
        } else {
            PREFIXED
        })
    }

    fn put_hex(&self, out: &mut Vec<u8>) -> bool {
        let Some(digits) = self.iter().next().map(<[u8]>::len) else { return false };
        if self.iter().any(|value| value.len() != digits) {
            return false;
        }
        out.push(HEX);
        put_varint(out, digits as u64);
        for value in self.iter() {
            for pair in value.chunks(2) {
                out.push(nibble(pair[0]) << 4 | pair.get(1).map_or(0, |digit| nibble(*digit)));
            }
        }
        true
    }
}

/// The digit is one of a slot.
const fn nibble(digit: u8) -> u8 {
    if digit <= b'9' { digit & 15 } else { digit - b'a' + 10 }
}

/// The shortest of the three ways.
fn put_numbers(numbers: &[u64], form: u8, out: &mut Vec<u8>) {
    let mut entries: Vec<u64> = Vec::with_capacity(MAX_ENTRIES);
    let (mut least, mut most) = (u64::MAX, 0);
    let (mut runs, mut run_bytes, mut previous) = (0_u64, 0, None);
    let mut has_few = true;
    for number in numbers {
        least = least.min(*number);
        most = most.max(*number);
        if previous == Some(*number) {
            continue;
        }
        runs += 1;
        run_bytes += 1 + varint_len(zigzag(number.wrapping_sub(previous.unwrap_or(0)) as i64));
        previous = Some(*number);
        if has_few && !entries.contains(number) {
            has_few = entries.len() < MAX_ENTRIES;
            if has_few {
                entries.push(*number);
            }
        }
    }
    let width = width_of(most.saturating_sub(least));
    let packed_bytes = packed_len(numbers.len(), width);
    let entry_width = width_of(entries.len().saturating_sub(1) as u64);
    let entry_bytes = packed_len(numbers.len(), entry_width) + entries.len() * 3;
    if run_bytes < packed_bytes && (!has_few || run_bytes < entry_bytes) {
        out.extend_from_slice(&[RUNS, form]);
        put_varint(out, runs);
        put_runs(numbers, out);
    } else if has_few && entry_bytes < packed_bytes {
        out.extend_from_slice(&[ENTRIES, form]);
        put_varint(out, entries.len() as u64);
        for entry in &entries {
            put_varint(out, *entry);
        }
        let place = |number: &u64| entries.iter().position(|entry| entry == number).unwrap_or(0) as u64;
        pack(numbers.iter().map(place), entry_width, out);
    } else {
        out.extend_from_slice(&[PACKED, form]);
        put_varint(out, least);
        out.push(width as u8);
        pack(numbers.iter().map(|number| number - least), width, out);
    }
}

fn put_runs(numbers: &[u64], out: &mut Vec<u8>) {
    let mut previous = 0_u64;
    for run in numbers.chunk_by(|a, b| a == b) {
        put_signed(out, run[0].wrapping_sub(previous) as i64);
        put_varint(out, run.len() as u64);
        previous = run[0];
    }
}

/// A column that was decoded.
#[derive(Debug)]
pub(super) enum Column {
    Numbers { form: u8, values: Vec<u64> },
    Hex { digits: usize, bytes: Bytes },
    Text(DecodedPlain),
}

impl Column {
    /// All values together have no more bytes: as many as if each were as long as the longest.
    pub(super) fn longest(&self) -> usize {
        match self {
            Self::Numbers { form, values } => {
                longest_number(*form, values.iter().copied().max().unwrap_or(0)) * values.len()
            }
            Self::Hex { digits, .. } => digits * self.len(),
            Self::Text(texts) => texts.view().buffer().len(),
        }
    }

    /// The n-th value has no more.
    pub(super) fn most_bytes(&self, n: usize) -> usize {
        match self {
            Self::Numbers { .. } => MOST_DIGITS,
            Self::Hex { digits, .. } => *digits,
            Self::Text(texts) => texts.view().get(n).len(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Numbers { values, .. } => values.len(),
            Self::Hex { digits, bytes } => bytes.len().checked_div(digits.div_ceil(2)).unwrap_or(0),
            Self::Text(texts) => texts.view().len(),
        }
    }

    /// All values as lines.
    pub(super) fn joined(&self) -> DecodedPlain {
        let mut out = Joiner::new(self.longest() + self.len());
        let mut starts = Vec::with_capacity(self.len() + 1);
        starts.push(0);
        for n in 0..self.len() {
            self.put_value(n, &mut out);
            out.put(&[SEPARATOR]);
            starts.push(out.len() as u32);
        }
        DecodedPlain::joined(out.finish(), starts)
    }

    /// The n-th value.
    pub(super) fn put_value(&self, n: usize, out: &mut Joiner) {
        match self {
            Self::Numbers { form, values } => put_number(values[n], *form, out),
            Self::Hex { digits, bytes } => {
                let len = digits / 2;
                let value = &bytes[n * digits.div_ceil(2)..];
                for (pair, byte) in out.room(2 * len).chunks_exact_mut(2).zip(value) {
                    pair.copy_from_slice(&HEX_PAIRS[usize::from(*byte)]);
                }
                if digits % 2 == 1 {
                    out.put(&HEX_PAIRS[usize::from(value[len])][..1]);
                }
            }
            Self::Text(texts) => out.put(texts.view().get(n)),
        }
    }
}

/// Digits of the longest number of a form, if none is greater than `most`.
pub(super) fn longest_number(form: u8, most: u64) -> usize {
    let digits = most.checked_ilog10().unwrap_or(0) as usize + 1;
    match form {
        PLAIN => digits,
        PREFIXED => digits - 1,
        fixed => digits.max(usize::from(fixed)),
    }
}

/// Two digits for every byte.
static HEX_PAIRS: [[u8; 2]; 256] = hex_pairs();

const fn hex_pairs() -> [[u8; 2]; 256] {
    let digits = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    pairs
}

/// Two digits for every number below a hundred.
static DECIMAL_PAIRS: [[u8; 2]; 100] = decimal_pairs();

const fn decimal_pairs() -> [[u8; 2]; 100] {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
}

fn put_number(value: u64, form: u8, out: &mut Joiner) {
    if form <= 4 && value < 10_000 {
        put_short_number(value as usize, form, out);
        return;
    }
    let mut digits = [b'0'; MOST_DIGITS];
    let mut start = digits.len();
    let mut left = value;
    while left >= 100 {
        start -= 2;
        digits[start..start + 2].copy_from_slice(&DECIMAL_PAIRS[(left % 100) as usize]);
        left /= 100;
    }
    start -= 2;
    digits[start..start + 2].copy_from_slice(&DECIMAL_PAIRS[left as usize]);
    start += usize::from(left < 10);
    match form {
        PLAIN => {}
        PREFIXED => start += 1,
        fixed => start = start.min(digits.len() - usize::from(fixed)),
    }
    out.put(&digits[start..]);
}

/// Below ten thousand: the four digits are the end of a block that begins where they are wanted.
fn put_short_number(value: usize, form: u8, out: &mut Joiner) {
    let [a, b] = DECIMAL_PAIRS[value / 100];
    let [c, d] = DECIMAL_PAIRS[value % 100];
    let least = if form == PLAIN { 1 } else { usize::from(form) };
    let len =
        (1 + usize::from(value >= 10) + usize::from(value >= 100) + usize::from(value >= 1000)).max(least);
    let digits = u32::from_le_bytes([a, b, c, d]) >> (8 * (4 - len));
    let mut block = [0; BLOCK];
    block[..4].copy_from_slice(&digits.to_le_bytes());
    out.put_start(&block, len);
}
