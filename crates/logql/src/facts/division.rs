//! How a metric query is computed in parts whose answers put together are its answer, to the last bit.
//!
//! Parts are by streams, a shard being a set of whole streams, and by time, where a long range is cut. What is
//! handed out are *legs*: range aggregations, or an aggregation together with the range below it. All that
//! stands above the legs is computed where their answers are put together.
//!
//! A series may come from several streams: what one has in its labels, another may have in its metadata or in
//! its lines. So a leg is only what can be merged by equal labels, and merged exactly: whole numbers add up to
//! the same sum in any order, and the smallest is the smallest in any order. Sums of fractions are not: they
//! would differ in their last digits.

use larch_types::{MatchOp, Span};

use super::scan::range_scan;
use super::window::windows;
use crate::ast::{
    Grouping, LabelFilter, LogRange, MetricExpr, RangeAggregation, RangeOp, Stage, VectorAggregation,
    VectorOp,
};

/// What is handed out. There is at least one leg that can be computed in parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Division<'q> {
    pub(crate) expr: &'q MetricExpr,
    /// In the order written.
    pub legs: Vec<Leg<'q>>,
}

/// One leg: what is evaluated for it, and how the answers become one.
#[derive(Debug, Clone, PartialEq)]
pub struct Leg<'q> {
    /// What it stands for in the query.
    pub(crate) root: &'q MetricExpr,
    /// Each over another piece of the range. One, unless the range is cut.
    pub parts: Vec<MetricExpr>,
    /// None: it needs the rows of all streams at once.
    pub merge: Option<Merge>,
    /// What the merged values are divided by: one, or the seconds of the range if the operator is a rate.
    pub(crate) divisor: f64,
}

/// How points of the same time and the same labels become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    Sum,
    /// A number wins over NaN, also in `Max`.
    Min,
    Max,
}

impl Merge {
    pub(crate) fn of(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Sum => left + right,
            Self::Min if left.is_nan() || right < left => right,
            Self::Max if left.is_nan() || right > left => right,
            Self::Min | Self::Max => left,
        }
    }
}

impl Division<'_> {
    /// Whether nothing stands above its one leg, so that its series are those of the answer.
    pub fn is_one_leg(&self) -> bool {
        self.legs.len() == 1 && std::ptr::eq(self.legs[0].root, self.expr)
    }
}

/// Divides a query. With `piece`, ranges that are longer are cut into pieces of that length; that is for
/// queries of one instant, because others read every row several times then. None if it is computed as a whole.
pub fn divide(metric: &MetricExpr, piece: Option<Span>) -> Option<Division<'_>> {
    let mut legs = Vec::new();
    let below = match metric {
        MetricExpr::Vector(sort) if matches!(sort.op, VectorOp::Sort | VectorOp::SortDesc) => &sort.expr,
        other => other,
    };
    let is_root = std::ptr::eq(below, metric);
    // The order in which an operator meets the series of a sorted one is not handed on.
    collect(below, piece, is_root, &mut legs)?;
    legs.iter().any(|leg| leg.merge.is_some()).then_some(Division { expr: metric, legs })
}

/// None if the query is to be left alone. `shows_series`: the series of this expression are in the answer, or
/// are few.
fn collect<'q>(
    metric: &'q MetricExpr,
    piece: Option<Span>,
    shows_series: bool,
    legs: &mut Vec<Leg<'q>>,
) -> Option<()> {
    match metric {
        MetricExpr::Range(range) => {
            let leg = range_leg(metric, range, piece, shows_series);
            legs.push(leg.unwrap_or_else(|| whole(metric)));
        }
        MetricExpr::Vector(vector) => collect_vector(metric, vector, piece, legs)?,
        MetricExpr::Binary(binary) => {
            collect(&binary.left, piece, false, legs)?;
            collect(&binary.right, piece, false, legs)?;
        }
        MetricExpr::LabelReplace(replace) => collect(&replace.expr, piece, shows_series, legs)?,
        MetricExpr::Literal(_) | MetricExpr::VectorOf(_) => {}
    }
    Some(())
}

fn collect_vector<'q>(
    metric: &'q MetricExpr,
    vector: &'q VectorAggregation,
    piece: Option<Span>,
    legs: &mut Vec<Leg<'q>>,
) -> Option<()> {
    match vector.op {
        VectorOp::Sort | VectorOp::SortDesc => None,
        VectorOp::Topk | VectorOp::Bottomk | VectorOp::ApproxTopk => {
            collect(&vector.expr, piece, false, legs)
        }
        VectorOp::Sum
        | VectorOp::Min
        | VectorOp::Max
        | VectorOp::Avg
        | VectorOp::Count
        | VectorOp::Stddev
        | VectorOp::Stdvar => {
            if let Some(leg) = vector_leg(metric, vector, piece) {
                legs.push(leg);
                return Some(());
            }
            let before = legs.len();
            collect(&vector.expr, piece, false, legs)?;
            // Nothing below it is handed out in parts, so that it need not be done here either.
            if legs[before..].iter().all(|leg| leg.merge.is_none()) {
                legs.truncate(before);
                legs.push(whole(metric));
            }
            Some(())
        }
    }
}

fn whole(metric: &MetricExpr) -> Leg<'_> {
    Leg { root: metric, parts: vec![metric.clone()], merge: None, divisor: 1.0 }
}

/// How the values of an operator over rows merge, what the parts evaluate in its place, and what their sum is
/// divided by.
fn additive(aggregation: &RangeAggregation) -> Option<(RangeOp, Merge, f64)> {
    let counts_rows = aggregation.range.unwrap.is_none();
    let seconds = aggregation.range.range.as_secs_f64();
    match aggregation.op {
        RangeOp::CountOverTime | RangeOp::BytesOverTime if counts_rows => {
            Some((aggregation.op, Merge::Sum, 1.0))
        }
        RangeOp::Rate if counts_rows => Some((RangeOp::CountOverTime, Merge::Sum, seconds)),
        RangeOp::BytesRate if counts_rows => Some((RangeOp::BytesOverTime, Merge::Sum, seconds)),
        RangeOp::MinOverTime => Some((aggregation.op, Merge::Min, 1.0)),
        RangeOp::MaxOverTime => Some((aggregation.op, Merge::Max, 1.0)),
        _ => None,
    }
}

/// A range aggregation whose series are merged one by one.
fn range_leg<'q>(
    metric: &'q MetricExpr,
    aggregation: &RangeAggregation,
    piece: Option<Span>,
    shows_series: bool,
) -> Option<Leg<'q>> {
    let (op, merge, divisor) = additive(aggregation)?;
    // What a parser finds may tell millions of series apart, of which an operator above leaves a few.
    let may_be_many = aggregation.grouping.is_none() && makes_labels(&aggregation.range);
    if may_be_many && !shows_series {
        return None;
    }
    let parts = ranges(&aggregation.range, piece).into_iter().map(|range| part(aggregation, op, range));
    Some(Leg { root: metric, parts: parts.collect(), merge: Some(merge), divisor })
}

/// An aggregation that can go into the parts with the range below it.
fn vector_leg<'q>(
    metric: &'q MetricExpr,
    vector: &VectorAggregation,
    piece: Option<Span>,
) -> Option<Leg<'q>> {
    let MetricExpr::Range(aggregation) = &vector.expr else { return None };
    let (op, merge, divisor) = additive(aggregation)?;
    let merges_alike = match vector.op {
        VectorOp::Sum => merge == Merge::Sum && (op == aggregation.op || has_one_series(vector, aggregation)),
        VectorOp::Min => merge == Merge::Min,
        VectorOp::Max => merge == Merge::Max,
        _ => false,
    };
    if !merges_alike {
        return None;
    }
    let mut parts = Vec::new();
    for range in ranges(&aggregation.range, piece) {
        let expr = part(aggregation, op, range);
        parts.push(MetricExpr::Vector(Box::new(VectorAggregation { expr, ..vector.clone() })));
    }
    Some(Leg { root: metric, parts, merge: Some(merge), divisor })
}

fn ranges(range: &LogRange, piece: Option<Span>) -> Vec<LogRange> {
    piece.and_then(|piece| windows(range, piece)).unwrap_or_else(|| vec![range.clone()])
}

fn part(aggregation: &RangeAggregation, op: RangeOp, range: LogRange) -> MetricExpr {
    MetricExpr::Range(Box::new(RangeAggregation { op, range, ..aggregation.clone() }))
}

/// Whether every group of a sum has one series below it, which then has the rate of all rows of the group.
/// Otherwise the rates of several are added up, which is not the rate of their sum to the last digit.
fn has_one_series(vector: &VectorAggregation, aggregation: &RangeAggregation) -> bool {
    let grouping: &Grouping = &vector.grouping;
    // Labels with an empty value are apart below a sum without labels, and not in it.
    let keeps_apart = !grouping.without || !makes_labels(&aggregation.range);
    // A row that a parser stumbled over keeps all its labels, if the query does not drop it.
    let groups_errors = range_scan(aggregation, Some(grouping)).groups_errors;
    keeps_apart && (!groups_errors || drops_errors(&aggregation.range.log.pipeline))
}

/// Whether no row with an error comes through: a filter behind the last stage that can make one.
fn drops_errors(pipeline: &[Stage]) -> bool {
    for stage in pipeline.iter().rev() {
        match stage {
            Stage::LineFilter(_) => {}
            Stage::LabelFilter(LabelFilter::Text(matcher))
                if matcher.name == "__error__"
                    && matcher.op == MatchOp::Equal
                    && matcher.value.is_empty() =>
            {
                return true;
            }
            Stage::LabelFilter(filter) if !may_fail(filter) => {}
            _ => return false,
        }
    }
    false
}

/// A filter that has to read a number may give an error itself.
fn may_fail(filter: &LabelFilter) -> bool {
    let mut reads_numbers = false;
    filter.for_each_leaf(&mut |leaf| reads_numbers |= !matches!(leaf, LabelFilter::Text(_)));
    reads_numbers
}

fn makes_labels(range: &LogRange) -> bool {
    range.log.pipeline.iter().any(|stage| {
        matches!(
            stage,
            Stage::Json(_)
                | Stage::Logfmt(_)
                | Stage::Regexp(_)
                | Stage::Pattern(_)
                | Stage::Unpack
                | Stage::LabelFormat(_)
        )
    })
}
