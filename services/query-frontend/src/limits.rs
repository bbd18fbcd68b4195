//! What the tenants of one read may ask for. Of several tenants' limits the tightest that is set counts.

mod own;

use std::sync::Arc;

use larch_launch::TenantLimits;
use larch_limits::LimitsSettings;
use larch_types::{ByteSize, ErrorKind, Span, TenantSet};

pub(crate) use own::OwnLimits;

use crate::queue::Share;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReadLimits {
    pub(crate) timeout: Span,
    /// Zero: none, here and below.
    pub(crate) lookback: Span,
    pub(crate) length: Span,
    pub(crate) range: Span,
    pub(crate) entries: u32,
    pub(crate) series: u32,
    /// That a query may read.
    pub(crate) query_bytes: u64,
    /// That one piece of it may read.
    pub(crate) piece_bytes: u64,
    /// That one piece should read; never zero.
    pub(crate) shard_bytes: u64,
    pub(crate) matchers: u32,
    /// Metric queries are aligned to their steps where queries are cut by time.
    pub(crate) split_interval: Span,
    pub(crate) instant_interval: Span,
    pub(crate) metadata_interval: Span,
    pub(crate) recent_metadata_interval: Span,
    pub(crate) recent_metadata_window: Span,
    pub(crate) min_sharding_lookback: Span,
    /// Answers about rows that are newer are not kept.
    pub(crate) freshness: Span,
    pub(crate) stats_freshness: Span,
    /// Zero forbids all reads.
    pub(crate) parallelism: u32,
    /// Which workers the pieces go to.
    pub(crate) workers: Share,
    pub(crate) required_labels: Vec<String>,
    pub(crate) minimum_labels: u32,
    pub(crate) volume_enabled: bool,
    pub(crate) volume_series: u32,
    /// Of each tenant, in the order of the set.
    pub(crate) of_tenants: Vec<Arc<LimitsSettings>>,
}

impl ReadLimits {
    pub(crate) fn of(limits: &TenantLimits, tenants: &TenantSet) -> Self {
        let all: Vec<Arc<LimitsSettings>> =
            tenants.as_slice().iter().map(|tenant| limits.limits(tenant)).collect();
        let mut required_labels: Vec<String> = Vec::new();
        for label in all.iter().flat_map(|limits| &limits.required_labels) {
            if !required_labels.contains(label) {
                required_labels.push(label.clone());
            }
        }
        // Zero is a limit here, the tightest of all.
        let parallelism =
            all.iter().map(|limits| limits.max_query_parallelism.min(limits.tsdb_max_query_parallelism));
        Self {
            timeout: tightest(&all, |limits| limits.query_timeout),
            lookback: tightest(&all, |limits| limits.max_query_lookback),
            length: tightest(&all, |limits| limits.max_query_length),
            range: tightest(&all, |limits| limits.max_query_range),
            entries: tightest(&all, |limits| limits.max_entries_limit_per_query),
            series: tightest(&all, |limits| limits.max_query_series),
            query_bytes: tightest(&all, |limits| limits.max_query_bytes_read.as_u64()),
            piece_bytes: tightest(&all, |limits| limits.max_querier_bytes_read.as_u64()),
            shard_bytes: tightest(&all, |limits| limits.tsdb_max_bytes_per_shard.as_u64()).max(1),
            matchers: tightest(&all, |limits| limits.max_streams_matchers_per_query),
            split_interval: tightest(&all, |limits| limits.split_queries_by_interval),
            instant_interval: tightest(&all, |limits| limits.split_instant_metric_queries_by_interval),
            metadata_interval: tightest(&all, |limits| limits.split_metadata_queries_by_interval),
            recent_metadata_interval: tightest(&all, |limits| {
                limits.split_recent_metadata_queries_by_interval
            }),
            recent_metadata_window: longest(&all, |limits| limits.recent_metadata_query_window),
            min_sharding_lookback: longest(&all, |limits| limits.min_sharding_lookback),
            freshness: longest(&all, |limits| limits.max_cache_freshness_per_query),
            stats_freshness: longest(&all, |limits| limits.max_stats_cache_freshness),
            parallelism: parallelism.min().unwrap_or_default(),
            workers: Share {
                most: tightest(&all, |limits| limits.max_queriers_per_tenant),
                part: smallest_part(&all),
            },
            required_labels,
            minimum_labels: all.iter().map(|limits| limits.minimum_labels_number).max().unwrap_or_default(),
            volume_enabled: all.iter().all(|limits| limits.volume_enabled),
            volume_series: tightest(&all, |limits| limits.volume_max_series),
            of_tenants: all,
        }
    }
}

/// The smallest value above zero; zero if no tenant has one.
fn tightest<T: Copy + Ord + Default>(all: &[Arc<LimitsSettings>], pick: impl Fn(&LimitsSettings) -> T) -> T {
    let set = all.iter().map(|limits| pick(limits)).filter(|value| *value > T::default());
    set.min().unwrap_or_default()
}

/// Of the workers. Zero if no tenant has a part of its own.
fn smallest_part(all: &[Arc<LimitsSettings>]) -> f64 {
    let set = all.iter().map(|limits| limits.max_query_capacity).filter(|part| *part > 0.0);
    set.min_by(f64::total_cmp).unwrap_or_default()
}

fn longest(all: &[Arc<LimitsSettings>], pick: impl Fn(&LimitsSettings) -> Span) -> Span {
    all.iter().map(|limits| pick(limits)).max().unwrap_or_default()
}

/// What asks for more than it may.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitError {
    #[error("querying is disabled, please contact your Loki operator")]
    Disabled,
    #[error("max entries limit per query exceeded, limit > max_entries_limit_per_query ({asked} > {limit})")]
    Entries { asked: u32, limit: u32 },
    #[error(
        "the query time range exceeds the limit (query length: {}, limit: {})",
        .asked.to_go(), .limit.to_prometheus()
    )]
    Length { asked: Span, limit: Span },
    #[error("[interval] value exceeds limit: [{}] > [{}]", .asked.to_prometheus(), .limit.to_prometheus())]
    Range { asked: Span, limit: Span },
    #[error("max streams matchers per query exceeded, matchers-count > limit ({asked} > {limit})")]
    Matchers { asked: usize, limit: u32 },
    #[error(
        "stream selector is missing required matchers [{}], labels present in the query were [{}]",
        .missing.join(", "), .present.join(", ")
    )]
    RequiredLabels { missing: Vec<String>, present: Vec<String> },
    #[error(
        "stream selector has less label matchers than required: (present: [{}], number_present: {}, \
         required_number_label_matchers: {required})",
        .present.join(", "), .present.len()
    )]
    FewLabels { present: Vec<String>, required: u32 },
    #[error("query blocked by policy")]
    Blocked,
    #[error("internal streams can only be queried from Logs Drilldown")]
    InternalStreams,
    #[error(
        "maximum number of series ({0}) reached for a single query; consider reducing query cardinality by \
         adding more specific stream selectors, reducing the time range, or aggregating results with \
         functions like sum(), count() or topk()"
    )]
    Series(u32),
    #[error(
        "the query would read too many bytes (query: {}, limit: {}); consider adding more specific stream \
         selectors or reduce the time range of the query", .asked.to_iec(), .limit.to_iec()
    )]
    QueryBytes { asked: ByteSize, limit: ByteSize },
    #[error(
        "query too large to execute on a single querier: (query: {}, limit: {}); consider adding more specific \
         stream selectors, reduce the time range of the query, or adjust parallelization settings",
        .asked.to_iec(), .limit.to_iec()
    )]
    PieceBytes { asked: ByteSize, limit: ByteSize },
    #[error(
        "un-shardable query too large to execute on a single querier: (query: {}, limit: {}); consider adding \
         more specific stream selectors or reduce the time range of the query",
        .asked.to_iec(), .limit.to_iec()
    )]
    UnshardableBytes { asked: ByteSize, limit: ByteSize },
    #[error(
        "shard query is too large to execute on a single querier: (query: {}, limit: {}); consider adding more \
         specific stream selectors or reduce the time range of the query",
        .asked.to_iec(), .limit.to_iec()
    )]
    ShardBytes { asked: ByteSize, limit: ByteSize },
}

impl LimitError {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Disabled => ErrorKind::TooMany,
            _ => ErrorKind::Invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use larch_limits::OperationalSettings;

    use super::*;

    fn limits_of(settings: LimitsSettings) -> ReadLimits {
        let limits = TenantLimits::new(settings, OperationalSettings::default());
        ReadLimits::of(&limits, &"a|b".parse().expect("two tenants"))
    }

    #[test]
    fn of_one_and_the_same_limits_nothing_changes() {
        let limits = limits_of(LimitsSettings::default());
        assert_eq!((limits.timeout, limits.length), (Span::from_mins(1), Span::from_hours(721)));
        assert_eq!((limits.entries, limits.series, limits.matchers), (5000, 500, 1000));
        assert_eq!((limits.lookback, limits.range), (Span::ZERO, Span::ZERO));
        assert_eq!((limits.query_bytes, limits.piece_bytes), (0, ByteSize::gib(150).as_u64()));
        assert_eq!(limits.shard_bytes, ByteSize::mib(600).as_u64());
        assert_eq!((limits.parallelism, limits.volume_enabled, limits.volume_series), (32, true, 1000));
    }

    #[test]
    fn the_tightest_limit_above_zero_counts() {
        let settings = |series, lookback, parallelism, labels: &[&str]| {
            Arc::new(LimitsSettings {
                max_query_series: series,
                max_query_lookback: Span::from_hours(lookback),
                max_query_parallelism: parallelism,
                required_labels: labels.iter().map(|label| (*label).to_owned()).collect(),
                ..LimitsSettings::default()
            })
        };
        let all = [settings(0, 5, 3, &["app"]), settings(7, 0, 0, &["env", "app"]), settings(9, 2, 4, &[])];
        assert_eq!(tightest(&all, |limits| limits.max_query_series), 7);
        assert_eq!(tightest(&all, |limits| limits.max_query_lookback), Span::from_hours(2));
        assert_eq!(tightest(&all, |limits| limits.max_query_range), Span::ZERO);
    }

    #[test]
    fn texts() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (error, text) in [
            (
                LimitError::Entries { asked: 5001, limit: 5000 },
                "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)",
            ),
            (
                LimitError::Length { asked: Span::from_hours(744), limit: Span::from_hours(721) },
                "the query time range exceeds the limit (query length: 744h0m0s, limit: 30d1h)",
            ),
            (
                LimitError::Range { asked: Span::from_hours(2), limit: Span::from_hours(1) },
                "[interval] value exceeds limit: [2h] > [1h]",
            ),
            (
                LimitError::Matchers { asked: 3, limit: 2 },
                "max streams matchers per query exceeded, matchers-count > limit (3 > 2)",
            ),
            (
                LimitError::RequiredLabels { missing: names(&["a", "b"]), present: names(&["c", "d"]) },
                "stream selector is missing required matchers [a, b], labels present in the query were [c, d]",
            ),
            (
                LimitError::FewLabels { present: names(&["a"]), required: 2 },
                "stream selector has less label matchers than required: (present: [a], number_present: 1, \
                 required_number_label_matchers: 2)",
            ),
            (
                LimitError::QueryBytes { asked: ByteSize::gib(6), limit: ByteSize::gib(5) },
                "the query would read too many bytes (query: 6.0 GiB, limit: 5.0 GiB); consider adding more \
                 specific stream selectors or reduce the time range of the query",
            ),
            (
                LimitError::PieceBytes { asked: ByteSize::gib(200), limit: ByteSize::gib(150) },
                "query too large to execute on a single querier: (query: 200 GiB, limit: 150 GiB); consider \
                 adding more specific stream selectors, reduce the time range of the query, or adjust \
                 parallelization settings",
            ),
        ] {
            assert_eq!((error.to_string().as_str(), error.kind()), (text, ErrorKind::Invalid));
        }
        assert_eq!(LimitError::Disabled.kind(), ErrorKind::TooMany);
    }
}
