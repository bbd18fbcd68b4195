//! Every text of the labels once, sorted; a text's place is its symbol. Blocks of 32, each text but the
//! first as what it shares with the one before and the rest.
//!
//! `symbols varint · offset of each block u32* · blocks`.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::error::{Corrupt, Section};
use crate::wire::{Cursor, put_bytes, put_varint};

/// Texts a block: a lookup reads half of one, and the offsets take an eighth of a byte a text.
const BLOCK: usize = 32;

/// `texts` is sorted, without doubles.
pub(super) fn encode(texts: &[&str]) -> Vec<u8> {
    let mut blocks = Vec::new();
    let mut offsets = Vec::new();
    for block in texts.chunks(BLOCK) {
        offsets.extend_from_slice(&(blocks.len() as u32).to_le_bytes());
        put_bytes(&mut blocks, block[0].as_bytes());
        for pair in block.windows(2) {
            let shared = shared_prefix(pair[0].as_bytes(), pair[1].as_bytes());
            put_varint(&mut blocks, shared as u64);
            put_bytes(&mut blocks, &pair[1].as_bytes()[shared..]);
        }
    }
    let mut out = Vec::with_capacity(blocks.len() + offsets.len() + 10);
    put_varint(&mut out, texts.len() as u64);
    out.extend_from_slice(&offsets);
    out.extend_from_slice(&blocks);
    out
}

fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

#[derive(Debug, Clone)]
pub(super) struct Symbols {
    count: usize,
    offsets: Bytes,
    blocks: Bytes,
}

impl Symbols {
    pub(super) fn new(bytes: &Bytes) -> Result<Self, Corrupt> {
        let mut cursor = Cursor::new(bytes, Section::Symbols);
        let count = cursor.count()?;
        let offsets = bytes.slice_ref(cursor.take(count.div_ceil(BLOCK) * size_of::<u32>())?);
        let blocks = bytes.slice_ref(cursor.rest());
        Ok(Self { count, offsets, blocks })
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn get(&self, symbol: u32) -> Result<String, Corrupt> {
        self.walk().get(symbol).map(str::to_owned)
    }

    pub(super) const fn walk(&self) -> Walk<'_> {
        Walk { symbols: self, at: None, text: Vec::new() }
    }

    /// The symbol of the text, if it has one.
    pub(super) fn find(&self, wanted: &str) -> Result<Option<u32>, Corrupt> {
        let wanted = wanted.as_bytes();
        let (mut low, mut high) = (0, self.count.div_ceil(BLOCK));
        // The last block whose first text is not behind the wanted one.
        while low < high {
            let middle = low + (high - low) / 2;
            if self.block(middle)?.bytes()? <= wanted {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(block) = low.checked_sub(1) else { return Ok(None) };
        let mut cursor = self.block(block)?;
        let mut text = cursor.bytes()?.to_vec();
        for place in 0..BLOCK.min(self.count - block * BLOCK) {
            if place > 0 {
                next_text(&mut cursor, &mut text)?;
            }
            match text.as_slice().cmp(wanted) {
                Ordering::Less => {}
                Ordering::Equal => return Ok(Some((block * BLOCK + place) as u32)),
                Ordering::Greater => return Ok(None),
            }
        }
        Ok(None)
    }

    fn block(&self, block: usize) -> Result<Cursor<'_>, Corrupt> {
        let mut cursor = Cursor::new(&self.offsets, Section::Symbols);
        cursor.take(block * size_of::<u32>())?;
        let offset = u32::from_le_bytes(cursor.array()?) as usize;
        let mut cursor = Cursor::new(&self.blocks, Section::Symbols);
        cursor.take(offset)?;
        Ok(cursor)
    }
}

/// Reads texts one after the other; those that ascend cost no second reading of their block.
pub(super) struct Walk<'a> {
    symbols: &'a Symbols,
    /// The symbol whose text is held, and what follows it in its block.
    at: Option<(usize, Cursor<'a>)>,
    text: Vec<u8>,
}

impl Walk<'_> {
    pub(super) fn get(&mut self, symbol: u32) -> Result<&str, Corrupt> {
        let symbol = symbol as usize;
        if symbol >= self.symbols.count {
            return Err(Corrupt::new(Section::Symbols, "a symbol is out of range"));
        }
        let (mut held, mut cursor) = match self.at.take() {
            Some((held, cursor)) if held <= symbol && held / BLOCK == symbol / BLOCK => (held, cursor),
            _ => {
                let mut cursor = self.symbols.block(symbol / BLOCK)?;
                self.text.clear();
                self.text.extend_from_slice(cursor.bytes()?);
                (symbol / BLOCK * BLOCK, cursor)
            }
        };
        while held < symbol {
            next_text(&mut cursor, &mut self.text)?;
            held += 1;
        }
        self.at = Some((held, cursor));
        std::str::from_utf8(&self.text).map_err(|_| Corrupt::new(Section::Symbols, "a text is not UTF-8"))
    }
}

fn next_text(cursor: &mut Cursor<'_>, text: &mut Vec<u8>) -> Result<(), Corrupt> {
    let shared = cursor.at_most(text.len())?;
    text.truncate(shared);
    text.extend_from_slice(cursor.bytes()?);
    Ok(())
}
