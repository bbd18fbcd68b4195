//! Histograms with fixed buckets.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::histogram;

use super::encode::{Names, Series};

/// In seconds, for requests and everything that requests wait for. Loki's dashboards compute quantiles
/// from these bounds, so they stay.
pub const DURATION_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0];

/// Counts observations by size. Clones count together.
#[derive(Debug, Clone)]
pub struct Histogram(histogram::Histogram);

impl Histogram {
    pub(crate) fn new(bounds: &[f64]) -> Self {
        Self(histogram::Histogram::new(bounds.iter().copied()))
    }

    /// What is not a number is left out: it would spoil the sum for ever.
    pub fn observe(&self, value: f64) {
        if value.is_finite() {
            self.0.observe(value);
        }
    }

    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }
}

impl Series for Histogram {
    fn encode(&self, encoder: MetricEncoder<'_>, _: Names) -> fmt::Result {
        EncodeMetric::encode(&self.0, encoder)
    }
}
