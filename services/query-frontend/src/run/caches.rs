//! Answers that are kept, each with what it was made of. Whether that is still what there is, the worker says
//! that would answer again: nothing is given out by its age alone.

use std::sync::Arc;

use larch_runtime::{Clock, Env};
use larch_store::{CacheBound, CacheSettings, CacheWatch};
use larch_telemetry::Registry;
use larch_types::Span;
use moka::future::Cache;

use super::gather::Gathered;
use crate::error::ReadError;
use crate::settings::{QueryRangeSettings, ResultsCacheSettings};

/// An answer, and what it was made of.
pub(crate) struct KeptAnswer {
    pub(super) facts: u128,
    gathered: Arc<Gathered>,
}

/// Answers by what was asked.
pub(crate) struct AnswerCache {
    entries: Cache<Arc<str>, Arc<KeptAnswer>>,
    clock: Arc<dyn Clock>,
    watch: CacheWatch,
    most_bytes: u64,
}

/// The caches, one for each kind of question; those without a backend of their own are the first one.
#[derive(Default)]
pub(crate) struct Caches {
    /// Of log and range queries.
    pub(crate) results: Option<Arc<AnswerCache>>,
    pub(crate) instant: Option<Arc<AnswerCache>>,
    pub(crate) stats: Option<Arc<AnswerCache>>,
    pub(crate) volume: Option<Arc<AnswerCache>>,
}

/// Names by which dashboards of Loki know the caches.
const RESULTS: &str = "frontend.embedded-cache";
const INSTANT: &str = "frontend.instant-metric-results-cache.embedded-cache";
const STATS: &str = "frontend.index-stats-results-cache.embedded-cache";
const VOLUME: &str = "frontend.volume-results-cache.embedded-cache";

/// A single answer may take this share of a cache.
const MOST_SHARE: u64 = 8;

impl Caches {
    pub(crate) fn new(settings: &QueryRangeSettings, env: &Env, metrics: &Registry) -> Self {
        let make = |settings: &CacheSettings, name: &str| {
            Arc::new(AnswerCache::new(settings, Arc::clone(&env.clock), CacheWatch::new(name, metrics)))
        };
        let common = make(&settings.results_cache.cache, RESULTS);
        let of = |is_on: bool, own: &ResultsCacheSettings, name| match (is_on, own.cache.is_configured()) {
            (false, _) => None,
            (true, false) => Some(Arc::clone(&common)),
            (true, true) => Some(make(&own.cache, name)),
        };
        let instant = settings.cache_instant_metric_results;
        Self {
            results: settings.cache_results.then(|| Arc::clone(&common)),
            instant: of(instant, &settings.instant_metric_results_cache, INSTANT),
            stats: of(settings.cache_index_stats_results, &settings.index_stats_results_cache, STATS),
            volume: of(settings.cache_volume_results, &settings.volume_results_cache, VOLUME),
        }
    }
}

impl AnswerCache {
    fn new(settings: &CacheSettings, clock: Arc<dyn Clock>, watch: CacheWatch) -> Self {
        let embedded = &settings.embedded_cache;
        let bound = CacheBound::new(embedded);
        let weigh = move |key: &Arc<str>, kept: &Arc<KeptAnswer>| {
            bound.weight(kept.gathered.bytes.saturating_add(key.len() as u64))
        };
        let mut entries = Cache::builder().max_capacity(bound.capacity()).weigher(weigh);
        let ttl = if embedded.ttl > Span::ZERO { embedded.ttl } else { settings.default_validity };
        if ttl > Span::ZERO {
            entries = entries.time_to_live(ttl.to_std());
        }
        let entries = watch.watching(entries, |kept: &Arc<KeptAnswer>| kept.gathered.bytes).build();
        Self { entries, clock, watch, most_bytes: bound.capacity() / MOST_SHARE }
    }

    pub(super) async fn get(&self, key: &Arc<str>) -> Option<Arc<KeptAnswer>> {
        let started = self.clock.monotonic();
        let kept = self.entries.get(key).await;
        self.watch.asked(1);
        self.watch.looked(self.clock.monotonic().since(started));
        if let Some(kept) = &kept {
            self.watch.found(kept.gathered.bytes);
        }
        kept
    }

    /// The answer that was kept, if the worker says that it is the right one; or the new one, which is kept if
    /// it may be.
    pub(super) async fn settle(
        &self,
        key: Arc<str>,
        kept: Option<Arc<KeptAnswer>>,
        gathered: Gathered,
    ) -> Result<Arc<Gathered>, ReadError> {
        if gathered.done.unchanged {
            let text = || "it knows of an answer that nobody keeps".to_owned();
            let kept = kept.ok_or_else(|| ReadError::Malformed(text()))?;
            // What it had cost is not spent again.
            let mut found = (*kept.gathered).clone();
            found.done.statistics = gathered.done.statistics;
            (found.queued, found.looked_up, found.was_kept) = (gathered.queued, true, true);
            return Ok(Arc::new(found));
        }
        let gathered = Arc::new(Gathered { looked_up: true, ..gathered });
        if let Some(facts) = gathered.done.cache_key
            && gathered.bytes <= self.most_bytes
        {
            let kept = KeptAnswer { facts, gathered: Arc::clone(&gathered) };
            self.watch.added(gathered.bytes);
            self.entries.insert(key, Arc::new(kept)).await;
        }
        Ok(gathered)
    }
}
