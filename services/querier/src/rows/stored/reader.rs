//! Pages of planned chunks, and what reading them cost.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use larch_proto::{Direction, SegmentEntry};
use larch_rpc::CallError;
use larch_segment::{ChunkDirectory, Column, Columns, PageRef, ReadError};
use larch_store::Segments;
use larch_types::{TenantId, Timestamp};

use super::needles::Needles;
use crate::cpu::Cpu;
use crate::rows::Read;

/// One read of one tenant.
pub(crate) struct Reader {
    segments: Segments,
    tenant: TenantId,
    pub(super) needles: Needles,
    pub(super) direction: Direction,
    start: Timestamp,
    end: Timestamp,
    pub(crate) cpu: Cpu,
    spent: Arc<Spent>,
}

/// What all reads of a question cost together.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    pub(crate) chunks: AtomicU64,
    pub(crate) pages: AtomicU64,
    pub(crate) page_bytes: AtomicU64,
    pub(crate) decompressed_bytes: AtomicU64,
    pub(crate) pages_from_cache: AtomicU64,
    pub(crate) page_bytes_from_cache: AtomicU64,
}

/// A chunk of a segment: where its pages are.
#[derive(Debug)]
pub(crate) struct ChunkPlace {
    pub(crate) entry: Arc<SegmentEntry>,
    pub(crate) directory: ChunkDirectory<'static>,
}

pub(crate) type Pages = Vec<(PageRef, Bytes)>;

impl Reader {
    pub(crate) fn new(
        segments: Segments,
        tenant: TenantId,
        read: &Read,
        cpu: Cpu,
        spent: Arc<Spent>,
    ) -> Result<Self, CallError> {
        let needles = Needles::new(&read.needles)?;
        let (direction, start, end) = (read.direction, read.start, read.end);
        Ok(Self { segments, tenant, needles, direction, start, end, cpu, spent })
    }

    pub(super) fn has_time(&self, nanos: i64) -> bool {
        let time = Timestamp::from_nanos(nanos);
        self.start <= time && time < self.end
    }

    /// The pages of some columns of some chunks of one segment, by chunk. Which rows are of which stream the
    /// plan says.
    pub(super) async fn pages(&self, wanted: &[(&ChunkPlace, Columns)]) -> Result<Vec<Pages>, CallError> {
        let Some((place, _)) = wanted.first() else { return Ok(Vec::new()) };
        let mut refs: Vec<Vec<PageRef>> = Vec::with_capacity(wanted.len());
        for (place, columns) in wanted {
            let mut pages = place.directory.pages(*columns);
            pages.retain(|page| page.column != Column::Streams);
            refs.push(pages);
        }
        self.fetch(&place.entry, refs).await
    }

    /// Pages of chunks of one segment, by chunk.
    pub(crate) async fn fetch(
        &self,
        segment: &SegmentEntry,
        wanted: Vec<Vec<PageRef>>,
    ) -> Result<Vec<Pages>, CallError> {
        let ranges: Vec<Range<u64>> = wanted.iter().flatten().map(|page| page.range.clone()).collect();
        let fetched = self.segments.pages(&self.tenant, segment, &ranges).await;
        let fetched = fetched.map_err(|error| CallError::new(error.kind(), error.to_string()))?;
        add(&self.spent.pages, ranges.len() as u64);
        add(&self.spent.page_bytes, ranges.iter().map(|range| range.end - range.start).sum());
        add(&self.spent.pages_from_cache, fetched.from_cache);
        add(&self.spent.page_bytes_from_cache, fetched.bytes_from_cache);
        let mut bytes = fetched.pages.into_iter();
        let of_chunk = |refs: Vec<PageRef>| -> Pages {
            refs.into_iter().map(|page| (page, bytes.next().unwrap_or_default())).collect()
        };
        Ok(wanted.into_iter().map(of_chunk).collect())
    }

    pub(crate) fn count_chunk(&self) {
        add(&self.spent.chunks, 1);
    }

    pub(crate) fn count_decompressed(&self, bytes: u64) {
        add(&self.spent.decompressed_bytes, bytes);
    }

    /// What is wrong with a chunk, with the name of its segment. Its pages are let go of, for they may be
    /// right in the store.
    pub(crate) async fn unreadable(&self, place: &ChunkPlace, error: ReadError) -> CallError {
        let pages = place.directory.pages(Columns::ALL);
        let ranges: Vec<Range<u64>> = pages.into_iter().map(|page| page.range).collect();
        self.segments.forget(&self.tenant, &place.entry, &ranges).await;
        CallError::new(error.kind(), format!("segment {}: {error}", place.entry.id))
    }
}

fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}
