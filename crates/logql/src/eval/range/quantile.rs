//! `quantile_over_time`.

use super::Point;

/// Between the two values around the rank, in proportion. NaN is below all numbers.
pub(super) fn quantile(quantile: f64, points: &[Point]) -> f64 {
    if quantile.is_nan() {
        return f64::NAN;
    }
    if quantile < 0.0 {
        return f64::NEG_INFINITY;
    }
    if quantile > 1.0 {
        return f64::INFINITY;
    }
    let mut values: Vec<f64> = points.iter().map(|point| point.value).collect();
    values.sort_by(|left, right| right.is_nan().cmp(&left.is_nan()).then(left.total_cmp(right)));
    let last = values.len() - 1;
    let rank = quantile * last as f64;
    let lower = rank.floor();
    let weight = rank - lower;
    // The rank is between nought and the last place.
    let lower = lower as usize;
    let upper = last.min(lower + 1);
    values[lower] * (1.0 - weight) + values[upper] * weight
}
