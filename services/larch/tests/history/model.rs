//! What must be found: a set of rows for each tenant, and the counts that follow from it.

use std::collections::{BTreeMap, BTreeSet};

use larch_types::Timestamp;

use crate::{BASE, DAYS, NANOS_PER_DAY, STREAMS};

/// A row's identity: the place of its stream, time, line.
pub(crate) type Row = (usize, i64, String);

/// One tenant's.
#[derive(Default)]
pub(crate) struct Model {
    /// Acknowledged.
    rows: BTreeSet<Row>,
    /// Pushed, and perhaps stored: the answer was an error, or never came.
    maybe: BTreeSet<Row>,
    /// Shown by a query.
    shown: BTreeSet<Row>,
}

/// A metric query that the model can answer: per value of `app` and day.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Metric {
    Count,
    Rate,
    Bytes,
    /// Of lines with a 1 in them, which are read and not taken from histograms.
    Filtered,
}

pub(crate) const METRICS: [Metric; 4] = [Metric::Count, Metric::Rate, Metric::Bytes, Metric::Filtered];

/// By `app` and number of the day.
pub(crate) type Samples = BTreeMap<(String, u32), f64>;

impl Metric {
    pub(crate) fn query(self) -> &'static str {
        match self {
            Self::Count => r#"sum by (app) (count_over_time({app!=""}[1d]))"#,
            Self::Rate => r#"sum by (app) (rate({app!=""}[1d]))"#,
            Self::Bytes => r#"sum by (app) (bytes_over_time({app!=""}[1d]))"#,
            Self::Filtered => r#"sum by (app) (count_over_time({app!=""} |= "1" [1d]))"#,
        }
    }

    fn value(self, line: &str) -> f64 {
        match self {
            Self::Count => 1.0,
            Self::Rate => 1.0 / 86_400.0,
            Self::Bytes => line.len() as f64,
            Self::Filtered => f64::from(u8::from(line.contains('1'))),
        }
    }
}

impl Model {
    pub(crate) fn acknowledge(&mut self, rows: Vec<Row>) {
        self.rows.extend(rows);
    }

    pub(crate) fn doubt(&mut self, rows: Vec<Row>) {
        self.maybe.extend(rows);
    }

    /// Every row once, none that was never pushed, all that were acknowledged or shown before.
    pub(crate) fn judge_rows(&mut self, found: &[Row]) {
        let set: BTreeSet<Row> = found.iter().cloned().collect();
        assert_eq!(set.len(), found.len(), "each row once: {found:?}");
        let lost: Vec<&Row> = self.rows.difference(&set).collect();
        assert!(lost.is_empty(), "acknowledged and not found: {lost:?}");
        let gone: Vec<&Row> = self.shown.difference(&set).collect();
        assert!(gone.is_empty(), "shown before and not found: {gone:?}");
        let made_up: Vec<&Row> =
            set.difference(&self.rows).filter(|row| !self.maybe.contains(*row)).collect();
        assert!(made_up.is_empty(), "never pushed: {made_up:?}");
        self.shown.extend(set);
    }

    /// No less than what must be there, no more than what may be.
    pub(crate) fn judge_samples(&self, metric: Metric, found: &Samples) {
        let must = samples(metric, self.rows.union(&self.shown));
        let all: BTreeSet<&Row> = self.rows.union(&self.maybe).collect();
        let may = samples(metric, all);
        for key in must.keys().chain(found.keys()) {
            let value = |samples: &Samples| samples.get(key).copied().unwrap_or(0.0);
            let (least, most, found) = (value(&must), value(&may), value(found));
            // A sum of shares of a second is not exact.
            let is_within = least - 1e-9 <= found && found <= most + 1e-9;
            assert!(is_within, "{metric:?} of {key:?}: {found}, and it must be from {least} to {most}");
        }
    }
}

/// The day k is (start of k − 1, start of k].
fn samples<'r>(metric: Metric, rows: impl IntoIterator<Item = &'r Row>) -> Samples {
    let mut samples = Samples::new();
    for (stream, time, line) in rows {
        let since = time - BASE.nanos();
        let day = since.div_euclid(NANOS_PER_DAY) + i64::from(since.rem_euclid(NANOS_PER_DAY) > 0);
        let app = STREAMS[*stream].1.to_owned();
        let value = metric.value(line);
        if value > 0.0 {
            *samples.entry((app, day as u32)).or_default() += value;
        }
    }
    samples
}

/// The end of the last day that has rows.
pub(crate) fn end() -> Timestamp {
    Timestamp::from_nanos(BASE.nanos() + i64::from(DAYS) * NANOS_PER_DAY)
}
