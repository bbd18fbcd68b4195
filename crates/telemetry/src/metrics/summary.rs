//! Summaries: quantiles of the latest observations, with the sum and the number of all.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::{MetricEncoder, NoLabelSet};

use super::encode::{Names, Series, write_float_gauge};

/// Observations by size, where dashboards read quantiles that the process itself computes. Clones observe
/// together.
#[derive(Debug, Clone)]
pub struct Summary(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    quantiles: Box<[f64]>,
    /// Quantiles are of so many observations.
    window: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    latest: VecDeque<f64>,
    sum: f64,
    count: u64,
}

impl Summary {
    pub(crate) fn new(quantiles: &[f64], window: usize) -> Self {
        let quantiles = quantiles.into();
        Self(Arc::new(Inner { quantiles, window: window.max(1), state: Mutex::default() }))
    }

    /// What is not a number is left out: it would spoil the sum for ever.
    pub fn observe(&self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let mut state = self.lock();
        if state.latest.len() == self.0.window {
            state.latest.pop_front();
        }
        state.latest.push_back(value);
        state.sum += value;
        state.count += 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest in rising order, the sum, and the number.
    fn read(&self) -> (Vec<f64>, f64, u64) {
        let state = self.lock();
        let mut latest: Vec<f64> = state.latest.iter().copied().collect();
        let (sum, count) = (state.sum, state.count);
        drop(state);
        latest.sort_by(f64::total_cmp);
        (latest, sum, count)
    }
}

/// The smallest value that so large a share does not exceed; of nothing there is none.
fn quantile(rising: &[f64], share: f64) -> f64 {
    let rank = (rising.len() as f64 * share).ceil() as usize;
    rising.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

impl Series for Summary {
    fn encode(&self, mut encoder: MetricEncoder<'_>, _: Names) -> fmt::Result {
        let (latest, sum, count) = self.read();
        // A histogram without buckets is a sum and a count.
        encoder.encode_histogram::<NoLabelSet>(sum, count, &[], None)?;
        for share in &self.0.quantiles {
            let labels = [("quantile", share.to_string())];
            write_float_gauge(encoder.encode_family(&labels)?, quantile(&latest, *share))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_latest() {
        let summary = Summary::new(&[0.5], 4);
        assert!(quantile(&summary.read().0, 0.5).is_nan());
        for value in [100.0, f64::NAN, 4.0, 1.0, 3.0, 2.0] {
            summary.clone().observe(value);
        }
        let (latest, sum, count) = summary.read();
        assert_eq!((latest.as_slice(), sum, count), ([1.0, 2.0, 3.0, 4.0].as_slice(), 110.0, 5));
        for (share, want) in [(0.0, 1.0), (0.25, 1.0), (0.5, 2.0), (0.9, 4.0), (1.0, 4.0)] {
            assert_eq!(quantile(&latest, share), want, "{share}");
        }
    }
}
