//! All series of one metric, found by their label values.

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use super::encode::{Head, Names, Series, Source, label_pairs};

/// Series beyond this share one whose label values are all [`OVERFLOW_VALUE`]: label values come from
/// tenants and clients, and a scrape must stay small enough to be read. Ten thousand histograms with the
/// default buckets are 170,000 lines, which is about what a scrape of ten seconds can carry.
pub const MAX_SERIES: usize = 10_000;

/// Longer label values are cut: a client chooses its `User-Agent`, and every scrape repeats it.
pub const MAX_LABEL_VALUE_BYTES: usize = 256;

pub const OVERFLOW_VALUE: &str = "other";

/// The series of one metric. Clones are the same family.
pub struct Family<M, const N: usize>(Arc<Inner<M, N>>);

struct Inner<M, const N: usize> {
    labels: [&'static str; N],
    make: Box<dyn Fn() -> M + Send + Sync>,
    /// Sorted by label values, so that a lookup allocates nothing and scrapes come in a steady order.
    series: RwLock<Vec<Keyed<M, N>>>,
}

/// Label values are shared with the scrape that prints them, which then holds no lock.
type Keyed<M, const N: usize> = (Arc<[Box<str>; N]>, M);

impl<M: Clone, const N: usize> Family<M, N> {
    pub(crate) fn new(labels: [&'static str; N], make: Box<dyn Fn() -> M + Send + Sync>) -> Self {
        let family = Self(Arc::new(Inner { labels, make, series: RwLock::new(Vec::new()) }));
        if N == 0 {
            // A metric without labels is one series, and is shown from the start.
            family.with([""; N]);
        }
        family
    }

    /// The series with these label values, in the order of the label names; made when first asked for.
    /// Hot paths keep what this returns.
    pub fn with(&self, values: [&str; N]) -> M {
        let values = values.map(cut);
        let series = self.0.series.read().unwrap_or_else(PoisonError::into_inner);
        if let Ok(index) = find(&series, values) {
            return series[index].1.clone();
        }
        drop(series);
        self.insert(values)
    }

    /// Forgets a series, so that what no longer exists is no longer shown. Handles to it count on unseen.
    pub fn remove(&self, values: [&str; N]) {
        let mut series = self.0.series.write().unwrap_or_else(PoisonError::into_inner);
        if let Ok(index) = find(&series, values.map(cut)) {
            series.remove(index);
        }
    }

    fn insert(&self, values: [&str; N]) -> M {
        let mut series = self.0.series.write().unwrap_or_else(PoisonError::into_inner);
        let values = if series.len() < MAX_SERIES { values } else { [OVERFLOW_VALUE; N] };
        match find(&series, values) {
            Ok(index) => series[index].1.clone(),
            Err(index) => {
                let made = (self.0.make)();
                series.insert(index, (Arc::new(values.map(Box::from)), made.clone()));
                made
            }
        }
    }
}

fn find<M, const N: usize>(series: &[Keyed<M, N>], values: [&str; N]) -> Result<usize, usize> {
    series.binary_search_by(|(have, _)| {
        for (have, want) in have.iter().zip(values) {
            match (**have).cmp(want) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
        }
        Ordering::Equal
    })
}

pub(crate) fn cut(value: &str) -> &str {
    &value[..value.floor_char_boundary(MAX_LABEL_VALUE_BYTES)]
}

impl<M: Series, const N: usize> Source for Family<M, N> {
    fn encode(&self, head: Head<'_, '_>, names: Names) -> fmt::Result {
        let series = self.0.series.read().unwrap_or_else(PoisonError::into_inner).clone();
        if series.is_empty() {
            return Ok(());
        }
        let mut encoder = head.begin()?;
        for (values, metric) in series {
            if N == 0 {
                return metric.encode(encoder, names);
            }
            metric.encode(encoder.encode_family(&label_pairs(self.0.labels, &values))?, names)?;
        }
        Ok(())
    }
}

impl<M, const N: usize> Clone for Family<M, N> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M, const N: usize> fmt::Debug for Family<M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").field("labels", &self.0.labels).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Counter;

    fn family<const N: usize>(labels: [&'static str; N]) -> Family<Counter, N> {
        Family::new(labels, Box::new(Counter::default))
    }

    #[test]
    fn same_values_same_series() {
        let family = family(["tenant", "reason"]);
        family.with(["a", "b"]).inc();
        family.with(["b", "a"]).inc();
        family.with(["a", "b"]).inc();
        assert_eq!(family.with(["a", "b"]).get(), 2);
        family.remove(["a", "b"]);
        assert_eq!(family.with(["a", "b"]).get(), 0);
        assert_eq!(family.with(["b", "a"]).get(), 1);
    }

    #[test]
    fn a_full_family_puts_the_rest_together() {
        let family = family(["agent"]);
        for index in 0..MAX_SERIES + 3 {
            family.with([&format!("agent-{index}")]).inc();
        }
        assert_eq!(family.with([OVERFLOW_VALUE]).get(), 3);
        assert_eq!(family.with(["agent-0"]).get(), 1);
        assert_eq!(family.0.series.read().unwrap().len(), MAX_SERIES + 1);
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let family = family(["agent"]);
        let long = format!("x{}", "ä".repeat(200));
        family.with([&long]).inc();
        family.with([&format!("{long} more")]).inc();
        assert_eq!(family.with([cut(&long)]).get(), 2);
        assert_eq!(cut(&long).len(), MAX_LABEL_VALUE_BYTES - 1);
    }

    #[test]
    fn threads_agree_on_one_series() {
        let family = family(["k"]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for index in 0..1000 {
                        family.with([&(index % 7).to_string()]).inc();
                    }
                });
            }
        });
        let total: u64 = (0..7).map(|index: u64| family.with([&index.to_string()]).get()).sum();
        assert_eq!(total, 4000);
    }
}
