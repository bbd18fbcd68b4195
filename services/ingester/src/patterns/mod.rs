//! Patterns: what lines of a stream have in common, mined as they come in, for those who look at logs.
//!
//! Mining is beside the way of a write: a push leaves its lines here when it is done, and neither waits for
//! them nor fails with them. Patterns are kept in memory only, within bounds, and begin anew with the process.

mod json;
mod metrics;
mod mined;
mod read;
mod samples;
mod tokens;
mod tree;
mod waiting;

use std::collections::HashMap;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use larch_launch::{Frame, TenantLimits};
use larch_limits::LimitsSettings;
use larch_proto::AppendResponse;
use larch_runtime::{Env, Job, Next, Rhythm, Scope, spawn_job};
use larch_telemetry::Registry;
use larch_types::{Span, TenantId, Timestamp};

use crate::settings::PatternIngesterSettings;
use metrics::{Dropped, Metrics, show_extent};
use mined::{Extent, Mined, Mining};
use samples::Intervals;
use tree::Rules;
use waiting::{Batch, OfferedStream, Row, UNKNOWN_LEVEL, Waiting};

pub(crate) use waiting::Offer;

/// All patterns of the process: a hundred thousand with some minutes of counts, or thirty thousand with counts
/// of three hours.
const MOST_BYTES: usize = 256 << 20;

/// So many lines are mined at a time: less than a millisecond. Then others have their turn.
const LINES_AT_ONCE: usize = 64;

/// How often old counts are forgotten.
const FORGET_EVERY: Duration = Duration::from_mins(1);

/// Clocks of clients may run ahead; rows beyond are not taken by default either.
const AHEAD: Span = Span::from_mins(10);

/// The patterns of all tenants.
pub(crate) struct Patterns {
    env: Env,
    limits: TenantLimits,
    settings: PatternIngesterSettings,
    metrics: Metrics,
    waiting: Waiting,
    tenants: Mutex<HashMap<TenantId, Arc<tokio::sync::Mutex<Mined>>>>,
    bytes: AtomicIsize,
    patterns: AtomicIsize,
}

impl Patterns {
    /// Nothing unless it is configured.
    pub(crate) fn configured(settings: &PatternIngesterSettings, frame: &Frame) -> Option<Arc<Self>> {
        let wanted = settings.enabled.then(|| settings.clone());
        wanted.map(|settings| Self::new(settings, frame.env.clone(), frame.limits.clone(), &frame.metrics))
    }

    fn new(
        settings: PatternIngesterSettings,
        env: Env,
        limits: TenantLimits,
        registry: &Registry,
    ) -> Arc<Self> {
        let patterns = Arc::new(Self {
            env,
            limits,
            waiting: Waiting::new(&settings.tee_config),
            settings,
            metrics: Metrics::new(registry),
            tenants: Mutex::default(),
            bytes: AtomicIsize::new(0),
            patterns: AtomicIsize::new(0),
        });
        show_extent(registry, &patterns);
        patterns
    }

    pub(crate) fn start(self: &Arc<Self>, scope: &Scope) {
        for _ in 0..self.settings.tee_config.flush_worker_count {
            let (patterns, inner) = (Arc::clone(self), scope.clone());
            scope.spawn("pattern-miner", async move {
                while let Some(batch) = inner.until_cancelled(patterns.waiting.next()).await {
                    patterns.mine(batch).await;
                }
            });
        }
        let tee = Rhythm::every(self.settings.tee_config.batch_flush_interval.to_std());
        spawn_job(scope, &self.env, tee, Flush(Arc::downgrade(self)));
        spawn_job(scope, &self.env, Rhythm::every(FORGET_EVERY), Forget(Arc::downgrade(self)));
    }

    /// Takes in lines of a push that was answered.
    pub(crate) fn offer(&self, tenant: &TenantId, mut offer: Offer, response: &AppendResponse) {
        offer.keep_new(response);
        let before = offer.lines();
        let most = self.settings.max_allowed_line_length as usize;
        for stream in &mut offer.streams {
            stream.rows.retain(|row| row.line.len() <= most);
        }
        let lines = offer.lines();
        if before > lines {
            self.metrics.count_dropped(tenant, Dropped::TooLong, (before - lines) as u64);
        }
        if lines > 0 && !self.waiting.add(tenant.clone(), offer) {
            self.metrics.count_dropped(tenant, Dropped::Queue, lines as u64);
        }
    }

    fn extent(&self) -> Extent {
        let number = |of: &AtomicIsize| of.load(Ordering::Relaxed).max(0) as usize;
        Extent { bytes: number(&self.bytes), patterns: number(&self.patterns) }
    }

    fn note_change(&self, (before, after): (Extent, Extent)) {
        let change = |before: usize, after: usize| after as isize - before as isize;
        self.bytes.fetch_add(change(before.bytes, after.bytes), Ordering::Relaxed);
        self.patterns.fetch_add(change(before.patterns, after.patterns), Ordering::Relaxed);
    }

    fn intervals(&self) -> Intervals {
        Intervals::new(self.settings.pattern_sample_interval, self.settings.max_chunk_age)
    }

    fn oldest(&self) -> Timestamp {
        self.env.clock.now().minus(self.settings.retain_for)
    }

    /// Nothing that runs under the lock can panic halfway through a change.
    fn tenants(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<tokio::sync::Mutex<Mined>>>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn mine(&self, batch: Batch) {
        for (tenant, offer) in batch.offers {
            self.metrics.count_append(&tenant);
            let fields = tokenizable_fields(&self.limits.limits(&tenant));
            let mined = Arc::clone(self.tenants().entry(tenant.clone()).or_default());
            for OfferedStream { labels, rows } in &offer.streams {
                for rows in rows.chunks(LINES_AT_ONCE) {
                    let rows: Vec<(&Row, &str)> =
                        rows.iter().map(|row| (row, level_of(row, &offer.levels))).collect();
                    let mining = self.mining(&tenant, &fields);
                    let change = mined.lock().await.add(labels, &rows, mining);
                    self.note_change(change);
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    fn mining<'a>(&'a self, tenant: &'a TenantId, fields: &'a [String]) -> Mining<'a> {
        let rules = Rules {
            max_clusters: self.settings.max_clusters as usize,
            max_eviction_ratio: self.settings.max_eviction_ratio,
            intervals: self.intervals(),
            has_room: self.extent().bytes < MOST_BYTES,
            now: self.env.clock.monotonic(),
        };
        let newest = self.env.clock.now().plus(AHEAD);
        Mining { tenant, fields, oldest: self.oldest(), newest, rules, metrics: &self.metrics }
    }

    async fn forget_old(&self) {
        let tenants: Vec<TenantId> = self.tenants().keys().cloned().collect();
        for tenant in tenants {
            let Some(mined) = self.tenants().get(&tenant).cloned() else { continue };
            let ids = mined.lock().await.ids();
            for id in ids {
                let change = mined.lock().await.forget_before(id, self.oldest(), self.intervals());
                self.note_change(change);
                tokio::task::yield_now().await;
            }
            drop(mined);
            let mut tenants = self.tenants();
            // Whoever works on it took it from the table, and holds it.
            let is_over = tenants.get(&tenant).is_some_and(|mined| {
                Arc::strong_count(mined) == 1 && mined.try_lock().is_ok_and(|mined| mined.is_empty())
            });
            if is_over {
                tenants.remove(&tenant);
            }
        }
    }
}

fn level_of<'a>(row: &Row, levels: &'a [String]) -> &'a str {
    let level = row.level.and_then(|level| levels.get(level as usize));
    level.map_or(UNKNOWN_LEVEL, String::as_str)
}

fn tokenizable_fields(limits: &LimitsSettings) -> Vec<String> {
    let without = &limits.pattern_ingester_tokenizable_json_fields_delete;
    let kept = limits.pattern_ingester_tokenizable_json_fields_default.iter();
    let more = limits.pattern_ingester_tokenizable_json_fields_append.iter();
    kept.filter(|field| !without.contains(field)).chain(more).cloned().collect()
}

/// Mines what waits for more lines.
struct Flush(Weak<Patterns>);

impl Job for Flush {
    const NAME: &'static str = "pattern-flush";

    async fn run_once(&mut self, _: Timestamp) -> Next {
        let Some(patterns) = self.0.upgrade() else { return Next::Stop };
        patterns.waiting.flush();
        Next::Wait
    }
}

/// Forgets counts that nobody is shown any more.
struct Forget(Weak<Patterns>);

impl Job for Forget {
    const NAME: &'static str = "pattern-forget";

    async fn run_once(&mut self, _: Timestamp) -> Next {
        let Some(patterns) = self.0.upgrade() else { return Next::Stop };
        patterns.forget_old().await;
        Next::Wait
    }
}

#[cfg(test)]
mod tests;
