//! Pages of short texts, above all the values of metadata: the first codec that gives back every byte
//! and pays is taken. One file per codec.

mod constant;
mod decimals;
mod dictionary;
mod hex;
mod integers;
mod strings;
mod uuid;

use crate::compress::{Decoder, Encoder};
use crate::error::{Corrupt, Section};
use crate::page::codec;

/// Decoded texts. Where the page was a dictionary, its entries are there once and rows name them.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    entries: String,
    /// Where each entry begins, and the end.
    starts: Vec<u32>,
    /// For each value its entry; none if each value is its own.
    codes: Option<Vec<u32>>,
}

impl Texts {
    /// Panics if there is no such value.
    pub fn get(&self, index: usize) -> &str {
        self.entry(self.code(index))
    }

    /// Which entry the value is.
    pub fn code(&self, index: usize) -> usize {
        match &self.codes {
            Some(codes) => codes[index] as usize,
            None => index,
        }
    }

    /// Panics if there is no such entry.
    pub fn entry(&self, code: usize) -> &str {
        &self.entries[self.starts[code] as usize..self.starts[code + 1] as usize]
    }

    /// How many different texts have to be looked at to know about all values.
    pub fn entries(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    pub fn len(&self) -> usize {
        self.codes.as_ref().map_or(self.entries(), Vec::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn from_values(values: &[&str]) -> Self {
        let mut builder = TextsBuilder::with_capacity(values.len(), values.iter().map(|v| v.len()).sum());
        for value in values {
            builder.push(value);
        }
        builder.finish(None)
    }
}

/// Collects entries.
struct TextsBuilder {
    entries: String,
    starts: Vec<u32>,
}

impl TextsBuilder {
    fn with_capacity(entries: usize, bytes: usize) -> Self {
        let mut starts = Vec::with_capacity(entries + 1);
        starts.push(0);
        Self { entries: String::with_capacity(bytes), starts }
    }

    fn push(&mut self, entry: &str) {
        self.entries.push_str(entry);
        self.end();
    }

    /// What was appended to the text since the last entry is one entry.
    fn end(&mut self) {
        self.starts.push(self.entries.len() as u32);
    }

    fn finish(self, codes: Option<Vec<u32>>) -> Texts {
        Texts { entries: self.entries, starts: self.starts, codes }
    }
}

pub(crate) fn encode(values: &[&str], encoder: &mut Encoder) -> Vec<u8> {
    if let Some(page) = constant::encode(values) {
        return page;
    }
    if let Some(page) = dictionary::encode(values, encoder) {
        return page;
    }
    for typed in [integers::encode, decimals::encode, hex::encode, uuid::encode] {
        if let Some(page) = typed(values) {
            return page;
        }
    }
    strings::encode(values, encoder)
}

pub(crate) fn decode(
    page: &[u8],
    count: usize,
    section: Section,
    decoder: &mut Decoder,
) -> Result<Texts, Corrupt> {
    let (codec, body) = page.split_first().ok_or(Corrupt::new(section, "the page is empty"))?;
    match *codec {
        codec::TEXT_CONSTANT => constant::decode(body, count, section),
        codec::TEXT_DICTIONARY => dictionary::decode(body, count, section, decoder),
        codec::TEXT_INTEGERS => integers::decode(body, count, section),
        codec::TEXT_DECIMALS => decimals::decode(body, count, section),
        codec::TEXT_HEX => hex::decode(body, count, section),
        codec::TEXT_UUID => uuid::decode(body, count, section),
        codec::TEXT_STRINGS => strings::decode(body, count, section, decoder),
        _ => Err(Corrupt::new(section, "unknown codec")),
    }
}

#[cfg(test)]
mod tests;
