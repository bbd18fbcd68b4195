//! Stages as they are written become stages that run. This is the one place where the tree meets the
//! machines, and where regexes are compiled.

use larch_types::Matcher;

use crate::ast::{
    CompareOp, Conversion, Extraction, FormatValue, LabelFilter, LabelFormat, LabelTarget, LineFilter,
    LineOp, LineOperand, Logfmt, Stage, Unwrap,
};
use crate::error::ParseError;
use crate::pattern::{Pattern, PatternPart};
use crate::regex::LabelMatcher;
use crate::stage::{self, Hints, StageError};

/// A pipeline in the order in which it runs. Parsers look for what the hints ask of them.
pub(crate) fn pipeline<'q>(
    stages: impl IntoIterator<Item = &'q Stage>,
    hints: &Hints,
) -> Result<stage::Pipeline, ParseError> {
    let mut built = Vec::new();
    for written in stages {
        built.push(stage_of(written, hints)?);
    }
    Ok(stage::Pipeline::new(built))
}

/// One stage by itself.
pub(crate) fn stage_of(written: &Stage, hints: &Hints) -> Result<stage::Stage, ParseError> {
    stage(written, hints).map_err(|reason| refused(written.to_string(), reason))
}

/// A line filter by itself, for whoever runs it on lines without rows around them.
pub fn build_line_filter(written: &LineFilter) -> Result<stage::LineFilter, ParseError> {
    line_filter(written).map_err(|reason| refused(Stage::LineFilter(written.clone()).to_string(), reason))
}

/// The label whose value is the sample, and the filters that see what came of it.
pub(crate) fn unwrap(unwrap: &Unwrap) -> Result<(stage::Unwrap, Vec<stage::LabelFilter>), ParseError> {
    let conversion = match unwrap.conversion {
        Conversion::Number => stage::Conversion::Number,
        Conversion::Bytes => stage::Conversion::Bytes,
        Conversion::Duration | Conversion::DurationSeconds => stage::Conversion::Duration,
    };
    let mut filters = Vec::with_capacity(unwrap.filters.len());
    for filter in &unwrap.filters {
        filters
            .push(label_filter(filter).map_err(|error| refused(format!("| {filter}"), error.to_string()))?);
    }
    Ok((stage::Unwrap::new(&unwrap.label, conversion), filters))
}

fn refused(stage: String, reason: String) -> ParseError {
    ParseError::Stage { stage, reason }
}

fn stage(written: &Stage, hints: &Hints) -> Result<stage::Stage, String> {
    let hints = || hints.clone();
    Ok(match written {
        Stage::LineFilter(filter) => stage::Stage::LineFilter(line_filter(filter)?),
        Stage::Json(extractions) if extractions.is_empty() => stage::Stage::Json(stage::Json::new(hints())),
        Stage::Json(extractions) => {
            let paths = json_paths(extractions).map_err(|error| error.to_string())?;
            stage::Stage::JsonPaths(stage::JsonPaths::new(paths, hints()))
        }
        Stage::Logfmt(logfmt) if logfmt.extractions.is_empty() => {
            stage::Stage::Logfmt(stage::Logfmt::new(flags(logfmt), hints()))
        }
        Stage::Logfmt(logfmt) => {
            let keys = logfmt_keys(logfmt, hints()).map_err(|error| error.to_string())?;
            stage::Stage::LogfmtKeys(keys)
        }
        Stage::Regexp(regex) => {
            let regexp = stage::Regexp::new(regex, hints()).map_err(|error| error.to_string())?;
            stage::Stage::Regexp(Box::new(regexp))
        }
        Stage::Pattern(pattern) => {
            let pattern = Pattern::for_parser(pattern).map_err(|error| error.to_string())?;
            stage::Stage::Pattern(stage::Pattern::new(&pattern_parts(&pattern), hints()))
        }
        Stage::Unpack => stage::Stage::Unpack(stage::Unpack::new(hints())),
        Stage::LabelFilter(filter) => {
            stage::Stage::LabelFilter(label_filter(filter).map_err(|error| error.to_string())?)
        }
        Stage::LineFormat(template) => {
            let format = stage::LineFormat::new(template).map_err(|error| error.to_string())?;
            stage::Stage::LineFormat(format)
        }
        Stage::LabelFormat(formats) => {
            let items: Vec<stage::LabelFormatItem> = formats.iter().map(label_format_item).collect();
            let format = stage::LabelFormat::new(&items).map_err(|error| error.to_string())?;
            stage::Stage::LabelFormat(format)
        }
        Stage::Decolorize => stage::Stage::Decolorize(stage::Decolorize),
        Stage::Drop(targets) => stage::Stage::Drop(stage::DropLabels::new(selected(targets)?)),
        Stage::Keep(targets) => stage::Stage::Keep(stage::KeepLabels::new(selected(targets)?)),
    })
}

fn line_filter(filter: &LineFilter) -> Result<stage::LineFilter, String> {
    let op = match filter.op {
        LineOp::Contains => stage::LineFilterOp::Contains,
        LineOp::NotContains => stage::LineFilterOp::NotContains,
        LineOp::Regex => stage::LineFilterOp::Matches,
        LineOp::NotRegex => stage::LineFilterOp::NotMatches,
        LineOp::Pattern => stage::LineFilterOp::Fits,
        LineOp::NotPattern => stage::LineFilterOp::NotFits,
    };
    let mut operands = Vec::with_capacity(filter.operands.len());
    for operand in &filter.operands {
        operands.push(match operand {
            LineOperand::Ip(pattern) => stage::LineOperand::Ip(pattern.clone()),
            LineOperand::Text(text) if matches!(filter.op, LineOp::Pattern | LineOp::NotPattern) => {
                let pattern = Pattern::for_filter(text.as_bytes()).map_err(|error| error.to_string())?;
                stage::LineOperand::Pattern(pattern_parts(&pattern))
            }
            LineOperand::Text(text) => stage::LineOperand::Text(text.as_bytes().to_vec()),
        });
    }
    stage::LineFilter::new(op, &operands).map_err(|error| error.to_string())
}

pub(crate) fn json_paths(extractions: &[Extraction]) -> Result<Vec<(String, stage::JsonPath)>, StageError> {
    let mut paths = Vec::with_capacity(extractions.len());
    for extraction in extractions {
        paths.push((extraction.label.clone(), stage::JsonPath::parse(&extraction.path)?));
    }
    Ok(paths)
}

pub(crate) fn logfmt_keys(logfmt: &Logfmt, hints: Hints) -> Result<stage::LogfmtKeys, StageError> {
    let mut keys = Vec::with_capacity(logfmt.extractions.len());
    for extraction in &logfmt.extractions {
        keys.push((extraction.label.clone(), extraction.path.clone()));
    }
    stage::LogfmtKeys::new(flags(logfmt), keys, hints)
}

fn flags(logfmt: &Logfmt) -> stage::LogfmtFlags {
    stage::LogfmtFlags { strict: logfmt.strict, keep_empty: logfmt.keep_empty }
}

fn pattern_parts(pattern: &Pattern) -> Vec<stage::PatternPart> {
    let mut parts = Vec::with_capacity(pattern.parts().len());
    for part in pattern.parts() {
        parts.push(match part {
            PatternPart::Literal(bytes) => stage::PatternPart::Literal(bytes.clone()),
            PatternPart::Capture(name) => stage::PatternPart::Capture(name.clone()),
            PatternPart::Unnamed => stage::PatternPart::Unnamed,
        });
    }
    parts
}

/// Chains of one operator, which are as deep as they are long in the tree, become lists.
fn label_filter(filter: &LabelFilter) -> Result<stage::LabelFilter, StageError> {
    match filter {
        LabelFilter::Text(Matcher { name, op, value }) => stage::LabelFilter::text(name, *op, value),
        LabelFilter::Number { name, op, value } => Ok(compared(name, *op, stage::Quantity::Number(*value))),
        LabelFilter::Duration { name, op, value } => {
            Ok(compared(name, *op, stage::Quantity::Duration(*value)))
        }
        LabelFilter::Bytes { name, op, value } => Ok(compared(name, *op, stage::Quantity::Bytes(*value))),
        LabelFilter::Ip { name, negated, pattern } => stage::LabelFilter::ip(name, *negated, pattern),
        LabelFilter::And(..) => Ok(stage::LabelFilter::and(chain(filter, |filter| match filter {
            LabelFilter::And(left, right) => Some((left, right)),
            _ => None,
        })?)),
        LabelFilter::Or(..) => Ok(stage::LabelFilter::or(chain(filter, |filter| match filter {
            LabelFilter::Or(left, right) => Some((left, right)),
            _ => None,
        })?)),
    }
}

/// The operands of all operators of one kind that stand together, left to right.
fn chain(
    filter: &LabelFilter,
    legs: impl Fn(&LabelFilter) -> Option<(&LabelFilter, &LabelFilter)>,
) -> Result<Vec<stage::LabelFilter>, StageError> {
    let mut waiting = vec![filter];
    let mut operands = Vec::new();
    while let Some(filter) = waiting.pop() {
        match legs(filter) {
            Some((left, right)) => waiting.extend([right, left]),
            None => operands.push(label_filter(filter)?),
        }
    }
    Ok(operands)
}

fn compared(name: &str, op: CompareOp, with: stage::Quantity) -> stage::LabelFilter {
    let comparison = match op {
        CompareOp::Equal => stage::Comparison::Equal,
        CompareOp::NotEqual => stage::Comparison::NotEqual,
        CompareOp::Less => stage::Comparison::Less,
        CompareOp::LessOrEqual => stage::Comparison::LessOrEqual,
        CompareOp::Greater => stage::Comparison::Greater,
        CompareOp::GreaterOrEqual => stage::Comparison::GreaterOrEqual,
    };
    stage::LabelFilter::quantity(name, comparison, with)
}

fn label_format_item(format: &LabelFormat) -> stage::LabelFormatItem {
    let to = format.label.clone();
    match &format.value {
        FormatValue::Rename(from) => stage::LabelFormatItem::Rename { to, from: from.clone() },
        FormatValue::Template(text) => stage::LabelFormatItem::Template { to, text: text.clone() },
    }
}

fn selected(targets: &[LabelTarget]) -> Result<Vec<stage::Selected>, String> {
    let mut selected = Vec::with_capacity(targets.len());
    for target in targets {
        selected.push(match target {
            LabelTarget::Name(name) => stage::Selected::Name(name.as_str().into()),
            LabelTarget::Matching(matcher) => {
                stage::Selected::Matching(LabelMatcher::new(matcher).map_err(|error| error.to_string())?)
            }
        });
    }
    Ok(selected)
}
