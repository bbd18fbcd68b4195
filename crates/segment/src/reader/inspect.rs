//! What is in a segment, in numbers.

use crate::error::Section;
use crate::footer::{Provenance, Totals};
use crate::format::{HEADER, section};
use crate::reader::Segment;

/// Bytes of one section, or of one column's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SectionSize {
    /// None if this program does not know the section.
    pub section: Option<Section>,
    /// How many pages it has, where it has pages.
    pub pages: u64,
    pub bytes: u64,
}

/// A segment's contents; sizes add up to the object's length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    pub provenance: Provenance,
    pub totals: Totals,
    pub object_bytes: u64,
    pub tail_bytes: u64,
    pub sizes: Vec<SectionSize>,
}

pub fn inspect(segment: &Segment) -> Inspection {
    let mut sizes = vec![size(Section::Header, HEADER.len() as u64)];
    for column in COLUMNS {
        let mut size = SectionSize { section: Some(column), pages: 0, bytes: 0 };
        for page in segment.chunks.iter().flat_map(|chunk| &chunk.pages) {
            if page.column.section() == column {
                size.pages += 1;
                size.bytes += page.len;
            }
        }
        if size.pages > 0 {
            sizes.push(size);
        }
    }
    let mut sections_end = 0;
    for entry in &segment.footer.sections {
        sections_end = sections_end.max(entry.offset + entry.len);
        if entry.code != section::PAGES {
            sizes.push(SectionSize { section: name_of(entry.code), pages: 0, bytes: entry.len });
        }
    }
    sizes.push(size(Section::Footer, segment.object_len - sections_end));
    Inspection {
        provenance: segment.footer.provenance.clone(),
        totals: segment.footer.totals,
        object_bytes: segment.object_len,
        tail_bytes: segment.object_len - segment.tail,
        sizes,
    }
}

/// Sections that pages belong to, in the order of the object.
const COLUMNS: [Section; 7] = [
    Section::Times,
    Section::Streams,
    Section::Stamps,
    Section::Levels,
    Section::Shapes,
    Section::Metadata,
    Section::Lines,
];

const fn size(section: Section, bytes: u64) -> SectionSize {
    SectionSize { section: Some(section), pages: 0, bytes }
}

const fn name_of(code: u64) -> Option<Section> {
    Some(match code {
        section::DIRECTORY => Section::Directory,
        section::SYMBOLS => Section::Symbols,
        section::STREAM_IDS => Section::StreamIds,
        section::SERIES => Section::Series,
        section::POSTINGS => Section::Postings,
        section::HISTOGRAMS => Section::Histograms,
        section::METADATA_NAMES => Section::MetadataNames,
        section::FILTER => Section::Filter,
        section::FILTER_PAGES => Section::FilterPages,
        _ => return None,
    })
}
