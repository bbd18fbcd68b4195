//! Lays pages into the object. Pages of one column lie side by side over several chunks, so that one
//! ranged read fetches a column of all of them.

use larch_types::Timestamp;

use crate::format::{ChunkEntry, Column, PageEntry};
use crate::memory::batch::Batch;
use crate::names::NamesBuilder;
use crate::writer::chunk::{self, ChunkEncoder, Page};

/// Encoded bytes of chunks whose pages lie together: what one request to a store should ask for.
const GROUP_BYTES: usize = 4 << 20;

pub(super) struct PageWriter {
    out: Vec<u8>,
    /// Bytes that were taken away.
    taken: u64,
    entries: Vec<ChunkEntry>,
    names: NamesBuilder,
    /// Pages of the last chunks, by chunk, not laid yet.
    group: Vec<(usize, Page)>,
    group_bytes: usize,
}

impl PageWriter {
    pub(super) fn new(header: Vec<u8>) -> Self {
        Self {
            out: header,
            taken: 0,
            entries: Vec::new(),
            names: NamesBuilder::default(),
            group: Vec::new(),
            group_bytes: 0,
        }
    }

    pub(super) fn chunks(&self) -> u32 {
        self.entries.len() as u32
    }

    /// The batch has rows.
    pub(super) fn add(&mut self, batch: &Batch, with: ChunkEncoder<'_>) {
        let chunk = self.entries.len();
        let (first, last) = time_range(batch.times());
        self.entries.push(ChunkEntry {
            rows: batch.len() as u32,
            raw_bytes: batch.raw_bytes() as u64,
            first_time: Timestamp::from_nanos(first),
            last_time: Timestamp::from_nanos(last),
            first_stream: batch.stream(0),
            last_stream: batch.stream(batch.len() - 1),
            pages: Vec::new(),
        });
        let (pages, names) = chunk::encode(batch, with);
        self.names.add_chunk(&names);
        for page in pages {
            self.group_bytes += page.bytes.len();
            self.group.push((chunk, page));
        }
        if self.group_bytes >= GROUP_BYTES {
            self.lay_group();
        }
    }

    fn lay_group(&mut self) {
        let mut group = std::mem::take(&mut self.group);
        self.group_bytes = 0;
        group.sort_by_key(|(_, page)| place_of(page.column));
        for (chunk, page) in group {
            let entry = PageEntry {
                column: page.column,
                offset: self.position(),
                len: page.bytes.len() as u64,
                checksum: page.checksum,
            };
            self.out.extend_from_slice(&page.bytes);
            self.entries[chunk].pages.push(entry);
        }
    }

    /// Bytes of the object so far.
    pub(super) fn position(&self) -> u64 {
        self.taken + self.out.len() as u64
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(super) fn take_bytes(&mut self) -> Vec<u8> {
        self.taken += self.out.len() as u64;
        std::mem::take(&mut self.out)
    }

    /// Gives out a whole group, and uses its room for the next.
    pub(super) fn drain<E>(&mut self, put: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if self.out.len() >= GROUP_BYTES {
            put(&self.out)?;
            self.taken += self.out.len() as u64;
            self.out.clear();
        }
        Ok(())
    }

    /// Lays what is left; the directory is complete then, and the names of metadata by chunk.
    pub(super) fn finish_pages(&mut self) -> (Vec<ChunkEntry>, NamesBuilder) {
        self.lay_group();
        (std::mem::take(&mut self.entries), std::mem::take(&mut self.names))
    }
}

/// Small columns first, lines last.
const fn place_of(column: Column) -> u64 {
    match column {
        Column::Lines => u64::MAX,
        other => other.code(),
    }
}

fn time_range(times: &[i64]) -> (i64, i64) {
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for time in times {
        first = first.min(*time);
        last = last.max(*time);
    }
    (first, last)
}
