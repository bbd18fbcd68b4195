//! The end of a segment: filter pages, then the tail, which are the sections that every reader needs,
//! the footer and the trailer.

use xxhash_rust::xxh3::xxh3_64;

use crate::footer::{Footer, SectionEntry, Totals};
use crate::format::{HEADER, put_directory, section};
use crate::index::IndexSections;
use crate::writer::SegmentWriter;
use crate::writer::pages::PageWriter;

/// Every section so far has its first version.
const FIRST_VERSION: u64 = 1;

/// Writes all that comes behind the pages, and gives what was not taken away yet.
pub(super) fn finish(writer: SegmentWriter, totals: &Totals) -> Vec<u8> {
    let mut pages = writer.pages;
    let (directory, names) = pages.finish_pages();
    let start = HEADER.len() as u64;
    let mut sections = vec![paged(section::PAGES, start, pages.position() - start, true)];
    let filter = writer.filter.finish();
    let filter_start = pages.position();
    if let Some(filter) = &filter {
        pages.put(&filter.pages);
        sections.push(paged(section::FILTER_PAGES, filter_start, filter.pages.len() as u64, false));
    }
    let tail = pages.position();
    let mut tail_writer = TailWriter { pages: &mut pages, sections: &mut sections };
    tail_writer.put(section::DIRECTORY, &put_directory(&directory), true);
    let IndexSections { symbols, stream_ids, series, postings } = writer.index.finish();
    tail_writer.put(section::SYMBOLS, &symbols, true);
    tail_writer.put(section::STREAM_IDS, &stream_ids, true);
    tail_writer.put(section::SERIES, &series, true);
    tail_writer.put(section::POSTINGS, &postings, true);
    if let Some(histograms) = writer.histograms.finish() {
        tail_writer.put(section::HISTOGRAMS, &histograms, false);
    }
    if let Some(filter) = &filter {
        tail_writer.put(section::FILTER, &filter.directory, false);
    }
    if !directory.is_empty() {
        tail_writer.put(section::METADATA_NAMES, &names.finish(), false);
    }
    let footer = Footer { provenance: writer.provenance, totals: *totals, sections };
    let end = pages.position();
    pages.put(&footer.encode(tail, end));
    pages.take_bytes()
}

const fn paged(code: u64, offset: u64, len: u64, is_required: bool) -> SectionEntry {
    SectionEntry { code, version: FIRST_VERSION, is_required, is_paged: true, offset, len, checksum: 0 }
}

struct TailWriter<'a> {
    pages: &'a mut PageWriter,
    sections: &'a mut Vec<SectionEntry>,
}

impl TailWriter<'_> {
    fn put(&mut self, code: u64, bytes: &[u8], is_required: bool) {
        self.sections.push(SectionEntry {
            code,
            version: FIRST_VERSION,
            is_required,
            is_paged: false,
            offset: self.pages.position(),
            len: bytes.len() as u64,
            checksum: xxh3_64(bytes),
        });
        self.pages.put(bytes);
    }
}
