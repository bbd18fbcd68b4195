use super::*;

/// Values one second apart, the last at the window's end.
fn check(op: RangeOp, quantile: f64, values: &[f64], want: f64) {
    let end = Timestamp::from_secs(1000);
    let mut points = Vec::new();
    for (index, value) in values.iter().rev().enumerate() {
        points.push(Point { time: end.minus(Span::from_secs(index as i64)), value: *value });
    }
    points.reverse();
    let found =
        evaluate(op, quantile, Window { points: &points, sum: None, end, range: Span::from_secs(10) });
    let found = found.expect("a value");
    assert!(
        found == want || (found - want).abs() < 1e-12 || (found.is_nan() && want.is_nan()),
        "{op:?} {values:?}: {found}"
    );
}

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

#[test]
fn operators() {
    for (op, values, want) in [
        (RangeOp::CountOverTime, vec![1.0, 1.0, 1.0], 3.0),
        (RangeOp::Rate, vec![1.0, 1.0, 1.0], 0.3),
        (RangeOp::Rate, vec![2.0, 0.5], 0.25),
        (RangeOp::SumOverTime, vec![2.0, NAN], NAN),
        (RangeOp::AvgOverTime, vec![1.0, 2.0, 6.0], 3.0),
        (RangeOp::AvgOverTime, vec![INF, 2.0, INF], INF),
        (RangeOp::AvgOverTime, vec![INF, -INF], NAN),
        (RangeOp::AvgOverTime, vec![f64::MAX, f64::MAX], f64::MAX),
        (RangeOp::MinOverTime, vec![NAN, 2.0, 1.0, NAN], 1.0),
        (RangeOp::MaxOverTime, vec![NAN, 2.0, 1.0, NAN], 2.0),
        (RangeOp::MaxOverTime, vec![NAN, NAN], NAN),
        (RangeOp::StdvarOverTime, vec![1.0, 2.0, 3.0, 4.0, 5.0], 2.0),
        (RangeOp::StddevOverTime, vec![1.0, 3.0], 1.0),
        (RangeOp::FirstOverTime, vec![1.0, 3.0], 1.0),
        (RangeOp::LastOverTime, vec![1.0, 3.0], 3.0),
        (RangeOp::RateCounter, vec![5.0], 0.0),
    ] {
        check(op, 0.0, &values, want);
    }
}

#[test]
fn quantiles() {
    let values = [5.0, 1.0, 4.0, 2.0, 3.0];
    for (quantile, want) in
        [(0.0, 1.0), (0.25, 2.0), (0.5, 3.0), (0.6, 3.4), (1.0, 5.0), (1.01, INF), (-0.1, -INF)]
    {
        check(RangeOp::QuantileOverTime, quantile, &values, want);
    }
    check(RangeOp::QuantileOverTime, 0.0, &[1.0, NAN], NAN);
    check(RangeOp::QuantileOverTime, 1.0, &[1.0, NAN], 1.0);
    check(RangeOp::QuantileOverTime, NAN, &[1.0, 2.0], NAN);
}

#[test]
fn counters() {
    // t = 10, 20, …, 50 hold 1 … 5; the window is (0, 50].
    let at = Timestamp::from_secs;
    let points: Vec<Point> = (1..=5).map(|n| Point { time: at(10 * n), value: n as f64 }).collect();
    let window = Window { points: &points, sum: None, end: at(50), range: Span::from_secs(50) };
    assert_eq!(evaluate(RangeOp::RateCounter, 0.0, window), Some(0.1));

    // A reset: 5, 2, 3 counts 5 more than it shows.
    let mut points = Vec::new();
    for (time, value) in [(10, 4.0), (20, 5.0), (30, 2.0), (40, 3.0)] {
        points.push(Point { time: at(time), value });
    }
    let window = Window { points: &points, sum: None, end: at(40), range: Span::from_secs(40) };
    // 4 in 30 seconds, and the 10 before the first sample.
    assert_eq!(evaluate(RangeOp::RateCounter, 0.0, window), Some(4.0 * (40.0 / 30.0) / 40.0));

    // No time between them.
    let points = [Point { time: at(10), value: 1.0 }, Point { time: at(10), value: 2.0 }];
    let window = Window { points: &points, sum: None, end: at(10), range: Span::from_secs(10) };
    assert!(evaluate(RangeOp::RateCounter, 0.0, window).is_some_and(|rate| !rate.is_finite()));
}
