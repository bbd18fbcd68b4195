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

use super::message::Message;
use super::{Allowance, DecodeError, MAX_ELEMENTS};
use crate::pushed::{PushedEntry, PushedLabels, PushedPair, PushedStream, PushedTime};

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

#[cfg(test)]
mod tests;
