//! Series by their labels, numbered.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use larch_logql::{LabelSet, SeriesLabels};

/// What a new series costs beside its labels.
const SERIES_BYTES: usize = 160;

#[derive(Debug, Default)]
pub(crate) struct SeriesTable {
    /// Numbers of series by the hash of their labels.
    numbers: HashMap<u64, Vec<u32>>,
    hasher: RandomState,
    series: Vec<LabelSet>,
}

impl SeriesTable {
    pub(crate) fn len(&self) -> usize {
        self.series.len()
    }

    /// The number of the series with these labels, which are sorted by name; how many bytes it costs if it is
    /// new.
    pub(crate) fn number(&mut self, labels: &SeriesLabels<'_>) -> (u32, usize) {
        let hash = self.hash(labels.iter().map(|(name, value)| (*name, &**value)));
        let is_it = |set: &LabelSet| {
            set.len() == labels.len()
                && set
                    .iter()
                    .zip(labels)
                    .all(|(known, (name, value))| *known.name == **name && *known.value == **value)
        };
        if let Some(number) = self.find(hash, is_it) {
            return (number, 0);
        }
        let set = LabelSet::from_pairs(labels.iter().map(|(name, value)| (*name, &**value)));
        self.insert(hash, set)
    }

    /// As `number`, for a set that was made already.
    pub(crate) fn number_of_set(&mut self, labels: LabelSet) -> (u32, usize) {
        let hash = self.hash(labels.iter().map(|label| (&*label.name, &*label.value)));
        match self.find(hash, |set| *set == labels) {
            Some(number) => (number, 0),
            None => self.insert(hash, labels),
        }
    }

    pub(crate) fn into_labels(self) -> Vec<LabelSet> {
        self.series
    }

    fn hash<'l>(&self, labels: impl Iterator<Item = (&'l str, &'l str)>) -> u64 {
        use std::hash::{Hash, Hasher};
        let mut hasher = self.hasher.build_hasher();
        for label in labels {
            label.hash(&mut hasher);
        }
        hasher.finish()
    }

    fn find(&self, hash: u64, is_it: impl Fn(&LabelSet) -> bool) -> Option<u32> {
        let numbers = self.numbers.get(&hash)?;
        numbers.iter().copied().find(|number| is_it(&self.series[*number as usize]))
    }

    fn insert(&mut self, hash: u64, labels: LabelSet) -> (u32, usize) {
        let bytes = labels.bytes() + SERIES_BYTES;
        // Memory ends long before four thousand million series.
        let number = self.series.len() as u32;
        self.series.push(labels);
        self.numbers.entry(hash).or_default().push(number);
        (number, bytes)
    }
}
