//! What the samples of one window come to.

mod average;
mod counter;
mod extremes;
mod quantile;
mod spread;

use larch_types::{Span, Timestamp};

pub use quantile::quantile_of;

use crate::ast::RangeOp;

/// One row's number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub time: Timestamp,
    pub value: f64,
}

/// The samples of one series in (`end` − `range`, `end`], by time.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    pub points: &'a [Point],
    /// What their values come to, where that is known without adding them up.
    pub sum: Option<f64>,
    pub end: Timestamp,
    pub range: Span,
}

/// `quantile` is only read by the operator that has one. None: the operator says nothing of this window.
pub fn evaluate(op: RangeOp, quantile: f64, window: Window<'_>) -> Option<f64> {
    let (first, last) = (window.points.first()?, window.points.last()?);
    let seconds = window.range.as_secs_f64();
    Some(match op {
        // Where values are whole numbers each row's is one, and one sample may stand for many rows.
        RangeOp::CountOverTime => window.sum.unwrap_or(window.points.len() as f64),
        RangeOp::BytesOverTime | RangeOp::SumOverTime => sum(window),
        // The value of a row that is only counted is one.
        RangeOp::Rate | RangeOp::BytesRate => sum(window) / seconds,
        RangeOp::RateCounter => counter::rate(window),
        RangeOp::AvgOverTime => average::mean(window.points),
        RangeOp::MinOverTime => extremes::min(window.points),
        RangeOp::MaxOverTime => extremes::max(window.points),
        RangeOp::StdvarOverTime => spread::variance(window.points),
        RangeOp::StddevOverTime => spread::variance(window.points).sqrt(),
        RangeOp::QuantileOverTime => quantile::quantile(quantile, window.points),
        RangeOp::FirstOverTime => first.value,
        RangeOp::LastOverTime => last.value,
        // It speaks of the windows of all series together, and only of empty ones.
        RangeOp::AbsentOverTime => return None,
    })
}

fn sum(window: Window<'_>) -> f64 {
    window.sum.unwrap_or_else(|| window.points.iter().map(|point| point.value).sum())
}

#[cfg(test)]
mod tests;
