//! From a question to a piece of work, and which rows a metric query needs.

use larch_logql::{MetricExpr, Reach, reach};
use larch_proto::{Piece, PieceId, PieceTenant, Question};
use larch_types::{RequestId, Span, StreamShard, Timestamp, TraceContext};

/// Half-open: the first nanosecond that counts, and the first that does not.
pub(crate) type Range = (Timestamp, Timestamp);

/// What all pieces of a read have in common.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) tenants: Vec<PieceTenant>,
    pub(crate) request: RequestId,
    pub(crate) trace: TraceContext,
    pub(crate) query_tags: String,
    pub(crate) no_cache: bool,
    /// 0: no limit.
    pub(crate) max_bytes: u64,
    /// 0: no limit.
    pub(crate) max_series: u64,
}

/// A question about one range of time and one part of the streams.
pub(crate) fn piece(
    origin: &Origin,
    question: Question,
    (start, end): Range,
    shard: Option<StreamShard>,
) -> Piece {
    Piece {
        // The queue sets the id and the time that is left.
        id: PieceId(0),
        time_left: std::time::Duration::ZERO,
        tenants: origin.tenants.clone(),
        question,
        start,
        end,
        shard,
        request: origin.request.clone(),
        trace: origin.trace,
        max_bytes: origin.max_bytes,
        max_series: origin.max_series,
        query_tags: origin.query_tags.clone(),
        no_cache: origin.no_cache,
        // Set where there is a cache.
        keeps_answer: false,
        kept: None,
    }
}

/// All shards of so many; a single one is everything.
pub(crate) fn shards(count: u32) -> Vec<Option<StreamShard>> {
    if count <= 1 {
        return vec![None];
    }
    (0..count).map(|index| StreamShard::new(index, count)).collect()
}

/// The rows that a metric query can need between its first and its last instant: windows are open at their
/// start and closed at their end. None if it needs none.
pub(crate) fn rows_of(metric: &MetricExpr, first: Timestamp, last: Timestamp) -> Option<Range> {
    let Reach { back, front, .. } = reach(metric)?;
    let after = Span::from_nanos(1);
    let start = first.minus(back).plus(after);
    Some((start, last.minus(front).plus(after).max(start)))
}

#[cfg(test)]
mod tests {
    use larch_logql::parse_metric;

    use super::*;

    #[test]
    fn rows_of_windows() {
        let at = |nanos| Timestamp::from_nanos(nanos);
        let second = 1_000_000_000;
        for (query, start, end) in [
            (r#"rate({a="1"}[1m])"#, 100 - 60, 200),
            (r#"rate({a="1"}[1m] offset 30s)"#, 100 - 90, 200 - 30),
            (r#"rate({a="1"}[1m]) / rate({a="1"}[10s] offset -5s)"#, 100 - 60, 200 + 5),
            (r#"rate({a="1"}[0s])"#, 100, 200),
        ] {
            let metric = parse_metric(query).unwrap();
            let found = rows_of(&metric, at(100 * second), at(200 * second));
            assert_eq!(found, Some((at(start * second + 1), at(end * second + 1))), "{query}");
        }
        assert_eq!(rows_of(&parse_metric("vector(1)").unwrap(), at(0), at(1)), None);
        let instant = parse_metric(r#"rate({a="1"}[0s])"#).unwrap();
        assert_eq!(rows_of(&instant, at(5), at(5)), Some((at(6), at(6))));
        let early = parse_metric(r#"rate({a="1"}[1m])"#).unwrap();
        let (start, end) = rows_of(&early, Timestamp::MIN, Timestamp::MIN).unwrap();
        assert!(start <= end);
    }
}
