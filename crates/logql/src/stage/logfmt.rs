//! `logfmt`: every pair of the line becomes a label.

use crate::stage::logfmt_reader::{LogfmtFault, LogfmtReader};
use crate::stage::name::sanitize;
use crate::stage::text::push_readable;
use crate::stage::{ErrorName, Extracted, Hints, Row, RowLabels};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogfmtFlags {
    /// Stop at the first fault and note it.
    pub strict: bool,
    /// Pairs without a value make labels too.
    pub keep_empty: bool,
}

#[derive(Debug, Clone)]
pub struct Logfmt {
    flags: LogfmtFlags,
    hints: Hints,
}

impl Logfmt {
    pub fn new(flags: LogfmtFlags, hints: Hints) -> Self {
        Self { flags, hints }
    }

    pub fn run(&self, row: &mut Row<'_>) {
        if self.hints.is_nothing() {
            return;
        }
        let Row { line, labels, scratch, .. } = row;
        let mut reader = LogfmtReader::new(line.bytes());
        while let Some(pair) = reader.next() {
            let (key, value) = match pair {
                Ok(pair) => pair,
                Err(fault) => {
                    if self.flags.strict {
                        set_fault(labels, &fault, &self.hints);
                        return;
                    }
                    continue;
                }
            };
            if (value.is_empty() && !self.flags.keep_empty) || !sanitize(&mut scratch.name, key) {
                continue;
            }
            let extracted = labels.extract(&scratch.name, &self.hints, |out| push_readable(out, &value));
            if extracted == Extracted::Stored && labels.has_all(&self.hints) {
                return;
            }
        }
    }
}

pub(super) fn set_fault(labels: &mut RowLabels<'_>, fault: &LogfmtFault, hints: &Hints) {
    labels.set_parser_error(ErrorName::Logfmt, Some(&fault.to_string()), hints);
}
