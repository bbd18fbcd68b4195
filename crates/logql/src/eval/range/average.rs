//! `avg_over_time`.

use super::Point;

/// A running mean, so that large values do not add up to infinity.
pub(super) fn mean(points: &[Point]) -> f64 {
    let mut mean = 0.0_f64;
    let mut count = 0.0;
    for point in points {
        let value = point.value;
        count += 1.0;
        if mean.is_infinite() {
            if value.is_infinite() && (mean > 0.0) == (value > 0.0) {
                continue;
            }
            if value.is_finite() {
                continue;
            }
        }
        mean += value / count - mean / count;
    }
    mean
}
