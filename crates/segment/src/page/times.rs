//! Timestamps: divided by what divides them all, then differences in blocks of 128, bit-packed; the few
//! that are much wider than their block keep their high bits aside.
//!
//! `codec · first i64 · scale varint · blocks`, each block
//! `width u8 · exceptions u8 · packed low bits · (place u8 · high bits varint)*`.

use crate::error::{Corrupt, Section};
use crate::pack::{pack, packed_len, unpack, width_of};
use crate::page::codec;
use crate::wire::{Cursor, put_varint, varint_len};

/// A block's width follows its own values; 128 of them make the two bytes before it cheap.
const BLOCK: usize = 128;

/// In the order of rows; rows of several streams lie one stream behind the other, so differences wrap.
pub(crate) fn encode(times: &[i64]) -> Vec<u8> {
    let first = times.iter().copied().min().unwrap_or(0);
    let offsets: Vec<u64> = times.iter().map(|time| time.wrapping_sub(first) as u64).collect();
    let scale = common_divisor(&offsets);
    let mut out = vec![codec::TIMES];
    out.extend_from_slice(&first.to_le_bytes());
    put_varint(&mut out, scale);
    let mut previous = 0_u64;
    let mut block = Vec::with_capacity(BLOCK);
    for offsets in offsets.chunks(BLOCK) {
        block.clear();
        for offset in offsets {
            let value = offset / scale;
            block.push(value.wrapping_sub(previous));
            previous = value;
        }
        put_block(&mut out, &block);
    }
    out
}

pub(crate) fn decode(page: &[u8], rows: usize) -> Result<Vec<i64>, Corrupt> {
    let mut cursor = Cursor::new(page, Section::Times);
    if cursor.u8()? != codec::TIMES {
        return Err(cursor.corrupt("unknown codec"));
    }
    let first = i64::from_le_bytes(cursor.array()?);
    let scale = cursor.varint()?;
    let mut times = Vec::with_capacity(rows);
    let mut block = Vec::with_capacity(BLOCK);
    let mut previous = 0_u64;
    while times.len() < rows {
        block.clear();
        read_block(&mut cursor, BLOCK.min(rows - times.len()), &mut block)?;
        for delta in &block {
            previous = previous.wrapping_add(*delta);
            times.push(first.wrapping_add(previous.wrapping_mul(scale) as i64));
        }
    }
    cursor.finish()?;
    Ok(times)
}

/// The largest number that divides all; 1 if they are all zero.
fn common_divisor(values: &[u64]) -> u64 {
    let mut divisor = 0;
    for value in values {
        let (mut a, mut b) = (divisor, *value);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        divisor = a;
        if divisor == 1 {
            break;
        }
    }
    divisor.max(1)
}

fn put_block(out: &mut Vec<u8>, block: &[u64]) {
    let width = best_width(block);
    let low = low_mask(width);
    let exceptions = block.iter().filter(|value| **value > low).count();
    out.push(width as u8);
    out.push(exceptions as u8);
    pack(block.iter().map(|value| value & low), width, out);
    for (place, value) in block.iter().enumerate() {
        if *value > low {
            out.push(place as u8);
            put_varint(out, value >> width);
        }
    }
}

fn read_block(cursor: &mut Cursor<'_>, count: usize, block: &mut Vec<u64>) -> Result<(), Corrupt> {
    let width = u32::from(cursor.u8()?);
    let exceptions = usize::from(cursor.u8()?);
    if width > 64 || exceptions > count {
        return Err(cursor.corrupt("a block's head is out of range"));
    }
    unpack(cursor.take(packed_len(count, width))?, width, count, |value| block.push(value));
    for _ in 0..exceptions {
        let place = usize::from(cursor.u8()?);
        let high = cursor.varint()?;
        match block.get_mut(place) {
            Some(value) if width < 64 => *value |= high << width,
            _ => return Err(cursor.corrupt("an exception is out of place")),
        }
    }
    Ok(())
}

const fn low_mask(width: u32) -> u64 {
    if width == 0 { 0 } else { u64::MAX >> (64 - width) }
}

/// The width with the fewest bytes, exceptions included.
fn best_width(block: &[u64]) -> u32 {
    let mut counts = [0_usize; 65];
    for value in block {
        counts[width_of(*value) as usize] += 1;
    }
    let widest = counts.iter().rposition(|count| *count > 0).unwrap_or(0) as u32;
    let mut best = (usize::MAX, widest);
    for width in 0..=widest {
        let mut bytes = packed_len(block.len(), width);
        for wider in width + 1..=widest {
            bytes += counts[wider as usize] * (1 + varint_len(1 << (wider - width - 1)));
        }
        if bytes < best.0 {
            best = (bytes, width);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(times: &[i64]) -> usize {
        let page = encode(times);
        assert_eq!(decode(&page, times.len()).unwrap(), times);
        page.len()
    }

    #[test]
    fn regular_times_cost_little() {
        let seconds: Vec<i64> = (0..1000).map(|i| 1_790_812_800_000_000_000 + i * 1_000_000_000).collect();
        assert!(check(&seconds) < 180);
        assert!(check(&[i64::MIN, i64::MAX, 0, -1, 0, 5]) < 100);
        check(&[]);
        check(&[7; 300]);
    }

    proptest! {
        #[test]
        fn times_come_back(times in prop::collection::vec(any::<i64>(), 0..400), shift in 0_u32..63) {
            let times: Vec<i64> = times.iter().map(|time| time >> shift).collect();
            check(&times);
        }
    }
}
