//! The labels of results. Unlike a stream's, they may have empty values: a parser that finds nothing for a
//! name that was asked for says so by an empty text.

use std::fmt;

use larch_types::{Label, Labels, quote_into};

use crate::ast::Grouping;
use crate::eval::EvalError;

/// Sorted by name, every name once. Ordered by names, then values, shorter sets first.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LabelSet(Box<[Label]>);

impl LabelSet {
    /// Sorts. Of several labels with one name the last stays.
    pub fn from_pairs<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<Box<str>>,
        V: Into<Box<str>>,
    {
        let mut labels: Vec<Label> = Vec::new();
        for (name, value) in pairs {
            labels.push(Label { name: name.into(), value: value.into() });
        }
        labels.sort_by(|left, right| left.name.cmp(&right.name));
        // The later one comes to stand in the place of the earlier.
        labels.dedup_by(|later, earlier| {
            let is_same = later.name == earlier.name;
            if is_same {
                std::mem::swap(later, earlier);
            }
            is_same
        });
        Self(labels.into_boxed_slice())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        let index = self.0.binary_search_by(|label| (*label.name).cmp(name)).ok()?;
        Some(&self.0[index].value)
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Label> {
        self.0.iter()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What it takes in memory, about.
    pub fn bytes(&self) -> usize {
        let text: usize = self.0.iter().map(|label| label.name.len() + label.value.len()).sum();
        text + std::mem::size_of_val(&*self.0)
    }

    /// The labels that `keep` names, whatever they hold.
    pub(crate) fn only(&self, mut keep: impl FnMut(&Label) -> bool) -> Self {
        Self(self.0.iter().filter(|label| keep(label)).cloned().collect())
    }

    /// The group that a series with these labels is in. A grouping by names keeps empty values apart from
    /// absent labels; whatever rebuilds a set drops them.
    pub(crate) fn group(&self, grouping: &Grouping) -> Self {
        let is_named = |label: &Label| grouping.labels.iter().any(|name| **name == *label.name);
        if grouping.without {
            self.only(|label| !is_named(label) && *label.name != *"__name__" && !label.value.is_empty())
        } else {
            self.only(is_named)
        }
    }

    /// With one label changed; an empty value removes it. Labels with empty values are gone.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut labels: Vec<Label> =
            self.only(|label| *label.name != *name && !label.value.is_empty()).0.into_vec();
        if !value.is_empty() {
            let at = labels.partition_point(|label| *label.name < *name);
            labels.insert(at, Label { name: name.into(), value: value.into() });
        }
        Self(labels.into_boxed_slice())
    }
}

impl LabelSet {
    /// Of a series with samples: an error fails the query, unless it asked for the errors themselves.
    pub fn refuse_error(&self) -> Result<(), EvalError> {
        match self.get("__error__") {
            Some(error) if !error.is_empty() && self.get("__preserve_error__") != Some("true") => {
                Err(EvalError::Pipeline { error: error.to_owned(), series: self.clone() })
            }
            _ => Ok(()),
        }
    }
}

impl From<&Labels> for LabelSet {
    fn from(labels: &Labels) -> Self {
        Self(labels.iter().cloned().collect())
    }
}

impl<'a> IntoIterator for &'a LabelSet {
    type Item = &'a Label;
    type IntoIter = std::slice::Iter<'a, Label>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for LabelSet {
    /// `{a="1", b=""}` with Go-quoted values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::from("{");
        for (index, label) in self.0.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            out.push_str(&label.name);
            out.push('=');
            quote_into(&mut out, &label.value);
        }
        out.push('}');
        f.write_str(&out)
    }
}

impl fmt::Debug for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_name_stays() {
        let set = LabelSet::from_pairs([("b", "1"), ("a", ""), ("b", "2"), ("b", "3")]);
        assert_eq!(set.to_string(), r#"{a="", b="3"}"#);
        assert_eq!(set.get("a"), Some(""));
    }

    #[test]
    fn groups_and_changes() {
        let set = LabelSet::from_pairs([("__name__", "n"), ("a", ""), ("b", "1"), ("c", "2")]);
        for (without, labels, want) in [
            (false, vec!["a", "c", "z"], r#"{a="", c="2"}"#),
            (false, vec![], "{}"),
            (true, vec!["c"], r#"{b="1"}"#),
            (true, vec![], r#"{b="1", c="2"}"#),
        ] {
            let labels = labels.into_iter().map(str::to_owned).collect();
            assert_eq!(set.group(&Grouping { without, labels }).to_string(), want);
        }
        assert_eq!(set.with("b", "").with("bb", "x").to_string(), r#"{__name__="n", bb="x", c="2"}"#);
    }
}
