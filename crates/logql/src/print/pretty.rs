//! The text laid out for people: what fits in a line stays on it, and what does not is broken into its
//! parts, each two blanks further in.

use std::fmt::{self, Write};

use larch_types::{Span, quoted};

use super::canonical;
use crate::ast::{
    BinaryExpr, BinaryOp, Expr, LabelReplace, LogExpr, LogRange, MetricExpr, RangeAggregation, Side, Stage,
    Unwrap, VectorAggregation,
};
use crate::float::shortest;

/// In bytes, without the indentation.
const MAX_LINE: usize = 100;

/// Lays out a query as Loki's `format_query` does.
pub fn pretty(expr: &Expr) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let written = match expr {
        Expr::Log(query) => log(&mut out, query, 0),
        Expr::Metric(query) => metric(&mut out, query, 0),
    };
    debug_assert_eq!(written, Ok(()));
    out
}

type Part<'a> = &'a dyn Fn(&mut dyn Write) -> fmt::Result;

fn indent(out: &mut String, level: usize) {
    out.extend(std::iter::repeat_n("  ", level));
}

/// Writes the part as it is, on a line of its own. The line is not ended.
fn line(out: &mut String, level: usize, part: Part) -> fmt::Result {
    indent(out, level);
    part(out)
}

fn fits(part: Part) -> bool {
    let mut room = Room(MAX_LINE);
    part(&mut room).is_ok()
}

/// Counts bytes, and stops whoever writes when too many have come.
struct Room(usize);

impl Write for Room {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}

fn log(out: &mut String, log: &LogExpr, level: usize) -> fmt::Result {
    let whole: Part = &|out| canonical::log(out, log);
    if log.pipeline.is_empty() || fits(whole) {
        return line(out, level, whole);
    }
    line(out, level, &|out| canonical::selector(out, &log.matchers))?;
    let is_filter = |stage: &Stage| matches!(stage, Stage::LineFilter(_));
    // Line filters that stand together share a line if they fit.
    for group in log.pipeline.chunk_by(|left, right| is_filter(left) && is_filter(right)) {
        let together: Part = &|out| join(out, group);
        if fits(together) {
            out.push('\n');
            line(out, level + 1, together)?;
            continue;
        }
        for stage in group {
            out.push('\n');
            line(out, level + 1, &|out| canonical::stage(out, stage))?;
        }
    }
    Ok(())
}

fn join(out: &mut dyn Write, stages: &[Stage]) -> fmt::Result {
    for (index, stage) in stages.iter().enumerate() {
        out.write_str(if index > 0 { " " } else { "" })?;
        canonical::stage(out, stage)?;
    }
    Ok(())
}

fn metric(out: &mut String, metric: &MetricExpr, level: usize) -> fmt::Result {
    let whole: Part = &|out| canonical::metric(out, metric);
    if fits(whole) {
        return line(out, level, whole);
    }
    match metric {
        MetricExpr::Range(aggregation) => range_aggregation(out, aggregation, level),
        MetricExpr::Vector(aggregation) => vector_aggregation(out, aggregation, level),
        MetricExpr::Binary(binary) => binary_expr(out, binary, level),
        MetricExpr::LabelReplace(replace) => label_replace(out, replace, level),
        MetricExpr::Literal(_) | MetricExpr::VectorOf(_) => line(out, level, whole),
    }
}

fn range_aggregation(out: &mut String, aggregation: &RangeAggregation, level: usize) -> fmt::Result {
    line(out, level, &|out| writeln!(out, "{}(", aggregation.op.as_str()))?;
    if let Some(quantile) = aggregation.quantile {
        line(out, level + 1, &|out| writeln!(out, "{},", shortest(quantile)))?;
    }
    log_range(out, &aggregation.range, level + 1)?;
    out.push('\n');
    line(out, level, &|out| out.write_char(')'))?;
    match &aggregation.grouping {
        Some(grouping) => canonical::grouping(out, grouping, ", "),
        None => Ok(()),
    }
}

fn log_range(out: &mut String, range: &LogRange, level: usize) -> fmt::Result {
    log(out, &range.log, level)?;
    if let Some(each) = &range.unwrap {
        unwrap(out, each, level + 1)?;
    }
    write!(out, " [{}]", range.range.to_prometheus())?;
    if range.offset != Span::ZERO { write!(out, " offset {}", offset(range.offset)) } else { Ok(()) }
}

fn unwrap(out: &mut String, unwrap: &Unwrap, level: usize) -> fmt::Result {
    out.push('\n');
    line(out, level, &|out| canonical::unwrap(out, unwrap))?;
    for filter in &unwrap.filters {
        out.push('\n');
        line(out, level, &|out| {
            out.write_str("| ")?;
            canonical::label_filter(out, filter)
        })?;
    }
    Ok(())
}

/// In Prometheus' form, unless that loses something or is no offset.
fn offset(offset: Span) -> String {
    let short = offset.to_prometheus();
    if Span::parse_prometheus(&short) == Ok(offset) { short } else { offset.to_go() }
}

fn vector_aggregation(out: &mut String, aggregation: &VectorAggregation, level: usize) -> fmt::Result {
    line(out, level, &|out| out.write_str(aggregation.op.as_str()))?;
    if !aggregation.grouping.is_single_group() {
        canonical::grouping(out, &aggregation.grouping, ", ")?;
    }
    out.push_str("(\n");
    if let Some(count) = aggregation.count {
        line(out, level + 1, &|out| writeln!(out, "{count},"))?;
    }
    metric(out, &aggregation.expr, level + 1)?;
    out.push('\n');
    line(out, level, &|out| out.write_char(')'))
}

fn label_replace(out: &mut String, replace: &LabelReplace, level: usize) -> fmt::Result {
    line(out, level, &|out| out.write_str("label_replace(\n"))?;
    metric(out, &replace.expr, level + 1)?;
    for text in [&replace.target, &replace.replacement, &replace.source, &replace.regex] {
        out.push_str(",\n");
        line(out, level + 1, &|out| out.write_str(&quoted(text)))?;
    }
    out.push('\n');
    line(out, level, &|out| out.write_char(')'))
}

fn binary_expr(out: &mut String, binary: &BinaryExpr, level: usize) -> fmt::Result {
    leg(out, &binary.left, Side::Left, binary.op, level)?;
    out.push('\n');
    line(out, level, &|out| canonical::operator(out, binary, ", "))?;
    out.push('\n');
    leg(out, &binary.right, Side::Right, binary.op, level)
}

/// An operand. An operation that is broken into lines loses its own parentheses and gets them back if it
/// would be read as something else.
fn leg(out: &mut String, leg: &MetricExpr, side: Side, parent: BinaryOp, level: usize) -> fmt::Result {
    let needs_parentheses = match leg {
        MetricExpr::Binary(inner) => {
            regroups(inner.op, side, parent) && !fits(&|out| canonical::metric(out, leg))
        }
        _ => false,
    };
    if !needs_parentheses {
        return metric(out, leg, level + 1);
    }
    line(out, level + 1, &|out| out.write_str("(\n"))?;
    metric(out, leg, level + 1)?;
    out.push('\n');
    line(out, level + 1, &|out| out.write_char(')'))
}

/// Whether an operand without parentheses would lose one of its own operands to the operator beside it.
fn regroups(inner: BinaryOp, side: Side, parent: BinaryOp) -> bool {
    if inner.precedence() != parent.precedence() {
        return inner.precedence() < parent.precedence();
    }
    match side {
        Side::Left => parent.is_right_associative(),
        Side::Right => !parent.is_right_associative(),
    }
}
