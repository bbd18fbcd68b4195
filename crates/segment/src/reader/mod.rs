//! Reads a segment: its tail says what it holds and where, its pages are fetched by whoever can.

pub(crate) mod chunk;
pub(crate) mod directory;
pub(crate) mod inspect;
pub(crate) mod placement;
pub(crate) mod presence;
pub(crate) mod verify;

use std::ops::Range;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Corrupt, OpenError, Section};
use crate::filter::Filter;
use crate::footer::{Footer, Provenance, SectionEntry, Totals, Trailer};
use crate::format::{ChunkEntry, Column, HEADER, read_directory, section};
use crate::histogram::Histograms;
use crate::index::{Index, IndexBytes};
use crate::names::MetadataNames;
use chunk::{Chunk, ChunkInfo};
use directory::ChunkDirectory;

/// How much of an object's end to read when nothing is known of it: most segments' tails are shorter.
pub const TAIL_GUESS_BYTES: u64 = 256 << 10;

/// The version of each section that this program reads; an optional section of another is skipped.
const SECTION_VERSION: u64 = 1;

/// A segment whose tail was read.
#[derive(Debug, Clone)]
pub struct Segment {
    footer: Footer,
    object_len: u64,
    tail: u64,
    chunks: Vec<ChunkEntry>,
    index: Index,
    histograms: Option<Histograms>,
    names: Option<MetadataNames>,
    filter: Option<Filter>,
}

/// Which columns of a chunk to fetch. Times and streams always come with them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Columns {
    pub lines: bool,
    pub metadata: bool,
    pub levels: bool,
    pub stamps: bool,
}

impl Columns {
    pub const ALL: Self = Self { lines: true, metadata: true, levels: true, stamps: true };

    pub const fn has(self, column: Column) -> bool {
        match column {
            Column::Times | Column::Streams => true,
            Column::Stamps => self.stamps,
            Column::Levels => self.levels,
            Column::Shapes | Column::MetadataRest | Column::Metadata(_) => self.metadata,
            Column::Lines => self.lines,
        }
    }
}

/// A page to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRef {
    pub column: Column,
    /// In the object.
    pub range: Range<u64>,
}

impl Segment {
    /// `tail` holds the last bytes of an object of `object_len` bytes.
    pub fn open(tail: &Bytes, object_len: u64) -> Result<Self, OpenError> {
        let trailer = Trailer::decode(tail, object_len)?;
        let held_from = object_len.checked_sub(tail.len() as u64);
        let held_from = held_from.ok_or(Corrupt::new(Section::Trailer, "more bytes than the object has"))?;
        if trailer.tail < held_from {
            return Err(OpenError::Short { from: trailer.tail });
        }
        let held = |range: Range<u64>| {
            tail.slice((range.start - held_from) as usize..(range.end - held_from) as usize)
        };
        let footer_bytes = held(trailer.footer_offset..object_len);
        trailer.check(&footer_bytes)?;
        let footer = Footer::decode(&footer_bytes[..trailer.footer_len], trailer.footer_offset)?;
        check_known(&footer)?;
        let section = |code, name| -> Result<Option<Bytes>, Corrupt> {
            let Some(entry) = footer.section(code) else { return Ok(None) };
            read_section(entry, name, trailer.tail, &held)
        };
        let required = |code, name| section(code, name)?.ok_or(Corrupt::new(name, "the section is missing"));
        let pages_end = footer.section(section::PAGES).map_or(0, |pages| pages.offset + pages.len);
        let directory = required(section::DIRECTORY, Section::Directory)?;
        let chunks = read_directory(&directory, footer.totals.streams, pages_end)?;
        let index_bytes = IndexBytes {
            symbols: required(section::SYMBOLS, Section::Symbols)?,
            stream_ids: required(section::STREAM_IDS, Section::StreamIds)?,
            series: required(section::SERIES, Section::Series)?,
            postings: required(section::POSTINGS, Section::Postings)?,
        };
        let index = Index::new(&index_bytes, chunks.len() as u32)?;
        if index.streams() != footer.totals.streams || chunks.len() != footer.totals.chunks as usize {
            return Err(
                Corrupt::new(Section::Footer, "its numbers of streams and chunks do not match").into()
            );
        }
        let histograms = section(section::HISTOGRAMS, Section::Histograms)?.map(Histograms::new);
        let names = match section(section::METADATA_NAMES, Section::MetadataNames)? {
            Some(bytes) => Some(MetadataNames::new(&bytes, chunks.len())?),
            None => None,
        };
        let filter = match section(section::FILTER, Section::Filter)? {
            Some(directory) => Some(open_filter(&footer, &directory, chunks.len())?),
            None => None,
        };
        Ok(Self { footer, object_len, tail: trailer.tail, chunks, index, histograms, names, filter })
    }

    /// What it takes in memory, about: the tail itself, and the tables that were read from it. What is read where
    /// it lies, stream by stream, is most of the tail where there are many streams, and counts once.
    pub fn held_bytes(&self) -> u64 {
        let tail = self.object_len - self.tail;
        let in_place =
            [section::SYMBOLS, section::STREAM_IDS, section::SERIES, section::POSTINGS, section::HISTOGRAMS];
        let in_place: u64 =
            in_place.iter().filter_map(|code| self.footer.section(*code)).map(|entry| entry.len).sum();
        tail + tail.saturating_sub(in_place)
    }

    pub const fn provenance(&self) -> &Provenance {
        &self.footer.provenance
    }

    pub const fn totals(&self) -> &Totals {
        &self.footer.totals
    }

    /// Offset from which on [`Segment::open`] needs the object.
    pub const fn tail_offset(&self) -> u64 {
        self.tail
    }

    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// None if no stream has enough rows for one.
    pub const fn histograms(&self) -> Option<&Histograms> {
        self.histograms.as_ref()
    }

    /// None if the segment does not say which names its rows' metadata have.
    pub const fn metadata_names(&self) -> Option<&MetadataNames> {
        self.names.as_ref()
    }

    /// None if the segment has none, or one that this program does not know.
    pub const fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }

    /// All pages and sections, as ranges of the object.
    #[cfg(test)]
    pub(crate) fn parts(&self) -> Vec<Range<u64>> {
        let pages = self.chunks.iter().flat_map(|chunk| &chunk.pages);
        let mut parts: Vec<Range<u64>> = pages.map(|page| page.offset..page.offset + page.len).collect();
        parts.extend(self.footer.sections.iter().map(|entry| entry.offset..entry.offset + entry.len));
        parts.push(
            self.footer.sections.iter().map(|entry| entry.offset + entry.len).max().unwrap_or(0)
                ..self.object_len,
        );
        parts
    }

    pub fn chunks(&self) -> impl ExactSizeIterator<Item = ChunkInfo> {
        self.chunks.iter().map(ChunkInfo::of_entry)
    }

    /// What the footer says of a chunk. Panics if there is no such chunk.
    pub fn directory(&self, chunk: u32) -> ChunkDirectory<'_> {
        ChunkDirectory::of(&self.chunks[chunk as usize])
    }

    /// Pages to fetch for a chunk. Panics if there is no such chunk.
    pub fn pages(&self, chunk: u32, columns: Columns) -> Vec<PageRef> {
        self.directory(chunk).pages(columns)
    }

    /// A chunk of pages that were fetched. Panics if there is no such chunk.
    pub fn chunk(&self, chunk: u32, pages: Vec<(PageRef, Bytes)>) -> Chunk {
        self.directory(chunk).chunk(pages)
    }

    /// A chunk of a segment that is held whole. Panics if there is no such chunk.
    pub fn chunk_of(&self, object: &Bytes, chunk: u32, columns: Columns) -> Result<Chunk, Corrupt> {
        let mut fetched = Vec::new();
        for page in self.pages(chunk, columns) {
            let range = page.range.start as usize..page.range.end as usize;
            if range.end > object.len() {
                return Err(Corrupt::new(page.column.section(), "a page lies outside"));
            }
            fetched.push((page, object.slice(range)));
        }
        Ok(self.chunk(chunk, fetched))
    }
}

fn check_known(footer: &Footer) -> Result<(), OpenError> {
    for entry in &footer.sections {
        let is_known = (section::PAGES..=section::FILTER_PAGES).contains(&entry.code);
        if entry.is_required && !(is_known && entry.version == SECTION_VERSION) {
            return Err(OpenError::UnknownSection { section: entry.code });
        }
    }
    match footer.section(section::PAGES) {
        Some(pages) if pages.offset == HEADER.len() as u64 => Ok(()),
        _ => Err(Corrupt::new(Section::Footer, "there are no pages behind the header").into()),
    }
}

/// The bytes of a section of the tail, checked; none if it is an optional one of another version.
fn read_section(
    entry: &SectionEntry,
    name: Section,
    tail: u64,
    held: &impl Fn(Range<u64>) -> Bytes,
) -> Result<Option<Bytes>, Corrupt> {
    if entry.version != SECTION_VERSION {
        return Ok(None);
    }
    if entry.offset < tail {
        return Err(Corrupt::new(name, "the section lies before the tail"));
    }
    let bytes = held(entry.offset..entry.offset + entry.len);
    if xxh3_64(&bytes) != entry.checksum {
        return Err(Corrupt::new(name, "the checksum does not match"));
    }
    Ok(Some(bytes))
}

fn open_filter(footer: &Footer, directory: &[u8], chunks: usize) -> Result<Filter, Corrupt> {
    let corrupt = |what| Corrupt::new(Section::Filter, what);
    let pages = footer.section(section::FILTER_PAGES).ok_or(corrupt("it has no pages"))?;
    let filter = Filter::new(directory, footer.provenance.id, pages.offset, pages.len)?;
    if filter.chunks() != chunks {
        return Err(corrupt("it has another number of chunks"));
    }
    Ok(filter)
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
