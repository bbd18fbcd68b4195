//! Lines of one form, which differ only in numbers and ids, and what a query needs of those.
//!
//! A parser is run once on an instance of the form. If it cannot tell any two contents of the slots apart, as
//! a rule of its own says ([`json`], [`logfmt`], [`pattern`]), it finds the same labels at the same places in
//! all lines of the form. Then two rows of one form, one stream and one metadata come to the same wherever
//! the slots in needed labels hold the same, and nobody has to parse the second one.

mod instance;
mod json;
mod logfmt;
mod pattern;

use std::collections::BTreeSet;

use larch_types::Timestamp;

use crate::ast::{FormatValue, LabelFilter, RangeAggregation, Stage};
use crate::check::front_filters;
use crate::compile;
use crate::eval::{EvalError, RangeQuery, needed_stages};
use crate::facts::{LabelNeed, range_scan};
use crate::stage::{self, Conversion, Hints, Row, Unwrap};
use crate::{build, pattern::Pattern};
use instance::Instance;
use logfmt::LogfmtKeysRule;

/// A line with slots between its pieces.
#[derive(Debug, Clone, Copy)]
pub struct LineForm<'a> {
    /// One more than slots.
    pub pieces: &'a [&'a [u8]],
    pub slots: &'a [SlotBytes],
}

/// What a slot holds: at least one byte, and neither do the bytes beside a slot belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotBytes {
    /// Digits.
    Digits,
    /// Digits and letters from a to f, at least one of each, as a whole word.
    Hex,
}

/// A part of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormPart {
    Text(Vec<u8>),
    /// The slot of this number.
    Slot(u32),
}

/// What a range needs of the lines of one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormReading {
    /// Forms with equal signatures are one to the range, once their slots are.
    pub signature: Vec<u8>,
    /// The slots that matter beside the signature, in its order.
    pub slots: Vec<u32>,
    /// The text of the label that becomes the sample's value, if nothing else hangs on it.
    pub value: Option<Vec<FormPart>>,
}

/// Reads forms for one range.
#[derive(Debug)]
pub struct FormReader {
    parsers: Vec<Parser>,
    names: BTreeSet<String>,
    /// The label that is unwrapped and read by nothing else.
    value: Option<String>,
    unwrap: Option<Unwrap>,
    /// A name that is needed may stand for two labels of a line.
    has_extracted: bool,
}

#[derive(Debug)]
struct Parser {
    /// It finds all that it can.
    stage: stage::Stage,
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    Json,
    JsonPaths,
    Logfmt { is_strict: bool },
    LogfmtKeys { rule: LogfmtKeysRule, is_strict: bool },
    Pattern(Vec<Vec<u8>>),
}

impl FormReader {
    /// None if what becomes of a row hangs on more than labels that parsers find in its line as it is stored.
    pub fn new(query: &RangeQuery) -> Result<Option<Self>, EvalError> {
        let (aggregation, pushed) = (&query.aggregation, query.pushed.as_ref());
        let LabelNeed::Only(names) = range_scan(aggregation, pushed).labels else { return Ok(None) };
        let stages = needed_stages(aggregation);
        let behind = &stages[front_filters(&stages)..];
        let mut parsers = Vec::new();
        for stage in behind {
            match stage {
                Stage::Json(_) | Stage::Logfmt(_) | Stage::Pattern(_) => parsers.push(Parser::new(stage)?),
                Stage::LabelFilter(_) | Stage::Drop(_) | Stage::Keep(_) => {}
                Stage::LabelFormat(formats) => {
                    if formats.iter().any(|format| reads_row(&format.value)) {
                        return Ok(None);
                    }
                }
                Stage::LineFilter(_)
                | Stage::Regexp(_)
                | Stage::Unpack
                | Stage::LineFormat(_)
                | Stage::Decolorize => return Ok(None),
            }
        }
        if parsers.is_empty() || names.is_empty() {
            return Ok(None);
        }
        let unwrap = aggregation.range.unwrap.as_ref();
        let has_extracted = names.iter().any(|name| name.ends_with("_extracted"));
        let is_apart = parsers.len() == 1 && !has_extracted;
        let value = unwrap.map(|unwrap| unwrap.label.clone());
        let value = value.filter(|label| is_apart && !is_read_elsewhere(label, query, behind));
        let unwrap = unwrap.map(build::unwrap).transpose()?.map(|(unwrap, _)| unwrap);
        Ok(Some(Self { parsers, names, value, unwrap, has_extracted }))
    }

    /// Labels of streams and metadata by which rows may differ.
    pub fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// The label of [`FormReading::value`], if there is one. A row whose stream or metadata has the label gets
    /// its value from there.
    pub fn value_label(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// The sample that a text of the label makes; none if it makes an error, or no sample.
    pub fn value_of(&self, text: &[u8]) -> Option<f64> {
        self.unwrap.as_ref()?.convert(text).ok().flatten()
    }

    /// Whether the sample is the number that the text is.
    pub fn value_is_number(&self) -> bool {
        self.unwrap.as_ref().is_some_and(|unwrap| unwrap.conversion() == Conversion::Number)
    }

    /// None if a parser may tell lines of the form apart by more than what its labels hold.
    pub fn read(&self, form: LineForm<'_>) -> Option<FormReading> {
        let instance = Instance::new(form);
        let mut reading = FormReading { signature: Vec::new(), slots: Vec::new(), value: None };
        let mut work = Row::new(Timestamp::EPOCH);
        for parser in &self.parsers {
            if !parser.rule.is_uniform(form, &instance) {
                return None;
            }
            instance.load_into(&mut work);
            parser.stage.run(&mut work);
            let has_error = work.labels().error().is_some();
            if has_error && parser.rule.is_strict() {
                // The details say where in the line.
                return None;
            }
            reading.signature.push(u8::from(has_error));
            for label in work.labels().sorted() {
                if instance.has_slot(label.name.as_bytes()) {
                    return None;
                }
                if self.names.contains(label.name) {
                    self.add_label(&mut reading, label.name, &instance.parts(label.value));
                }
            }
        }
        if self.has_extracted {
            // Which of two labels gets the name hangs on their order in the line.
            instance.sign(&mut reading.signature);
        }
        Some(reading)
    }

    fn add_label(&self, reading: &mut FormReading, name: &str, parts: &[FormPart]) {
        let signature = &mut reading.signature;
        sign(signature, 2, name.as_bytes());
        let has_slot = parts.iter().any(|part| matches!(part, FormPart::Slot(_)));
        if has_slot && self.value.as_deref() == Some(name) {
            signature.push(3);
            reading.value = Some(parts.to_vec());
            return;
        }
        for part in parts {
            match part {
                FormPart::Text(text) => sign(signature, 4, text),
                FormPart::Slot(slot) => {
                    signature.push(5);
                    reading.slots.push(*slot);
                }
            }
        }
    }
}

/// No two lists of texts are written alike.
fn sign(signature: &mut Vec<u8>, kind: u8, text: &[u8]) {
    signature.push(kind);
    signature.extend_from_slice(&(text.len() as u64).to_le_bytes());
    signature.extend_from_slice(text);
}

impl Parser {
    fn new(written: &Stage) -> Result<Self, EvalError> {
        let rule = match written {
            Stage::Logfmt(logfmt) if logfmt.extractions.is_empty() => {
                Rule::Logfmt { is_strict: logfmt.strict }
            }
            Stage::Logfmt(logfmt) => {
                Rule::LogfmtKeys { rule: LogfmtKeysRule::new(), is_strict: logfmt.strict }
            }
            Stage::Pattern(text) => {
                let parsed = Pattern::for_parser(text);
                Rule::Pattern(parsed.map(|pattern| pattern::literals(&pattern)).unwrap_or_default())
            }
            Stage::Json(extractions) if !extractions.is_empty() => Rule::JsonPaths,
            _ => Rule::Json,
        };
        Ok(Self { stage: build::stage_of(written, &Hints::all())?, rule })
    }
}

impl Rule {
    fn is_uniform(&self, form: LineForm<'_>, instance: &Instance) -> bool {
        match self {
            Self::Json => json::is_uniform(form, false),
            Self::JsonPaths => json::is_uniform(form, true),
            Self::Logfmt { .. } => logfmt::is_uniform(form),
            Self::LogfmtKeys { rule, .. } => logfmt::is_uniform(form) && rule.is_uniform(instance),
            Self::Pattern(literals) => pattern::is_uniform(form, literals),
        }
    }

    const fn is_strict(&self) -> bool {
        matches!(self, Self::Logfmt { is_strict: true } | Self::LogfmtKeys { is_strict: true, .. })
    }
}

/// Whether a template may show the line, or the time of the row.
fn reads_row(value: &FormatValue) -> bool {
    match value {
        FormatValue::Rename(_) => false,
        FormatValue::Template(text) => compile::template_uses(text).line || text.contains("timestamp"),
    }
}

/// Whether anything but the unwrapping may look at the label.
fn is_read_elsewhere(label: &str, query: &RangeQuery, stages: &[&Stage]) -> bool {
    let RangeAggregation { range, grouping, .. } = &query.aggregation;
    let groupings = [grouping.as_ref(), query.pushed.as_ref()];
    let is_grouped =
        groupings.into_iter().flatten().any(|grouping| grouping.labels.iter().any(|one| one == label));
    let filters = |filter: &LabelFilter| {
        let mut is_read = false;
        filter.for_each_leaf(&mut |leaf| is_read |= leaf.name() == Some(label));
        is_read
    };
    let is_read = |stage: &&Stage| match stage {
        Stage::LabelFilter(filter) => filters(filter),
        Stage::Drop(targets) | Stage::Keep(targets) => targets.iter().any(|target| target.name() == label),
        Stage::LabelFormat(_) => true,
        _ => false,
    };
    let filters_value = range.unwrap.as_ref().is_some_and(|unwrap| unwrap.filters.iter().any(filters));
    is_grouped || filters_value || stages.iter().any(is_read)
}

#[cfg(test)]
mod tests;
