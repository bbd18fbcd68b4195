//! The order in which stages run, and what is wrong with a stage although the query parses.
//!
//! A query with a stage that cannot be built is a query: it can be formatted and analysed. It is refused by
//! whoever runs it, before any data is read.

use crate::ast::{
    Expr, FormatValue, LabelFilter, LabelFormat, LineFilter, LineOp, LineOperand, LogExpr, MetricExpr, Stage,
};
use crate::error::ParseError;
use crate::pattern::Pattern;
use crate::stage::{Hints, IpPattern};
use crate::weight::check_weight;
use crate::{build, compile, print};

/// Finds the first stage that cannot be built, or says that all together are too much.
pub fn check_stages(expr: &Expr) -> Result<(), ParseError> {
    check_weight(expr)?;
    match expr {
        Expr::Log(log) => check_log(log),
        Expr::Metric(metric) => check_metric(metric),
    }
}

/// The stages in the order in which they run: line filters come before parsers and label formats, because
/// fewer lines are then parsed, but not before anything that drops rows or changes the line.
pub fn run_order(pipeline: &[Stage]) -> Vec<&Stage> {
    let mut ordered: Vec<&Stage> = Vec::with_capacity(pipeline.len());
    // What later line filters overtake.
    let mut overtaken = Vec::new();
    for stage in pipeline {
        match stage {
            Stage::LineFilter(_) => ordered.push(stage),
            Stage::LabelFilter(_) | Stage::LineFormat(_) | Stage::Unpack | Stage::Decolorize => {
                ordered.append(&mut overtaken);
                ordered.push(stage);
            }
            Stage::Json(_)
            | Stage::Logfmt(_)
            | Stage::Regexp(_)
            | Stage::Pattern(_)
            | Stage::LabelFormat(_)
            | Stage::Drop(_)
            | Stage::Keep(_) => overtaken.push(stage),
        }
    }
    ordered.append(&mut overtaken);
    ordered
}

/// How many of the stages, in the order in which they run, are line filters that see each line as it is
/// stored, before anything else is done with it.
pub fn front_filters(stages: &[&Stage]) -> usize {
    stages.iter().take_while(|stage| matches!(stage, Stage::LineFilter(_))).count()
}

fn check_metric(metric: &MetricExpr) -> Result<(), ParseError> {
    match metric {
        MetricExpr::Range(range) => check_log(&range.range.log),
        MetricExpr::Vector(vector) => check_metric(&vector.expr),
        MetricExpr::Binary(binary) => check_metric(&binary.left).and_then(|()| check_metric(&binary.right)),
        MetricExpr::LabelReplace(replace) => check_metric(&replace.expr),
        MetricExpr::Literal(_) | MetricExpr::VectorOf(_) => Ok(()),
    }
}

fn check_log(log: &LogExpr) -> Result<(), ParseError> {
    let ordered = run_order(&log.pipeline);
    let is_filter = |stage: &Stage| matches!(stage, Stage::LineFilter(_));
    // Line filters that stand together are one stage, and are shown as one.
    for group in ordered.chunk_by(|left, right| is_filter(left) && is_filter(right)) {
        for stage in group {
            check_stage(stage).map_err(|reason| ParseError::Stage { stage: print::stages(group), reason })?;
        }
    }
    Ok(())
}

fn check_stage(stage: &Stage) -> Result<(), String> {
    match stage {
        Stage::LineFilter(filter) => check_line_filter(filter),
        Stage::Json(extractions) => {
            build::json_paths(extractions).map(|_| ()).map_err(|error| error.to_string())
        }
        Stage::Logfmt(logfmt) => {
            build::logfmt_keys(logfmt, Hints::all()).map(|_| ()).map_err(|error| error.to_string())
        }
        Stage::LabelFilter(filter) => check_label_filter(filter),
        Stage::LineFormat(template) => compile::check_line_template(template),
        Stage::LabelFormat(formats) => check_label_format(formats),
        // Their regexes and patterns were looked at when the query was parsed.
        Stage::Regexp(_) | Stage::Pattern(_) | Stage::Drop(_) | Stage::Keep(_) => Ok(()),
        Stage::Unpack | Stage::Decolorize => Ok(()),
    }
}

fn check_line_filter(filter: &LineFilter) -> Result<(), String> {
    for operand in &filter.operands {
        match (filter.op, operand) {
            (LineOp::Contains | LineOp::NotContains, LineOperand::Text(_)) => {}
            (LineOp::Contains | LineOp::NotContains, LineOperand::Ip(pattern)) => check_ip(pattern)?,
            (_, LineOperand::Ip(_)) => return Err("ip: invalid operation".to_owned()),
            (LineOp::Regex | LineOp::NotRegex, LineOperand::Text(text)) => {
                let regex =
                    text.as_str().ok_or_else(|| format!("error parsing regexp: invalid UTF-8: `{text}`"))?;
                compile::check_regex(regex)?;
            }
            (LineOp::Pattern | LineOp::NotPattern, LineOperand::Text(text)) => {
                Pattern::for_filter(text.as_bytes()).map_err(|error| error.to_string())?;
            }
        }
    }
    Ok(())
}

fn check_ip(pattern: &str) -> Result<(), String> {
    IpPattern::parse(pattern).map(|_| ()).map_err(|error| error.to_string())
}

/// Also a bad address inside `and` and `or`, where it could never match.
fn check_label_filter(filter: &LabelFilter) -> Result<(), String> {
    let mut checked = Ok(());
    filter.for_each_leaf(&mut |leaf| {
        if let LabelFilter::Ip { pattern, .. } = leaf
            && checked.is_ok()
        {
            checked = check_ip(pattern);
        }
    });
    checked
}

fn check_label_format(formats: &[LabelFormat]) -> Result<(), String> {
    let mut names: Vec<&str> = Vec::with_capacity(formats.len());
    for format in formats {
        if format.label == "__error__" {
            return Err("__error__ cannot be formatted".to_owned());
        }
        names.push(&format.label);
    }
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("multiple label name '{}' not allowed in a single format operation", pair[0]));
    }
    for format in formats {
        if let FormatValue::Template(text) = &format.value {
            compile::check_label_template(&format.label, text)?;
        }
    }
    Ok(())
}
