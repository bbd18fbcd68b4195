//! `regexp`: the named groups of the first match become labels.

use crate::regex::{Flavor, Regex};
use crate::stage::name::sanitize;
use crate::stage::{Hints, Row, StageError};

#[derive(Debug, Clone)]
pub struct Regexp {
    regex: Regex,
    /// By group number; only those with names.
    labels: Vec<Option<Box<str>>>,
    hints: Hints,
}

impl Regexp {
    pub fn new(pattern: &str, hints: Hints) -> Result<Self, StageError> {
        let regex = Regex::with_groups(pattern, Flavor::Search)?;
        let labels = labels_of(regex.names())?;
        Ok(Self { regex, labels, hints })
    }

    /// A group that took no part gives an empty label. Without a match nothing happens.
    pub fn run(&self, row: &mut Row<'_>) {
        let Row { line, labels, .. } = row;
        self.regex.first_match(line.bytes(), |group, span| {
            if let Some(Some(name)) = self.labels.get(group) {
                labels.extract(name, &self.hints, |out| out.extend_from_slice(span.unwrap_or(b"")));
            }
        });
    }
}

/// The labels that groups with these names make, by group number.
pub(crate) fn labels_of(names: &[Option<Box<str>>]) -> Result<Vec<Option<Box<str>>>, StageError> {
    let mut labels: Vec<Option<Box<str>>> = Vec::with_capacity(names.len());
    for name in names {
        let Some(name) = name else {
            labels.push(None);
            continue;
        };
        if !is_label_name(name) {
            return Err(StageError::CaptureName(name.to_string()));
        }
        if labels.iter().flatten().any(|known| known == name) {
            return Err(StageError::DuplicateCapture(name.to_string()));
        }
        let mut label = String::new();
        sanitize(&mut label, name.as_bytes());
        labels.push(Some(label.into()));
    }
    if labels.iter().all(Option::is_none) {
        return Err(StageError::NoNamedCapture);
    }
    Ok(labels)
}

fn is_label_name(name: &str) -> bool {
    name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
}
