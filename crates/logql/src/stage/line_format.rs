//! `line_format`: the line becomes what a template makes of the row.

use larch_template::{ExecError, Input, Template};

use crate::regex::compile_for_template;
use crate::stage::{ErrorName, Row, RowLabels, StageError};

#[derive(Debug)]
pub struct LineFormat {
    template: Template,
    /// The name, if the template is nothing but one field.
    field: Option<Box<str>>,
}

impl LineFormat {
    pub fn new(text: &str) -> Result<Self, StageError> {
        let template =
            Template::parse("line", text, compile_for_template).map_err(StageError::LineTemplate)?;
        let field = template.single_field().map(Into::into);
        Ok(Self { template, field })
    }

    /// A failing template leaves the line as it is, with a note.
    pub fn run(&self, row: &mut Row<'_>) {
        let (timestamp, now) = (row.timestamp().nanos(), row.now().nanos());
        let Row { line, labels, .. } = row;
        if let Some(name) = &self.field {
            line.replace(|_, out| {
                // The names of errors are no labels here.
                out.extend_from_slice(labels.get(name).unwrap_or(b""));
                true
            });
            return;
        }
        let mut failure = None;
        line.replace(|old, out| match execute(&self.template, labels, old, timestamp, now, out) {
            Ok(()) => true,
            Err(error) => {
                failure = Some(error);
                false
            }
        });
        if let Some(error) = failure {
            labels.set_error(ErrorName::TemplateFormat, Some(&error.to_string()));
        }
    }
}

/// Runs a template on what a row holds.
pub(super) fn execute(
    template: &Template,
    labels: &RowLabels<'_>,
    line: &[u8],
    timestamp: i64,
    now: i64,
    out: &mut Vec<u8>,
) -> Result<(), ExecError> {
    let get = |name: &str| labels.get_with_errors(name);
    let all = || labels.sorted().into_iter().map(|label| (label.name, label.value)).collect();
    template.execute(&Input { get: &get, all: &all, line, timestamp, now }, out)
}
