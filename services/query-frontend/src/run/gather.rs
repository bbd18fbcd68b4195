//! Puts the parts of one piece's answer together, within a bound of memory.

use std::mem::size_of;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larch_logql::EvalError;
use larch_proto::{Done, EntryBatch, Estimate, Pair, PatternSeries, ResultEntry, ResultPart, SampleSeries};
use larch_types::ByteSize;

use super::thin::Thinning;
use crate::error::ReadError;
use crate::queue::{Event, Ticket};

/// The whole answer to one piece.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gathered {
    pub(crate) entries: Vec<EntryBatch>,
    pub(crate) samples: Vec<SampleSeries>,
    pub(crate) texts: Vec<String>,
    pub(crate) stats: Estimate,
    pub(crate) patterns: Vec<PatternSeries>,
    pub(crate) done: Done,
    /// How long the piece waited in the queue.
    pub(crate) queued: Duration,
    /// What it takes in memory, about.
    pub(crate) bytes: u64,
    /// Where rows were thinned out: what is known behind the last of them.
    pub(crate) thinning: Option<Thinning>,
    /// Whether there is a cache that it was looked for in, and whether it was there.
    pub(crate) looked_up: bool,
    pub(crate) was_kept: bool,
}

/// Why there is no whole answer.
#[derive(Debug)]
pub(super) enum PieceEnd {
    /// The worker vanished.
    Lost,
    Failed(ReadError),
}

/// Of all pieces of a query together: as much as a worker may take for one of them by default.
const MAX_MEMORY: ByteSize = ByteSize::mib(512);

/// What a query holds of the answers to its pieces.
#[derive(Debug, Default)]
pub(crate) struct Memory(AtomicU64);

impl Memory {
    pub(super) fn take(&self, bytes: u64) -> Result<(), ReadError> {
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > MAX_MEMORY.as_u64() {
            return Err(EvalError::TooMuchMemory(MAX_MEMORY).into());
        }
        Ok(())
    }

    fn give_back(&self, bytes: u64) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What one piece holds; given back if its answer does not come to its end.
struct Held<'m> {
    memory: &'m Memory,
    bytes: u64,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.memory.give_back(self.bytes);
    }
}

pub(super) async fn gather(
    mut ticket: Ticket,
    mut thinning: Option<Thinning>,
    memory: &Memory,
) -> Result<Gathered, PieceEnd> {
    let mut gathered = Gathered::default();
    let mut held = Held { memory, bytes: 0 };
    loop {
        let part = match ticket.next().await {
            None => return Err(PieceEnd::Lost),
            Some(Event::Begun(waited)) => {
                gathered.queued = waited;
                continue;
            }
            Some(Event::Failed(error)) => return Err(PieceEnd::Failed(error.into())),
            Some(Event::Part(part)) => part,
        };
        let bytes = cost(&part);
        held.bytes += bytes;
        memory.take(bytes).map_err(PieceEnd::Failed)?;
        let is_over = match (part, &mut thinning) {
            (ResultPart::Entries(mut batch), Some(thinning)) => {
                let is_enough = thinning.thin(&mut batch);
                gathered.entries.push(batch);
                is_enough
            }
            (part, _) => gathered.add(part),
        };
        if is_over {
            gathered.bytes = held.bytes;
            gathered.thinning = thinning;
            // It stays counted as long as the query is gathered.
            held.bytes = 0;
            return Ok(gathered);
        }
    }
}

impl Gathered {
    /// Whether that was the last part.
    fn add(&mut self, part: ResultPart) -> bool {
        match part {
            ResultPart::Entries(batch) => self.entries.push(batch),
            ResultPart::Samples(series) => self.samples.extend(series),
            ResultPart::Texts(batch) => self.texts.extend(batch.texts),
            ResultPart::Patterns(patterns) => self.patterns.extend(patterns),
            ResultPart::Stats(stats) => {
                let total = &mut self.stats;
                total.streams = total.streams.saturating_add(stats.streams);
                total.chunks = total.chunks.saturating_add(stats.chunks);
                total.rows = total.rows.saturating_add(stats.rows);
                total.bytes = total.bytes.saturating_add(stats.bytes);
            }
            ResultPart::Done(done) => {
                self.done = *done;
                return true;
            }
        }
        false
    }
}

/// What a part takes in memory, about.
fn cost(part: &ResultPart) -> u64 {
    let bytes = match part {
        ResultPart::Entries(batch) => {
            let lines: usize = batch.entries.iter().map(|entry| entry.line.len()).sum();
            let labels =
                batch.labels.iter().flat_map(|l| l.stream.iter().chain(&l.metadata).chain(&l.parsed));
            let streams: usize = batch.streams.iter().map(|stream| stream.labels.len()).sum();
            lines
                + batch.entries.len() * size_of::<ResultEntry>()
                + labels.map(pair_cost).sum::<usize>()
                + streams
        }
        ResultPart::Samples(series) => series.iter().map(series_cost).sum(),
        ResultPart::Texts(batch) => batch.texts.iter().map(|text| text.len() + size_of::<String>()).sum(),
        ResultPart::Patterns(patterns) => patterns.iter().map(pattern_cost).sum(),
        ResultPart::Stats(_) | ResultPart::Done(_) => 0,
    };
    bytes as u64
}

fn pair_cost(pair: &Pair) -> usize {
    size_of::<Pair>() + pair.name.as_bytes().len() + pair.value.as_bytes().len()
}

fn series_cost(series: &SampleSeries) -> usize {
    let points = series.steps.len() * (size_of::<u32>() + 2 * size_of::<f64>());
    size_of::<SampleSeries>() + points + series.labels.iter().map(pair_cost).sum::<usize>()
}

fn pattern_cost(pattern: &PatternSeries) -> usize {
    size_of::<PatternSeries>() + pattern.text.len() + pattern.level.len() + 16 * pattern.counts.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_comes_back() {
        let memory = Memory::default();
        assert!(memory.take(MAX_MEMORY.as_u64()).is_ok());
        let error = memory.take(1).unwrap_err().to_string();
        assert!(error.starts_with("the query needs more memory than a single query may use (limit: 512MB)"));
        drop(Held { memory: &memory, bytes: MAX_MEMORY.as_u64() + 1 });
        assert!(memory.take(MAX_MEMORY.as_u64()).is_ok());
    }
}
