//! `quantile_over_time`.

use std::cmp::Ordering;

use super::Point;

/// Between the two values around the rank, in proportion. NaN is below all numbers.
pub(super) fn quantile(quantile: f64, points: &[Point]) -> f64 {
    if let Some(value) = of_none(quantile) {
        return value;
    }
    let mut values: Vec<f64> = points.iter().map(|point| point.value).collect();
    values.sort_by(order);
    let (lower, weight) = rank(quantile, values.len());
    let upper = (values.len() - 1).min(lower + 1);
    values[lower] * (1.0 - weight) + values[upper] * weight
}

/// As `quantile_over_time` of samples with these values, whatever their order; none if there are none. Only
/// the values around the rank are put where they belong.
pub fn quantile_of(quantile: f64, values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    if let Some(value) = of_none(quantile) {
        return Some(value);
    }
    let (lower, weight) = rank(quantile, values.len());
    let (_, at_rank, above) = values.select_nth_unstable_by(lower, order);
    let next = above.iter().copied().min_by(order).unwrap_or(*at_rank);
    Some(*at_rank * (1.0 - weight) + next * weight)
}

/// What a number that is none of a quantile comes to, whatever the values.
fn of_none(quantile: f64) -> Option<f64> {
    if quantile.is_nan() {
        return Some(f64::NAN);
    }
    if quantile < 0.0 {
        return Some(f64::NEG_INFINITY);
    }
    (quantile > 1.0).then_some(f64::INFINITY)
}

fn order(left: &f64, right: &f64) -> Ordering {
    right.is_nan().cmp(&left.is_nan()).then(left.total_cmp(right))
}

/// The place below the rank, and how far the rank is above it. There is a value.
fn rank(quantile: f64, values: usize) -> (usize, f64) {
    let rank = quantile * (values - 1) as f64;
    let lower = rank.floor();
    // The rank is between nought and the last place.
    (lower as usize, rank - lower)
}

#[cfg(test)]
mod tests {
    use larch_types::Timestamp;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_selection_is_exact(
            numbers in prop::collection::vec(prop_oneof![8 => -9_i32..9, 1 => Just(i32::MAX), 1 => Just(i32::MIN)], 1..60),
            quantile in prop_oneof![0.0..=1.0_f64, Just(0.0), Just(1.0), Just(-1.0), Just(2.0), Just(f64::NAN)],
        ) {
            let value = |number: &i32| match *number {
                i32::MAX => f64::NAN,
                i32::MIN => -0.0,
                number => f64::from(number) / 3.0,
            };
            let mut values: Vec<f64> = numbers.iter().map(value).collect();
            let point = |value: &f64| Point { time: Timestamp::EPOCH, value: *value };
            let points: Vec<Point> = values.iter().map(point).collect();
            let want = super::quantile(quantile, &points);
            let found = quantile_of(quantile, &mut values).expect("a value");
            prop_assert_eq!(found.to_string(), want.to_string());
        }
    }
}
