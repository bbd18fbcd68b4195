//! Lines none of which contains NUL: `codec · blob((line · NUL)*)`. The separators cost next to
//! nothing, as zstd finds them in what precedes the next line.

use crate::compress::{Decoder, Encoder};
use crate::error::{Corrupt, Section};
use crate::page::codec;
use crate::page::lines::DecodedPlain;
use crate::wire::Cursor;

pub(crate) fn encode(joined: &[u8], encoder: &mut Encoder) -> Vec<u8> {
    let mut out = vec![codec::LINES_SEPARATED];
    encoder.put_blob(&mut out, joined);
    out
}

pub(crate) fn decode(
    body: &[u8],
    rows: usize,
    section: Section,
    decoder: &mut Decoder,
) -> Result<DecodedPlain, Corrupt> {
    let mut cursor = Cursor::new(body, section);
    let bytes = decoder.blob(&mut cursor)?.into_owned();
    DecodedPlain::separated(bytes, rows, section)
}
