//! Gauges: values that go up and down.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::MetricEncoder;
use prometheus_client::metrics::gauge;

use super::encode::{Names, Series, write_float_gauge};

/// A whole number that is now so. Clones show the same number.
#[derive(Debug, Clone, Default)]
pub struct Gauge(gauge::Gauge<i64, AtomicI64>);

impl Gauge {
    pub fn set(&self, value: i64) {
        self.0.set(value);
    }

    /// Negative amounts lower it.
    pub fn add(&self, amount: i64) {
        self.0.inc_by(amount);
    }

    pub fn get(&self) -> i64 {
        self.0.get()
    }

    /// Raises the gauge until the guard is dropped: for work, bytes or connections in flight.
    pub fn hold(&self, amount: i64) -> Held {
        self.add(amount);
        Held { gauge: self.clone(), amount }
    }
}

impl Series for Gauge {
    fn encode(&self, mut encoder: MetricEncoder<'_>, _: Names) -> fmt::Result {
        encoder.encode_gauge(&self.get())
    }
}

/// A part of a gauge that goes away with its owner, however that ends.
#[derive(Debug)]
#[must_use = "the gauge falls again when this is dropped"]
pub struct Held {
    gauge: Gauge,
    amount: i64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gauge.add(self.amount.saturating_neg());
    }
}

/// A fraction, a ratio or a time that is now so. Clones show the same number.
#[derive(Debug, Clone, Default)]
pub struct FloatGauge(gauge::Gauge<f64, AtomicU64>);

impl FloatGauge {
    pub fn set(&self, value: f64) {
        self.0.set(value);
    }

    pub fn get(&self) -> f64 {
        self.0.get()
    }
}

impl Series for FloatGauge {
    fn encode(&self, encoder: MetricEncoder<'_>, _: Names) -> fmt::Result {
        write_float_gauge(encoder, self.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_falls_with_its_owner() {
        let gauge = Gauge::default();
        let request = gauge.hold(1);
        let bytes = gauge.hold(100);
        assert_eq!(gauge.get(), 101);
        drop(request);
        assert_eq!(gauge.get(), 100);
        let unwound = std::panic::catch_unwind(move || {
            let _bytes = bytes;
            panic!("the owner fails");
        });
        assert!(unwound.is_err());
        assert_eq!(gauge.get(), 0);
    }
}
