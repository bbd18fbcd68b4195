//! `min_over_time` and `max_over_time`. Any number wins over NaN.

use super::Point;

pub(super) fn min(points: &[Point]) -> f64 {
    let mut min = f64::NAN;
    for point in points {
        if min.is_nan() || point.value < min {
            min = point.value;
        }
    }
    min
}

pub(super) fn max(points: &[Point]) -> f64 {
    let mut max = f64::NAN;
    for point in points {
        if max.is_nan() || point.value > max {
            max = point.value;
        }
    }
    max
}
