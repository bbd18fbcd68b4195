//! Texts that some rows have and some have not: `codec · length varint · blob(bitmap of the rows that
//! have one) · page of texts`. A length of 0 means that all rows have one.

use crate::compress::{Decoder, Encoder};
use crate::error::{Corrupt, Section};
use crate::page::codec;
use crate::text::{self, Texts};
use crate::wire::{Cursor, put_bytes, put_varint};

/// One optional text a row.
#[derive(Debug, Clone, Default)]
pub struct OptionalTexts {
    texts: Texts,
    /// For each row the place of its text; [`NONE`] if it has none.
    places: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl OptionalTexts {
    /// Panics if there is no such row.
    pub fn get(&self, row: usize) -> Option<&str> {
        match self.places[row] {
            NONE => None,
            place => Some(self.texts.get(place as usize)),
        }
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The texts that there are, in the order of their rows.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    pub(crate) fn new(places: Vec<u32>, texts: Texts) -> Self {
        Self { texts, places }
    }

    pub(crate) fn from_rows<'a>(rows: impl Iterator<Item = Option<&'a str>>) -> Self {
        let (mut places, mut texts) = (Vec::new(), Vec::new());
        for text in rows {
            places.push(text.map_or(NONE, |_| texts.len() as u32));
            texts.extend(text);
        }
        Self { texts: Texts::from_values(&texts), places }
    }

    pub(crate) fn none(rows: usize) -> Self {
        Self { texts: Texts::default(), places: vec![NONE; rows] }
    }
}

pub(crate) fn encode(rows: &[Option<&str>], encoder: &mut Encoder) -> Vec<u8> {
    let mut bitmap = vec![0_u8; rows.len().div_ceil(8)];
    let mut texts = Vec::with_capacity(rows.len());
    for (row, text) in rows.iter().enumerate() {
        if let Some(text) = text {
            bitmap[row / 8] |= 1 << (row % 8);
            texts.push(*text);
        }
    }
    let mut out = vec![codec::OPTIONAL];
    if texts.len() == rows.len() {
        put_varint(&mut out, 0);
    } else {
        let mut part = Vec::new();
        encoder.put_blob(&mut part, &bitmap);
        put_bytes(&mut out, &part);
    }
    out.extend_from_slice(&text::encode(&texts, encoder));
    out
}

pub(crate) fn decode(page: &[u8], rows: usize, decoder: &mut Decoder) -> Result<OptionalTexts, Corrupt> {
    let mut cursor = Cursor::new(page, Section::Levels);
    if cursor.u8()? != codec::OPTIONAL {
        return Err(cursor.corrupt("unknown codec"));
    }
    let part = cursor.bytes()?;
    let mut places = Vec::with_capacity(rows);
    let mut count = 0;
    if part.is_empty() {
        places.extend(0..rows as u32);
        count = rows;
    } else {
        let bitmap = decoder.blob(&mut Cursor::new(part, Section::Levels))?;
        if bitmap.len() != rows.div_ceil(8) {
            return Err(cursor.corrupt("the bitmap has another length than the rows"));
        }
        for row in 0..rows {
            let has_one = bitmap[row / 8] & 1 << (row % 8) != 0;
            places.push(if has_one { count as u32 } else { NONE });
            count += usize::from(has_one);
        }
    }
    let texts = text::decode(cursor.rest(), count, Section::Levels, decoder)?;
    Ok(OptionalTexts { texts, places })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows: &[Option<&str>]) {
        let page = encode(rows, &mut Encoder::new(1));
        let back = decode(&page, rows.len(), &mut Decoder::new()).unwrap();
        let memory = OptionalTexts::from_rows(rows.iter().copied());
        for (row, text) in rows.iter().enumerate() {
            assert_eq!(back.get(row), *text);
            assert_eq!(memory.get(row), *text);
        }
        assert!(decode(&page, rows.len() + 8, &mut Decoder::new()).is_err());
    }

    #[test]
    fn texts_come_back() {
        check(&[Some("info"), Some("warn"), Some("info")]);
        check(&[None, Some("warn"), None, Some(""), None, None, None, None, Some("x")]);
        check(&[None, None]);
    }
}
