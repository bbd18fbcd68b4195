//! What is known of one query while it runs, and what is said of it at its end: one line in the log with
//! the keys that Loki's line has, because alerts and dashboards read them.

use std::sync::Arc;
use std::time::Duration;

use larch_api::{Bounds, QueryTags, Statistics, byte_text};
use larch_runtime::Env;
use larch_telemetry::Held;
use larch_types::{Monotonic, Span, Timestamp};
use tracing::{Span as LogSpan, info};

use super::Metrics;

/// What all records share.
pub(crate) struct Watched {
    pub(crate) env: Env,
    pub(crate) metrics: Metrics,
    /// Queries that take longer are logged once more; 0: none is, negative: all are.
    pub(crate) slow: Span,
    /// Every query is logged once more, and its answer says how long it took.
    pub(crate) tells_times: bool,
}

/// Who asks.
pub(crate) struct Asker {
    pub(crate) user: String,
    pub(crate) tags: QueryTags,
    pub(crate) headers: String,
}

/// One query. It tells metrics and log when it is dropped, also when its client goes away.
pub(crate) struct Record {
    watched: Arc<Watched>,
    op: &'static str,
    /// The tenants as the header names them.
    user: String,
    tags: QueryTags,
    /// Those of the request that are to be logged, as text.
    headers: String,
    begun: Monotonic,
    /// The time of day at which it began.
    now: Timestamp,
    /// None until it is known what is asked.
    facts: Option<Facts>,
    statistics: Statistics,
    /// None: nobody was there for the answer.
    status: Option<u16>,
    span: LogSpan,
    _in_progress: Held,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) query: String,
    pub(crate) kind: Kind,
    pub(crate) range: RangeType,
    pub(crate) bounds: Bounds,
    pub(crate) step: Span,
    pub(crate) limit: u32,
}

/// Kinds of queries by what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Metric,
    /// Lines, with a filter.
    Filter,
    /// Lines, without one.
    Limited,
    Labels,
    Series,
    Stats,
    Volume,
    Shards,
    Patterns,
    DetectedLabels,
    DetectedFields,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RangeType {
    Instant,
    Range,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Metric => "metric",
            Self::Filter => "filter",
            Self::Limited => "limited",
            Self::Labels => "labels",
            Self::Series => "series",
            Self::Stats => "stats",
            Self::Volume => "volume",
            Self::Shards => "shards",
            Self::Patterns => "patterns",
            Self::DetectedLabels => "detected_labels",
            Self::DetectedFields => "detected_fields",
        }
    }
}

impl RangeType {
    const fn name(self) -> &'static str {
        match self {
            Self::Instant => "instant",
            Self::Range => "range",
        }
    }
}

/// What took longer is called slow.
const FAST: Duration = Duration::from_secs(10);
/// What nginx began to call a client that went away.
const CLIENT_GONE: u16 = 499;
/// A line of the log ends at 64 KiB, and what follows the query must still be on it.
const MAX_LOGGED_QUERY_BYTES: usize = 16 * 1024;

impl Record {
    pub(crate) fn begin(watched: &Arc<Watched>, op: &'static str, asker: Asker) -> Self {
        let Asker { user, tags, headers } = asker;
        Self {
            op,
            user,
            tags,
            headers,
            begun: watched.env.clock.monotonic(),
            now: watched.env.clock.now(),
            facts: None,
            statistics: Statistics::default(),
            status: None,
            span: LogSpan::current(),
            _in_progress: watched.metrics.in_progress.hold(1),
            watched: Arc::clone(watched),
        }
    }

    /// Notes what is asked. A query that is refused before that is not worth a line.
    pub(crate) fn asks(&mut self, facts: Facts) {
        self.facts = Some(facts);
    }

    /// Notes what the answer cost.
    pub(crate) fn cost(&mut self, statistics: &Statistics) {
        self.statistics = statistics.clone();
    }

    /// How long workers were busy, and how long it took until now: the value of a header that browsers show. None
    /// if it is not to be told.
    pub(crate) fn server_timing(&self) -> Option<String> {
        if !self.watched.tells_times {
            return None;
        }
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        let busy = Duration::from_nanos(self.statistics.cost.run_ns);
        let (busy, took) = (millis(busy), millis(self.took()));
        Some(format!("querier_wall_time;dur={busy}, response_time;dur={took}"))
    }

    pub(crate) fn answered(mut self, status: u16) {
        self.status = Some(status);
    }

    fn took(&self) -> Duration {
        self.watched.env.clock.monotonic().since(self.begun)
    }

    fn log(&self, facts: &Facts, status: u16, took: Duration) {
        let stats = &self.statistics;
        let cost = &stats.cost;
        let cut = facts.query.floor_char_boundary(MAX_LOGGED_QUERY_BYTES);
        info!(
            caller = "metrics.go",
            component = "frontend",
            org_id = self.user,
            latency = speed(took),
            query = &facts.query[..cut],
            query_hash = fnv1(facts.query.as_bytes()),
            query_type = facts.kind.name(),
            range_type = facts.range.name(),
            length = facts.bounds.length().to_go(),
            start_delta = self.now.since(facts.bounds.start).to_go(),
            end_delta = self.now.since(facts.bounds.end).to_go(),
            step = facts.step.to_go(),
            duration = go(took),
            status,
            limit = facts.limit,
            returned_lines = stats.entries,
            throughput = byte_text(stats.bytes_per_second()),
            total_bytes = byte_text(stats.bytes()),
            total_bytes_structured_metadata = byte_text(cost.metadata_bytes),
            total_lines = cost.rows,
            post_filter_lines = cost.rows_after_filters,
            total_entries = stats.entries,
            queue_time = go(stats.queue),
            splits = stats.splits,
            shards = stats.shards,
            query_referenced_structured_metadata = cost.metadata_bytes > 0,
            ingester_requests = cost.ingesters_asked,
            store_chunks_download_time = go(Duration::from_nanos(cost.fetch_ns)),
            chunk_refs_fetch_time = go(Duration::from_nanos(cost.plan_ns)),
            index_total_chunks = cost.chunks_planned,
            index_post_filter_chunks = cost.chunks_read,
            cache_chunk_req = cost.pages_read,
            cache_chunk_hit = cost.pages_from_cache,
            cache_chunk_bytes_fetched = cost.page_bytes_from_cache,
            cache_result_req = stats.results_asked,
            cache_result_hit = stats.results_found,
            ingester_chunk_head_bytes = byte_text(cost.ingester_bytes),
            ingester_total_lines_sent = cost.ingester_rows,
            source = self.tags.source().unwrap_or_default(),
            query_tags = self.tags.as_str(),
            "query"
        );
        self.log_again(&facts.query[..cut], facts, status, took);
    }

    /// What is logged besides, if it is wanted.
    fn log_again(&self, query: &str, facts: &Facts, status: u16, took: Duration) {
        let stats = &self.statistics;
        let limit = self.watched.slow;
        if limit.is_negative() || (!limit.is_zero() && took > limit.to_std()) {
            info!(
                org_id = self.user,
                time_taken = go(took),
                path = self.op,
                param_query = query,
                param_start = %facts.bounds.start,
                param_end = %facts.bounds.end,
                param_step = facts.step.to_go(),
                param_limit = facts.limit,
                request_headers = self.headers,
                "slow query detected"
            );
        }
        if self.watched.tells_times {
            info!(
                org_id = self.user,
                path = self.op,
                param_query = query,
                response_time = go(took),
                query_wall_time_seconds = Duration::from_nanos(stats.cost.run_ns).as_secs_f64(),
                fetched_chunks_count = stats.cost.chunks_read,
                fetched_chunk_bytes = stats.cost.page_bytes,
                split_queries = stats.splits,
                sharded_queries = stats.shards,
                status,
                request_headers = self.headers,
                "query stats"
            );
        }
    }

    fn count(&self, facts: &Facts, status: &str, took: Duration) {
        let (metrics, kind, range) = (&self.watched.metrics, facts.kind.name(), facts.range.name());
        metrics.latency.with([status, kind, range]).observe_duration(took);
        let is_sharded = if self.statistics.shards > 0 { "true" } else { "false" };
        let speed_labels = [status, kind, range, speed(took), is_sharded];
        metrics.bytes_per_second.with(speed_labels).observe(self.statistics.bytes_per_second() as f64);
        metrics.bytes.with([&self.user]).add(self.statistics.bytes());
        metrics.pieces(kind, &self.statistics);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.took();
        let status = self.status.unwrap_or(CLIENT_GONE);
        let status_text = status.to_string();
        self.watched.metrics.queries.with([self.op, &self.user, &status_text]).inc();
        if let Some(facts) = &self.facts {
            self.count(facts, &status_text, took);
            self.span.in_scope(|| self.log(facts, status, took));
        }
    }
}

fn speed(took: Duration) -> &'static str {
    if took > FAST { "slow" } else { "fast" }
}

fn go(time: Duration) -> String {
    Span::from_nanos(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)).to_go()
}

/// FNV-1 of 32 bits, by which Loki names queries in logs and in rules that block them.
pub(crate) fn fnv1(bytes: &[u8]) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    for byte in bytes {
        hash = hash.wrapping_mul(0x0100_0193) ^ u32::from(*byte);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1(b""), 0x811c_9dc5);
        assert_eq!(fnv1(b"a"), 0x050c_5d7e);
        assert_eq!(fnv1(b"foobar"), 0x31f0_b262);
    }
}
