//! The reads of a query, and what each needs of a row.

use std::collections::BTreeSet;

use larch_types::{Matcher, Span};

use crate::ast::{
    Expr, FormatValue, Grouping, LabelFilter, LineFilter, LineOp, LineOperand, LogExpr, MetricExpr,
    RangeAggregation, RangeOp, Stage, Unwrap, VectorAggregation, VectorOp,
};
use crate::compile;
use crate::facts::line_search::pattern_needles;
use crate::regex::{self, Required};

/// One read: the whole of a log query, or one range of a metric query.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan<'a> {
    pub matchers: &'a [Matcher],
    pub pipeline: &'a [Stage],
    /// Both zero for a log query.
    pub range: Span,
    pub offset: Span,
    /// A line that lacks any of them does not pass.
    pub needles: Required,
    pub line: LineNeed,
    pub labels: LabelNeed,
    /// Rows that a parser stumbled over are grouped by their error instead of failing the query.
    pub groups_errors: bool,
}

/// What of a line a read looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineNeed {
    Nothing,
    Length,
    Content,
}

/// Which labels can matter to the result. Parsers need to find no others, may stop when they have found
/// these, and need not run at all if there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelNeed {
    All,
    Only(BTreeSet<String>),
}

/// How far the rows that matter at time t are from t: they are in (t − `back`, t − `front`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    pub back: Span,
    /// Negative if a range looks into the future of t.
    pub front: Span,
    pub longest_range: Span,
}

/// The reads of a query, in the order written.
pub fn scans(expr: &Expr) -> Vec<Scan<'_>> {
    let mut found = Vec::new();
    match expr {
        Expr::Log(log) => found.push(Scan {
            matchers: &log.matchers,
            pipeline: &log.pipeline,
            range: Span::ZERO,
            offset: Span::ZERO,
            needles: needles(&log.pipeline),
            line: LineNeed::Content,
            labels: LabelNeed::All,
            groups_errors: false,
        }),
        Expr::Metric(metric) => collect(metric, None, &mut found),
    }
    found
}

/// The reach of all ranges together; none if the query reads nothing.
pub fn reach(metric: &MetricExpr) -> Option<Reach> {
    let mut found = Vec::new();
    collect(metric, None, &mut found);
    let back = |scan: &Scan| Span::from_nanos(scan.offset.nanos().saturating_add(scan.range.nanos()));
    Some(Reach {
        back: found.iter().map(back).max()?,
        front: found.iter().map(|scan| scan.offset).min()?,
        longest_range: found.iter().map(|scan| scan.range).max()?,
    })
}

/// `pushed` is the grouping of a sum right above, which can be done while samples are made.
fn collect<'a>(metric: &'a MetricExpr, pushed: Option<&'a Grouping>, found: &mut Vec<Scan<'a>>) {
    match metric {
        MetricExpr::Range(aggregation) => found.push(range_scan(aggregation, pushed)),
        MetricExpr::Vector(aggregation) => collect(&aggregation.expr, pushed_grouping(aggregation), found),
        MetricExpr::Binary(binary) => {
            collect(&binary.left, None, found);
            collect(&binary.right, None, found);
        }
        MetricExpr::LabelReplace(replace) => collect(&replace.expr, None, found),
        MetricExpr::Literal(_) | MetricExpr::VectorOf(_) => {}
    }
}

/// The grouping of a sum that can be done while samples are made.
pub(crate) fn pushed_grouping(aggregation: &VectorAggregation) -> Option<&Grouping> {
    let MetricExpr::Range(inner) = &aggregation.expr else { return None };
    let is_additive = matches!(
        inner.op,
        RangeOp::CountOverTime
            | RangeOp::Rate
            | RangeOp::BytesOverTime
            | RangeOp::BytesRate
            | RangeOp::SumOverTime
    );
    (aggregation.op == VectorOp::Sum && is_additive).then_some(&aggregation.grouping)
}

/// The read of one range; `pushed` is the grouping of a sum right above it.
pub fn range_scan<'a>(aggregation: &'a RangeAggregation, pushed: Option<&Grouping>) -> Scan<'a> {
    let range = &aggregation.range;
    let mut named = labels_named(&range.log, range.unwrap.as_ref());
    let grouping = aggregation.grouping.as_ref().or(pushed);
    let keeps_named_only = grouping.is_some_and(|grouping| !grouping.without);
    if let Some(grouping) = grouping.filter(|_| keeps_named_only) {
        grouping.labels.iter().for_each(|label| named.add(label));
    }
    let groups_errors = named.labels.contains("__error__");
    let labels =
        if keeps_named_only && !named.may_be_any { LabelNeed::Only(named.labels) } else { LabelNeed::All };
    let counts_bytes = matches!(aggregation.op, RangeOp::BytesOverTime | RangeOp::BytesRate);
    let least = if counts_bytes { LineNeed::Length } else { LineNeed::Nothing };
    let skips_parsers = labels == LabelNeed::Only(BTreeSet::new());
    Scan {
        matchers: &range.log.matchers,
        pipeline: &range.log.pipeline,
        range: range.range,
        offset: range.offset,
        needles: needles(&range.log.pipeline),
        line: least.max(line_need(&range.log.pipeline, skips_parsers)),
        labels,
        groups_errors,
    }
}

/// The labels that a query reads by name.
#[derive(Default)]
struct Named {
    labels: BTreeSet<String>,
    /// A template may read others too.
    may_be_any: bool,
}

impl Named {
    /// A label that was renamed because its name was taken is found under its own name.
    fn add(&mut self, label: &str) {
        self.labels.insert(label.to_owned());
        if let Some(own) = label.strip_suffix("_extracted") {
            self.labels.insert(own.to_owned());
        }
    }

    fn add_filter(&mut self, filter: &LabelFilter) {
        filter.for_each_leaf(&mut |leaf| {
            if let Some(label) = leaf.name() {
                self.add(label);
            }
        });
    }

    fn add_template(&mut self, template: &str) {
        let uses = compile::template_uses(template);
        uses.fields.iter().for_each(|label| self.add(label));
        self.may_be_any |= uses.all_fields;
    }
}

fn labels_named(log: &LogExpr, unwrap: Option<&Unwrap>) -> Named {
    let mut named = Named::default();
    for stage in &log.pipeline {
        match stage {
            Stage::LabelFilter(filter) => named.add_filter(filter),
            Stage::LineFormat(template) => named.add_template(template),
            Stage::LabelFormat(formats) => {
                for format in formats {
                    match &format.value {
                        FormatValue::Rename(source) => named.add(source),
                        FormatValue::Template(template) => named.add_template(template),
                    }
                }
            }
            _ => {}
        }
    }
    if let Some(unwrap) = unwrap {
        named.add(&unwrap.label);
        unwrap.filters.iter().for_each(|filter| named.add_filter(filter));
    }
    named
}

fn line_need(pipeline: &[Stage], skips_parsers: bool) -> LineNeed {
    for stage in pipeline {
        let reads_line = match stage {
            Stage::LineFilter(_) | Stage::Regexp(_) | Stage::LineFormat(_) | Stage::Decolorize => true,
            Stage::Json(_) | Stage::Logfmt(_) | Stage::Pattern(_) => !skips_parsers,
            // It replaces the line, whose length may be asked for.
            Stage::Unpack => true,
            // A template may show the line.
            Stage::LabelFormat(formats) => formats.iter().any(|format| match &format.value {
                FormatValue::Rename(_) => false,
                FormatValue::Template(text) => compile::template_uses(text).line,
            }),
            Stage::LabelFilter(_) | Stage::Drop(_) | Stage::Keep(_) => false,
        };
        if reads_line {
            return LineNeed::Content;
        }
    }
    LineNeed::Nothing
}

/// From filters that see the line as it is stored.
fn needles(pipeline: &[Stage]) -> Required {
    let mut needles = Required::default();
    for stage in pipeline {
        match stage {
            Stage::LineFilter(filter) => needles.0.extend(filter_needles(filter).0),
            Stage::LineFormat(_) | Stage::Unpack | Stage::Decolorize => break,
            _ => {}
        }
    }
    needles
}

fn filter_needles(filter: &LineFilter) -> Required {
    if filter.op.is_negative() {
        return Required::default();
    }
    match filter.operands.as_slice() {
        [only] => operand_needles(filter.op, only),
        several => Required::either(several.iter().map(|operand| operand_needles(filter.op, operand))),
    }
}

fn operand_needles(op: LineOp, operand: &LineOperand) -> Required {
    let LineOperand::Text(text) = operand else { return Required::default() };
    match op {
        LineOp::Contains => Required::any_of(&[text.as_bytes()]),
        LineOp::Regex => text.as_str().and_then(|regex| regex::required(regex).ok()).unwrap_or_default(),
        LineOp::Pattern => pattern_needles(text.as_bytes()),
        LineOp::NotContains | LineOp::NotRegex | LineOp::NotPattern => Required::default(),
    }
}
