//! UUIDs in lower case with their dashes: `codec · 16 bytes a value`.

use crate::error::{Corrupt, Section};
use crate::page::codec;
use crate::text::hex::{push_hex, put_hex};
use crate::text::{Texts, TextsBuilder};
use crate::wire::Cursor;

/// Digits between the dashes.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
const TEXT_LEN: usize = 36;
const LEN: usize = 16;

pub(super) fn encode(values: &[&str]) -> Option<Vec<u8>> {
    let mut out = vec![codec::TEXT_UUID];
    for value in values {
        let mut rest = value.as_bytes();
        if rest.len() != TEXT_LEN {
            return None;
        }
        for (group, digits) in GROUPS.into_iter().enumerate() {
            if group > 0 {
                rest = rest.strip_prefix(b"-")?;
            }
            let (head, tail) = rest.split_at_checked(digits)?;
            put_hex(&mut out, head, false)?;
            rest = tail;
        }
    }
    Some(out)
}

pub(super) fn decode(body: &[u8], count: usize, section: Section) -> Result<Texts, Corrupt> {
    let mut cursor = Cursor::new(body, section);
    if cursor.remaining() != LEN.saturating_mul(count) {
        return Err(cursor.corrupt("values are missing or left over"));
    }
    let mut builder = TextsBuilder::with_capacity(count, TEXT_LEN * count);
    for _ in 0..count {
        for (group, digits) in GROUPS.into_iter().enumerate() {
            if group > 0 {
                builder.entries.push('-');
            }
            push_hex(&mut builder.entries, cursor.take(digits / 2)?, false);
        }
        builder.end();
    }
    Ok(builder.finish(None))
}
