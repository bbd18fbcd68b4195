//! Bytes of lines by labels, exactly: each row counts once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use larch_logql::LabelSet;
use larch_proto::{CountedLabels, QueryStatistics, SampleSeries, Selector};
use larch_rpc::CallError;
use larch_types::{ErrorKind, Label, Span, StreamId, TENANT_LABEL, Timestamp};

use super::feed::nodes;
use super::logs::pairs;
use super::metric::send;
use super::output::Output;
use super::stats::whole_read;
use super::{Task, number_or_unbounded, statistics};
use crate::counted::{Borders, Counted, CountedStream, Wanted, count};
use crate::rows::{Budget, Opened, Stream};

/// By what bytes are summed up.
pub(super) struct By<'a> {
    pub(super) target_labels: &'a [String],
    /// One series for each name of a label, and not for each value.
    pub(super) by_label_names: bool,
    /// Zero: one sum.
    pub(super) step: Span,
}

pub(super) async fn answer(
    task: &Task,
    any_of: &[Selector],
    by: &By<'_>,
    output: &Output,
) -> Result<QueryStatistics, CallError> {
    let mut volumes = Volumes::new(any_of, by, task.range.0, number_or_unbounded(task.max_series));
    let mut budget = task.asker.budget();
    let wanted = Wanted {
        any_of: any_of.to_vec(),
        borders: Borders::of_buckets(by.step, task.range),
        labels: CountedLabels::default(),
    };
    let (mut rows, heads, left) = match count(&task.asker, &wanted).await? {
        Ok(Counted { streams, rows, left, heads }) => {
            for CountedStream { stream, by_level } in &streams {
                for cell in by_level.values().flatten() {
                    volumes.add(stream, cell.time, cell.line_bytes, &mut budget)?;
                }
            }
            (rows, heads, Some(left))
        }
        Err(_) => {
            let Opened { rows, heads } = task.asker.open(&[whole_read(task, any_of)]).await?;
            (rows, heads, None)
        }
    };
    while let Some(batch) = rows.next_batch().await? {
        for row in &batch {
            if left.as_ref().is_none_or(|left| left.has(row.stream.id, row.timestamp)) {
                volumes.add(&row.stream, row.timestamp, row.line.len() as u64, &mut budget)?;
            }
        }
    }
    send(volumes.into_series(), output).await?;
    let found = rows.found();
    Ok(statistics::of_rows(&rows, nodes(&heads), found.rows, 0))
}

/// What a sum costs.
const CELL_BYTES: usize = 48;

struct Volumes<'a> {
    by: &'a By<'a>,
    /// None: all labels.
    names: Option<BTreeSet<&'a str>>,
    /// The number of the bucket that holds the piece's start.
    first_bucket: i64,
    max_series: usize,
    /// To which series each stream adds.
    of_stream: HashMap<StreamId, Vec<usize>>,
    places: BTreeMap<LabelSet, usize>,
    /// By place: bytes by bucket, counted from the first.
    sums: Vec<BTreeMap<u32, u64>>,
}

impl<'a> Volumes<'a> {
    fn new(any_of: &'a [Selector], by: &'a By<'a>, start: Timestamp, max_series: usize) -> Self {
        let mut volumes = Self {
            by,
            names: names(any_of, by.target_labels),
            first_bucket: 0,
            max_series,
            of_stream: HashMap::new(),
            places: BTreeMap::new(),
            sums: Vec::new(),
        };
        volumes.first_bucket = volumes.bucket(start);
        volumes
    }

    /// Buckets begin at multiples of the step since 1970.
    fn bucket(&self, time: Timestamp) -> i64 {
        if self.by.step.is_zero() { 0 } else { time.nanos().div_euclid(self.by.step.nanos().max(1)) }
    }

    /// Lines of rows that are in one bucket with the time.
    fn add(
        &mut self,
        stream: &Stream,
        time: Timestamp,
        line_bytes: u64,
        budget: &mut Budget,
    ) -> Result<(), CallError> {
        let id = stream.id;
        if !self.of_stream.contains_key(&id) {
            let places = self.places_of(stream, budget)?;
            self.of_stream.insert(id, places);
        }
        let bucket = u32::try_from(self.bucket(time) - self.first_bucket).unwrap_or(u32::MAX);
        for place in self.of_stream.get(&id).into_iter().flatten() {
            let sums = &mut self.sums[*place];
            if !sums.contains_key(&bucket) {
                budget.take(CELL_BYTES)?;
            }
            *sums.entry(bucket).or_default() += line_bytes;
        }
        Ok(())
    }

    fn places_of(&mut self, stream: &Stream, budget: &mut Budget) -> Result<Vec<usize>, CallError> {
        let mut places = Vec::new();
        for labels in self.series_of(stream) {
            budget.take(CELL_BYTES)?;
            if let Some(place) = self.places.get(&labels) {
                places.push(*place);
                continue;
            }
            if self.places.len() == self.max_series {
                let text = format!(
                    "the query hit the max number of series limit (limit: {} series)",
                    self.max_series
                );
                return Err(CallError::new(ErrorKind::Invalid, text));
            }
            budget
                .take(labels.iter().map(|label| label.name.len() + label.value.len() + CELL_BYTES).sum())?;
            places.push(self.sums.len());
            self.places.insert(labels, self.sums.len());
            self.sums.push(BTreeMap::new());
        }
        Ok(places)
    }

    /// The label sets to which a stream's bytes are added.
    fn series_of(&self, stream: &Stream) -> Vec<LabelSet> {
        let has = |name: &String| name != TENANT_LABEL && stream.labels.get(name).is_some();
        if !self.by.by_label_names && !self.by.target_labels.iter().all(has) {
            return Vec::new();
        }
        // The tenant is shown where rows are, not where they are summed up.
        let is_named = |label: &&Label| {
            *label.name != *TENANT_LABEL
                && self.names.as_ref().is_none_or(|names| names.contains(&*label.name))
        };
        let named = stream.labels.iter().filter(is_named);
        if self.by.by_label_names {
            return named.map(|label| LabelSet::from_pairs([(label.name.clone(), "")])).collect();
        }
        vec![LabelSet::from_pairs(named.map(|label| (label.name.clone(), label.value.clone())))]
    }

    /// Ordered by labels.
    fn into_series(self) -> Vec<SampleSeries> {
        let Self { places, mut sums, .. } = self;
        let mut series = Vec::with_capacity(places.len());
        for (labels, place) in places {
            let sums = std::mem::take(&mut sums[place]);
            let (steps, values) = sums.into_iter().map(|(bucket, bytes)| (bucket, bytes as f64)).unzip();
            series.push(SampleSeries { labels: pairs(&labels), steps, values, remainders: Vec::new() });
        }
        series
    }
}

/// The labels that are asked for, or those that the selectors name. None: all.
fn names<'a>(any_of: &'a [Selector], target_labels: &'a [String]) -> Option<BTreeSet<&'a str>> {
    let mut names: BTreeSet<&str> = target_labels.iter().map(String::as_str).collect();
    if names.is_empty() {
        for matcher in any_of.iter().flat_map(|selector| &selector.matchers) {
            names.insert(&matcher.name);
        }
        names.remove(TENANT_LABEL);
    }
    (!names.is_empty()).then_some(names)
}
