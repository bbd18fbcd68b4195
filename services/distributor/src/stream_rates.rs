//! How fast each stream is pushed here, and over how many write shards it is to be spread.
//!
//! A stream that is faster than its tenant's `desired_rate` is spread over so many parts that each is
//! slower. The first push of a stream is never spread: nothing is known of it yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larch_limits::ShardStreamsSettings;
use larch_runtime::Clock;
use larch_telemetry::{Counter, DURATION_BUCKETS, Family, Histogram, Registry, Spec};
use larch_types::{Monotonic, StreamId, TenantId};

/// The rates of the streams that are pushed here. Clones are the same.
#[derive(Clone)]
pub(crate) struct StreamRates {
    /// How long bytes are counted before they become a rate.
    interval: Duration,
    known: Arc<Mutex<Known>>,
    clock: Arc<dyn Clock>,
    expired: Counter,
    spread: Counter,
    shards: Histogram,
    rates: Histogram,
    looks: Family<Histogram, 2>,
}

#[derive(Debug, Default)]
struct Known {
    streams: HashMap<(TenantId, StreamId), Seen>,
    /// When old ones were last looked for.
    looked: Option<Monotonic>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    /// Since when `bytes` and `pushes` are counted.
    since: Monotonic,
    bytes: u64,
    pushes: u32,
    last: Monotonic,
    /// Bytes and pushes a second; `None` until an interval has passed.
    rate: Option<Rate>,
    shards: u32,
}

#[derive(Debug, Clone, Copy)]
struct Rate {
    bytes: f64,
    pushes: f64,
}

/// One stream of a push.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PushedPart {
    pub(crate) stream: StreamId,
    pub(crate) bytes: u64,
    pub(crate) rows: usize,
}

/// Weight of the last interval against all before it, and how long a silent stream is remembered: as Loki
/// has both.
const WEIGHT: f64 = 0.4;
const REMEMBERED: Duration = Duration::from_mins(10);
/// Streams beyond these are not spread until others are forgotten; each takes about 150 bytes.
const MAX_STREAMS: usize = 500_000;
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// As many as a ring of some hundred nodes makes use of.
const MAX_SHARDS: f64 = 1024.0;

impl StreamRates {
    pub(crate) fn new(interval: Duration, clock: Arc<dyn Clock>, metrics: &Registry) -> Self {
        let known = Arc::new(Mutex::new(Known::default()));
        show(&known, metrics);
        // Nobody is asked for rates, so that asking does not fail.
        metrics.counter(FAILURES).with(["ring"]);
        Self {
            interval,
            clock,
            shards: metrics.histogram(SHARDS, &SHARD_BUCKETS).with([]),
            rates: metrics.histogram(RATES, &RATE_BUCKETS).with([]),
            looks: metrics.histogram(LOOKS, &DURATION_BUCKETS),
            known,
            expired: metrics.counter(EXPIRED).with([]),
            spread: metrics.counter(SPREAD).with([]),
        }
    }

    /// Over how many shards a stream of a push is to be spread.
    pub(crate) fn shards(
        &self,
        tenant: &TenantId,
        settings: &ShardStreamsSettings,
        part: PushedPart,
        now: Monotonic,
    ) -> u32 {
        if !settings.enabled {
            return 1;
        }
        let mut known = lock(&self.known);
        if known.looked.is_none_or(|looked| now.since(looked) >= LOOK_EVERY) {
            drop(known);
            self.look_over(now);
            known = lock(&self.known);
        }
        let key = (tenant.clone(), part.stream);
        if known.streams.len() >= MAX_STREAMS && !known.streams.contains_key(&key) {
            return 1;
        }
        let new = Seen { since: now, bytes: 0, pushes: 0, last: now, rate: None, shards: 1 };
        let seen = known.streams.entry(key).or_insert(new);
        let shards = seen.push(part, settings.desired_rate.as_u64(), self.interval, now);
        if shards > 1 {
            self.spread.inc();
        }
        shards
    }

    /// Forgets silent streams, and shows how fast the others are.
    fn look_over(&self, now: Monotonic) {
        let started = self.clock.monotonic();
        let mut known = lock(&self.known);
        known.looked = Some(now);
        let before = known.streams.len();
        known.streams.retain(|_, seen| now.since(seen.last) < REMEMBERED);
        self.expired.add((before - known.streams.len()) as u64);
        let fast = |seen: &Seen| seen.rate.map(|rate| (rate.bytes, seen.shards));
        let rates: Vec<(f64, u32)> = known.streams.values().filter_map(fast).collect();
        // Others need not wait for the rest.
        drop(known);
        for (bytes, shards) in rates {
            self.rates.observe(bytes);
            self.shards.observe(f64::from(shards));
        }
        let took = self.clock.monotonic().since(started);
        self.looks.with(["look over rates", "200"]).observe_duration(took);
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seen {
    /// Counts a push, and says over how many shards it goes: at least one, at most one a row.
    fn push(&mut self, part: PushedPart, desired: u64, interval: Duration, now: Monotonic) -> u32 {
        let passed = now.since(self.since);
        if passed >= interval {
            let seconds = passed.as_secs_f64();
            let last = Rate { bytes: self.bytes as f64 / seconds, pushes: f64::from(self.pushes) / seconds };
            let mix = |last: f64, before: f64| WEIGHT * last + (1.0 - WEIGHT) * before;
            self.rate = Some(match self.rate {
                None => last,
                Some(before) => {
                    Rate { bytes: mix(last.bytes, before.bytes), pushes: mix(last.pushes, before.pushes) }
                }
            });
            (self.since, self.bytes, self.pushes) = (now, 0, 0);
        }
        self.shards = match self.rate {
            None => 1,
            Some(rate) => {
                let expected = rate.bytes + part.bytes as f64 * rate.pushes.min(1.0);
                let most = (part.rows as f64).clamp(1.0, MAX_SHARDS);
                (expected / desired.max(1) as f64).ceil().clamp(1.0, most) as u32
            }
        };
        self.bytes += part.bytes;
        self.pushes += 1;
        self.last = now;
        self.shards
    }
}

fn show(known: &Arc<Mutex<Known>>, metrics: &Registry) {
    type Number = fn(&Known) -> f64;
    let numbers: [(Spec<0>, Number); 4] = [
        (STREAMS, |known| known.streams.len() as f64),
        (MOST_SHARDS, |known| {
            f64::from(known.streams.values().map(|seen| seen.shards).max().unwrap_or_default())
        }),
        (FASTEST, |known| {
            let rates = known.streams.values().filter_map(|seen| seen.rate);
            rates.map(|rate| rate.bytes).fold(0.0, f64::max)
        }),
        (FASTEST_SHARD, |known| {
            let of_shard = |seen: &Seen| seen.rate.map(|rate| rate.bytes / f64::from(seen.shards));
            known.streams.values().filter_map(of_shard).fold(0.0, f64::max)
        }),
    ];
    for (spec, number) in numbers {
        let known = Arc::downgrade(known);
        metrics.gauge_fn(spec, move || match known.upgrade() {
            Some(known) => vec![([], number(&lock(&known)))],
            None => Vec::new(),
        });
    }
}

const SPREAD: Spec<0> = Spec {
    name: "loki_stream_sharding_count",
    help: "Streams of pushes that were spread over write shards.",
    labels: [],
};
const EXPIRED: Spec<0> = Spec {
    name: "loki_rate_store_expired_streams_total",
    help: "Streams whose rate was forgotten because they fell silent.",
    labels: [],
};
const STREAMS: Spec<0> =
    Spec { name: "loki_rate_store_streams", help: "Streams whose rate is known.", labels: [] };
const MOST_SHARDS: Spec<0> =
    Spec { name: "loki_rate_store_max_stream_shards", help: "Most write shards of any stream.", labels: [] };
const FASTEST: Spec<0> = Spec {
    name: "loki_rate_store_max_stream_rate_bytes",
    help: "Bytes a second of the fastest stream.",
    labels: [],
};
const FASTEST_SHARD: Spec<0> = Spec {
    name: "loki_rate_store_max_unique_stream_rate_bytes",
    help: "Bytes a second of the fastest stream, where that of a spread stream is that of one of its shards.",
    labels: [],
};
const SHARDS: Spec<0> = Spec {
    name: "loki_rate_store_stream_shards",
    help: "Write shards of each stream whose rate is known, once a minute.",
    labels: [],
};
const SHARD_BUCKETS: [f64; 9] = [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
const RATES: Spec<0> = Spec {
    name: "loki_rate_store_stream_rate_bytes",
    help: "Bytes a second of each stream whose rate is known, once a minute.",
    labels: [],
};
/// From 20 kB/s, doubling, to 164 MB/s.
const RATE_BUCKETS: [f64; 14] = [
    20e3, 40e3, 80e3, 160e3, 320e3, 640e3, 1.28e6, 2.56e6, 5.12e6, 10.24e6, 20.48e6, 40.96e6, 81.92e6,
    163.84e6,
];
const LOOKS: Spec<2> = Spec {
    name: "loki_rate_store_refresh_duration_seconds",
    help: "How long it took to look over the rates of all streams; they are measured here and asked of nobody.",
    labels: ["operation", "status_code"],
};
const FAILURES: Spec<1> = Spec {
    name: "loki_rate_store_refresh_failures_total",
    help: "Times that rates could not be learned; 0, because they are measured here and asked of nobody.",
    labels: ["source"],
};

#[cfg(test)]
mod tests {
    use larch_runtime::Env;
    use larch_types::ByteSize;

    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_millis(millis))
    }

    fn clock() -> Arc<dyn Clock> {
        Env::system().clock
    }

    fn settings(desired: u64) -> ShardStreamsSettings {
        ShardStreamsSettings { desired_rate: ByteSize::bytes(desired), ..ShardStreamsSettings::default() }
    }

    /// Pushes of one stream as (milliseconds, bytes, rows, shards).
    #[track_caller]
    fn check(settings: &ShardStreamsSettings, pushes: &[(u64, u64, usize, u32)]) {
        let rates = StreamRates::new(Duration::from_secs(1), clock(), &Registry::default());
        let tenant: TenantId = "t".parse().unwrap();
        for (millis, bytes, rows, want) in pushes {
            let part = PushedPart { stream: StreamId::from_u128(1), bytes: *bytes, rows: *rows };
            assert_eq!(rates.shards(&tenant, settings, part, at(*millis)), *want, "at {millis} ms");
        }
    }

    #[test]
    fn fast_streams_are_spread() {
        check(
            &settings(100),
            &[
                // Nothing is known of the first second.
                (0, 1000, 50, 1),
                (500, 1000, 50, 1),
                // 2000 bytes a second, and 1000 more at a push a second and more.
                (1000, 1000, 50, 30),
                (1000, 1000, 5, 5),
                (1000, 0, 0, 1),
            ],
        );
        // Slow streams are not, however large a single push is.
        check(&settings(100), &[(0, 90, 9, 1), (100_000, 90, 9, 1), (200_000, 90, 9, 1)]);
        // Rates fade.
        check(&settings(100), &[(0, 1000, 50, 1), (1000, 0, 50, 10), (2000, 0, 50, 6), (3000, 0, 50, 4)]);
        let off = ShardStreamsSettings { enabled: false, ..settings(1) };
        check(&off, &[(0, 1000, 50, 1), (1000, 1000, 50, 1)]);
    }

    #[test]
    fn streams_are_apart_and_forgotten() {
        let metrics = Registry::default();
        let rates = StreamRates::new(Duration::from_secs(1), clock(), &metrics);
        let (one, other): (TenantId, TenantId) = ("t".parse().unwrap(), "u".parse().unwrap());
        let part = |stream| PushedPart { stream: StreamId::from_u128(stream), bytes: 1000, rows: 99 };
        let settings = settings(100);
        let shards = |tenant, millis, stream| rates.shards(tenant, &settings, part(stream), at(millis));
        assert_eq!(shards(&one, 0, 1), 1);
        assert_eq!(shards(&one, 0, 1), 1);
        assert_eq!(shards(&one, 1000, 1), 30);
        assert_eq!(shards(&one, 1000, 2), 1);
        assert_eq!(shards(&other, 1000, 1), 1);
        let text = || metrics.encode(larch_telemetry::Format::Prometheus);
        assert!(text().contains("loki_rate_store_streams 3"));
        assert!(text().contains("loki_rate_store_max_stream_shards 30"));
        assert!(text().contains("loki_rate_store_max_stream_rate_bytes 2000"));
        assert!(text().contains("loki_rate_store_max_unique_stream_rate_bytes 66.66"), "{}", text());
        assert_eq!(shards(&one, 61_000, 2), 1);
        assert!(text().contains("loki_rate_store_stream_rate_bytes_sum 2000"), "of the one that has a rate");
        assert!(text().contains("loki_rate_store_stream_shards_sum 30"));
        assert_eq!(shards(&one, 661_000, 3), 1);
        assert!(text().contains("loki_rate_store_expired_streams_total 3"));
        assert!(text().contains("loki_stream_sharding_count 1"));
    }
}
