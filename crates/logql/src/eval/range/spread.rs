//! `stdvar_over_time` and `stddev_over_time`, of the whole population.

use super::Point;

/// Welford's way, in one pass.
pub(super) fn variance(points: &[Point]) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for point in points {
        count += 1.0;
        let delta = point.value - mean;
        mean += delta / count;
        squares += delta * (point.value - mean);
    }
    squares / count
}
