//! Push stamps of the rows whose place among rows of the same time may have to be told.
//!
//! `codec · blob(stamps varint · stamp u128* · rows varint · (step varint · stamp's place varint ·
//! index in the push varint)*)`.

use std::collections::BTreeMap;

use larch_types::PushStamp;

use crate::compress::{Decoder, Encoder};
use crate::error::{Corrupt, Section};
use crate::page::codec;
use crate::wire::{Cursor, put_varint};

/// The push that brought a row, and the row's place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowStamp {
    pub stamp: PushStamp,
    pub index: u32,
}

/// Rows with their stamps, ascending by row. Other rows of the chunk have none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamps {
    rows: Vec<(u32, RowStamp)>,
}

impl Stamps {
    pub(crate) const fn new(rows: Vec<(u32, RowStamp)>) -> Self {
        Self { rows }
    }

    pub fn get(&self, row: usize) -> Option<RowStamp> {
        let index = self.rows.binary_search_by_key(&row, |(row, _)| *row as usize).ok()?;
        Some(self.rows[index].1)
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

pub(crate) fn encode(stamps: &Stamps, encoder: &mut Encoder) -> Vec<u8> {
    let mut places = BTreeMap::new();
    for (_, row) in &stamps.rows {
        places.insert(row.stamp, 0_u64);
    }
    let mut plain = Vec::new();
    put_varint(&mut plain, places.len() as u64);
    for (place, (stamp, slot)) in places.iter_mut().enumerate() {
        plain.extend_from_slice(&stamp.0.to_le_bytes());
        *slot = place as u64;
    }
    put_varint(&mut plain, stamps.rows.len() as u64);
    let mut next = 0;
    for (row, stamp) in &stamps.rows {
        put_varint(&mut plain, u64::from(row - next));
        put_varint(&mut plain, places.get(&stamp.stamp).copied().unwrap_or(0));
        put_varint(&mut plain, u64::from(stamp.index));
        next = row + 1;
    }
    let mut out = vec![codec::STAMPS];
    encoder.put_blob(&mut out, &plain);
    out
}

pub(crate) fn decode(page: &[u8], rows: usize, decoder: &mut Decoder) -> Result<Stamps, Corrupt> {
    let mut cursor = Cursor::new(page, Section::Stamps);
    if cursor.u8()? != codec::STAMPS {
        return Err(cursor.corrupt("unknown codec"));
    }
    let plain = decoder.blob(&mut cursor)?;
    let mut cursor = Cursor::new(&plain, Section::Stamps);
    let count = cursor.at_most(cursor.remaining() / size_of::<u128>())?;
    let mut dictionary = Vec::with_capacity(count);
    for _ in 0..count {
        dictionary.push(PushStamp(cursor.u128_le()?));
    }
    let count = cursor.at_most(rows)?;
    let mut stamped = Vec::with_capacity(count);
    let mut next = 0_usize;
    for _ in 0..count {
        let row = next + cursor.at_most(rows)?;
        let place = cursor.at_most(dictionary.len())?;
        let index = cursor.u32()?;
        match dictionary.get(place) {
            Some(stamp) if row < rows => stamped.push((row as u32, RowStamp { stamp: *stamp, index })),
            _ => return Err(cursor.corrupt("a row or a stamp is out of range")),
        }
        next = row + 1;
    }
    cursor.finish()?;
    Ok(Stamps { rows: stamped })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_come_back() {
        let stamp = |stamp: u128, index| RowStamp { stamp: PushStamp(stamp), index };
        let stamps = Stamps::new(vec![(0, stamp(9, 3)), (1, stamp(u128::MAX, 0)), (70, stamp(9, u32::MAX))]);
        let page = encode(&stamps, &mut Encoder::new(1));
        let mut decoder = Decoder::new();
        let back = decode(&page, 71, &mut decoder).unwrap();
        assert_eq!(back, stamps);
        assert_eq!(back.get(1), Some(stamp(u128::MAX, 0)));
        assert_eq!(back.get(2), None);
        assert!(decode(&page, 70, &mut decoder).is_err());
    }
}
