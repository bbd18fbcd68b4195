//! From the merged tree to typed sections.

use std::cell::RefCell;
use std::fs::File;

use larch_types::Section;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::de::{Context, NodeDeserializer};
use crate::nearest::nearest;
use crate::node::{Node, Value};
use crate::print::mask_urls;
use crate::{Origin, Problem, Problems, Schema, Tree};

/// Reads sections one after another and keeps what is wrong with all of them.
#[derive(Debug)]
pub struct Reader<'s> {
    schema: &'s Schema,
    tree: &'s Tree,
    problems: Vec<Problem>,
    effective: Effective,
}

/// The settings that a program runs with, for people to look at. Secrets are masked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Effective {
    pub settings: serde_json::Map<String, Json>,
    pub defaults: serde_json::Map<String, Json>,
}

impl<'s> Reader<'s> {
    pub fn new(schema: &'s Schema, tree: &'s Tree) -> Self {
        let mut reader = Self { schema, tree, problems: Vec::new(), effective: Effective::default() };
        if let Value::Map(entries) = &tree.root.value {
            for entry in entries.iter().filter(|entry| !schema.has_top(&entry.key)) {
                let hint = match nearest(&entry.key, schema.top_names()) {
                    Some(near) => format!("; the nearest valid key is {near}"),
                    None => match schema.elsewhere(&entry.key) {
                        Some(path) => format!("; a key of this name exists as {path}"),
                        None => String::new(),
                    },
                };
                let text = format!("unknown key{hint}");
                reader.problems.push(Problem::new(entry.origin.clone(), entry.key.clone(), text));
            }
        }
        reader
    }

    /// The block of this name; its default if something is wrong with it, which [`Reader::finish`] then
    /// tells. The empty name stands for the settings at the top of the file.
    pub fn section<S: Section>(&mut self, name: &str) -> S {
        let section = match self.read::<S>(name) {
            Ok(section) => section,
            Err(problem) => {
                self.problems.push(problem);
                S::default()
            }
        };
        if let Err(invalid) = section.check() {
            let (origin, path) = self.place_of(name, &invalid.key);
            self.problems.push(Problem::new(origin, path, invalid.reason));
        }
        for file in section.files() {
            if let Err(error) = File::open(&file.path) {
                let (origin, path) = self.place_of(name, &file.key);
                let text = format!("cannot read {}: {error}", file.path.display());
                self.problems.push(Problem::new(origin, path, text));
            }
        }
        self.remember(name, &section);
        section
    }

    fn read<S: Section>(&mut self, name: &str) -> Result<S, Problem> {
        let top;
        let node = if name.is_empty() {
            top = self.top_level::<S>();
            &top
        } else {
            match self.tree.get(name) {
                Some(node) => node,
                None => return Ok(S::default()),
            }
        };
        let elsewhere = |key: &str| self.schema.elsewhere(key);
        let context = Context { unknown: RefCell::default(), elsewhere: &elsewhere };
        let result = S::deserialize(NodeDeserializer::new(node, name, &context));
        self.problems.extend(context.unknown.into_inner());
        result.map_err(|misfit| misfit.into_problem(&node.origin, name))
    }

    /// Only the keys of the top of the file that are this section's own; the others are blocks.
    fn top_level<S: Section>(&self) -> Node {
        let own = serde_json::to_value(S::default()).unwrap_or_default();
        let mut node = self.tree.root.clone();
        if let Value::Map(entries) = &mut node.value {
            entries.retain(|entry| own.get(&entry.key).is_some());
        }
        node
    }

    /// The place of the nearest node that a source has set on the way to a key.
    fn place_of(&self, block: &str, key: &str) -> (Origin, String) {
        let path = if block.is_empty() { key.to_owned() } else { format!("{block}.{key}") };
        let mut prefix = path.as_str();
        loop {
            if let Some(node) = self.tree.get(prefix) {
                return (node.origin.clone(), path);
            }
            match prefix.rsplit_once('.') {
                Some((shorter, _)) => prefix = shorter,
                None => return (Origin::Default, path),
            }
        }
    }

    fn remember<S: Section>(&mut self, name: &str, section: &S) {
        let mut settings = serde_json::to_value(section).unwrap_or_default();
        mask_urls(&mut settings);
        let defaults = serde_json::to_value(S::default()).unwrap_or_default();
        match (name, settings, defaults) {
            ("", Json::Object(settings), Json::Object(defaults)) => {
                self.effective.settings.extend(settings);
                self.effective.defaults.extend(defaults);
            }
            (name, settings, defaults) => {
                self.effective.settings.insert(name.to_owned(), settings);
                self.effective.defaults.insert(name.to_owned(), defaults);
            }
        }
    }

    /// Whatever was wrong, in the order of the sections; else what to show on demand. A mistake that was
    /// taken over from another key is told there only.
    pub fn finish(mut self) -> Result<Effective, Problems> {
        let is_own = |problem: &Problem| !matches!(problem.origin, Origin::Derived(_));
        if self.problems.iter().any(is_own) {
            self.problems.retain(is_own);
        }
        if self.problems.is_empty() { Ok(self.effective) } else { Err(Problems(self.problems)) }
    }
}

/// Reads a value from a node that belongs to no block, such as a tenant's overrides. Unknown keys are
/// stepped over and given back beside it.
pub fn read_node<T: DeserializeOwned>(node: &Node, path: &str) -> Result<(T, Vec<Problem>), Problem> {
    let nowhere = |_: &str| None;
    let context = Context { unknown: RefCell::default(), elsewhere: &nowhere };
    let value = T::deserialize(NodeDeserializer::new(node, path, &context))
        .map_err(|misfit| misfit.into_problem(&node.origin, path))?;
    Ok((value, context.unknown.into_inner()))
}
