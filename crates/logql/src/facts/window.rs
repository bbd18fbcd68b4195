//! Long ranges in pieces: `count_over_time({…}[7d])` at one time is the sum of seven counts over a day.
//!
//! Only operators whose parts can be merged are taken apart, and an aggregation above goes into the parts
//! only if it merges in the same way: the largest sum over a day says nothing of the largest over a week.

use larch_types::Span;

use super::Merge;
use crate::ast::{Grouping, LogRange, MetricExpr, RangeAggregation, RangeOp, VectorAggregation, VectorOp};

/// Bounds the plan of a query that asks for years in seconds.
const MAX_PIECES: i64 = 10_000;

/// The value is the merge of the parts, by equal label sets, divided by the divisor.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowSplit {
    /// From the newest to the oldest; together they cover the whole range, each instant once.
    pub windows: Vec<Window>,
    pub merge: Merge,
    /// One, unless the operator is a rate: then the seconds of the whole range.
    pub divisor: f64,
    /// What every part evaluates, over the whole range.
    op: RangeOp,
    inner: RangeAggregation,
    outer: Option<(VectorOp, Grouping)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub range: Span,
    pub offset: Span,
}

/// Takes an expression apart whose range is longer than `piece`. None if that is not possible, or not for
/// this expression as a whole: its operands may still be.
pub fn window_split(metric: &MetricExpr, piece: Span) -> Option<WindowSplit> {
    match metric {
        MetricExpr::Range(aggregation) => split_range(aggregation, piece),
        MetricExpr::Vector(outer) => {
            let MetricExpr::Range(inner) = &outer.expr else { return None };
            let split = split_range(inner, piece)?;
            let merges_alike = match outer.op {
                VectorOp::Sum => split.merge == Merge::Sum,
                VectorOp::Min => split.merge == Merge::Min,
                VectorOp::Max => split.merge == Merge::Max,
                _ => false,
            };
            merges_alike.then(|| WindowSplit { outer: Some((outer.op, outer.grouping.clone())), ..split })
        }
        _ => None,
    }
}

impl WindowSplit {
    /// What is evaluated over one of the windows.
    pub fn part(&self, window: Window) -> MetricExpr {
        let range = LogRange { range: window.range, offset: window.offset, ..self.inner.range.clone() };
        let expr = MetricExpr::Range(Box::new(RangeAggregation { op: self.op, range, ..self.inner.clone() }));
        match &self.outer {
            Some((op, grouping)) => MetricExpr::Vector(Box::new(VectorAggregation {
                op: *op,
                count: None,
                grouping: grouping.clone(),
                expr,
            })),
            None => expr,
        }
    }
}

fn split_range(aggregation: &RangeAggregation, piece: Span) -> Option<WindowSplit> {
    let whole = aggregation.range.range;
    let has_unwrap = aggregation.range.unwrap.is_some();
    let (op, merge, divisor) = match aggregation.op {
        RangeOp::CountOverTime | RangeOp::BytesOverTime | RangeOp::SumOverTime => {
            (aggregation.op, Merge::Sum, 1.0)
        }
        RangeOp::Rate if has_unwrap => (RangeOp::SumOverTime, Merge::Sum, whole.as_secs_f64()),
        RangeOp::Rate => (RangeOp::CountOverTime, Merge::Sum, whole.as_secs_f64()),
        RangeOp::BytesRate => (RangeOp::BytesOverTime, Merge::Sum, whole.as_secs_f64()),
        RangeOp::MinOverTime => (aggregation.op, Merge::Min, 1.0),
        RangeOp::MaxOverTime => (aggregation.op, Merge::Max, 1.0),
        _ => return None,
    };
    let windows = cut(whole, aggregation.range.offset, piece)?;
    Some(WindowSplit { windows, merge, divisor, op, inner: aggregation.clone(), outer: None })
}

fn cut(whole: Span, offset: Span, piece: Span) -> Option<Vec<Window>> {
    let (whole, piece) = (whole.nanos(), piece.nanos());
    if piece <= 0 || whole <= piece || whole / piece >= MAX_PIECES {
        return None;
    }
    let mut windows = Vec::new();
    let mut done = 0;
    while done < whole {
        let range = piece.min(whole - done);
        let from = offset.nanos().checked_add(done)?;
        windows.push(Window { range: Span::from_nanos(range), offset: Span::from_nanos(from) });
        done += range;
    }
    Some(windows)
}
