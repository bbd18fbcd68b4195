//! One chunk into what a thread gathers.

use std::sync::Arc;

use larch_logql::stage::Row;
use larch_logql::{Identity, InputRow};
use larch_segment::{Chunk, Decoder, PickedLines, RowStamp, Stamps};
use larch_types::{PushStamp, RowOrder, Timestamp};

use crate::error::ReadFailure;
use crate::gather::{ContestedSample, Gathered, RangeGathered, Sampled};
use crate::memory::SharedMemory;
use crate::metadata::{MetadataUse, RowsMetadata};
use crate::outcome::{Outcome, RowKey};
use crate::overlap::Contested;
use crate::query::MetricQuery;
use crate::range::{Gathers, RangePlan};
use crate::seen::Seen;
use crate::span::{RowSpan, rows_of, spans, split};
use crate::streams::KnownStream;
use crate::windows;

/// Which rows of a chunk are read.
#[derive(Debug, Clone)]
pub struct ChunkRows {
    pub streams: Vec<StreamRows>,
    /// Greater than those of all chunks of the same segment that come before it.
    pub order: u32,
    /// Included.
    pub start: Timestamp,
    /// Not included.
    pub end: Timestamp,
}

/// Rows of one stream in a chunk.
#[derive(Debug, Clone)]
pub struct StreamRows {
    pub stream: Arc<KnownStream>,
    pub first_row: u32,
    pub rows: u32,
    /// Times at which another source may have a copy.
    pub contested: Arc<Contested>,
}

impl MetricQuery {
    /// Takes in the rows of a chunk for some ranges, by their numbers; how many rows were in the read's range.
    /// A page that turns out to be needed and was not fetched is an error, and nothing was taken in then: the
    /// chunk is to be shown again with all pages.
    pub fn read_chunk(
        &self,
        ranges: &[usize],
        rows: &ChunkRows,
        chunk: &Chunk,
        decoder: &mut Decoder,
        gathered: &mut Gathered,
        (memory, seen): (&SharedMemory, &Seen),
    ) -> Result<u64, ReadFailure> {
        let times = chunk.times()?;
        let read = (rows.start.nanos(), rows.end.nanos().saturating_sub(1));
        let all = spans(&rows.streams, times, read)?;
        let mut reads = Vec::with_capacity(ranges.len());
        for range in ranges {
            let plan = &self.ranges[*range];
            let (first, last) = plan.windows.bounds();
            let seen_spans = spans(&rows.streams, times, (first.max(read.0), last.min(read.1)))?;
            let uses = MetadataUse::of(plan, chunk, decoder)?;
            // Whether it was fetched shows here, before anything is taken in.
            let first_row: Vec<u32> = seen_spans.first().map(|span| span.rows.start).into_iter().collect();
            RowsMetadata::read(chunk, &first_row, uses, decoder)?;
            reads.push((*range, seen_spans, uses));
        }
        for (range, seen_spans, uses) in reads {
            let mut reader = ChunkReader {
                plan: &self.ranges[range],
                range: range as u32,
                now: self.now,
                rows,
                chunk,
                times,
                uses,
                decoder: &mut *decoder,
                memory,
                seen,
            };
            reader.read(&seen_spans, &mut gathered.ranges[range])?;
        }
        gathered.charge(memory)?;
        Ok(all.iter().map(|span| u64::from(span.rows.end - span.rows.start)).sum())
    }
}

/// One range over one chunk.
pub(crate) struct ChunkReader<'a> {
    pub(crate) plan: &'a RangePlan,
    pub(crate) range: u32,
    pub(crate) now: Timestamp,
    pub(crate) rows: &'a ChunkRows,
    pub(crate) chunk: &'a Chunk,
    pub(crate) times: &'a [i64],
    pub(crate) uses: MetadataUse,
    pub(crate) decoder: &'a mut Decoder,
    pub(crate) memory: &'a SharedMemory,
    pub(crate) seen: &'a Seen,
}

/// Rows that are left of a chunk, with what is known of them.
struct Left<'l> {
    rows: &'l [u32],
    /// Of the rows, if somebody reads them.
    lines: Option<PickedLines<'l>>,
    metadata: RowsMetadata<'l>,
    /// Those of rows of which there may be copies, by their places.
    identities: Vec<(usize, Identity)>,
    stamps: Option<&'l Stamps>,
}

impl<'a> ChunkReader<'a> {
    fn read(&mut self, spans: &[RowSpan], out: &mut RangeGathered) -> Result<(), ReadFailure> {
        if spans.is_empty() {
            return Ok(());
        }
        let plan = self.plan;
        let counts_streams = plan.gathers == Gathers::Rows
            && !plan.reads_line
            && self.uses == MetadataUse::default()
            && !self.touches_contested(spans);
        if counts_streams && plan.filters.is_empty() {
            for span in spans {
                self.count_span(span, out);
            }
            return Ok(());
        }
        let rows = if plan.filters.is_empty() {
            rows_of(spans)
        } else {
            plan.filters.keep(spans, self.chunk.lines(self.decoder)?)
        };
        if rows.is_empty() {
            return Ok(());
        }
        if counts_streams {
            for (span, _, rows) in split(spans, &rows) {
                self.count_rows(span, rows, out);
            }
            return Ok(());
        }
        let identities = self.identities(spans, &rows)?;
        let rows = self.without_copies(rows, &identities)?;
        let identities = if plan.gathers.keeps_samples() { identities } else { Vec::new() };
        let rows = if identities.is_empty() { self.read_by_form(spans, rows, out)? } else { rows };
        if rows.is_empty() {
            return Ok(());
        }
        let left = self.left(&rows, identities, self.uses)?;
        // An error shows all that a row has. It is seldom, so that the rest is read then.
        let is_partly = plan.may_fail && self.uses != MetadataUse::ALL;
        let failed = self.sample(spans, &left, is_partly, out);
        if !failed.is_empty() {
            let place_of = |(number, identity): &(usize, Identity)| {
                failed.binary_search(number).ok().map(|place| (place, *identity))
            };
            let identities = left.identities.iter().filter_map(place_of).collect();
            let rows: Vec<u32> = failed.iter().map(|number| left.rows[*number]).collect();
            let left = self.left(&rows, identities, MetadataUse::ALL)?;
            self.sample(spans, &left, false, out);
        }
        Ok(())
    }

    fn left<'l>(
        &mut self,
        rows: &'l [u32],
        identities: Vec<(usize, Identity)>,
        uses: MetadataUse,
    ) -> Result<Left<'l>, ReadFailure>
    where
        'a: 'l,
    {
        let chunk = self.chunk;
        let reads_lines = self.plan.reads_line || self.plan.gathers != Gathers::Rows;
        Ok(Left {
            lines: if reads_lines { Some(chunk.lines(self.decoder)?.pick(rows)) } else { None },
            metadata: RowsMetadata::read(chunk, rows, uses, self.decoder)?,
            stamps: if identities.is_empty() { None } else { Some(chunk.stamps(self.decoder)?) },
            identities,
            rows,
        })
    }

    fn touches_contested(&self, spans: &[RowSpan]) -> bool {
        spans.iter().any(|span| {
            let of_stream = &self.rows.streams[span.part];
            let (first, last) = (span.rows.start as usize, span.rows.end as usize - 1);
            !of_stream.contested.is_empty()
                && of_stream.contested.touches(self.times[first], self.times[last])
        })
    }

    /// All rows of a span, which have one outcome.
    fn count_span(&self, span: &RowSpan, out: &mut RangeGathered) {
        let Outcome::Sample(series) = self.outcome_of_stream(span.part, out) else { return };
        let mut times = &self.times[span.rows.start as usize..span.rows.end as usize];
        while let Some(time) = times.first() {
            let seen = self.plan.windows.seen(*time);
            let alike = times.partition_point(|time| *time <= seen.to);
            out.add_rows(series, seen.steps, alike as u64);
            times = &times[alike..];
        }
    }

    /// As `count_span`, for some of its rows.
    fn count_rows(&self, span: &RowSpan, rows: &[u32], out: &mut RangeGathered) {
        let Outcome::Sample(series) = self.outcome_of_stream(span.part, out) else { return };
        let mut rows = rows;
        while let Some(row) = rows.first() {
            let seen = self.plan.windows.seen(self.times[*row as usize]);
            let alike = rows.partition_point(|row| self.times[*row as usize] <= seen.to);
            out.add_rows(series, seen.steps, alike as u64);
            rows = &rows[alike..];
        }
    }

    /// What becomes of every row of a stream, where nothing but the stream matters.
    fn outcome_of_stream(&self, part: usize, out: &mut RangeGathered) -> Outcome {
        let stream = &self.rows.streams[part].stream;
        let key = RowKey::of_row(stream.place, &[], None);
        if let Some(known) = out.outcomes.get(key) {
            return known;
        }
        let row = input_row(stream, Timestamp::EPOCH, &[], &[], None);
        let mut work = Row::new(self.now);
        let outcome = out.outcome(self.plan.sampler.sample_filtered(&row, &mut work));
        out.outcomes.insert(key, outcome);
        outcome
    }

    /// The identities of rows of which other sources may have copies.
    fn identities(&mut self, spans: &[RowSpan], rows: &[u32]) -> Result<Vec<(usize, Identity)>, ReadFailure> {
        let mut places: Vec<(usize, usize)> = Vec::new();
        for (span, numbers, _) in split(spans, rows) {
            let of_stream = &self.rows.streams[span.part];
            if of_stream.contested.is_empty() {
                continue;
            }
            let is_contested = |number: &usize| of_stream.contested.holds(self.times[rows[*number] as usize]);
            places.extend(numbers.filter(is_contested).map(|number| (number, span.part)));
        }
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<u32> = places.iter().map(|(number, _)| rows[*number]).collect();
        let lines = self.chunk.lines(self.decoder)?.pick(&wanted);
        let all = MetadataUse { metadata: true, level: false };
        let metadata = RowsMetadata::read(self.chunk, &wanted, all, self.decoder)?;
        let mut identities = Vec::with_capacity(places.len());
        for (place, (number, part)) in places.into_iter().enumerate() {
            let stream = &self.rows.streams[part].stream;
            let time = Timestamp::from_nanos(self.times[wanted[place] as usize]);
            let row = input_row(stream, time, lines.get(place), metadata.pairs(place), None);
            identities.push((number, row.identity()));
        }
        Ok(identities)
    }

    /// Counts see each row once; samples keep all copies until they are put in order.
    fn without_copies(
        &self,
        rows: Vec<u32>,
        identities: &[(usize, Identity)],
    ) -> Result<Vec<u32>, ReadFailure> {
        if identities.is_empty() || self.plan.gathers.keeps_samples() {
            return Ok(rows);
        }
        let time_of = |number: usize| Timestamp::from_nanos(self.times[rows[number] as usize]);
        let entered: Vec<(Timestamp, Identity)> =
            identities.iter().map(|(number, identity)| (time_of(*number), *identity)).collect();
        let firsts = self.seen.enter(self.range, &entered, self.memory)?;
        let copies = identities.iter().zip(firsts).filter(|(_, is_first)| !is_first);
        let mut copies = copies.map(|((number, _), _)| *number).peekable();
        let is_kept = |(number, row)| copies.next_if_eq(&number).is_none().then_some(row);
        Ok(rows.into_iter().enumerate().filter_map(is_kept).collect())
    }

    /// The places of rows that have come to have an error, if not all of their metadata is known.
    fn sample(
        &self,
        spans: &[RowSpan],
        left: &Left<'_>,
        is_partly: bool,
        out: &mut RangeGathered,
    ) -> Vec<usize> {
        let mut failed = Vec::new();
        let mut work = Row::new(self.now);
        let mut steps = windows::Seen { steps: None, from: i64::MAX, to: i64::MIN };
        for (span, numbers, _) in split(spans, left.rows) {
            for number in numbers {
                let time = self.times[left.rows[number] as usize];
                if time < steps.from || time > steps.to {
                    steps = self.plan.windows.seen(time);
                }
                if steps.steps.is_some()
                    && !self.sample_row((span.part, number, is_partly), left, steps.steps, &mut work, out)
                {
                    failed.push(number);
                }
            }
        }
        failed
    }

    /// False if it has an error that is not whole.
    fn sample_row<'r>(
        &'r self,
        (part, number, is_partly): (usize, usize, bool),
        left: &'r Left<'_>,
        steps: Option<(u32, u32)>,
        work: &mut Row<'r>,
        out: &mut RangeGathered,
    ) -> bool {
        let (plan, of_stream) = (self.plan, &self.rows.streams[part]);
        let time = Timestamp::from_nanos(self.times[left.rows[number] as usize]);
        let line = left.lines.as_ref().map_or(&[][..], |lines| lines.get(number));
        let (metadata, level) = (left.metadata.pairs(number), left.metadata.level(number));
        let row = input_row(&of_stream.stream, time, line, metadata, level);
        if !plan.reads_line && !plan.gathers.keeps_samples() {
            let key = RowKey::of_row(of_stream.stream.place, metadata, level);
            let outcome = out.outcomes.get(key).unwrap_or_else(|| {
                let outcome = out.outcome(plan.sampler.sample_filtered(&row, work));
                out.outcomes.insert(key, outcome);
                outcome
            });
            if let Outcome::Sample(series) = outcome {
                out.add(plan.gathers, series, steps, line.len() as f64);
            }
            return true;
        }
        let Some((value, labels)) = plan.sampler.sample_filtered(&row, work) else { return true };
        if is_partly && labels.iter().any(|(name, _)| *name == "__error__") {
            return false;
        }
        let series = out.series(&labels);
        if !plan.gathers.keeps_samples() {
            out.add(plan.gathers, series, steps, value);
            return true;
        }
        let stream = of_stream.stream.place;
        let place = left.identities.binary_search_by_key(&number, |(number, _)| *number);
        let Ok(place) = place else {
            let time = time.nanos();
            let sample = Sampled { time, value, stream, chunk: self.rows.order };
            out.add_sample(plan.gathers, series, steps, sample);
            return true;
        };
        let stamp = left.stamps.and_then(|stamps| stamps.get(left.rows[number] as usize));
        let RowStamp { stamp, index } = stamp.unwrap_or(RowStamp { stamp: PushStamp(0), index: 0 });
        let identity = left.identities[place].1;
        out.add_contested(ContestedSample { series, stream, time, value, stamp, index, identity });
        true
    }
}

pub(crate) fn input_row<'r>(
    stream: &'r KnownStream,
    time: Timestamp,
    line: &'r [u8],
    metadata: &'r [(&'r str, &'r str)],
    level: Option<&'r str>,
) -> InputRow<'r> {
    let order = RowOrder { timestamp: time, stamp: PushStamp(0), index: 0 };
    InputRow { stream: stream.id, labels: stream.labels(), order, line, metadata, level }
}
