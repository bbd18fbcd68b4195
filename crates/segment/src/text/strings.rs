//! Texts of any kind: `codec · page of lines`.

use crate::compress::{Decoder, Encoder};
use crate::error::{Corrupt, Section};
use crate::page::lines::{self, SEPARATOR};
use crate::page::{codec, separated, sized};
use crate::text::{Texts, TextsBuilder};

pub(super) fn encode(values: &[&str], encoder: &mut Encoder) -> Vec<u8> {
    let mut out = vec![codec::TEXT_STRINGS];
    if values.iter().any(|value| value.as_bytes().contains(&SEPARATOR)) {
        out.extend_from_slice(&sized::encode(values.iter().map(|value| value.as_bytes()), encoder));
        return out;
    }
    let mut joined = Vec::new();
    for value in values {
        joined.extend_from_slice(value.as_bytes());
        joined.push(SEPARATOR);
    }
    out.extend_from_slice(&separated::encode(&joined, encoder));
    out
}

pub(super) fn decode(
    body: &[u8],
    count: usize,
    section: Section,
    decoder: &mut Decoder,
) -> Result<Texts, Corrupt> {
    let lines = lines::decode_plain(body, count, section, decoder)?;
    let lines = lines.view();
    let mut builder = TextsBuilder::with_capacity(count, lines.buffer().len());
    for line in lines.iter() {
        let text = std::str::from_utf8(line).map_err(|_| Corrupt::new(section, "a text is not UTF-8"))?;
        builder.push(text);
    }
    Ok(builder.finish(None))
}
