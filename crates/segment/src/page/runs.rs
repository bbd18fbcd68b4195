//! Which stream a row belongs to: as rows are sorted by stream, a list of (stream, rows).
//!
//! `codec · blob(runs varint · (step to the next ordinal varint · rows varint)*)`.

use crate::compress::{Decoder, Encoder};
use crate::error::{Corrupt, Section};
use crate::page::codec;
use crate::wire::{Cursor, put_varint};

/// Rows of one stream that lie one behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamRun {
    /// The stream's place in the table of streams that the chunk belongs to.
    pub stream: u32,
    /// First row.
    pub start: u32,
    pub rows: u32,
}

impl StreamRun {
    pub const fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..(self.start + self.rows) as usize
    }
}

/// Streams ascend, each comes once.
pub(crate) fn encode(runs: &[StreamRun], encoder: &mut Encoder) -> Vec<u8> {
    let mut plain = Vec::new();
    put_varint(&mut plain, runs.len() as u64);
    let mut next = 0;
    for run in runs {
        put_varint(&mut plain, u64::from(run.stream - next));
        put_varint(&mut plain, u64::from(run.rows));
        next = run.stream + 1;
    }
    let mut out = vec![codec::RUNS];
    encoder.put_blob(&mut out, &plain);
    out
}

pub(crate) fn decode(page: &[u8], rows: usize, decoder: &mut Decoder) -> Result<Vec<StreamRun>, Corrupt> {
    let mut cursor = Cursor::new(page, Section::Streams);
    if cursor.u8()? != codec::RUNS {
        return Err(cursor.corrupt("unknown codec"));
    }
    let plain = decoder.blob(&mut cursor)?;
    let mut cursor = Cursor::new(&plain, Section::Streams);
    let count = cursor.at_most(rows)?;
    let mut runs = Vec::with_capacity(count);
    let (mut next, mut start) = (0_u32, 0_usize);
    for _ in 0..count {
        let stream = next.checked_add(cursor.u32()?).ok_or(cursor.corrupt("an ordinal is out of range"))?;
        let in_run = cursor.at_most(rows - start)?;
        if in_run == 0 || stream == u32::MAX {
            return Err(cursor.corrupt("a run is empty or its stream out of range"));
        }
        runs.push(StreamRun { stream, start: start as u32, rows: in_run as u32 });
        start += in_run;
        next = stream + 1;
    }
    cursor.finish()?;
    if start != rows {
        return Err(cursor.corrupt("the runs do not cover the rows"));
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_come_back() {
        let runs = [
            StreamRun { stream: 0, start: 0, rows: 5 },
            StreamRun { stream: 1, start: 5, rows: 1 },
            StreamRun { stream: 99_999, start: 6, rows: 2 },
        ];
        let page = encode(&runs, &mut Encoder::new(1));
        let mut decoder = Decoder::new();
        assert_eq!(decode(&page, 8, &mut decoder).unwrap(), runs);
        assert!(decode(&page, 7, &mut decoder).is_err());
        assert!(decode(&page, 9, &mut decoder).is_err());
    }
}
