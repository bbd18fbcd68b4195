//! What a cache in memory says of itself, under the names that dashboards of Loki read.

use std::hash::Hash;
use std::time::Duration;

use larch_telemetry::{Counter, Gauge, Histogram, Registry, Spec};
use moka::future::CacheBuilder;
use moka::notification::RemovalCause;

/// Counts of one cache. Clones count together.
#[derive(Clone)]
pub struct CacheWatch {
    asked: Counter,
    hits: Counter,
    seconds: Histogram,
    found_sizes: Histogram,
    added_sizes: Histogram,
    entries: Gauge,
    bytes: Gauge,
    added: Counter,
    removed: [(RemovalCause, Counter); 4],
}

/// In the words of dashboards; what is thrown away because it turned out to be wrong has none there.
const REASONS: [(RemovalCause, &str); 4] = [
    (RemovalCause::Expired, "expired"),
    (RemovalCause::Size, "full"),
    (RemovalCause::Replaced, "replaced"),
    (RemovalCause::Explicit, "invalid"),
];

/// From 16 us, times four, to a quarter of a second: caches in memory answer at once.
const SECONDS: [f64; 8] =
    [0.000_016, 0.000_064, 0.000_256, 0.001_024, 0.004_096, 0.016_384, 0.065_536, 0.262_144];
/// From 1 KiB, times four, to 4 MiB.
const SIZES: [f64; 7] = [1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0];

impl CacheWatch {
    /// Dashboards tell caches apart by their names.
    pub fn new(name: &str, registry: &Registry) -> Self {
        let sizes = registry.histogram(VALUE_SIZES, &SIZES);
        let removed = registry.counter(REMOVED);
        Self {
            asked: registry.counter(ASKED).with([name]),
            hits: registry.counter(HITS).with([name]),
            seconds: registry.histogram(REQUEST_SECONDS, &SECONDS).with([
                name,
                &format!("{name}.fetch"),
                "200",
            ]),
            found_sizes: sizes.with([name, "fetch"]),
            added_sizes: sizes.with([name, "store"]),
            entries: registry.gauge(ENTRIES).with([name]),
            bytes: registry.gauge(BYTES).with([name]),
            added: registry.counter(ADDED).with([name]),
            removed: REASONS.map(|(cause, reason)| (cause, removed.with([name, reason]))),
        }
    }

    /// Has the cache tell of what it lets go of. What it takes in, whoever fills it tells by [`Self::added`],
    /// with the same size.
    pub fn watching<K, V, C>(
        &self,
        builder: CacheBuilder<K, V, C>,
        bytes: impl Fn(&V) -> u64 + Send + Sync + 'static,
    ) -> CacheBuilder<K, V, C>
    where
        K: Hash + Eq + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let watch = self.clone();
        builder.eviction_listener(move |_, value, cause| watch.let_go(bytes(&value), cause))
    }

    fn let_go(&self, bytes: u64, cause: RemovalCause) {
        self.entries.add(-1);
        self.bytes.add(-to_gauge(bytes));
        if let Some((_, removed)) = self.removed.iter().find(|(known, _)| *known == cause) {
            removed.inc();
        }
    }

    /// So many entries were looked for.
    pub fn asked(&self, entries: u64) {
        self.asked.add(entries);
    }

    /// It took so long to look for some of them.
    pub fn looked(&self, took: Duration) {
        self.seconds.observe_duration(took);
    }

    /// One of them was there.
    pub fn found(&self, bytes: u64) {
        self.hits.inc();
        self.found_sizes.observe(bytes as f64);
    }

    pub fn added(&self, bytes: u64) {
        self.entries.add(1);
        self.bytes.add(to_gauge(bytes));
        self.added.inc();
        self.added_sizes.observe(bytes as f64);
    }
}

fn to_gauge(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

const ASKED: Spec<1> = Spec {
    name: "loki_cache_fetched_keys",
    help: "Entries that were looked for in a cache.",
    labels: ["name"],
};
const HITS: Spec<1> =
    Spec { name: "loki_cache_hits", help: "Entries that were looked for and were there.", labels: ["name"] };
const REQUEST_SECONDS: Spec<3> = Spec {
    name: "loki_cache_request_duration_seconds",
    help: "How long it took to look for entries in a cache; those that are looked for together count once.",
    labels: ["name", "method", "status_code"],
};
const VALUE_SIZES: Spec<2> = Spec {
    name: "loki_cache_value_size_bytes",
    help: "Bytes of entries that were found (fetch) or put into a cache (store).",
    labels: ["name", "method"],
};
const ENTRIES: Spec<1> =
    Spec { name: "loki_embeddedcache_entries", help: "Entries of a cache in memory.", labels: ["cache"] };
const BYTES: Spec<1> = Spec {
    name: "loki_embeddedcache_memory_bytes",
    help: "Bytes of the entries of a cache in memory, without its tables.",
    labels: ["cache"],
};
const ADDED: Spec<1> = Spec {
    name: "loki_embeddedcache_added_new_total",
    help: "Entries that were put into a cache in memory.",
    labels: ["cache"],
};
const REMOVED: Spec<2> = Spec {
    name: "loki_embeddedcache_evicted_total",
    help: "Entries that a cache in memory let go of, by why: their time was over (expired), others need the room (full), a newer one came (replaced), or they were wrong (invalid).",
    labels: ["cache", "reason"],
};

#[cfg(test)]
mod tests {
    use larch_telemetry::Format;
    use moka::future::Cache;

    use super::*;

    #[tokio::test]
    async fn what_goes_in_and_out_is_counted() {
        let registry = Registry::default();
        let watch = CacheWatch::new("c", &registry);
        let builder =
            Cache::builder().max_capacity(1000).weigher(|_: &u32, value: &Vec<u8>| value.len() as u32);
        let cache = watch.watching(builder, |value: &Vec<u8>| value.len() as u64).build();
        let add = async |key: u32, bytes: usize| {
            cache.insert(key, vec![0; bytes]).await;
            watch.added(bytes as u64);
            cache.run_pending_tasks().await;
        };
        add(1, 100).await;
        add(2, 200).await;
        add(2, 300).await;
        // What is larger than all is let go of at once.
        add(3, 2000).await;
        cache.invalidate(&1).await;
        cache.run_pending_tasks().await;
        watch.asked(3);
        watch.looked(Duration::from_millis(1));
        watch.found(300);
        let text = registry.encode(Format::Prometheus);
        for line in [
            "loki_embeddedcache_entries{cache=\"c\"} 1",
            "loki_embeddedcache_memory_bytes{cache=\"c\"} 300",
            "loki_embeddedcache_added_new_total{cache=\"c\"} 4",
            "loki_embeddedcache_evicted_total{cache=\"c\",reason=\"expired\"} 0",
            "loki_embeddedcache_evicted_total{cache=\"c\",reason=\"full\"} 1",
            "loki_embeddedcache_evicted_total{cache=\"c\",reason=\"invalid\"} 1",
            "loki_embeddedcache_evicted_total{cache=\"c\",reason=\"replaced\"} 1",
            "loki_cache_fetched_keys{name=\"c\"} 3",
            "loki_cache_hits{name=\"c\"} 1",
            "loki_cache_value_size_bytes_sum{name=\"c\",method=\"fetch\"} 300.0",
            "loki_cache_value_size_bytes_count{name=\"c\",method=\"store\"} 4",
            "loki_cache_request_duration_seconds_count{name=\"c\",method=\"c.fetch\",status_code=\"200\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
