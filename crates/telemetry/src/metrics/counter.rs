//! Counters: they only grow, and start again at zero with the process.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::MetricEncoder;
use prometheus_client::metrics::counter;

use super::encode::{Names, Series, write_counter};

/// Counts things. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Counter(counter::Counter<u64, AtomicU64>);

impl Counter {
    pub fn inc(&self) {
        self.0.inc();
    }

    pub fn add(&self, amount: u64) {
        self.0.inc_by(amount);
    }

    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

impl Series for Counter {
    fn encode(&self, encoder: MetricEncoder<'_>, names: Names) -> fmt::Result {
        write_counter(encoder, names, self.get())
    }
}

/// Sums seconds and other fractions. Clones sum together.
#[derive(Debug, Clone, Default)]
pub struct FloatCounter(counter::Counter<f64, AtomicU64>);

impl FloatCounter {
    /// What is not a finite positive number is left out: it would spoil the sum for ever.
    pub fn add(&self, amount: f64) {
        if amount.is_finite() && amount > 0.0 {
            self.0.inc_by(amount);
        }
    }

    pub fn get(&self) -> f64 {
        self.0.get()
    }
}

impl Series for FloatCounter {
    fn encode(&self, encoder: MetricEncoder<'_>, names: Names) -> fmt::Result {
        write_counter(encoder, names, self.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together() {
        let counter = Counter::default();
        counter.clone().inc();
        counter.add(2);
        assert_eq!(counter.get(), 3);
    }

    #[test]
    fn a_sum_is_never_spoilt() {
        let counter = FloatCounter::default();
        for amount in [0.5, f64::NAN, f64::INFINITY, -1.0, 0.25] {
            counter.add(amount);
        }
        assert_eq!(counter.get(), 0.75);
    }
}
