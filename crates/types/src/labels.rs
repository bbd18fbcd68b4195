//! A stream's labels and their one canonical text.

use std::fmt;

use crate::quote_into;

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label {
    pub name: Box<str>,
    pub value: Box<str>,
}

/// Sorted by name, every name once, no empty names or values.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(Box<[Label]>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLabels {
    #[error("empty label name")]
    EmptyName,
    #[error("duplicate label name: '{0}'")]
    Duplicate(Box<str>),
    #[error("not canonical label text: {}", crate::quoted(.0))]
    NotCanonical(Box<str>),
}

impl Labels {
    /// Sorts. A label with an empty value is the same as no label and is dropped; a name that comes
    /// twice is refused even if one of its values is empty.
    pub fn from_pairs<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Result<Self, InvalidLabels>
    where
        N: Into<Box<str>>,
        V: Into<Box<str>>,
    {
        let mut labels = Vec::new();
        for (name, value) in pairs {
            let label = Label { name: name.into(), value: value.into() };
            if label.name.is_empty() {
                return Err(InvalidLabels::EmptyName);
            }
            labels.push(label);
        }
        labels.sort();
        if let Some(pair) = labels.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(InvalidLabels::Duplicate(pair[0].name.clone()));
        }
        labels.retain(|label| !label.value.is_empty());
        Ok(Self(labels.into_boxed_slice()))
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

    /// `{a="1", b="2"}` with Go-quoted values: what ids and ring keys are hashes of.
    pub fn canonical(&self) -> String {
        let mut out = String::new();
        write_canonical(&mut out, self.0.iter().map(|label| (&*label.name, &*label.value)));
        out
    }
}

/// Appends the canonical text of labels that stand in the order of their names.
pub fn write_canonical<'a>(out: &mut String, labels: impl Iterator<Item = (&'a str, &'a str)>) {
    out.push('{');
    for (index, (name, value)) in labels.enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        out.push_str(name);
        out.push('=');
        quote_into(out, value);
    }
    out.push('}');
}

impl<'a> IntoIterator for &'a Labels {
    type Item = &'a Label;
    type IntoIter = std::slice::Iter<'a, Label>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical())
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn canonical_text() {
        let labels = Labels::from_pairs([("b", "2"), ("a", "x\"\n"), ("c", "")]).unwrap();
        assert_eq!(labels.canonical(), r#"{a="x\"\n", b="2"}"#);
        assert_eq!(labels.get("b"), Some("2"));
        assert_eq!(labels.get("c"), None);
        assert_eq!(Labels::default().canonical(), "{}");
    }

    #[test]
    fn refuses_what_has_no_meaning() {
        assert_eq!(Labels::from_pairs([("", "1")]), Err(InvalidLabels::EmptyName));
        let twice = Labels::from_pairs([("a", "1"), ("a", "")]).unwrap_err();
        assert_eq!(twice.to_string(), "duplicate label name: 'a'");
    }

    proptest! {
        #[test]
        fn order_of_arrival_does_not_matter(map in prop::collection::btree_map("[a-z]{1,8}", "\\PC{1,8}", 0..8)) {
            let forward = Labels::from_pairs(map.iter().map(|(n, v)| (n.as_str(), v.as_str()))).unwrap();
            let backward = Labels::from_pairs(map.iter().rev().map(|(n, v)| (n.as_str(), v.as_str()))).unwrap();
            prop_assert_eq!(forward.canonical(), backward.canonical());
            prop_assert_eq!(forward.len(), map.len());
        }
    }
}
