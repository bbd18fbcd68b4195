//! Numbers in bytes: little-endian base-128 varints, zigzag for signed ones, and a reader of bytes that
//! nobody vouches for.

use crate::error::{Corrupt, Section};

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, zigzag(value));
}

/// Length, then the bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub(crate) const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Bytes that [`put_varint`] takes for the value.
pub(crate) const fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Reads forward. Every failure names the section that the bytes belong to.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    section: Section,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8], section: Section) -> Self {
        Self { bytes, section }
    }

    pub(crate) const fn corrupt(&self, what: &'static str) -> Corrupt {
        Corrupt::new(self.section, what)
    }

    pub(crate) const fn remaining(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Corrupt> {
        let (head, tail) = self.bytes.split_at_checked(len).ok_or(self.corrupt("it ends too early"))?;
        self.bytes = tail;
        Ok(head)
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let (head, tail) = self.bytes.split_first_chunk::<N>().ok_or(self.corrupt("it ends too early"))?;
        self.bytes = tail;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Corrupt> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u64_le(&mut self) -> Result<u64, Corrupt> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn u128_le(&mut self) -> Result<u128, Corrupt> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Corrupt> {
        let mut value = 0_u64;
        for (index, byte) in self.bytes.iter().take(10).enumerate() {
            let low = u64::from(byte & 0x7f);
            if index == 9 && low > 1 {
                return Err(self.corrupt("a number has more than 64 bits"));
            }
            value |= low << (7 * index);
            if byte & 0x80 == 0 {
                self.bytes = &self.bytes[index + 1..];
                return Ok(value);
            }
        }
        Err(self.corrupt("a number does not end"))
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Corrupt> {
        self.varint().map(unzigzag)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Corrupt> {
        u32::try_from(self.varint()?).map_err(|_| self.corrupt("a number has more than 32 bits"))
    }

    /// A number that may be at most `max`.
    pub(crate) fn at_most(&mut self, max: usize) -> Result<usize, Corrupt> {
        match usize::try_from(self.varint()?) {
            Ok(value) if value <= max => Ok(value),
            _ => Err(self.corrupt("a number is out of its range")),
        }
    }

    /// How many items follow, each of at least one byte: more cannot be there than bytes are left.
    pub(crate) fn count(&mut self) -> Result<usize, Corrupt> {
        self.at_most(self.remaining())
    }

    /// Length, then the bytes.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Corrupt> {
        let len = self.at_most(self.remaining())?;
        self.take(len)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Corrupt> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.corrupt("a text is not UTF-8"))
    }

    /// Nothing may be left.
    pub(crate) fn finish(&self) -> Result<(), Corrupt> {
        if self.bytes.is_empty() { Ok(()) } else { Err(self.corrupt("bytes are left over")) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(value in any::<u64>(), shift in 0_u32..64) {
            let value = value >> shift;
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            put_signed(&mut bytes, value as i64);
            prop_assert_eq!(varint_len(value) + varint_len(zigzag(value as i64)), bytes.len());
            let mut cursor = Cursor::new(&bytes, Section::Footer);
            prop_assert_eq!(cursor.varint(), Ok(value));
            prop_assert_eq!(cursor.signed(), Ok(value as i64));
            prop_assert_eq!(cursor.finish(), Ok(()));
        }
    }

    #[test]
    fn what_is_not_there_is_corrupt() {
        let endless = [0xff_u8; 11];
        assert!(Cursor::new(&endless, Section::Footer).varint().is_err());
        assert!(Cursor::new(&endless[..3], Section::Footer).varint().is_err());
        assert!(Cursor::new(&[200, 1, 0], Section::Footer).bytes().is_err());
        assert!(Cursor::new(&[1, 0xff], Section::Footer).text().is_err());
        assert!(Cursor::new(&[0], Section::Footer).finish().is_err());
    }
}
