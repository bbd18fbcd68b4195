//! Push stamps of rows, in runs: rows of a stream that came in one push lie side by side, and their
//! indexes in the push count up.
//!
//! `codec · blob(stamps varint · bytes of a page of times · low halves varint · u64* · place of each
//! stamp's low half varint* · runs varint · rows varint* · step of the stamp's place signed* · index of the
//! first row varint*)`. Stamps ascend; place 0 is of rows without a stamp, place n of the n-th stamp.
//!
//! The high half of a stamp is a time, and is kept as times are; the low half says who made it.

use larch_types::PushStamp;

use crate::compress::{Decoder, Encoder};
use crate::error::{Corrupt, Section};
use crate::page::{codec, times};
use crate::wire::{Cursor, put_bytes, put_signed, put_varint};

/// The push that brought a row, and the row's place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowStamp {
    pub stamp: PushStamp,
    pub index: u32,
}

/// Rows side by side with indexes that count up, or without stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    start: u32,
    first: Option<RowStamp>,
}

/// The stamps of all rows that have one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamps {
    rows: u32,
    /// Ascending by start; together all rows.
    runs: Vec<Run>,
}

impl Stamps {
    pub(crate) fn new(rows: impl Iterator<Item = Option<RowStamp>>) -> Self {
        let mut stamps = Self::default();
        for stamp in rows {
            if stamps.runs.last().is_none_or(|run| run.at(stamps.rows) != Some(stamp)) {
                stamps.runs.push(Run { start: stamps.rows, first: stamp });
            }
            stamps.rows += 1;
        }
        stamps
    }

    pub fn get(&self, row: usize) -> Option<RowStamp> {
        let row = u32::try_from(row).ok().filter(|row| *row < self.rows)?;
        let run = self.runs.partition_point(|run| run.start <= row).checked_sub(1)?;
        self.runs[run].at(row)?
    }

    /// Whether no row has one.
    pub fn is_empty(&self) -> bool {
        self.runs.iter().all(|run| run.first.is_none())
    }
}

impl Run {
    /// The stamp of one of its rows; none if its index would have no number.
    fn at(&self, row: u32) -> Option<Option<RowStamp>> {
        let Some(first) = self.first else { return Some(None) };
        let index = first.index.checked_add(row - self.start)?;
        Some(Some(RowStamp { index, ..first }))
    }
}

const LOW_BITS: u32 = 64;

pub(crate) fn encode(stamps: &Stamps, encoder: &mut Encoder) -> Vec<u8> {
    let mut known: Vec<u128> =
        stamps.runs.iter().filter_map(|run| run.first).map(|first| first.stamp.0).collect();
    known.sort_unstable();
    known.dedup();
    let mut plain = Vec::new();
    put_stamps(&known, &mut plain);
    put_varint(&mut plain, stamps.runs.len() as u64);
    let ends = stamps.runs.iter().skip(1).map(|run| run.start).chain([stamps.rows]);
    for (run, end) in stamps.runs.iter().zip(ends) {
        put_varint(&mut plain, u64::from(end - run.start));
    }
    let mut place = 0;
    for run in &stamps.runs {
        let next = run.first.map_or(0, |first| known.partition_point(|stamp| *stamp <= first.stamp.0) as i64);
        put_signed(&mut plain, next - place);
        place = next;
    }
    for run in &stamps.runs {
        put_varint(&mut plain, run.first.map_or(0, |first| u64::from(first.index)));
    }
    let mut out = vec![codec::STAMPS];
    encoder.put_blob(&mut out, &plain);
    out
}

/// `stamps` ascend.
fn put_stamps(stamps: &[u128], plain: &mut Vec<u8>) {
    let highs: Vec<i64> = stamps.iter().map(|stamp| (stamp >> LOW_BITS) as u64 as i64).collect();
    let mut lows: Vec<u64> = stamps.iter().map(|stamp| *stamp as u64).collect();
    lows.sort_unstable();
    lows.dedup();
    put_varint(plain, stamps.len() as u64);
    put_bytes(plain, &times::encode(&highs));
    put_varint(plain, lows.len() as u64);
    for low in &lows {
        plain.extend_from_slice(&low.to_le_bytes());
    }
    for stamp in stamps {
        put_varint(plain, lows.partition_point(|low| *low < *stamp as u64) as u64);
    }
}

pub(crate) fn decode(page: &[u8], rows: usize, decoder: &mut Decoder) -> Result<Stamps, Corrupt> {
    let mut cursor = Cursor::new(page, Section::Stamps);
    if cursor.u8()? != codec::STAMPS {
        return Err(cursor.corrupt("unknown codec"));
    }
    let plain = decoder.blob(&mut cursor)?;
    let mut cursor = Cursor::new(&plain, Section::Stamps);
    let known = read_stamps(&mut cursor, rows)?;
    let count = cursor.at_most(rows)?;
    let mut runs = Vec::with_capacity(count);
    let mut end = 0;
    for _ in 0..count {
        runs.push(Run { start: end as u32, first: None });
        match cursor.at_most(rows - end)? {
            0 => return Err(cursor.corrupt("a run is empty")),
            len => end += len,
        }
    }
    if end != rows {
        return Err(cursor.corrupt("the runs do not cover the rows"));
    }
    let mut place = 0_i64;
    for run in &mut runs {
        place = place.wrapping_add(cursor.signed()?);
        let place = usize::try_from(place).map_err(|_| cursor.corrupt("a stamp is out of range"))?;
        if let Some(place) = place.checked_sub(1) {
            let stamp = *known.get(place).ok_or(cursor.corrupt("a stamp is out of range"))?;
            run.first = Some(RowStamp { stamp, index: 0 });
        }
    }
    for run in &mut runs {
        let index = cursor.u32()?;
        if let Some(first) = &mut run.first {
            first.index = index;
        }
    }
    cursor.finish()?;
    let mut end = rows as u32;
    for run in runs.iter().rev() {
        if run.at(end - 1).is_none() {
            return Err(cursor.corrupt("an index is out of range"));
        }
        end = run.start;
    }
    Ok(Stamps { rows: rows as u32, runs })
}

/// There are no more stamps than rows.
fn read_stamps(cursor: &mut Cursor<'_>, rows: usize) -> Result<Vec<PushStamp>, Corrupt> {
    let count = cursor.at_most(rows)?;
    let highs = times::decode(cursor.bytes()?, count);
    let highs = highs.map_err(|_| cursor.corrupt("the high halves are not valid"))?;
    let mut lows = Vec::new();
    for _ in 0..cursor.at_most(count)? {
        lows.push(cursor.u64_le()?);
    }
    let mut stamps = Vec::with_capacity(count);
    for high in highs {
        let low =
            lows.get(cursor.at_most(lows.len())?).ok_or(cursor.corrupt("a low half is out of range"))?;
        stamps.push(PushStamp(u128::from(high as u64) << LOW_BITS | u128::from(*low)));
    }
    Ok(stamps)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(rows: &[Option<(u128, u32)>]) -> usize {
        let row_stamp = |(stamp, index): (u128, u32)| RowStamp { stamp: PushStamp(stamp), index };
        let rows: Vec<Option<RowStamp>> = rows.iter().map(|row| row.map(row_stamp)).collect();
        let stamps = Stamps::new(rows.iter().copied());
        let page = encode(&stamps, &mut Encoder::new(1));
        let mut decoder = Decoder::new();
        let back = decode(&page, rows.len(), &mut decoder).unwrap();
        assert_eq!(back, stamps);
        assert_eq!(back.is_empty(), rows.iter().all(Option::is_none));
        for (row, stamp) in rows.iter().enumerate() {
            assert_eq!(back.get(row), *stamp, "row {row}");
        }
        assert_eq!(back.get(rows.len()), None);
        assert!(decode(&page, rows.len() + 1, &mut decoder).is_err());
        page.len()
    }

    #[test]
    fn a_push_is_one_run() {
        let time = 1_790_812_800_000_u128;
        let rows: Vec<_> =
            (0..10_000_u32).map(|row| Some(((time + u128::from(row / 1000)) << 80 | 77, row))).collect();
        assert!(check(&rows) < 120);
        check(&[Some((9, u32::MAX - 1)), Some((9, u32::MAX)), Some((9, 0)), None, None]);
        check(&[None]);
        check(&[]);
    }

    #[test]
    fn indexes_beyond_numbers_are_refused() {
        let run = Run { start: 0, first: Some(RowStamp { stamp: PushStamp(1), index: u32::MAX }) };
        let page = encode(&Stamps { rows: 2, runs: vec![run] }, &mut Encoder::new(1));
        assert!(decode(&page, 2, &mut Decoder::new()).is_err());
    }

    proptest! {
        #[test]
        fn stamps_come_back(
            rows in prop::collection::vec(prop::option::of((prop_oneof![0_u128..3, any::<u128>()], 0_u32..3)), 0..50)
        ) {
            check(&rows);
        }
    }
}
