//! Rows that are left of a chunk, put together and through the stages, those first that are shown first.

use larch_logql::InputRow;
use larch_segment::{Chunk, Decoder, ReadError, RowStamp, Stamps};
use larch_types::{PushStamp, RowOrder, Timestamp};

use crate::chunk::ChunkRows;
use crate::error::ReadFailure;
use crate::logs::{LogEntries, LogQuery, Survivors};
use crate::memory::SharedMemory;
use crate::metadata::{MetadataUse, RowsMetadata};

/// A chunk as it was fetched: in two parts, if its lines had to be looked at first.
#[derive(Clone, Copy)]
pub struct ChunkPages<'a> {
    /// With lines.
    pub first: &'a Chunk,
    /// With metadata and levels. One of the two has times, and stamps if those are asked for.
    pub rest: &'a Chunk,
}

/// Rows that are put together at once, at first; then as many more as there were. Putting some lines together
/// takes time for all that lie between them.
const FIRST_ROWS: usize = 256;

/// A row that is left: where its time stands in the order of the answer, and its number.
type Ranked = (i64, u32);

impl LogQuery {
    /// Takes in the rows that are left. Stamps are an error that says that they were not fetched, if rows have
    /// come to need them; nothing was taken in then.
    pub fn take_in(
        &self,
        rows: &ChunkRows,
        survivors: &Survivors,
        pages: ChunkPages<'_>,
        decoder: &mut Decoder,
        entries: &mut LogEntries,
        memory: &SharedMemory,
    ) -> Result<(), ReadFailure> {
        let times = match pages.first.times() {
            Err(ReadError::NotFetched(_)) => pages.rest.times()?,
            times => times?,
        };
        let ranked = self.ranked(survivors, times)?;
        let stamps = if needs_stamps(rows, times, &ranked) {
            Some(match pages.first.stamps(decoder) {
                Err(ReadError::NotFetched(_)) => pages.rest.stamps(decoder)?,
                stamps => stamps?,
            })
        } else {
            None
        };
        let (mut left, mut most) = (ranked.as_slice(), FIRST_ROWS);
        // Other threads may have come to have enough.
        while let Some((rank, _)) = left.first()
            && *rank <= self.last_rank()
        {
            let (block, behind) = left.split_at(most.min(left.len()));
            self.take_block((rows, block, times, stamps), pages, decoder, entries)?;
            self.settle(entries, memory)?;
            (left, most) = (behind, most * 4);
        }
        Ok(())
    }

    /// Those that can still be shown, in the order of the answer.
    fn ranked(&self, survivors: &Survivors, times: &[i64]) -> Result<Vec<Ranked>, ReadFailure> {
        let last_rank = self.last_rank();
        let mut ranked: Vec<Ranked> = Vec::with_capacity(survivors.rows.len());
        for row in &survivors.rows {
            let time = times.get(*row as usize).copied().ok_or(ReadFailure::Plan)?;
            let rank = self.params.rank(Timestamp::from_nanos(time));
            if rank <= last_rank {
                ranked.push((rank, *row));
            }
        }
        let limit = self.params.limit;
        if !self.drops && limit < ranked.len() {
            if limit == 0 {
                return Ok(Vec::new());
            }
            // Rows of one chunk are no copies of one another. All that share the last one's time are kept:
            // which of them are shown is only known when all have come.
            let (_, (last, _), _) = ranked.select_nth_unstable(limit - 1);
            let last = *last;
            ranked.retain(|(rank, _)| *rank <= last);
        }
        ranked.sort_unstable();
        Ok(ranked)
    }

    fn take_block(
        &self,
        (rows, block, times, stamps): (&ChunkRows, &[Ranked], &[i64], Option<&Stamps>),
        pages: ChunkPages<'_>,
        decoder: &mut Decoder,
        entries: &mut LogEntries,
    ) -> Result<(), ReadFailure> {
        let mut numbers: Vec<u32> = block.iter().map(|(_, row)| *row).collect();
        numbers.sort_unstable();
        let lines = pages.first.lines(decoder)?.pick(&numbers);
        let metadata = RowsMetadata::read(pages.rest, &numbers, MetadataUse::ALL, decoder)?;
        let mut inputs = Vec::with_capacity(block.len());
        for (place, row) in numbers.iter().enumerate() {
            let stream = &rows.streams[part_of(rows, *row)].stream;
            let stamp = stamps.and_then(|stamps| stamps.get(*row as usize));
            let RowStamp { stamp, index } = stamp.unwrap_or(RowStamp { stamp: PushStamp(0), index: 0 });
            let timestamp = Timestamp::from_nanos(times[*row as usize]);
            inputs.push(InputRow {
                stream: stream.id,
                labels: stream.labels(),
                order: RowOrder { timestamp, stamp, index },
                line: lines.get(place),
                metadata: metadata.pairs(place),
                level: metadata.level(place),
            });
        }
        // So that those are let go of as late as possible that are shown first.
        inputs.sort_by_key(|row| self.params.rank(row.timestamp()));
        entries.evaluation.add_filtered(inputs)?;
        Ok(())
    }
}

/// The stream that a row is of, by its place. Rows that are left are of one.
fn part_of(rows: &ChunkRows, row: u32) -> usize {
    rows.streams.partition_point(|one| one.first_row <= row).saturating_sub(1)
}

/// Whether the order of pushes may matter: two rows are of one stream and time, or another source, or another
/// chunk, may have such a row or a copy.
fn needs_stamps(rows: &ChunkRows, times: &[i64], ranked: &[Ranked]) -> bool {
    let is_contested = |row: u32| {
        let contested = &rows.streams[part_of(rows, row)].contested;
        !contested.is_empty() && contested.holds(times[row as usize])
    };
    // Rows of one stream lie together, and are sorted by time.
    let is_tied =
        |pair: &[Ranked]| pair[0].0 == pair[1].0 && part_of(rows, pair[0].1) == part_of(rows, pair[1].1);
    ranked.windows(2).any(is_tied) || ranked.iter().any(|(_, row)| is_contested(*row))
}
