//! What a footer says of one chunk, by itself: enough to read the chunk without the footer.

use std::borrow::Cow;

use bytes::Bytes;

use crate::error::{Corrupt, Section};
use crate::format::{ChunkEntry, put_chunk, read_chunk};
use crate::reader::chunk::{Chunk, ChunkInfo};
use crate::reader::{Columns, PageRef};
use crate::wire::Cursor;

/// An entry of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkDirectory<'a>(Cow<'a, ChunkEntry>);

impl<'a> ChunkDirectory<'a> {
    pub(crate) const fn of(entry: &'a ChunkEntry) -> Self {
        Self(Cow::Borrowed(entry))
    }

    /// As it stands in the directory.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        put_chunk(&mut out, &self.0);
        out.into()
    }

    pub fn info(&self) -> ChunkInfo {
        ChunkInfo::of_entry(&self.0)
    }

    /// Pages to fetch.
    pub fn pages(&self, columns: Columns) -> Vec<PageRef> {
        let wanted = self.0.pages.iter().filter(|page| columns.has(page.column));
        wanted
            .map(|page| PageRef { column: page.column, range: page.offset..page.offset + page.len })
            .collect()
    }

    /// The chunk, of pages that were fetched.
    pub fn chunk(&self, pages: Vec<(PageRef, Bytes)>) -> Chunk {
        let fetched = pages.into_iter().map(|(page, bytes)| (page.column, bytes)).collect();
        Chunk::of_pages(self.info(), self.0.pages.clone(), fetched)
    }
}

impl ChunkDirectory<'static> {
    /// One entry of a segment of so many bytes.
    pub fn decode(bytes: &[u8], object_len: u64) -> Result<Self, Corrupt> {
        let mut cursor = Cursor::new(bytes, Section::Directory);
        let entry = read_chunk(&mut cursor, u32::MAX, object_len)?;
        cursor.finish()?;
        Ok(Self(Cow::Owned(entry)))
    }
}
