//! Metrics that are computed when they are read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::encoding::MetricEncoder;

use super::encode::{Head, Names, Source, label_pairs, write_counter, write_float_gauge};
use super::family::{MAX_SERIES, cut};
use super::spec::MetricKind;

/// Label values in the order of the label names, and the value.
pub type Sample<const N: usize> = ([String; N], f64);

type Callback<const N: usize> = Arc<dyn Fn() -> Vec<Sample<N>> + Send + Sync>;

/// The callbacks of one metric: each of its owners in this process brings its own.
pub(crate) struct Callbacks<const N: usize>(Arc<Inner<N>>);

struct Inner<const N: usize> {
    kind: MetricKind,
    labels: [&'static str; N],
    callbacks: RwLock<Vec<Callback<N>>>,
}

impl<const N: usize> Callbacks<N> {
    pub(crate) fn new(kind: MetricKind, labels: [&'static str; N]) -> Self {
        Self(Arc::new(Inner { kind, labels, callbacks: RwLock::new(Vec::new()) }))
    }

    pub(crate) fn add(&self, callback: impl Fn() -> Vec<Sample<N>> + Send + Sync + 'static) {
        self.0.callbacks.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(callback));
    }

    /// Every series once: where two callbacks claim the same one, the first of them is shown.
    fn samples(&self) -> BTreeMap<[String; N], f64> {
        let callbacks = self.0.callbacks.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut samples = BTreeMap::new();
        for callback in callbacks {
            for (values, value) in callback() {
                if samples.len() == MAX_SERIES {
                    return samples;
                }
                samples.entry(values.map(|value| cut(&value).to_owned())).or_insert(value);
            }
        }
        samples
    }
}

impl<const N: usize> Source for Callbacks<N> {
    fn encode(&self, head: Head<'_, '_>, names: Names) -> fmt::Result {
        let samples = self.samples();
        if samples.is_empty() {
            return Ok(());
        }
        let mut encoder = head.begin()?;
        for (values, value) in samples {
            if N == 0 {
                return self.write(encoder, names, value);
            }
            let labels = label_pairs(self.0.labels, &values);
            self.write(encoder.encode_family(&labels)?, names, value)?;
        }
        Ok(())
    }
}

impl<const N: usize> Callbacks<N> {
    fn write(&self, encoder: MetricEncoder<'_>, names: Names, value: f64) -> fmt::Result {
        match self.0.kind {
            MetricKind::Counter => write_counter(encoder, names, value),
            MetricKind::Gauge | MetricKind::Histogram | MetricKind::Summary => {
                write_float_gauge(encoder, value)
            }
        }
    }
}

impl<const N: usize> Clone for Callbacks<N> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
