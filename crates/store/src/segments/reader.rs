//! Footers and pages, each read once for as long as the caches have room: from memory, else from the directory on
//! disk if there is one, else from the store.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larch_proto::SegmentEntry;
use larch_runtime::Scope;
use larch_segment::{OpenError, Segment};
use larch_telemetry::{Counter, Family, Registry, Spec};
use larch_types::{SegmentId, Span, TenantId};
use larch_wal::Dir;
use moka::future::Cache;

use super::bound::CacheBound;
use super::error::SegmentError;
use crate::catalog::{Catalog, SegmentPlace};
use crate::disk_cache::{Admission, DiskCache, OpenCacheError};
use crate::settings::ChunkStoreSettings;

/// The labels of a segment's streams are at most 256 MiB; what else a footer has of many streams and chunks
/// is less than as much again.
const MAX_FOOTER_BYTES: u64 = 512 << 20;

/// All stored segments of all tenants. Clones share the caches.
#[derive(Clone)]
pub struct Segments(Arc<Inner>);

struct Inner {
    catalog: Catalog,
    footers: Cache<SegmentKey, Arc<Segment>>,
    pages: Cache<PageKey, Bytes>,
    disk: DiskCache,
    metrics: CacheMetrics,
}

/// The tenant is in it, so that no mistake with an id can show one tenant's rows to another.
type SegmentKey = (TenantId, SegmentId);
/// Where the page begins, and how long it is.
type PageKey = (TenantId, SegmentId, u64, u64);

/// Pages, and how many of them were in a cache.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fetched {
    /// In the order in which they were asked for.
    pub pages: Vec<Bytes>,
    pub from_cache: u64,
    pub bytes_from_cache: u64,
}

/// Where something was.
#[derive(Debug, Clone, Copy)]
enum Origin {
    Memory,
    Disk,
    Store,
}

#[derive(Clone)]
struct CacheMetrics {
    requests: Family<Counter, 2>,
}

const REQUESTS: Spec<2> = Spec {
    name: "larch_segment_cache_requests_total",
    help: "Footers and pages of segments that were asked for, by where they were: in memory (hit), in the cache on disk (disk), or only in the store (miss).",
    labels: ["cache", "result"],
};
const BYTES: Spec<1> = Spec {
    name: "larch_segment_cache_weight",
    help: "What footers and pages of segments take in the caches: bytes, or entries if only those are bounded.",
    labels: ["cache"],
};

impl Segments {
    /// Footers and pages may each take as much as the settings give the cache.
    pub fn new(catalog: Catalog, settings: &ChunkStoreSettings, registry: &Registry) -> Self {
        let cache = &settings.chunk_cache_config;
        let bound = CacheBound::new(&cache.embedded_cache);
        let ttl =
            [cache.embedded_cache.ttl, cache.default_validity].into_iter().find(|ttl| *ttl > Span::ZERO);
        let ttl = ttl.map(Span::to_std);
        let footers = cache_of(bound, ttl, |footer: &Arc<Segment>| footer.held_bytes());
        let pages = cache_of(bound, ttl, |page: &Bytes| page.len() as u64);
        let (shown_footers, shown_pages) = (footers.clone(), pages.clone());
        registry.gauge_fn(BYTES, move || {
            vec![
                (["footers".to_owned()], shown_footers.weighted_size() as f64),
                (["pages".to_owned()], shown_pages.weighted_size() as f64),
            ]
        });
        let metrics = CacheMetrics { requests: registry.counter(REQUESTS) };
        let disk = DiskCache::new(catalog.env().clone(), &settings.disk_cache, registry);
        Self(Arc::new(Inner { catalog, footers, pages, disk, metrics }))
    }

    /// Takes a directory for footers and pages, with what it has of them. What is written to it goes through a task of
    /// the scope.
    pub async fn open_disk_cache(&self, dir: Arc<dyn Dir>, scope: &Scope) -> Result<(), OpenCacheError> {
        self.0.disk.open(dir, scope).await
    }

    pub fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// The segment's footer. Whoever wants one that is being read waits for that reading.
    ///
    /// # Cancel safety
    /// It may be dropped at any time; another who waits goes on.
    pub async fn open(&self, tenant: &TenantId, entry: &SegmentEntry) -> Result<Arc<Segment>, SegmentError> {
        let key = (tenant.clone(), entry.id);
        let opened = self.0.footers.entry(key).or_try_insert_with(self.0.read_footer(tenant, entry)).await;
        let opened = opened.map_err(|error: Arc<SegmentError>| SegmentError::clone(&error))?;
        if !opened.is_fresh() {
            self.0.metrics.count("footers", Origin::Memory, 1);
        }
        Ok(opened.into_value())
    }

    /// Pages of a segment. Whoever reads them checks their sums.
    pub async fn pages(
        &self,
        tenant: &TenantId,
        entry: &SegmentEntry,
        ranges: &[Range<u64>],
    ) -> Result<Fetched, SegmentError> {
        let key = |range: &Range<u64>| (tenant.clone(), entry.id, range.start, range.end - range.start);
        let mut fetched = Fetched { pages: vec![Bytes::new(); ranges.len()], ..Fetched::default() };
        let (mut places, mut missing) = (Vec::new(), Vec::new());
        for (place, range) in ranges.iter().enumerate() {
            match self.0.pages.get(&key(range)).await {
                Some(page) => fetched.put(place, page),
                None => {
                    places.push(place);
                    missing.push(range.clone());
                }
            }
        }
        let from_memory = fetched.from_cache;
        self.0.metrics.count("pages", Origin::Memory, from_memory);
        let in_memory = ranges.iter().zip(&fetched.pages).filter(|(_, page)| !page.is_empty());
        self.0.disk.offer(tenant, entry.id, Admission::SecondTime, in_memory);
        if missing.is_empty() {
            return Ok(fetched);
        }
        let on_disk = self.0.disk.read(tenant, entry.id, &missing).await;
        let mut elsewhere = Vec::new();
        for ((place, range), page) in places.into_iter().zip(missing).zip(on_disk) {
            match page {
                Some(page) => {
                    self.0.pages.insert(key(&range), page.clone()).await;
                    fetched.put(place, page);
                }
                None => elsewhere.push((place, range)),
            }
        }
        self.0.metrics.count("pages", Origin::Disk, fetched.from_cache - from_memory);
        self.0.metrics.count("pages", Origin::Store, elsewhere.len() as u64);
        self.0.fetch(tenant, entry, elsewhere, &mut fetched).await?;
        Ok(fetched)
    }

    /// Lets go of pages that turned out to be wrong: perhaps they are right in the store.
    pub async fn forget(&self, tenant: &TenantId, entry: &SegmentEntry, ranges: &[Range<u64>]) {
        for range in ranges {
            let key = (tenant.clone(), entry.id, range.start, range.end - range.start);
            self.0.pages.invalidate(&key).await;
        }
        self.0.disk.forget(tenant, entry.id, ranges);
    }
}

impl Fetched {
    /// A page that a cache had.
    fn put(&mut self, place: usize, page: Bytes) {
        self.from_cache += 1;
        self.bytes_from_cache += page.len() as u64;
        self.pages[place] = page;
    }
}

fn cache_of<K, V>(
    bound: CacheBound,
    ttl: Option<Duration>,
    bytes: impl Fn(&V) -> u64 + Send + Sync + 'static,
) -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let builder =
        Cache::builder().max_capacity(bound.capacity()).weigher(move |_, value| bound.weight(bytes(value)));
    match ttl {
        Some(ttl) => builder.time_to_live(ttl).build(),
        None => builder.build(),
    }
}

impl Inner {
    /// Pages that no cache has, each with its place in the answer.
    async fn fetch(
        &self,
        tenant: &TenantId,
        entry: &SegmentEntry,
        wanted: Vec<(usize, Range<u64>)>,
        fetched: &mut Fetched,
    ) -> Result<(), SegmentError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let ranges: Vec<Range<u64>> = wanted.iter().map(|(_, range)| range.clone()).collect();
        let read = self.catalog.get_ranges(&SegmentPlace::of(tenant, entry), &ranges).await?;
        for ((place, range), bytes) in wanted.into_iter().zip(read) {
            // A copy, because the page would keep all that was read with it.
            let page = Bytes::copy_from_slice(&bytes);
            let key = (tenant.clone(), entry.id, range.start, range.end - range.start);
            self.pages.insert(key, page.clone()).await;
            self.disk.offer(tenant, entry.id, Admission::SecondTime, std::iter::once((&range, &page)));
            fetched.pages[place] = page;
        }
        Ok(())
    }

    async fn read_footer(
        &self,
        tenant: &TenantId,
        entry: &SegmentEntry,
    ) -> Result<Arc<Segment>, SegmentError> {
        let place = SegmentPlace::of(tenant, entry);
        let (mut from, mut is_second) = (entry.footer_offset, false);
        // All of it, or it counts as read from the store.
        let mut origin = Origin::Disk;
        // What the disk gave was no footer of this segment.
        let mut is_disk_wrong = false;
        loop {
            let range = from..place.bytes;
            let kept = if is_disk_wrong { None } else { self.kept_tail(tenant, entry, &range).await };
            let is_from_disk = kept.is_some();
            let tail = match kept {
                Some(tail) => tail,
                None => {
                    origin = Origin::Store;
                    self.read_tail(tenant, entry, &place, &range).await?
                }
            };
            match Segment::open(&tail, place.bytes) {
                // Some write into the entry where all of the tail begins, others where its last part does.
                Err(OpenError::Short { from: begins }) if !is_second => {
                    (from, is_second) = (begins, true);
                }
                Ok(segment) if !is_from_disk || segment.provenance().id == entry.id => {
                    self.metrics.count("footers", origin, 1);
                    return is_entry(&place, entry, segment);
                }
                Err(source) if !is_from_disk => {
                    return Err(SegmentError::Open { key: place.key.as_str().into(), source });
                }
                Ok(_) | Err(_) => {
                    self.disk.forget(tenant, entry.id, std::slice::from_ref(&range));
                    is_disk_wrong = true;
                }
            }
        }
    }

    async fn kept_tail(&self, tenant: &TenantId, entry: &SegmentEntry, range: &Range<u64>) -> Option<Bytes> {
        self.disk.read(tenant, entry.id, std::slice::from_ref(range)).await.pop().flatten()
    }

    async fn read_tail(
        &self,
        tenant: &TenantId,
        entry: &SegmentEntry,
        place: &SegmentPlace,
        range: &Range<u64>,
    ) -> Result<Bytes, SegmentError> {
        let bytes = range.end.saturating_sub(range.start);
        if bytes > MAX_FOOTER_BYTES {
            return Err(SegmentError::LongFooter { key: place.key.as_str().into(), bytes });
        }
        let read = self.catalog.get_ranges(place, std::slice::from_ref(range)).await?;
        let tail = read.into_iter().next().unwrap_or_default();
        self.disk.offer(tenant, entry.id, Admission::AtOnce, std::iter::once((range, &tail)));
        Ok(tail)
    }
}

fn is_entry(
    place: &SegmentPlace,
    entry: &SegmentEntry,
    segment: Segment,
) -> Result<Arc<Segment>, SegmentError> {
    let found = segment.provenance().id;
    if found != entry.id {
        return Err(SegmentError::Other { key: place.key.as_str().into(), wanted: entry.id, found });
    }
    Ok(Arc::new(segment))
}

impl CacheMetrics {
    fn count(&self, cache: &str, origin: Origin, amount: u64) {
        let result = match origin {
            Origin::Memory => "hit",
            Origin::Disk => "disk",
            Origin::Store => "miss",
        };
        if amount > 0 {
            self.requests.with([cache, result]).add(amount);
        }
    }
}
