//! One text for all: `codec · text`. Also the page of no values.

use crate::error::{Corrupt, Section};
use crate::page::codec;
use crate::text::{Texts, TextsBuilder};
use crate::wire::Cursor;

pub(super) fn encode(values: &[&str]) -> Option<Vec<u8>> {
    let first = values.first().copied().unwrap_or_default();
    if values.iter().any(|value| *value != first) {
        return None;
    }
    let mut out = vec![codec::TEXT_CONSTANT];
    out.extend_from_slice(first.as_bytes());
    Some(out)
}

pub(super) fn decode(body: &[u8], count: usize, section: Section) -> Result<Texts, Corrupt> {
    let cursor = Cursor::new(body, section);
    let text = std::str::from_utf8(body).map_err(|_| cursor.corrupt("a text is not UTF-8"))?;
    let mut builder = TextsBuilder::with_capacity(1, text.len());
    builder.push(text);
    Ok(builder.finish(Some(vec![0; count])))
}
