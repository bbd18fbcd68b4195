//! The keys that a program knows, learned from the defaults of its sections.

use std::collections::BTreeMap;

use larch_types::{OldKey, Section};
use serde_json::Value as Json;

use crate::nearest::nearest;

/// Every block that a program reads or passes over.
#[derive(Debug, Default)]
pub struct Schema {
    root: BTreeMap<String, Known>,
    old: Vec<(String, OldKey)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Known {
    Section(BTreeMap<String, Known>),
    /// A mapping with keys of the user's own choice.
    Free,
    /// A setting of another program that reads the same file.
    Foreign,
    Switch,
    List,
    Value,
}

/// What a dotted path means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resolved {
    Known { path: String, known: Known },
    Old { path: String },
    Unknown { nearest: Option<String> },
}

impl Schema {
    /// Declares a block and its type. The empty name stands for settings at the top of the file.
    pub fn block<S: Section>(&mut self, name: &str) {
        let defaults = serde_json::to_value(S::default()).unwrap_or_default();
        let known = known_from(&defaults);
        match (name, known) {
            ("", Known::Section(fields)) => self.root.extend(fields),
            (name, known) => {
                self.root.insert(name.to_owned(), known);
            }
        }
        for old in S::OLD_KEYS {
            let path = if name.is_empty() { old.path.to_owned() } else { format!("{name}.{}", old.path) };
            self.old.push((path, *old));
        }
    }

    /// Declares a block that belongs to another program: accepted, not read.
    pub fn foreign(&mut self, name: &str) {
        self.root.entry(name.to_owned()).or_insert(Known::Foreign);
    }

    pub(crate) fn old_keys(&self) -> &[(String, OldKey)] {
        &self.old
    }

    pub(crate) fn top_names(&self) -> impl Iterator<Item = &str> {
        self.root.keys().map(String::as_str)
    }

    pub(crate) fn has_top(&self, name: &str) -> bool {
        self.root.contains_key(name)
    }

    /// Whether the flag of a setting may stand without a value.
    pub fn is_switch(&self, path: &str) -> bool {
        matches!(self.resolve(path), Resolved::Known { known: Known::Switch, .. })
    }

    /// Finds a dotted path written with dashes or underscores.
    pub(crate) fn resolve(&self, path: &str) -> Resolved {
        let path = path.replace('-', "_");
        if self.old.iter().any(|(old, _)| path == *old || path.starts_with(&format!("{old}."))) {
            return Resolved::Old { path };
        }
        let mut names = path.split('.');
        let mut found = names.next().and_then(|first| self.root.get(first));
        for name in names {
            found = match found {
                Some(Known::Section(fields)) => fields.get(name),
                Some(Known::Free | Known::Foreign) => Some(&Known::Foreign),
                _ => None,
            };
        }
        match found {
            Some(known) => Resolved::Known { known: known.clone(), path },
            None => {
                let paths = self.paths();
                let nearest = nearest(&path, paths.iter().map(String::as_str)).map(str::to_owned);
                Resolved::Unknown { nearest }
            }
        }
    }

    /// Where else a key of this name exists, as the first dotted path in alphabetical order.
    pub(crate) fn elsewhere(&self, name: &str) -> Option<String> {
        self.paths().into_iter().find(|path| path.rsplit('.').next() == Some(name))
    }

    fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        collect_paths("", &self.root, &mut paths);
        paths
    }
}

fn known_from(defaults: &Json) -> Known {
    match defaults {
        Json::Object(fields) if fields.is_empty() => Known::Free,
        Json::Object(fields) => {
            let mut known = BTreeMap::new();
            for (name, value) in fields {
                known.insert(name.clone(), known_from(value));
            }
            Known::Section(known)
        }
        Json::Array(_) => Known::List,
        Json::Bool(_) => Known::Switch,
        _ => Known::Value,
    }
}

fn collect_paths(prefix: &str, fields: &BTreeMap<String, Known>, out: &mut Vec<String>) {
    for (name, known) in fields {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if let Known::Section(below) = known {
            collect_paths(&path, below, out);
        }
        out.push(path);
    }
}
