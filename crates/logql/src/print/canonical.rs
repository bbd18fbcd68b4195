//! The text on one line.

use std::fmt::{Result, Write};

use larch_types::{Matcher, Span, quoted};

use super::number;
use crate::ast::{
    BinaryExpr, CompareOp, Expr, Extraction, FormatValue, Grouping, LabelFilter, LabelFormat, LabelTarget,
    LineFilter, LineOperand, LogExpr, LogRange, Logfmt, MetricExpr, RangeAggregation, Stage, Unwrap,
    VectorAggregation,
};

pub(super) fn expr(out: &mut dyn Write, expr: &Expr) -> Result {
    match expr {
        Expr::Log(query) => log(out, query),
        Expr::Metric(query) => metric(out, query),
    }
}

pub(super) fn log(out: &mut dyn Write, log: &LogExpr) -> Result {
    selector(out, &log.matchers)?;
    for each in &log.pipeline {
        out.write_char(' ')?;
        stage(out, each)?;
    }
    Ok(())
}

pub(super) fn selector(out: &mut dyn Write, matchers: &[Matcher]) -> Result {
    out.write_char('{')?;
    for (index, each) in matchers.iter().enumerate() {
        out.write_str(if index > 0 { ", " } else { "" })?;
        matcher(out, each)?;
    }
    out.write_char('}')
}

pub(super) fn stage(out: &mut dyn Write, stage: &Stage) -> Result {
    match stage {
        Stage::LineFilter(filter) => line_filter(out, filter),
        Stage::Json(list) => {
            out.write_str("| json")?;
            extractions(out, list)
        }
        Stage::Logfmt(stage) => logfmt(out, stage),
        Stage::Regexp(regex) => write!(out, "| regexp {}", quoted(regex)),
        Stage::Pattern(pattern) => write!(out, "| pattern {}", quoted(pattern)),
        Stage::Unpack => out.write_str("| unpack"),
        Stage::LabelFilter(filter) => {
            out.write_str("| ")?;
            label_filter(out, filter)
        }
        Stage::LineFormat(template) => write!(out, "| line_format {}", quoted(template)),
        Stage::LabelFormat(list) => label_formats(out, list),
        Stage::Decolorize => out.write_str("| decolorize"),
        Stage::Drop(list) => {
            out.write_str("| drop ")?;
            label_targets(out, list)
        }
        Stage::Keep(list) => {
            out.write_str("| keep ")?;
            label_targets(out, list)
        }
    }
}

fn line_filter(out: &mut dyn Write, filter: &LineFilter) -> Result {
    out.write_str(filter.op.as_str())?;
    for (index, operand) in filter.operands.iter().enumerate() {
        out.write_str(if index > 0 { " or " } else { " " })?;
        match operand {
            LineOperand::Text(text) => write!(out, "{text}")?,
            LineOperand::Ip(pattern) => write!(out, "ip({})", quoted(pattern))?,
        }
    }
    Ok(())
}

fn logfmt(out: &mut dyn Write, logfmt: &Logfmt) -> Result {
    out.write_str("| logfmt")?;
    out.write_str(if logfmt.strict { " --strict" } else { "" })?;
    out.write_str(if logfmt.keep_empty { " --keep-empty" } else { "" })?;
    extractions(out, &logfmt.extractions)
}

fn extractions(out: &mut dyn Write, list: &[Extraction]) -> Result {
    for (index, extraction) in list.iter().enumerate() {
        out.write_char(if index > 0 { ',' } else { ' ' })?;
        name(out, &extraction.label)?;
        write!(out, "={}", quoted(&extraction.path))?;
    }
    Ok(())
}

fn label_formats(out: &mut dyn Write, list: &[LabelFormat]) -> Result {
    out.write_str("| label_format ")?;
    for (index, format) in list.iter().enumerate() {
        out.write_str(if index > 0 { "," } else { "" })?;
        name(out, &format.label)?;
        out.write_char('=')?;
        match &format.value {
            FormatValue::Rename(source) => name(out, source)?,
            FormatValue::Template(template) => out.write_str(&quoted(template))?,
        }
    }
    Ok(())
}

fn label_targets(out: &mut dyn Write, list: &[LabelTarget]) -> Result {
    for (index, target) in list.iter().enumerate() {
        out.write_str(if index > 0 { "," } else { "" })?;
        match target {
            LabelTarget::Name(label) => name(out, label)?,
            LabelTarget::Matching(each) => matcher(out, each)?,
        }
    }
    Ok(())
}

pub(super) fn label_filter(out: &mut dyn Write, filter: &LabelFilter) -> Result {
    match filter {
        LabelFilter::Text(each) => matcher(out, each),
        LabelFilter::Number { name, op, value } => compare(out, name, *op, &number::plain(*value)),
        LabelFilter::Duration { name, op, value } => compare(out, name, *op, &value.to_go()),
        LabelFilter::Bytes { name, op, value } => compare(out, name, *op, &number::size(*value)),
        LabelFilter::Ip { name: label, negated, pattern } => {
            name(out, label)?;
            write!(out, "{}ip({})", if *negated { "!=" } else { "=" }, quoted(pattern))
        }
        LabelFilter::And(left, right) => pair(out, left, " , ", right),
        LabelFilter::Or(left, right) => pair(out, left, " or ", right),
    }
}

fn pair(out: &mut dyn Write, left: &LabelFilter, glue: &str, right: &LabelFilter) -> Result {
    out.write_str("( ")?;
    label_filter(out, left)?;
    out.write_str(glue)?;
    label_filter(out, right)?;
    out.write_str(" )")
}

fn compare(out: &mut dyn Write, label: &str, op: CompareOp, value: &str) -> Result {
    name(out, label)?;
    out.write_str(op.as_str())?;
    out.write_str(value)
}

fn matcher(out: &mut dyn Write, matcher: &Matcher) -> Result {
    name(out, &matcher.name)?;
    write!(out, "{}{}", matcher.op.as_str(), quoted(&matcher.value))
}

/// A name may be any single character that means nothing else. Two of them would mean something together
/// with the operator behind or before them.
fn name(out: &mut dyn Write, name: &str) -> Result {
    match name {
        "!" => out.write_str("! "),
        "~" => out.write_str(" ~"),
        name => out.write_str(name),
    }
}

pub(super) fn metric(out: &mut dyn Write, metric: &MetricExpr) -> Result {
    match metric {
        MetricExpr::Range(aggregation) => range_aggregation(out, aggregation),
        MetricExpr::Vector(aggregation) => vector_aggregation(out, aggregation),
        MetricExpr::Binary(binary) => binary_expr(out, binary),
        MetricExpr::LabelReplace(replace) => {
            out.write_str("label_replace(")?;
            self::metric(out, &replace.expr)?;
            for text in [&replace.target, &replace.replacement, &replace.source, &replace.regex] {
                write!(out, ",{}", quoted(text))?;
            }
            out.write_char(')')
        }
        MetricExpr::Literal(value) => out.write_str(&number::literal(*value)),
        MetricExpr::VectorOf(value) => write!(out, "vector({})", number::decimals(*value)),
    }
}

fn range_aggregation(out: &mut dyn Write, aggregation: &RangeAggregation) -> Result {
    write!(out, "{}(", aggregation.op.as_str())?;
    if let Some(quantile) = aggregation.quantile {
        write!(out, "{},", number::plain(quantile))?;
    }
    log_range(out, &aggregation.range)?;
    out.write_char(')')?;
    match &aggregation.grouping {
        Some(by) => grouping(out, by, ","),
        None => Ok(()),
    }
}

fn log_range(out: &mut dyn Write, range: &LogRange) -> Result {
    log(out, &range.log)?;
    if let Some(each) = &range.unwrap {
        out.write_char(' ')?;
        unwrap(out, each)?;
        for filter in &each.filters {
            out.write_str(" | ")?;
            label_filter(out, filter)?;
        }
    }
    write!(out, "[{}]", range.range.to_prometheus())?;
    if range.offset != Span::ZERO { write!(out, " offset {}", range.offset.to_go()) } else { Ok(()) }
}

/// Without its filters.
pub(super) fn unwrap(out: &mut dyn Write, unwrap: &Unwrap) -> Result {
    out.write_str("| unwrap ")?;
    match unwrap.conversion.as_str() {
        Some(conversion) => {
            write!(out, "{conversion}(")?;
            name(out, &unwrap.label)?;
            out.write_char(')')
        }
        None => name(out, &unwrap.label),
    }
}

fn vector_aggregation(out: &mut dyn Write, aggregation: &VectorAggregation) -> Result {
    out.write_str(aggregation.op.as_str())?;
    if !aggregation.grouping.is_single_group() {
        grouping(out, &aggregation.grouping, ",")?;
    }
    out.write_char('(')?;
    if let Some(count) = aggregation.count {
        write!(out, "{count},")?;
    }
    metric(out, &aggregation.expr)?;
    out.write_char(')')
}

pub(super) fn grouping(out: &mut dyn Write, grouping: &Grouping, comma: &str) -> Result {
    out.write_str(if grouping.without { " without " } else { " by " })?;
    names(out, &grouping.labels, comma)
}

fn names(out: &mut dyn Write, list: &[String], comma: &str) -> Result {
    out.write_char('(')?;
    for (index, each) in list.iter().enumerate() {
        out.write_str(if index > 0 { comma } else { "" })?;
        name(out, each)?;
    }
    out.write_char(')')
}

fn binary_expr(out: &mut dyn Write, binary: &BinaryExpr) -> Result {
    out.write_char('(')?;
    metric(out, &binary.left)?;
    out.write_char(' ')?;
    operator(out, binary, ",")?;
    out.write_char(' ')?;
    metric(out, &binary.right)?;
    out.write_char(')')
}

/// The operator with its modifiers. Behind `on (…)` there is a blank for the group even if there is none,
/// as Loki has it.
pub(super) fn operator(out: &mut dyn Write, binary: &BinaryExpr, comma: &str) -> Result {
    out.write_str(binary.op.as_str())?;
    out.write_str(if binary.return_bool { " bool" } else { "" })?;
    let Some(matching) = &binary.matching else { return Ok(()) };
    out.write_str(if matching.on { " on " } else { " ignoring " })?;
    names(out, &matching.labels, comma)?;
    out.write_char(' ')?;
    let Some(group) = &matching.group else { return Ok(()) };
    write!(out, "group_{}", group.many.as_str())?;
    if group.include.is_empty() && !begins_with_parenthesis(&binary.right) {
        return Ok(());
    }
    out.write_char(' ')?;
    names(out, &group.include, comma)
}

/// Behind a group without a list, that parenthesis would be taken for the list's.
fn begins_with_parenthesis(metric: &MetricExpr) -> bool {
    match metric {
        MetricExpr::Binary(_) => true,
        MetricExpr::Literal(value) => !value.is_finite(),
        _ => false,
    }
}
