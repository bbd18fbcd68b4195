//! A protobuf message, read field by field. What is read is slices of it.

use bytes::Bytes;

use super::DecodeError;

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
pub(super) const LENGTH_DELIMITED: u8 = 2;
const GROUP_START: u8 = 3;
const GROUP_END: u8 = 4;
const FIXED32: u8 = 5;

/// The fields of one message, one after another.
pub(super) struct Message {
    body: Bytes,
    at: usize,
}

fn truncated() -> DecodeError {
    DecodeError::invalid("proto: unexpected end of the message")
}

impl Message {
    pub(super) fn new(body: Bytes) -> Self {
        Self { body, at: 0 }
    }

    /// Number and wire type of the next field; `None` at the end.
    pub(super) fn key(&mut self) -> Result<Option<(u32, u8)>, DecodeError> {
        if self.at == self.body.len() {
            return Ok(None);
        }
        let key = self.varint()?;
        match u32::try_from(key) {
            Ok(key) if key >> 3 != 0 => Ok(Some((key >> 3, (key & 7) as u8))),
            _ => Err(DecodeError::invalid(format!("proto: illegal tag {key}"))),
        }
    }

    fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.body.get(self.at).ok_or_else(truncated)?;
            self.at += 1;
            // The tenth byte has room for one bit.
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::invalid("proto: integer overflow"))
    }

    pub(super) fn number(&mut self, wire: u8) -> Result<u64, DecodeError> {
        expect(wire, VARINT)?;
        self.varint()
    }

    pub(super) fn bytes(&mut self, wire: u8) -> Result<Bytes, DecodeError> {
        expect(wire, LENGTH_DELIMITED)?;
        let length = usize::try_from(self.varint()?).map_err(|_| truncated())?;
        let start = self.at;
        self.advance(length)?;
        Ok(self.body.slice(start..self.at))
    }

    pub(super) fn fixed64(&mut self, wire: u8) -> Result<u64, DecodeError> {
        expect(wire, FIXED64)?;
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn fixed32(&mut self, wire: u8) -> Result<u32, DecodeError> {
        expect(wire, FIXED32)?;
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let array = *self.body[self.at..].first_chunk().ok_or_else(truncated)?;
        self.at += N;
        Ok(array)
    }

    fn advance(&mut self, length: usize) -> Result<(), DecodeError> {
        let left = self.body.len() - self.at;
        if length > left {
            return Err(truncated());
        }
        self.at += length;
        Ok(())
    }

    /// Passes a field's value. Groups inside one another are counted and not recursed into.
    pub(super) fn skip(&mut self, mut wire: u8) -> Result<(), DecodeError> {
        let mut depth = 0_u32;
        loop {
            match wire {
                VARINT => drop(self.varint()?),
                FIXED64 => self.advance(8)?,
                LENGTH_DELIMITED => drop(self.bytes(wire)?),
                FIXED32 => self.advance(4)?,
                GROUP_START => depth += 1,
                GROUP_END if depth > 0 => depth -= 1,
                _ => return Err(DecodeError::invalid(format!("proto: illegal wireType {wire}"))),
            }
            if depth == 0 {
                return Ok(());
            }
            wire = self.key()?.ok_or_else(truncated)?.1;
        }
    }
}

fn expect(wire: u8, wanted: u8) -> Result<(), DecodeError> {
    if wire == wanted {
        return Ok(());
    }
    Err(DecodeError::invalid(format!("proto: wrong wireType = {wire}, wanted {wanted}")))
}
