//! The protobuf form, after decompression:
//!
//! ```text
//! PushRequest    1 streams: repeated Stream
//! Stream         1 labels: string   2 entries: repeated Entry
//! Entry          1 timestamp: Timestamp   2 line: string   3 structuredMetadata: repeated Pair
//! Timestamp      1 seconds: int64   2 nanos: int32
//! Pair           1 name: string   2 value: string
//! ```
//!
//! Other fields are skipped. Lines, labels and metadata are slices of the body and are not held to be
//! UTF-8: shippers send what they read. Of a field that comes twice the last one counts; two parts of a
//! timestamp are one.

use bytes::Bytes;

use super::{Allowance, DecodeError, MAX_ELEMENTS};
use crate::pushed::{PushedEntry, PushedLabels, PushedPair, PushedStream, PushedTime};

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const LENGTH_DELIMITED: u8 = 2;
const GROUP_START: u8 = 3;
const GROUP_END: u8 = 4;
const FIXED32: u8 = 5;

/// Reads a whole `PushRequest`.
pub(crate) fn read_protobuf(body: &Bytes) -> Result<Vec<PushedStream>, DecodeError> {
    read_push(body, &Allowance::of(MAX_ELEMENTS))
}

fn read_push(body: &Bytes, allowance: &Allowance) -> Result<Vec<PushedStream>, DecodeError> {
    let mut streams = Vec::new();
    let mut message = Message::new(body.clone());
    while let Some((field, wire)) = message.key()? {
        if field == 1 {
            allowance.take_one()?;
            streams.push(read_stream(message.bytes(wire)?, allowance)?);
        } else {
            message.skip(wire)?;
        }
    }
    Ok(streams)
}

fn read_stream(body: Bytes, allowance: &Allowance) -> Result<PushedStream, DecodeError> {
    let mut stream = PushedStream { labels: PushedLabels::Text(Bytes::new()), entries: Vec::new() };
    let mut message = Message::new(body);
    while let Some((field, wire)) = message.key()? {
        match field {
            1 => stream.labels = PushedLabels::Text(message.bytes(wire)?),
            2 => {
                allowance.take_one()?;
                stream.entries.push(read_entry(message.bytes(wire)?, allowance)?);
            }
            _ => message.skip(wire)?,
        }
    }
    Ok(stream)
}

fn read_entry(body: Bytes, allowance: &Allowance) -> Result<PushedEntry, DecodeError> {
    let mut time = None;
    let mut line = Bytes::new();
    let mut metadata = Vec::new();
    let mut message = Message::new(body);
    while let Some((field, wire)) = message.key()? {
        match field {
            1 => time = Some(read_time(message.bytes(wire)?, time.unwrap_or_default())?),
            2 => line = message.bytes(wire)?,
            3 => {
                allowance.take_one()?;
                metadata.push(read_pair(message.bytes(wire)?)?);
            }
            _ => message.skip(wire)?,
        }
    }
    let time = match time {
        None => PushedTime::MISSING,
        Some((seconds, nanos)) => {
            PushedTime::new(seconds, nanos).map_err(|error| DecodeError::invalid(error.to_string()))?
        }
    };
    Ok(PushedEntry { time, line, metadata })
}

fn read_time(body: Bytes, (mut seconds, mut nanos): (i64, i32)) -> Result<(i64, i32), DecodeError> {
    let mut message = Message::new(body);
    while let Some((field, wire)) = message.key()? {
        match field {
            1 => seconds = message.number(wire)? as i64,
            // Only the lower half of the number counts, as everywhere in protobuf.
            2 => nanos = message.number(wire)? as i32,
            _ => message.skip(wire)?,
        }
    }
    Ok((seconds, nanos))
}

fn read_pair(body: Bytes) -> Result<PushedPair, DecodeError> {
    let mut pair = PushedPair { name: Bytes::new(), value: Bytes::new() };
    let mut message = Message::new(body);
    while let Some((field, wire)) = message.key()? {
        match field {
            1 => pair.name = message.bytes(wire)?,
            2 => pair.value = message.bytes(wire)?,
            _ => message.skip(wire)?,
        }
    }
    Ok(pair)
}

/// The fields of one message, one after another.
struct Message {
    body: Bytes,
    at: usize,
}

fn truncated() -> DecodeError {
    DecodeError::invalid("proto: unexpected end of the message")
}

impl Message {
    fn new(body: Bytes) -> Self {
        Self { body, at: 0 }
    }

    /// Number and wire type of the next field; `None` at the end.
    fn key(&mut self) -> Result<Option<(u32, u8)>, DecodeError> {
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

    fn number(&mut self, wire: u8) -> Result<u64, DecodeError> {
        expect(wire, VARINT)?;
        self.varint()
    }

    fn bytes(&mut self, wire: u8) -> Result<Bytes, DecodeError> {
        expect(wire, LENGTH_DELIMITED)?;
        let length = usize::try_from(self.varint()?).map_err(|_| truncated())?;
        let start = self.at;
        self.advance(length)?;
        Ok(self.body.slice(start..self.at))
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
    fn skip(&mut self, mut wire: u8) -> Result<(), DecodeError> {
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

#[cfg(test)]
mod tests;
