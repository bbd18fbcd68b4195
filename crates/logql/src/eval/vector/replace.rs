//! `label_replace`.

use std::sync::Arc;

use super::Vector;
use crate::ast::LabelReplace;
use crate::error::{Meaningless, ParseError};
use crate::eval::{EvalError, LabelSet};
use crate::regex::{Flavor, Regex};

/// A replacement can name a group thousands of times. Values of labels are far shorter.
const MAX_VALUE_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Replace {
    target: String,
    source: String,
    replacement: String,
    regex: Regex,
}

impl Replace {
    pub(crate) fn new(replace: &LabelReplace) -> Result<Self, EvalError> {
        let regex = Regex::with_groups(&replace.regex, Flavor::Whole)
            .map_err(|error| ParseError::Meaning(Meaningless::LabelReplaceRegex(error.to_string())))?;
        Ok(Self {
            target: replace.target.clone(),
            source: replace.source.clone(),
            replacement: replace.replacement.clone(),
            regex,
        })
    }

    /// Two series may come to have the same labels.
    pub(crate) fn apply(&self, mut vector: Vector) -> Result<Vector, EvalError> {
        for sample in &mut vector {
            if let Some(labels) = self.replaced(&sample.labels)? {
                sample.labels = Arc::new(labels);
            }
        }
        Ok(vector)
    }

    /// None if the regex does not match.
    fn replaced(&self, labels: &LabelSet) -> Result<Option<LabelSet>, EvalError> {
        let value = labels.get(&self.source).unwrap_or("");
        let mut groups: Vec<Option<&[u8]>> = Vec::new();
        if !self.regex.first_match(value.as_bytes(), |_, span| groups.push(span)) {
            return Ok(None);
        }
        let group = |number: usize| groups.get(number).copied().flatten();
        let mut new = Vec::new();
        larch_template::expand(self.replacement.as_bytes(), self.regex.names(), group, |part| {
            new.extend_from_slice(part);
            if new.len() > MAX_VALUE_BYTES { Err(EvalError::LabelTooLong(MAX_VALUE_BYTES)) } else { Ok(()) }
        })?;
        Ok(Some(labels.with(&self.target, &String::from_utf8_lossy(&new))))
    }
}
