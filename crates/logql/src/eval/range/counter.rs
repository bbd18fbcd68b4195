//! `rate_counter`: the label holds a counter that only grows, and starts again from nought.

use super::Window;

/// The growth between the first and the last sample, extended to the edges of the window as far as samples
/// can be taken to go on, but not to before the counter was nought.
pub(super) fn rate(window: Window<'_>) -> f64 {
    let points = window.points;
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return 0.0 };
    if points.len() < 2 {
        return 0.0;
    }
    let mut growth = last.value - first.value;
    let mut before = 0.0;
    for point in points {
        if point.value < before {
            growth += before;
        }
        before = point.value;
    }
    let start = window.end.minus(window.range);
    let mut to_start = first.time.since(start).as_secs_f64();
    let mut to_end = window.end.since(last.time).as_secs_f64();
    let sampled = last.time.since(first.time).as_secs_f64();
    let between = sampled / (points.len() - 1) as f64;
    // A gap that is not much longer than those between samples holds none.
    let threshold = between * 1.1;
    if to_start >= threshold {
        to_start = between / 2.0;
    }
    if growth > 0.0 && first.value >= 0.0 {
        let to_zero = sampled * (first.value / growth);
        to_start = to_start.min(to_zero);
    }
    if to_end >= threshold {
        to_end = between / 2.0;
    }
    growth * ((sampled + to_start + to_end) / sampled) / window.range.as_secs_f64()
}
