//! Which streams have rows in a range of time, as far as the index says so.

use std::collections::BTreeMap;

use larch_types::Timestamp;

use crate::error::Corrupt;
use crate::reader::Segment;
use crate::set::OrdinalSet;

/// Streams of a segment and a range of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// They have rows in the range.
    pub with_rows: OrdinalSet,
    /// Of these only the times of their rows say so: all their parts begin before the range and end behind
    /// it, or do not touch it. By chunk; the streams ascend.
    pub undecided: BTreeMap<u32, Vec<u32>>,
    /// Chunks with parts that touch the range.
    pub chunks: u64,
}

impl Segment {
    /// Of these of its streams, from the first time on and before the second.
    pub fn presence(
        &self,
        streams: &OrdinalSet,
        (start, end): (Timestamp, Timestamp),
    ) -> Result<Presence, Corrupt> {
        let totals = self.totals();
        let is_whole = start <= totals.first_time && totals.last_time < end;
        if is_whole && streams.len() == self.index().streams() as usize {
            // Every stream of a segment has rows.
            let (with_rows, chunks) = (streams.clone(), u64::from(totals.chunks));
            return Ok(Presence { with_rows, undecided: BTreeMap::new(), chunks });
        }
        let is_in = |time: Timestamp| start <= time && time < end;
        let mut with_rows = OrdinalSet::none(self.index().streams());
        let mut undecided: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let mut touched = OrdinalSet::none(self.chunks().len() as u32);
        let (mut walk, mut spans) = (self.index().walk(), Vec::new());
        for stream in streams.iter() {
            walk.spans(stream, &mut spans)?;
            spans.retain(|span| span.first_time < end && span.last_time >= start);
            spans.iter().for_each(|span| touched.insert(span.chunk));
            if spans.iter().any(|span| is_in(span.first_time) || is_in(span.last_time)) {
                with_rows.insert(stream);
                continue;
            }
            for span in &spans {
                undecided.entry(span.chunk).or_default().push(stream);
            }
        }
        Ok(Presence { with_rows, undecided, chunks: touched.len() as u64 })
    }
}
