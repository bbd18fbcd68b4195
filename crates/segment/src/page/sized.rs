//! Lines of any bytes: `codec · length of the next varint · blob(line length varint*) · blob(lines)`.

use crate::compress::{Decoder, Encoder};
use crate::error::{Corrupt, Section};
use crate::page::codec;
use crate::page::lines::DecodedPlain;
use crate::wire::{Cursor, put_bytes, put_varint};

pub(crate) fn encode<'a>(lines: impl Iterator<Item = &'a [u8]>, encoder: &mut Encoder) -> Vec<u8> {
    let (mut lengths, mut joined) = (Vec::new(), Vec::new());
    for line in lines {
        put_varint(&mut lengths, line.len() as u64);
        joined.extend_from_slice(line);
    }
    let mut part = Vec::new();
    encoder.put_blob(&mut part, &lengths);
    let mut out = vec![codec::LINES_SIZED];
    put_bytes(&mut out, &part);
    encoder.put_blob(&mut out, &joined);
    out
}

pub(crate) fn decode(
    body: &[u8],
    rows: usize,
    section: Section,
    decoder: &mut Decoder,
) -> Result<DecodedPlain, Corrupt> {
    let mut cursor = Cursor::new(body, section);
    let mut part = Cursor::new(cursor.bytes()?, section);
    let lengths = decoder.blob(&mut part)?;
    let bytes = decoder.blob(&mut cursor)?.into_owned();
    let mut lengths = Cursor::new(&lengths, section);
    if lengths.remaining() < rows {
        return Err(cursor.corrupt("the lengths are fewer than the rows"));
    }
    let mut starts = Vec::with_capacity(rows + 1);
    let mut start = 0;
    starts.push(0);
    for _ in 0..rows {
        start += lengths.at_most(bytes.len() - start)?;
        starts.push(start as u32);
    }
    lengths.finish()?;
    if start != bytes.len() {
        return Err(cursor.corrupt("the lengths do not cover the lines"));
    }
    Ok(DecodedPlain::with_starts(bytes, starts))
}
