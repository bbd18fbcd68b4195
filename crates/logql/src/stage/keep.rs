//! `keep`: all labels but the named ones are deleted. Errors always stay.

use crate::stage::{Row, Selected};

#[derive(Debug, Clone)]
pub struct KeepLabels {
    items: Vec<Selected>,
}

impl KeepLabels {
    /// Of several items with one name any may keep the label.
    pub fn new(items: Vec<Selected>) -> Self {
        Self { items }
    }

    pub fn run(&self, row: &mut Row<'_>) {
        row.labels
            .retain(|name, value| self.items.iter().any(|item| item.name() == name && item.selects(value)));
    }
}
