//! `drop`: labels are deleted, all or by their values.

use crate::regex::LabelMatcher;
use crate::stage::Row;
use crate::stage::labels::{DETAILS_LABEL, ERROR_LABEL};

/// An item of the lists of `drop` and `keep`.
#[derive(Debug, Clone)]
pub enum Selected {
    Name(Box<str>),
    Matching(LabelMatcher),
}

#[derive(Debug, Clone)]
pub struct DropLabels {
    items: Vec<Selected>,
}

impl DropLabels {
    pub fn new(items: Vec<Selected>) -> Self {
        Self { items }
    }

    /// The names of errors stand for the state of the row.
    pub fn run(&self, row: &mut Row<'_>) {
        let Row { labels, .. } = row;
        for item in &self.items {
            let name = item.name();
            if !item.selects(labels.get_with_errors(name).unwrap_or(b"")) {
                continue;
            }
            match name {
                ERROR_LABEL => labels.clear_error(),
                DETAILS_LABEL => labels.clear_details(),
                _ => labels.delete(name),
            }
        }
    }
}

impl Selected {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Matching(matcher) => matcher.name(),
        }
    }

    pub(super) fn selects(&self, value: &[u8]) -> bool {
        match self {
            Self::Name(_) => true,
            Self::Matching(matcher) => matcher.matches(value),
        }
    }
}
