//! Bytes of lines by labels, exactly: each row counts once.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use larch_logql::LabelSet;
use larch_proto::{CountedLabels, QueryStatistics, SampleSeries, Selector};
use larch_rpc::CallError;
use larch_types::{
    ErrorKind, Labels, Span, StreamId, TENANT_LABEL, TenantId, Timestamp, canonical_pairs, write_canonical,
};

use super::feed::nodes;
use super::logs::pairs;
use super::metric::send;
use super::output::Output;
use super::stats::whole_read;
use super::{Task, number_or_unbounded, statistics};
use crate::counted::{Borders, Counted, CountedStream, Wanted, count};
use crate::rows::{Budget, Opened, Stream, shown_labels};

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
    let has_several_tenants = task.asker.has_several_tenants();
    let mut budget = task.asker.budget();
    let wanted = Wanted {
        any_of: any_of.to_vec(),
        borders: Borders::of_buckets(by.step, task.range),
        labels: CountedLabels::default(),
    };
    let (mut rows, heads, left) = match count(&task.asker, &wanted).await? {
        Ok(Counted { counts, rows, left, heads }) => {
            let mut places = Vec::new();
            for (CountedStream { tenant, text, .. }, cells) in counts.by_stream() {
                volumes.find(&shown_pairs(has_several_tenants, tenant, text)?, &mut places, &mut budget)?;
                for one in cells {
                    volumes.add(&places, one.cell.time, one.cell.line_bytes, &mut budget)?;
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
                volumes.add_row(&row.stream, row.timestamp, row.line.len() as u64, &mut budget)?;
            }
        }
    }
    send(volumes.into_series(), output).await?;
    let found = rows.found();
    Ok(statistics::of_rows(&rows, nodes(&heads), found.rows, 0))
}

/// Names and values of a stream.
type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The labels of a stored stream as answers show them. Of one tenant they are not made: there may be a million
/// streams.
fn shown_pairs<'a>(
    has_several_tenants: bool,
    tenant: &TenantId,
    text: &'a str,
) -> Result<Pairs<'a>, CallError> {
    if has_several_tenants {
        return Ok(owned_pairs(&shown_labels(has_several_tenants, tenant, text)?));
    }
    let pairs = canonical_pairs(text).map_err(|error| {
        CallError::new(ErrorKind::Internal, format!("an ingester sent a stream that is none: {error}"))
    })?;
    Ok(pairs.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect())
}

fn owned_pairs(labels: &Labels) -> Pairs<'static> {
    let owned = |text: &str| Cow::Owned(text.to_owned());
    labels.iter().map(|label| (owned(&label.name), owned(&label.value))).collect()
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
    /// To which series each stream adds of which rows were read.
    of_stream: HashMap<StreamId, Vec<usize>>,
    /// By the canonical text of their labels.
    places: HashMap<String, usize>,
    /// By place: labels, and bytes by bucket, counted from the first.
    series: Vec<(LabelSet, BTreeMap<u32, u64>)>,
    /// Of the series that is looked for.
    text: String,
}

impl<'a> Volumes<'a> {
    fn new(any_of: &'a [Selector], by: &'a By<'a>, start: Timestamp, max_series: usize) -> Self {
        let mut volumes = Self {
            by,
            names: names(any_of, by.target_labels),
            first_bucket: 0,
            max_series,
            of_stream: HashMap::new(),
            places: HashMap::new(),
            series: Vec::new(),
            text: String::new(),
        };
        volumes.first_bucket = volumes.bucket(start);
        volumes
    }

    /// Buckets begin at multiples of the step since 1970.
    fn bucket(&self, time: Timestamp) -> i64 {
        if self.by.step.is_zero() { 0 } else { time.nanos().div_euclid(self.by.step.nanos().max(1)) }
    }

    fn add_row(
        &mut self,
        stream: &Stream,
        time: Timestamp,
        line_bytes: u64,
        budget: &mut Budget,
    ) -> Result<(), CallError> {
        let places = match self.of_stream.remove(&stream.id) {
            Some(places) => places,
            None => {
                let mut places = Vec::new();
                self.find(&owned_pairs(stream.labels()), &mut places, budget)?;
                budget.take(CELL_BYTES * (places.len() + 1))?;
                places
            }
        };
        self.add(&places, time, line_bytes, budget)?;
        self.of_stream.insert(stream.id, places);
        Ok(())
    }

    /// Lines of rows that are in one bucket with the time.
    fn add(
        &mut self,
        places: &[usize],
        time: Timestamp,
        line_bytes: u64,
        budget: &mut Budget,
    ) -> Result<(), CallError> {
        let bucket = u32::try_from(self.bucket(time) - self.first_bucket).unwrap_or(u32::MAX);
        for place in places {
            let sums = &mut self.series[*place].1;
            if !sums.contains_key(&bucket) {
                budget.take(CELL_BYTES)?;
            }
            *sums.entry(bucket).or_default() += line_bytes;
        }
        Ok(())
    }

    /// Puts into the list to which series the bytes of a stream with such labels are added.
    fn find(
        &mut self,
        labels: &Pairs<'_>,
        places: &mut Vec<usize>,
        budget: &mut Budget,
    ) -> Result<(), CallError> {
        places.clear();
        let has = |wanted: &String| wanted != TENANT_LABEL && labels.iter().any(|(name, _)| name == wanted);
        if !self.by.by_label_names && !self.by.target_labels.iter().all(has) {
            return Ok(());
        }
        // The tenant is shown where rows are, not where they are summed up.
        let is_named =
            |name: &str| name != TENANT_LABEL && self.names.as_ref().is_none_or(|names| names.contains(name));
        let named: Vec<(&str, &str)> = labels
            .iter()
            .filter(|(name, _)| is_named(name))
            .map(|(name, value)| (&**name, if self.by.by_label_names { "" } else { &**value }))
            .collect();
        if self.by.by_label_names {
            for label in named.chunks(1) {
                places.push(self.place(label, budget)?);
            }
        } else {
            places.push(self.place(&named, budget)?);
        }
        Ok(())
    }

    fn place(&mut self, labels: &[(&str, &str)], budget: &mut Budget) -> Result<usize, CallError> {
        self.text.clear();
        write_canonical(&mut self.text, labels.iter().copied());
        if let Some(place) = self.places.get(&self.text) {
            return Ok(*place);
        }
        if self.series.len() == self.max_series {
            let text =
                format!("the query hit the max number of series limit (limit: {} series)", self.max_series);
            return Err(CallError::new(ErrorKind::Invalid, text));
        }
        budget.take(
            CELL_BYTES + labels.iter().map(|(n, v)| 2 * (n.len() + v.len()) + CELL_BYTES).sum::<usize>(),
        )?;
        let place = self.series.len();
        self.places.insert(self.text.clone(), place);
        self.series.push((LabelSet::from_pairs(labels.iter().copied()), BTreeMap::new()));
        Ok(place)
    }

    /// Ordered by labels.
    fn into_series(mut self) -> Vec<SampleSeries> {
        self.series.sort_by(|(left, _), (right, _)| left.cmp(right));
        let mut series = Vec::with_capacity(self.series.len());
        for (labels, sums) in self.series {
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
