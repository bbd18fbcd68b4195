//! At most 256 texts, each row one byte: `codec · entries varint · (length · text)* · blob(code u8*)`.
//! The codes are bytes and no fewer bits, as zstd sees their repetitions then.

use std::collections::HashMap;

use crate::compress::{Decoder, Encoder};
use crate::error::{Corrupt, Section};
use crate::page::codec;
use crate::text::{Texts, TextsBuilder};
use crate::wire::{Cursor, put_bytes, put_varint};

const MAX_ENTRIES: usize = 256;

/// Pays if every entry comes twice on average.
pub(super) fn encode(values: &[&str], encoder: &mut Encoder) -> Option<Vec<u8>> {
    let mut places: HashMap<&str, u8> = HashMap::new();
    let mut entries = Vec::new();
    let mut codes = Vec::with_capacity(values.len());
    for value in values {
        let code = match places.get(value) {
            Some(code) => *code,
            None => {
                let code = u8::try_from(entries.len()).ok()?;
                places.insert(value, code);
                entries.push(*value);
                code
            }
        };
        codes.push(code);
    }
    if entries.len() > values.len() / 2 {
        return None;
    }
    let mut out = vec![codec::TEXT_DICTIONARY];
    put_varint(&mut out, entries.len() as u64);
    for entry in entries {
        put_bytes(&mut out, entry.as_bytes());
    }
    encoder.put_blob(&mut out, &codes);
    Some(out)
}

pub(super) fn decode(
    body: &[u8],
    count: usize,
    section: Section,
    decoder: &mut Decoder,
) -> Result<Texts, Corrupt> {
    let mut cursor = Cursor::new(body, section);
    let entries = cursor.at_most(MAX_ENTRIES)?;
    let mut builder = TextsBuilder::with_capacity(entries, 0);
    for _ in 0..entries {
        builder.push(cursor.text()?);
    }
    let codes = decoder.blob(&mut cursor)?;
    if codes.len() != count || codes.iter().any(|code| usize::from(*code) >= entries) {
        return Err(cursor.corrupt("codes are missing or out of range"));
    }
    Ok(builder.finish(Some(codes.iter().map(|code| u32::from(*code)).collect())))
}
