//! Numbers of one width, bit after bit: value 0 in the lowest bits of byte 0, and so on.

/// Bits that the value needs.
pub(crate) const fn width_of(value: u64) -> u32 {
    64 - value.leading_zeros()
}

/// Bytes that `count` values of `width` bits take.
pub(crate) const fn packed_len(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

/// Values must fit `width`, which is at most 64.
pub(crate) fn pack(values: impl IntoIterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    let mut pending = 0_u128;
    let mut bits = 0;
    for value in values {
        debug_assert!(width_of(value) <= width);
        pending |= u128::from(value) << bits;
        bits += width;
        if bits >= 64 {
            out.extend_from_slice(&(pending as u64).to_le_bytes());
            pending >>= 64;
            bits -= 64;
        }
    }
    let left = (bits as usize).div_ceil(8);
    out.extend_from_slice(&pending.to_le_bytes()[..left]);
}

/// `bytes` holds `packed_len(count, width)` bytes.
#[inline]
pub(crate) fn unpack(bytes: &[u8], width: u32, count: usize, mut each: impl FnMut(u64)) {
    if width == 0 {
        for _ in 0..count {
            each(0);
        }
        return;
    }
    let mask = u64::MAX >> (64 - width);
    for index in 0..count {
        each(read_at(bytes, index * width as usize, width) & mask);
    }
}

/// The bits from `bit` on, at least `width` of them; what lies behind the end reads as zero.
#[inline]
fn read_at(bytes: &[u8], bit: usize, width: u32) -> u64 {
    let at = bit / 8;
    let shift = (bit % 8) as u32;
    if shift + width <= 64
        && let Some(window) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>())
    {
        return u64::from_le_bytes(*window) >> shift;
    }
    let mut window = [0_u8; 16];
    for (to, from) in window.iter_mut().zip(bytes.get(at..).unwrap_or_default()) {
        *to = *from;
    }
    (u128::from_le_bytes(window) >> shift) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_come_back(values in prop::collection::vec(any::<u64>(), 0..300), width in 0_u32..=64) {
            let mask = if width == 0 { 0 } else { u64::MAX >> (64 - width) };
            let values: Vec<u64> = values.iter().map(|value| value & mask).collect();
            let mut bytes = Vec::new();
            pack(values.iter().copied(), width, &mut bytes);
            prop_assert_eq!(bytes.len(), packed_len(values.len(), width));
            let mut back = Vec::new();
            unpack(&bytes, width, values.len(), |value| back.push(value));
            prop_assert_eq!(back, values);
        }
    }
}
