//! Footers and pages, each read once for as long as the caches have room.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larch_proto::SegmentEntry;
use larch_segment::{OpenError, Segment};
use larch_telemetry::{Counter, Family, Registry, Spec};
use larch_types::{SegmentId, Span, TenantId};
use moka::future::Cache;

use super::bound::CacheBound;
use super::error::SegmentError;
use crate::catalog::{Catalog, SegmentPlace};
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
    metrics: CacheMetrics,
}

/// The tenant is in it, so that no mistake with an id can show one tenant's rows to another.
type SegmentKey = (TenantId, SegmentId);
/// Where the page begins, and how long it is.
type PageKey = (TenantId, SegmentId, u64, u64);

/// Pages, and how many of them were in the cache.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fetched {
    /// In the order in which they were asked for.
    pub pages: Vec<Bytes>,
    pub from_cache: u64,
    pub bytes_from_cache: u64,
}

#[derive(Clone)]
struct CacheMetrics {
    requests: Family<Counter, 2>,
}

const REQUESTS: Spec<2> = Spec {
    name: "larch_segment_cache_requests_total",
    help: "Footers and pages of segments that were asked for, by whether the cache had them.",
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
        Self(Arc::new(Inner { catalog, footers, pages, metrics }))
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
        self.0.metrics.count("footers", !opened.is_fresh(), 1);
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
                Some(page) => {
                    fetched.from_cache += 1;
                    fetched.bytes_from_cache += page.len() as u64;
                    fetched.pages[place] = page;
                }
                None => {
                    places.push(place);
                    missing.push(range.clone());
                }
            }
        }
        self.0.metrics.count("pages", true, fetched.from_cache);
        self.0.metrics.count("pages", false, missing.len() as u64);
        if missing.is_empty() {
            return Ok(fetched);
        }
        let segment = SegmentPlace::of(tenant, entry);
        let read = self.0.catalog.get_ranges(&segment, &missing).await?;
        for ((place, range), bytes) in places.into_iter().zip(&missing).zip(read) {
            // A copy, because the page would keep all that was read with it.
            let page = Bytes::copy_from_slice(&bytes);
            self.0.pages.insert(key(range), page.clone()).await;
            fetched.pages[place] = page;
        }
        Ok(fetched)
    }

    /// Lets go of pages that turned out to be wrong: perhaps they are right in the store.
    pub async fn forget(&self, tenant: &TenantId, entry: &SegmentEntry, ranges: &[Range<u64>]) {
        for range in ranges {
            let key = (tenant.clone(), entry.id, range.start, range.end - range.start);
            self.0.pages.invalidate(&key).await;
        }
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
    async fn read_footer(
        &self,
        tenant: &TenantId,
        entry: &SegmentEntry,
    ) -> Result<Arc<Segment>, SegmentError> {
        let place = SegmentPlace::of(tenant, entry);
        let mut from = entry.footer_offset;
        let mut is_second = false;
        loop {
            let tail = self.read_tail(&place, from).await?;
            match Segment::open(&tail, place.bytes) {
                Ok(segment) => return is_entry(&place, entry, segment),
                // Some write into the entry where all of the tail begins, others where its last part does.
                Err(OpenError::Short { from: begins }) if !is_second => {
                    (from, is_second) = (begins, true);
                }
                Err(source) => return Err(SegmentError::Open { key: place.key.as_str().into(), source }),
            }
        }
    }

    async fn read_tail(&self, place: &SegmentPlace, from: u64) -> Result<Bytes, SegmentError> {
        let bytes = place.bytes.saturating_sub(from);
        if bytes > MAX_FOOTER_BYTES {
            return Err(SegmentError::LongFooter { key: place.key.as_str().into(), bytes });
        }
        let read = self.catalog.get_ranges(place, std::slice::from_ref(&(from..place.bytes))).await?;
        Ok(read.into_iter().next().unwrap_or_default())
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
    fn count(&self, cache: &str, is_hit: bool, amount: u64) {
        if amount > 0 {
            self.requests.with([cache, if is_hit { "hit" } else { "miss" }]).add(amount);
        }
    }
}
