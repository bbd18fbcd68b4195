//! Where metrics are declared, listed and printed.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use super::accept::Format;
use super::callback::{Callbacks, Sample};
use super::counter::{Counter, FloatCounter};
use super::encode::{Entry, Series, Source, encode};
use super::family::Family;
use super::gauge::{FloatGauge, Gauge};
use super::histogram::Histogram;
use super::spec::{MetricInfo, MetricKind, Namespace, Spec};
use super::summary::Summary;

/// The metrics of one process; a test may hold several. Clones are the same registry.
///
/// A metric may be declared more than once, because several services in one process say the same thing:
/// they then share one family. A name that is declared with another kind, other labels or another help
/// panics. Declarations are constants of the program, so the first test that builds both owners finds it.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    namespace: Namespace,
    /// By the name as exposed.
    entries: RwLock<BTreeMap<String, Arc<Entry>>>,
}

impl Registry {
    pub fn new(namespace: Namespace) -> Self {
        Self(Arc::new(Inner { namespace, entries: RwLock::default() }))
    }

    pub fn counter<const N: usize>(&self, spec: Spec<N>) -> Family<Counter, N> {
        self.family(spec, MetricKind::Counter, Counter::default)
    }

    pub fn float_counter<const N: usize>(&self, spec: Spec<N>) -> Family<FloatCounter, N> {
        self.family(spec, MetricKind::Counter, FloatCounter::default)
    }

    pub fn gauge<const N: usize>(&self, spec: Spec<N>) -> Family<Gauge, N> {
        self.family(spec, MetricKind::Gauge, Gauge::default)
    }

    pub fn float_gauge<const N: usize>(&self, spec: Spec<N>) -> Family<FloatGauge, N> {
        self.family(spec, MetricKind::Gauge, FloatGauge::default)
    }

    /// The bounds rise and leave out infinity. Of two declarations the first one's bounds hold.
    pub fn histogram<const N: usize>(&self, spec: Spec<N>, bounds: &[f64]) -> Family<Histogram, N> {
        let rising = bounds.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(rising && bounds.iter().all(|bound| bound.is_finite()), "{}: {bounds:?}", spec.name);
        let bounds: Box<[f64]> = bounds.into();
        self.family(spec, MetricKind::Histogram, move || Histogram::new(&bounds))
    }

    /// Shows these quantiles of so many of the latest observations. Of two declarations the first one's hold.
    pub fn summary(&self, spec: Spec<0>, quantiles: &[f64], window: usize) -> Summary {
        assert!(quantiles.iter().all(|share| (0.0..=1.0).contains(share)), "{}: {quantiles:?}", spec.name);
        let quantiles: Box<[f64]> = quantiles.into();
        let family = self.family(spec, MetricKind::Summary, move || Summary::new(&quantiles, window));
        family.with([])
    }

    /// A counter that is computed when it is read. Callbacks of several owners are shown together.
    pub fn counter_fn<const N: usize>(
        &self,
        spec: Spec<N>,
        callback: impl Fn() -> Vec<Sample<N>> + Send + Sync + 'static,
    ) {
        self.callbacks(spec, MetricKind::Counter).add(callback);
    }

    /// A gauge that is computed when it is read. Callbacks of several owners are shown together.
    pub fn gauge_fn<const N: usize>(
        &self,
        spec: Spec<N>,
        callback: impl Fn() -> Vec<Sample<N>> + Send + Sync + 'static,
    ) {
        self.callbacks(spec, MetricKind::Gauge).add(callback);
    }

    /// Everything declared so far, by name.
    pub fn inventory(&self) -> Vec<MetricInfo> {
        self.entries().into_iter().map(|entry| entry.info.clone()).collect()
    }

    /// The text of a scrape. Callbacks run in here, without any lock of the registry.
    pub fn encode(&self, format: Format) -> String {
        encode(self.entries(), format)
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        let entries = self.0.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.values().cloned().collect()
    }

    fn family<M: Series, const N: usize>(
        &self,
        spec: Spec<N>,
        kind: MetricKind,
        make: impl Fn() -> M + Send + Sync + 'static,
    ) -> Family<M, N> {
        self.declare(spec, kind, || Family::new(spec.labels, Box::new(make)))
    }

    fn callbacks<const N: usize>(&self, spec: Spec<N>, kind: MetricKind) -> Callbacks<N> {
        self.declare(spec, kind, || Callbacks::new(kind, spec.labels))
    }

    fn declare<S: Source + Clone, const N: usize>(
        &self,
        spec: Spec<N>,
        kind: MetricKind,
        make: impl FnOnce() -> S,
    ) -> S {
        let info = MetricInfo::new(spec, kind, &self.0.namespace);
        let mut entries = self.0.entries.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(&info.name) {
            assert!(entry.info == info, "{} is declared differently elsewhere", info.name);
            return same_source(entry);
        }
        for entry in entries.values() {
            let clash = entry.info.open_metrics_family() == info.open_metrics_family();
            assert!(!clash, "{} and {} are one family in OpenMetrics", entry.info.name, info.name);
        }
        let source = make();
        entries.insert(info.name.clone(), Arc::new(Entry { info, source: Box::new(source.clone()) }));
        source
    }
}

#[expect(
    clippy::expect_used,
    reason = "the declarations are constants of the program and contradict each other"
)]
fn same_source<S: Source + Clone>(entry: &Entry) -> S {
    let source: &dyn Any = &*entry.source;
    source.downcast_ref::<S>().expect("a metric is computed or counted, whole or fraction, not both").clone()
}

impl Default for Registry {
    fn default() -> Self {
        Self::new(Namespace::default())
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("namespace", &self.0.namespace).finish_non_exhaustive()
    }
}
