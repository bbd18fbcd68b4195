//! What is done to the labels of pushed streams before anything else looks at them. All of it is off
//! unless it is set: Loki takes labels as they are.

use std::collections::BTreeMap;

use larch_types::{InvalidSetting, Span, ensure};
use serde::{Deserialize, Serialize};

/// The block `label_rules`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelRules {
    /// Puts other characters in names right, as in names of metadata, instead of refusing the push.
    pub normalize_names: bool,
    /// Makes upper case in names lower case.
    pub lowercase_names: bool,
    /// New names of labels, by their names as the rules above leave them.
    pub rename: BTreeMap<String, String>,
    /// Labels that streams must not have.
    pub denied: Vec<String>,
    /// Most values of a label within `values_window`: with more it is denied until the window ends.
    pub max_values: u32,
    /// The same for single labels, in place of the number above; 0 leaves a label alone.
    pub max_values_of: BTreeMap<String, u32>,
    /// How long values are counted before that begins anew.
    pub values_window: Span,
    /// What becomes of denied labels.
    pub denied_action: DeniedAction,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeniedAction {
    /// They become structured metadata of the stream's rows.
    #[default]
    StructuredMetadata,
    /// They are left out.
    Drop,
    /// The stream is refused.
    Refuse,
}

impl Default for LabelRules {
    fn default() -> Self {
        Self {
            normalize_names: false,
            lowercase_names: false,
            rename: BTreeMap::new(),
            denied: Vec::new(),
            max_values: 0,
            max_values_of: BTreeMap::new(),
            values_window: Span::from_hours(1),
            denied_action: DeniedAction::default(),
        }
    }
}

/// Values of a label are kept as hashes while they are counted: so many take 16 MB.
const MOST_VALUES: u32 = 1_000_000;

impl LabelRules {
    /// Whether there is anything to do.
    pub fn is_active(&self) -> bool {
        self.normalize_names
            || self.lowercase_names
            || !self.rename.is_empty()
            || !self.denied.is_empty()
            || self.max_values > 0
            || self.max_values_of.values().any(|values| *values > 0)
    }

    /// How many values a label may have; 0 is no bound.
    pub fn most_values(&self, name: &str) -> u32 {
        self.max_values_of.get(name).copied().unwrap_or(self.max_values)
    }

    pub(super) fn check(&self) -> Result<(), InvalidSetting> {
        for (from, to) in &self.rename {
            let key = format!("label_rules.rename.{from}");
            ensure(is_name(to), &key, "must be a name of letters, digits and underscores")?;
        }
        ensure(self.values_window > Span::ZERO, "label_rules.values_window", "must be above 0")?;
        ensure(self.max_values <= MOST_VALUES, "label_rules.max_values", "must be at most 1000000")?;
        for (name, values) in &self.max_values_of {
            let key = format!("label_rules.max_values_of.{name}");
            ensure(*values <= MOST_VALUES, &key, "must be at most 1000000")?;
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.bytes().all(is_word) && !name.as_bytes()[0].is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_done_unless_it_is_set() {
        assert!(!LabelRules::default().is_active());
        let of = BTreeMap::from([("pod".to_owned(), 0)]);
        assert!(!LabelRules { max_values_of: of, ..LabelRules::default() }.is_active());
        let of = BTreeMap::from([("pod".to_owned(), 5), ("app".to_owned(), 0)]);
        let rules = LabelRules { max_values: 9, max_values_of: of, ..LabelRules::default() };
        assert!(rules.is_active());
        assert_eq!(["pod", "app", "env"].map(|name| rules.most_values(name)), [5, 0, 9]);
    }

    #[test]
    fn settings_that_cannot_be_meant() {
        let rename = |to: &str| BTreeMap::from([("a".to_owned(), to.to_owned())]);
        for (rules, text) in [
            (LabelRules { rename: rename("b.c"), ..LabelRules::default() }, "label_rules.rename.a"),
            (LabelRules { rename: rename(""), ..LabelRules::default() }, "label_rules.rename.a"),
            (LabelRules { values_window: Span::ZERO, ..LabelRules::default() }, "label_rules.values_window"),
            (LabelRules { max_values: 1_000_001, ..LabelRules::default() }, "label_rules.max_values"),
        ] {
            let error = rules.check().unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        assert!(LabelRules { rename: rename("b"), ..LabelRules::default() }.check().is_ok());
    }
}
