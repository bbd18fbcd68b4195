//! From a row to its sample: the pipeline, the number, the labels of the series.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::RangeQuery;
use crate::ast::{FormatValue, Grouping, RangeAggregation, RangeOp, Stage};
use crate::build;
use crate::check::{front_filters, run_order};
use crate::compile;
use crate::eval::{EvalError, InputRow};
use crate::facts::{LabelNeed, range_scan};
use crate::stage::{Hints, LabelFilter, LabelRef, Pipeline, Row, Unwrap};

/// Makes the samples of one range.
#[derive(Debug)]
pub struct Sampler {
    /// Line filters that come before all other stages.
    filters: Pipeline,
    /// The stages behind them.
    pipeline: Pipeline,
    value: ValueOf,
    /// Of the aggregation itself, or of a sum right above it. None: all labels.
    grouping: Option<Grouping>,
    /// The names that it keeps, in their order, if labels can be asked for by name.
    kept: Option<Vec<String>>,
}

#[derive(Debug)]
enum ValueOf {
    Row,
    LineBytes,
    /// It is no label of the series.
    Label {
        unwrap: Unwrap,
        filters: Vec<LabelFilter>,
    },
}

/// The labels of a series, sorted by name.
pub type SeriesLabels<'r> = Vec<(&'r str, Cow<'r, str>)>;

impl Sampler {
    pub fn new(query: &RangeQuery) -> Result<Self, EvalError> {
        let (aggregation, pushed) = (&query.aggregation, query.pushed.as_ref());
        let range = &aggregation.range;
        let facts = range_scan(aggregation, pushed);
        let hints = match facts.labels {
            LabelNeed::All => Hints::all(),
            LabelNeed::Only(names) => Hints::only(&names.iter().map(String::as_str).collect::<Vec<_>>()),
        };
        let hints = if facts.groups_errors { hints.preserving_errors() } else { hints };
        let value = match (&range.unwrap, aggregation.op) {
            (Some(unwrap), _) => {
                let (unwrap, filters) = build::unwrap(unwrap)?;
                ValueOf::Label { unwrap, filters }
            }
            (None, RangeOp::BytesOverTime | RangeOp::BytesRate) => ValueOf::LineBytes,
            (None, _) => ValueOf::Row,
        };
        let mut filters = needed_stages(aggregation);
        let stages = filters.split_off(front_filters(&filters));
        let grouping = aggregation.grouping.as_ref().or(pushed).cloned();
        Ok(Self {
            filters: build::pipeline(filters, &hints)?,
            pipeline: build::pipeline(stages, &hints)?,
            value,
            kept: grouping.as_ref().and_then(kept_names),
            grouping,
        })
    }

    /// Whether every sample is a whole number: a row counts as one, and lines have whole bytes.
    pub fn counts_wholes(&self) -> bool {
        !matches!(self.value, ValueOf::Label { .. })
    }

    /// The sample of so many rows together; only where samples are whole numbers.
    pub(super) fn counted(&self, rows: u64, bytes: u64) -> f64 {
        match &self.value {
            ValueOf::LineBytes => bytes as f64,
            ValueOf::Row | ValueOf::Label { .. } => rows as f64,
        }
    }

    /// None: the row gives no sample.
    pub fn sample<'w, 'r>(
        &self,
        row: &InputRow<'r>,
        work: &'w mut Row<'r>,
    ) -> Option<(f64, SeriesLabels<'w>)> {
        if !self.filters.is_empty() {
            row.load_into(work);
            if !self.filters.run(work) {
                return None;
            }
        }
        self.sample_filtered(row, work)
    }

    /// Of a row that is known to pass the first [`front_filters`] stages.
    pub fn sample_filtered<'w, 'r>(
        &self,
        row: &InputRow<'r>,
        work: &'w mut Row<'r>,
    ) -> Option<(f64, SeriesLabels<'w>)> {
        row.load_into(work);
        if !self.pipeline.run(work) {
            return None;
        }
        let value = match &self.value {
            ValueOf::Row => 1.0,
            ValueOf::LineBytes => work.line().len() as f64,
            ValueOf::Label { unwrap, filters } => {
                let value = unwrap.run(work)?;
                if !filters.iter().all(|filter| filter.run(work)) {
                    return None;
                }
                value
            }
        };
        Some((value, self.labels(work)))
    }

    /// A row with an error keeps all its labels, so that the error is not lost.
    fn labels<'w>(&self, work: &'w Row<'_>) -> SeriesLabels<'w> {
        let has_error = work.labels().error().is_some();
        if let Some(names) = self.kept.as_ref().filter(|_| !has_error) {
            let found = names.iter().filter_map(|name| work.labels().named(name));
            return found.map(|label| (label.name, String::from_utf8_lossy(label.value))).collect();
        }
        let mut labels = Vec::new();
        for label in work.labels().sorted() {
            if has_error || self.keeps(&label) {
                labels.push((label.name, String::from_utf8_lossy(label.value)));
            }
        }
        labels
    }

    fn keeps(&self, label: &LabelRef<'_>) -> bool {
        let is_unwrapped =
            matches!(&self.value, ValueOf::Label { unwrap, .. } if unwrap.name() == label.name);
        match &self.grouping {
            None => !is_unwrapped,
            Some(grouping) => {
                let is_named = grouping.labels.iter().any(|name| name == label.name);
                is_named != grouping.without && !(grouping.without && is_unwrapped)
            }
        }
    }
}

/// Names of errors stand for what is known of the row besides its labels.
fn kept_names(grouping: &Grouping) -> Option<Vec<String>> {
    if grouping.without || grouping.labels.iter().any(|name| name.starts_with("__")) {
        return None;
    }
    let names: BTreeSet<String> = grouping.labels.iter().cloned().collect();
    Some(names.into_iter().collect())
}

/// The stages in the order in which they run, without those that make lines that nobody reads: a template
/// that fails there is no reason to fail the query.
pub(crate) fn needed_stages(aggregation: &RangeAggregation) -> Vec<&Stage> {
    let mut stages = run_order(&aggregation.range.log.pipeline);
    if matches!(aggregation.op, RangeOp::BytesOverTime | RangeOp::BytesRate) {
        return stages;
    }
    let read = stages.iter().rposition(|stage| reads_line(stage)).map_or(0, |last| last + 1);
    let unread = stages.split_off(read);
    stages.extend(unread.into_iter().filter(|stage| !matches!(stage, Stage::LineFormat(_))));
    stages
}

fn reads_line(stage: &Stage) -> bool {
    match stage {
        Stage::LineFilter(_)
        | Stage::Json(_)
        | Stage::Logfmt(_)
        | Stage::Regexp(_)
        | Stage::Pattern(_)
        | Stage::Unpack => true,
        Stage::LabelFormat(formats) => formats.iter().any(|format| match &format.value {
            FormatValue::Rename(_) => false,
            FormatValue::Template(text) => compile::template_uses(text).line,
        }),
        Stage::LabelFilter(_)
        | Stage::LineFormat(_)
        | Stage::Decolorize
        | Stage::Drop(_)
        | Stage::Keep(_) => false,
    }
}
