//! One range of a query: what it needs of rows, and what its rows become.

use std::collections::BTreeSet;
use std::sync::Arc;

use larch_logql::{
    EvalError, FormReader, FormatValue, LabelFilter, LabelMatcher, LabelNeed, LabelSet, Meaningless,
    ParseError, RangeOp, RangeQuery, Sampler, Stage, Steps, front_filters, range_scan, run_order,
};
use larch_segment::Column;
use larch_types::Span;

use crate::filter::LineFilters;
use crate::windows::Windows;

#[derive(Debug)]
pub(crate) struct RangePlan {
    pub(crate) op: RangeOp,
    /// Read by one operator only.
    pub(crate) quantile: f64,
    pub(crate) range: Span,
    pub(crate) offset: Span,
    pub(crate) windows: Windows,
    /// What stands in for the series that are not there.
    pub(crate) absent: Arc<LabelSet>,
    pub(crate) filters: LineFilters,
    pub(crate) sampler: Sampler,
    /// Where rows can be told by the forms of their lines.
    pub(crate) forms: Option<FormReader>,
    pub(crate) labels: LabelNeed,
    pub(crate) gathers: Gathers,
    /// Whether a stage behind the filters looks at the line, or at anything else that makes rows of one
    /// stream and one metadata differ.
    pub(crate) reads_line: bool,
    /// Whether a row may come to have an error, with which it keeps all its labels.
    pub(crate) may_fail: bool,
}

/// What of its samples a range keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gathers {
    /// How many rows each step sees.
    Rows,
    /// And how many bytes their lines have.
    LineBytes,
    /// Every sample.
    Points,
    /// The values of each step, of which neither order nor time matters.
    Values,
}

impl Gathers {
    /// Copies of rows are told when all have come.
    pub(crate) fn keeps_samples(self) -> bool {
        matches!(self, Self::Points | Self::Values)
    }
}

/// What must be fetched of a chunk beside its times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needed {
    pub lines: bool,
    /// Which names the rows' metadata has; whether it matters is seen by them.
    pub metadata_names: bool,
    pub metadata: bool,
    pub levels: bool,
    pub stamps: bool,
}

impl Needed {
    pub const ALL: Self =
        Self { lines: true, metadata_names: true, metadata: true, levels: true, stamps: true };

    /// Whether a page of this column is among it. Which rows are of which stream the plan says.
    pub const fn has(self, column: Column) -> bool {
        match column {
            Column::Times => true,
            Column::Streams => false,
            Column::Shapes => self.metadata || self.metadata_names,
            Column::MetadataRest | Column::Metadata(_) => self.metadata,
            Column::Levels => self.levels,
            Column::Lines => self.lines,
            Column::Stamps => self.stamps,
        }
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            lines: self.lines || other.lines,
            metadata_names: self.metadata_names || other.metadata_names,
            metadata: self.metadata || other.metadata,
            levels: self.levels || other.levels,
            stamps: self.stamps || other.stamps,
        }
    }
}

impl RangePlan {
    pub(crate) fn new(query: &RangeQuery, steps: Steps) -> Result<Self, EvalError> {
        let aggregation = &query.aggregation;
        let log = &aggregation.range.log;
        // Whoever reads selects the streams; what cannot be a selector is refused all the same.
        for matcher in &log.matchers {
            LabelMatcher::new(matcher)
                .map_err(|error| ParseError::Meaning(Meaningless::Regex(error.to_string())))?;
        }
        let labels = range_scan(aggregation, query.pushed.as_ref()).labels;
        let stages = run_order(&log.pipeline);
        let skips_parsers = labels == LabelNeed::Only(BTreeSet::new());
        let reads_line =
            stages[front_filters(&stages)..].iter().any(|stage| reads_line(stage, skips_parsers));
        let may_fail = aggregation.range.unwrap.is_some() || stages.iter().any(|stage| may_fail(stage));
        let (range, offset) = (aggregation.range.range, aggregation.range.offset);
        let windows = Windows::new(steps, range, offset);
        let gathers = match aggregation.op {
            RangeOp::QuantileOverTime if windows.are_apart() => Gathers::Values,
            _ if aggregation.range.unwrap.is_some() => Gathers::Points,
            RangeOp::BytesOverTime | RangeOp::BytesRate => Gathers::LineBytes,
            RangeOp::CountOverTime | RangeOp::Rate | RangeOp::AbsentOverTime => Gathers::Rows,
            _ => Gathers::Points,
        };
        // How long each line is no form says.
        let forms = if gathers == Gathers::LineBytes { None } else { FormReader::new(query)? };
        Ok(Self {
            op: aggregation.op,
            quantile: aggregation.quantile.unwrap_or(f64::NAN),
            range,
            offset,
            windows,
            absent: Arc::new(query.absent_labels()),
            filters: LineFilters::new(log)?,
            sampler: Sampler::new(query)?,
            forms,
            labels,
            gathers,
            reads_line,
            may_fail,
        })
    }

    /// What is needed of chunks in which no row can be a copy.
    pub(crate) fn needed(&self) -> Needed {
        let lines = self.reads_line || !self.filters.is_empty() || self.gathers == Gathers::LineBytes;
        let metadata = self.labels == LabelNeed::All || self.may_fail;
        let levels = self.may_fail || self.needs_metadata("detected_level");
        Needed { lines, metadata_names: true, metadata, levels, stamps: false }
    }

    /// Identities need all of a row, and copies of samples are told apart by the order of pushes.
    pub(crate) fn needed_where_contested(&self) -> Needed {
        let stamps = self.gathers.keeps_samples();
        self.needed().or(Needed { lines: true, metadata: true, stamps, ..Needed::default() })
    }

    /// Whether it can matter that a row has metadata of this name. Errors come as metadata too.
    pub(crate) fn needs_metadata(&self, name: &str) -> bool {
        let LabelNeed::Only(names) = &self.labels else { return true };
        let is_error = matches!(name, "__error__" | "__error_details__");
        // Whether details are shown hangs on whether the row has any metadata.
        is_error
            || names.contains("__error_details__")
            || names.contains(name)
            || names.contains(&format!("{name}_extracted"))
    }
}

fn reads_line(stage: &Stage, skips_parsers: bool) -> bool {
    match stage {
        Stage::Json(_) | Stage::Logfmt(_) | Stage::Pattern(_) => !skips_parsers,
        Stage::LineFilter(_)
        | Stage::Regexp(_)
        | Stage::Unpack
        | Stage::LineFormat(_)
        | Stage::Decolorize => true,
        // A template may show the line or the time.
        Stage::LabelFormat(formats) => {
            formats.iter().any(|format| matches!(format.value, FormatValue::Template(_)))
        }
        Stage::LabelFilter(_) | Stage::Drop(_) | Stage::Keep(_) => false,
    }
}

fn may_fail(stage: &Stage) -> bool {
    match stage {
        Stage::Json(_) | Stage::Unpack | Stage::LineFormat(_) => true,
        Stage::Logfmt(logfmt) => logfmt.strict,
        Stage::LabelFormat(formats) => {
            formats.iter().any(|format| matches!(format.value, FormatValue::Template(_)))
        }
        Stage::LabelFilter(filter) => {
            let mut compares_text = true;
            filter.for_each_leaf(&mut |leaf| {
                compares_text &= matches!(leaf, LabelFilter::Text(_) | LabelFilter::Ip { .. });
            });
            !compares_text
        }
        Stage::LineFilter(_)
        | Stage::Regexp(_)
        | Stage::Pattern(_)
        | Stage::Decolorize
        | Stage::Drop(_)
        | Stage::Keep(_) => false,
    }
}
