//! Reads all of a segment and checks that everything in it says the same.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use larch_types::Timestamp;
use xxhash_rust::xxh3::xxh3_64;

use crate::compress::Decoder;
use crate::error::{Corrupt, OpenError, ReadError, Section};
use crate::format::{HEADER, section};
use crate::histogram::{Counts, HistogramBuilder, Histograms, RowBytes};
use crate::index::SeriesSpan;
use crate::names::MetadataNames;
use crate::page::stamps::RowStamp;
use crate::reader::chunk::Chunk;
use crate::reader::{Columns, Segment};
use crate::row::RowIdentity;
use crate::set::OrdinalSet;

/// Every byte of the object is covered by what this checks: a flip anywhere is found.
pub fn verify(object: &Bytes) -> Result<Segment, OpenError> {
    let segment = Segment::open(object, object.len() as u64)?;
    if !object.starts_with(&HEADER) {
        return Err(Corrupt::new(Section::Header, "the first bytes are not those of a segment").into());
    }
    check_layout(&segment, object)?;
    segment.index.verify()?;
    let mut checker = Checker::new(&segment);
    for number in 0..segment.chunks.len() as u32 {
        let chunk = segment.chunk_of(object, number, Columns::ALL)?;
        checker.check(number, &chunk).map_err(|error| match error {
            ReadError::Corrupt(corrupt) => corrupt,
            ReadError::NotFetched(section) => Corrupt::new(section, "a page was not fetched"),
        })?;
    }
    checker.finish()?;
    Ok(segment)
}

/// Pages and sections lie side by side, without gaps.
fn check_layout(segment: &Segment, object: &Bytes) -> Result<(), Corrupt> {
    let mut pages: Vec<(u64, u64)> = Vec::new();
    for chunk in &segment.chunks {
        pages.extend(chunk.pages.iter().map(|page| (page.offset, page.len)));
    }
    pages.sort_unstable();
    let mut at = HEADER.len() as u64;
    for (offset, len) in pages {
        if offset != at {
            return Err(Corrupt::new(Section::Pages, "there is a gap between pages"));
        }
        at += len;
    }
    let mut sections: Vec<_> = segment.footer.sections.iter().collect();
    sections.sort_by_key(|entry| entry.offset);
    let mut section_at = HEADER.len() as u64;
    for entry in sections {
        if entry.offset != section_at || (entry.code == section::PAGES && entry.offset + entry.len != at) {
            return Err(Corrupt::new(Section::Footer, "the sections do not lie side by side"));
        }
        section_at += entry.len;
    }
    for (range, checksum) in segment.filter.iter().flat_map(|filter| filter.page_checks()) {
        if xxh3_64(&object[range.start as usize..range.end as usize]) != checksum {
            return Err(Corrupt::new(Section::FilterPages, "the checksum does not match"));
        }
    }
    Ok(())
}

/// What rows say, collected chunk by chunk and compared with what the rest of the segment says.
struct Checker<'a> {
    segment: &'a Segment,
    decoder: Decoder,
    /// The stream whose rows came last, and its last time.
    stream: Option<(u32, i64)>,
    stamp: Option<RowStamp>,
    spans: Vec<SeriesSpan>,
    histograms: HistogramBuilder,
    rows: u64,
    raw_bytes: u64,
    times: Option<(i64, i64)>,
}

impl<'a> Checker<'a> {
    fn new(segment: &'a Segment) -> Self {
        Self {
            segment,
            decoder: Decoder::new(),
            stream: None,
            stamp: None,
            spans: Vec::new(),
            histograms: HistogramBuilder::of_all(),
            rows: 0,
            raw_bytes: 0,
            times: None,
        }
    }

    fn check(&mut self, number: u32, chunk: &Chunk) -> Result<(), ReadError> {
        let runs = chunk.streams(&mut self.decoder)?;
        let mut raw_bytes = 0;
        for run in runs {
            self.start_stream(run.stream)?;
            let before = self.raw_bytes;
            for row in run.range() {
                self.check_row(chunk, run.stream, row)?;
            }
            let times = chunk.times()?;
            self.spans.push(SeriesSpan {
                chunk: number,
                rows: run.rows,
                raw_bytes: self.raw_bytes - before,
                first_time: Timestamp::from_nanos(times[run.start as usize]),
                last_time: Timestamp::from_nanos(times[run.range().end - 1]),
            });
            raw_bytes += self.raw_bytes - before;
        }
        let info = chunk.info();
        let streams = (runs.first().map(|run| run.stream), runs.last().map(|run| run.stream));
        if streams != (Some(info.first_stream), Some(info.last_stream)) || raw_bytes != info.raw_bytes {
            return Err(directory("a chunk has other streams or bytes than it says").into());
        }
        check_names(self.segment.names.as_ref(), number, chunk, &mut self.decoder)?;
        let times = chunk.times()?;
        let range = (times.iter().min().copied(), times.iter().max().copied());
        if range != (Some(info.first_time.nanos()), Some(info.last_time.nanos())) {
            return Err(directory("a chunk has other times than it says").into());
        }
        Ok(())
    }

    fn check_row(&mut self, chunk: &Chunk, stream: u32, row: usize) -> Result<(), ReadError> {
        let time = chunk.times()?[row];
        if self.stream.is_some_and(|(_, last)| last > time) {
            return Err(Corrupt::new(Section::Times, "rows of a stream do not ascend").into());
        }
        let stamp = chunk.stamps(&mut self.decoder)?.get(row);
        let is_tied = self.stream == Some((stream, time));
        if is_tied && self.stamp.zip(stamp).is_some_and(|(last, next)| last > next) {
            return Err(
                Corrupt::new(Section::Stamps, "rows of one time are not in the order of pushes").into()
            );
        }
        self.stream = Some((stream, time));
        self.stamp = stamp;
        let line = chunk.lines(&mut self.decoder)?.get(row);
        let metadata = chunk.row_metadata(row, &mut self.decoder)?;
        let level = chunk.levels(&mut self.decoder)?.get(row);
        let timestamp = Timestamp::from_nanos(time);
        let id = self.segment.index.stream_id(stream)?;
        let identity = RowIdentity::of(id, timestamp, line, metadata.iter().copied());
        let row = crate::Row { timestamp, line, metadata: &metadata, level };
        let bytes = RowBytes::new(line.len(), row.raw_bytes());
        self.histograms.add(timestamp, identity, bytes, crate::writer::level_of(&metadata, level));
        self.rows += 1;
        self.raw_bytes += bytes.line + bytes.metadata;
        let (first, last) = self.times.unwrap_or((time, time));
        self.times = Some((first.min(time), last.max(time)));
        Ok(())
    }

    fn start_stream(&mut self, stream: u32) -> Result<(), Corrupt> {
        match self.stream {
            Some((last, _)) if last == stream => return Ok(()),
            Some((last, _)) if last > stream => {
                return Err(Corrupt::new(Section::Streams, "streams do not ascend"));
            }
            _ => {}
        }
        self.end_stream()?;
        self.stream = Some((stream, i64::MIN));
        Ok(())
    }

    fn end_stream(&mut self) -> Result<(), Corrupt> {
        let Some((stream, _)) = self.stream else { return Ok(()) };
        if self.segment.index.spans(stream)? != self.spans {
            return Err(Corrupt::new(Section::Series, "a stream has other rows than it says"));
        }
        self.spans.clear();
        self.histograms.finish_stream(stream);
        Ok(())
    }

    fn finish(mut self) -> Result<(), Corrupt> {
        self.end_stream()?;
        let totals = &self.segment.footer.totals;
        let (first, last) = self.times.unwrap_or_default();
        let times = (totals.first_time.nanos(), totals.last_time.nanos());
        if (self.rows, self.raw_bytes) != (totals.rows, totals.raw_bytes) || times != (first, last) {
            return Err(Corrupt::new(Section::Footer, "its totals are not those of the rows"));
        }
        let Some(stored) = &self.segment.histograms else { return Ok(()) };
        let counted = self.histograms.finish().map(|bytes| Histograms::new(bytes.into()));
        let all = OrdinalSet::all(totals.streams);
        let counted = counted.map_or(Ok(Counts::default()), |counted| counted.of(&all))?;
        let counted: HashMap<u32, _> = by_level(counted).into_iter().collect();
        for (stream, minutes) in by_level(stored.of(&all)?) {
            if counted.get(&stream) != Some(&minutes) {
                return Err(Corrupt::new(Section::Histograms, "a histogram does not count the rows"));
            }
        }
        Ok(())
    }
}

/// Digest and counts of a minute, with the words of its levels: which places those have is a matter of who
/// counted.
type Minute = (i64, u64, Vec<(String, u64, u64, u64)>);

fn by_level(counts: Counts) -> Vec<(u32, Vec<Minute>)> {
    let mut streams = Vec::with_capacity(counts.streams.len());
    for (stream, minutes) in counts.streams {
        let mut named: Vec<Minute> = Vec::with_capacity(minutes.len());
        for minute in minutes {
            let level = |place: u32| counts.levels.get(place as usize).cloned().unwrap_or_default();
            let levels = minute.levels.iter();
            let levels = levels.map(|one| (level(one.level), one.rows, one.line_bytes, one.metadata_bytes));
            named.push((minute.end.nanos(), minute.digest, levels.collect()));
        }
        streams.push((stream, named));
    }
    streams
}

/// The names that the section says are in a chunk are those of its rows.
fn check_names(
    names: Option<&MetadataNames>,
    number: u32,
    chunk: &Chunk,
    decoder: &mut Decoder,
) -> Result<(), ReadError> {
    let Some(said) = names.and_then(|names| names.of_chunk(number)) else { return Ok(()) };
    let said: BTreeSet<&str> = said.collect();
    let found: BTreeSet<&str> = chunk.metadata_names(decoder)?.iter().map(|name| &**name).collect();
    if said == found {
        return Ok(());
    }
    Err(Corrupt::new(Section::MetadataNames, "a chunk has other names than it says").into())
}

const fn directory(what: &'static str) -> Corrupt {
    Corrupt::new(Section::Directory, what)
}
