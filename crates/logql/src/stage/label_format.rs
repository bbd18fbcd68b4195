//! `label_format`: renames labels, and sets them to what templates make of the row.

use std::ops::Range;

use larch_template::{ExecError, Template};

use crate::regex::compile_for_template;
use crate::stage::labels::{DETAILS_LABEL, ERROR_LABEL};
use crate::stage::line_format::execute;
use crate::stage::{ErrorName, Row, StageError};

/// One item of the list, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelFormatItem {
    /// `to=from`
    Rename { to: String, from: String },
    /// `to="template"`
    Template { to: String, text: String },
}

#[derive(Debug)]
pub struct LabelFormat {
    items: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    to: Box<str>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Label(Box<str>),
    Template(Box<Template>),
}

impl LabelFormat {
    pub fn new(items: &[LabelFormatItem]) -> Result<Self, StageError> {
        let mut built: Vec<Item> = Vec::with_capacity(items.len());
        for item in items {
            let (LabelFormatItem::Rename { to, .. } | LabelFormatItem::Template { to, .. }) = item;
            if to == ERROR_LABEL || to == DETAILS_LABEL {
                return Err(StageError::FormattedError(to.clone()));
            }
            if built.iter().any(|known| *known.to == **to) {
                return Err(StageError::FormattedTwice(to.clone()));
            }
            let source = match item {
                LabelFormatItem::Rename { from, .. } => Source::Label(from.as_str().into()),
                LabelFormatItem::Template { text, .. } => {
                    let parsed = Template::parse("label", text, compile_for_template);
                    let invalid = |error| StageError::LabelTemplate { label: to.clone(), error };
                    Source::Template(Box::new(parsed.map_err(invalid)?))
                }
            };
            built.push(Item { to: to.as_str().into(), source });
        }
        Ok(Self { items: built })
    }

    /// Left to right. All templates see the row as it is when the first of them runs, so that all run then.
    pub fn run(&self, row: &mut Row<'_>) {
        let mut outputs: Option<std::vec::IntoIter<Output>> = None;
        for item in &self.items {
            match &item.source {
                Source::Label(from) => rename(row, &item.to, from),
                Source::Template(_) => {
                    let outputs = outputs.get_or_insert_with(|| self.run_templates(row).into_iter());
                    if let Some(output) = outputs.next() {
                        apply(row, &item.to, output);
                    }
                }
            }
        }
    }

    /// The outputs are in the buffer of bytes, one after the other.
    fn run_templates(&self, row: &mut Row<'_>) -> Vec<Output> {
        let (timestamp, now) = (row.timestamp().nanos(), row.now().nanos());
        let Row { line, labels, scratch, .. } = row;
        let mut outputs = Vec::new();
        scratch.bytes.clear();
        for item in &self.items {
            if let Source::Template(template) = &item.source {
                let start = scratch.bytes.len();
                let result = execute(template, labels, line.bytes(), timestamp, now, &mut scratch.bytes);
                outputs.push(result.map(|()| start..scratch.bytes.len()));
            }
        }
        outputs
    }
}

type Output = Result<Range<usize>, ExecError>;

fn apply(row: &mut Row<'_>, to: &str, output: Output) {
    match output {
        Ok(range) => row.labels.set(to, &row.scratch.bytes[range]),
        Err(error) => row.labels.set_error(ErrorName::TemplateFormat, Some(&error.to_string())),
    }
}

/// Nothing happens if there is no such label. A label renamed to itself is gone, because the old name is
/// deleted last.
fn rename(row: &mut Row<'_>, to: &str, from: &str) {
    let Row { labels, .. } = row;
    let Some(value) = labels.get(from) else {
        return;
    };
    let value = value.to_vec();
    labels.set(to, &value);
    labels.delete(from);
}
