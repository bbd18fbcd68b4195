//! Which expressions can be computed shard by shard, a shard being a set of whole streams.
//!
//! A range aggregation over a shard is exact for the shard's streams. What is not exact by itself is a
//! series that several streams contribute to: those parts must be merged, and not every operator has parts
//! that can be. Unwrapping counts as mixing streams, because it removes a label that may be a stream's.

use larch_types::{MatchOp, Matcher};

use crate::ast::{
    Grouping, LabelFilter, LabelTarget, LogExpr, LogRange, MetricExpr, RangeAggregation, RangeOp, Stage,
    Unwrap, VectorAggregation, VectorOp,
};

/// How one expression can be computed from shards.
#[derive(Debug, Clone, PartialEq)]
pub enum ShardSplit {
    /// It needs the rows of all streams at once.
    Whole,
    /// Every shard evaluates the expression itself; points of equal label sets are merged.
    Merged(Merge),
    /// Every shard evaluates both; each is merged by adding, and the quotient is the value.
    Average { sum: Box<MetricExpr>, count: Box<MetricExpr> },
    /// Its operands can be split each on its own, and it is applied to what they give. It may have none.
    Operands,
}

/// How points of the same time and the same label set become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    Sum,
    /// A number wins over NaN, also in `Max`.
    Min,
    Max,
}

pub fn shard_split(metric: &MetricExpr) -> ShardSplit {
    match metric {
        MetricExpr::Range(aggregation) => split_range(aggregation),
        MetricExpr::Vector(aggregation) => split_vector(aggregation),
        MetricExpr::Binary(_)
        | MetricExpr::LabelReplace(_)
        | MetricExpr::Literal(_)
        | MetricExpr::VectorOf(_) => ShardSplit::Operands,
    }
}

fn split_range(aggregation: &RangeAggregation) -> ShardSplit {
    match aggregation.op {
        RangeOp::CountOverTime
        | RangeOp::Rate
        | RangeOp::BytesOverTime
        | RangeOp::BytesRate
        | RangeOp::SumOverTime => ShardSplit::Merged(Merge::Sum),
        RangeOp::MinOverTime => ShardSplit::Merged(Merge::Min),
        RangeOp::MaxOverTime => ShardSplit::Merged(Merge::Max),
        RangeOp::AvgOverTime => split_avg_over_time(aggregation).unwrap_or(ShardSplit::Whole),
        RangeOp::RateCounter
        | RangeOp::StdvarOverTime
        | RangeOp::StddevOverTime
        | RangeOp::QuantileOverTime
        | RangeOp::FirstOverTime
        | RangeOp::LastOverTime
        | RangeOp::AbsentOverTime => ShardSplit::Whole,
    }
}

fn split_vector(aggregation: &VectorAggregation) -> ShardSplit {
    let inner = &aggregation.expr;
    match aggregation.op {
        VectorOp::Sum if shard_split(inner) == ShardSplit::Merged(Merge::Sum) => {
            ShardSplit::Merged(Merge::Sum)
        }
        VectorOp::Min if keeps_streams_apart(inner) || is_range(inner, RangeOp::MinOverTime) => {
            ShardSplit::Merged(Merge::Min)
        }
        VectorOp::Max if keeps_streams_apart(inner) || is_range(inner, RangeOp::MaxOverTime) => {
            ShardSplit::Merged(Merge::Max)
        }
        VectorOp::Count if keeps_streams_apart(inner) => ShardSplit::Merged(Merge::Sum),
        VectorOp::Avg if keeps_streams_apart(inner) => {
            let part = |op| {
                let aggregation = VectorAggregation { op, ..aggregation.clone() };
                Box::new(MetricExpr::Vector(Box::new(aggregation)))
            };
            ShardSplit::Average { sum: part(VectorOp::Sum), count: part(VectorOp::Count) }
        }
        _ => ShardSplit::Operands,
    }
}

fn is_range(metric: &MetricExpr, op: RangeOp) -> bool {
    matches!(metric, MetricExpr::Range(aggregation) if aggregation.op == op)
}

/// Whether every series comes from one stream, so that it is whole in its shard.
fn keeps_streams_apart(metric: &MetricExpr) -> bool {
    let MetricExpr::Range(aggregation) = metric else { return false };
    let keeps_labels =
        |stage: &Stage| !matches!(stage, Stage::Drop(_) | Stage::Keep(_) | Stage::LabelFormat(_));
    aggregation.op != RangeOp::AbsentOverTime
        && aggregation.grouping.is_none()
        && aggregation.range.unwrap.is_none()
        && aggregation.range.log.pipeline.iter().all(keeps_labels)
}

/// The mean is the sum of the values over the number of rows that have one. The two differ in how they get
/// at a row's labels, so this is only done where that cannot show.
fn split_avg_over_time(aggregation: &RangeAggregation) -> Option<ShardSplit> {
    let range = &aggregation.range;
    let unwrap = range.unwrap.as_ref()?;
    if let Some(grouping) = &aggregation.grouping
        && (grouping.without || grouping.labels.contains(&unwrap.label))
    {
        return None;
    }
    if mentions_error(&range.log, unwrap) {
        return None;
    }
    let sum = RangeAggregation { op: RangeOp::SumOverTime, grouping: None, ..aggregation.clone() };
    let count = RangeAggregation {
        op: RangeOp::CountOverTime,
        quantile: None,
        range: rows_with_value(range, unwrap),
        grouping: None,
    };
    Some(ShardSplit::Average {
        sum: Box::new(pooled(sum, aggregation.grouping.as_ref())),
        count: Box::new(pooled(count, aggregation.grouping.as_ref())),
    })
}

/// A range aggregation that adds cannot group; a sum around it can.
fn pooled(aggregation: RangeAggregation, grouping: Option<&Grouping>) -> MetricExpr {
    let expr = MetricExpr::Range(Box::new(aggregation));
    match grouping {
        Some(grouping) => MetricExpr::Vector(Box::new(VectorAggregation {
            op: VectorOp::Sum,
            count: None,
            grouping: grouping.clone(),
            expr,
        })),
        None => expr,
    }
}

/// The rows that give a sample, with the labels that the sample has.
fn rows_with_value(range: &LogRange, unwrap: &Unwrap) -> LogRange {
    let mut pipeline = range.log.pipeline.clone();
    pipeline.push(Stage::LabelFilter(LabelFilter::Text(Matcher {
        name: unwrap.label.clone(),
        op: MatchOp::NotEqual,
        value: String::new(),
    })));
    pipeline.extend(unwrap.filters.iter().cloned().map(Stage::LabelFilter));
    pipeline.push(Stage::Drop(vec![LabelTarget::Name(unwrap.label.clone())]));
    LogRange { log: LogExpr { pipeline, ..range.log.clone() }, unwrap: None, ..range.clone() }
}

fn mentions_error(log: &LogExpr, unwrap: &Unwrap) -> bool {
    let is_error = |name: &str| name.starts_with("__error");
    let filter_mentions = |filter: &LabelFilter| {
        let mut mentioned = false;
        filter.for_each_leaf(&mut |leaf| mentioned |= leaf.name().is_some_and(is_error));
        mentioned
    };
    let stage_mentions = |stage: &Stage| match stage {
        Stage::LabelFilter(filter) => filter_mentions(filter),
        Stage::Drop(targets) | Stage::Keep(targets) => targets.iter().any(|target| is_error(target.name())),
        _ => false,
    };
    log.pipeline.iter().any(stage_mentions) || unwrap.filters.iter().any(filter_mentions)
}
