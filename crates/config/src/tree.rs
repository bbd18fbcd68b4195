//! All sources in one tree: file, then environment, then flags, each over the one before.

use std::sync::Arc;

use crate::node::Value;
use crate::schema::{Known, Resolved};
use crate::{Environment, Node, Origin, Problem, Problems, Schema, parse_yaml};

/// What there is to merge.
#[derive(Debug)]
pub struct Input<'a> {
    /// The parsed file, if there is one.
    pub file: Option<Node>,
    pub environment: &'a Environment,
    /// Settings from the command line, in the order given.
    pub flags: &'a [(String, String)],
    /// Flags whose names differ from their path.
    pub irregular_flags: &'a [(&'a str, &'a str)],
}

/// The merged settings before they are typed, and what there is to say about them.
#[derive(Debug)]
pub struct Tree {
    pub(crate) root: Node,
    warnings: Vec<Problem>,
}

impl Tree {
    pub fn merge(schema: &Schema, input: Input<'_>) -> Result<Self, Problems> {
        let root = input.file.unwrap_or_else(|| Node::empty_map(Origin::Default));
        if !matches!(root.value, Value::Map(_)) {
            let text = format!("expected a mapping of keys, found {}", root.describe());
            return Err(Problem::new(root.origin, "", text).into());
        }
        let mut tree = Self { root, warnings: Vec::new() };
        let mut problems = Vec::new();
        for (variable, path, value) in input.environment.settings() {
            let origin = Origin::Environment(variable.into());
            if let Err(problem) = tree.set(schema, &path, value, origin, "setting") {
                problems.push(problem);
            }
        }
        for (flag, value) in input.flags {
            let irregular = input.irregular_flags.iter().find(|(name, _)| name == flag);
            let path = irregular.map_or(flag.as_str(), |(_, path)| path);
            let origin = Origin::Flag(flag.as_str().into());
            if let Err(problem) = tree.set(schema, path, value, origin, "flag") {
                problems.push(problem);
            }
        }
        if problems.is_empty() { Ok(tree) } else { Err(Problems(problems)) }
    }

    fn set(
        &mut self,
        schema: &Schema,
        path: &str,
        text: &str,
        origin: Origin,
        what: &str,
    ) -> Result<(), Problem> {
        let (path, known) = match schema.resolve(path) {
            Resolved::Known { path, known } => (path, known),
            Resolved::Old { path } => (path, Known::Value),
            Resolved::Unknown { nearest } => {
                let hint =
                    nearest.map(|path| format!("; the nearest valid one is {path}")).unwrap_or_default();
                return Err(Problem::new(origin, "", format!("unknown {what}{hint}")));
            }
        };
        let node = node_from_text(text, &origin)?;
        let keys: Vec<&str> = path.split('.').collect();
        // A list's flag may be given several times, as Go's flags may.
        if known == Known::List
            && let Some(before) = self.get(&path).filter(|node| node.origin == origin)
        {
            let mut elements = elements_of(before);
            elements.extend(elements_of(&node));
            self.root.put(&keys, Node { value: Value::List(elements), origin });
            return Ok(());
        }
        self.root.put(&keys, node);
        Ok(())
    }

    pub fn get(&self, path: &str) -> Option<&Node> {
        let mut node = &self.root;
        for key in path.split('.') {
            node = node.child(key)?;
        }
        Some(node)
    }

    /// Whether a source sets the path, or something below it, to a value.
    pub fn is_set(&self, path: &str) -> bool {
        self.get(path).is_some_and(|node| !node.is_null())
    }

    /// Takes a key out, so that it can be read in another way.
    pub fn take(&mut self, path: &str) -> Option<Node> {
        self.root.take_below(path)
    }

    /// Sets a path unless a source has set it already. Tells whether it did. A mapping that was given as
    /// something else stays as it is, so that its type is refused with its own place.
    pub fn put_if_absent(&mut self, path: &str, node: Node) -> bool {
        let keys: Vec<&str> = path.split('.').collect();
        let mut place = &self.root;
        for key in &keys {
            match (&place.value, place.child(key)) {
                (Value::Map(_), Some(child)) => place = child,
                (Value::Map(_) | Value::Null, _) => return self.put(&keys, node),
                (Value::Scalar(_) | Value::List(_), _) => return false,
            }
        }
        place.is_null() && self.put(&keys, node)
    }

    fn put(&mut self, keys: &[&str], node: Node) -> bool {
        self.root.put(keys, node);
        true
    }

    /// Sets a path from the value of another key.
    pub fn derive(&mut self, path: &str, value: &str, from: &str) -> bool {
        self.put_if_absent(path, Node::scalar(value, Origin::Derived(Arc::from(from))))
    }

    pub fn warn(&mut self, warning: Problem) {
        self.warnings.push(warning);
    }

    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }
}

/// A value from outside a file. Text in braces or brackets is YAML, so that lists and mappings can be
/// given too.
fn node_from_text(text: &str, origin: &Origin) -> Result<Node, Problem> {
    if !text.starts_with(['{', '[']) {
        return Ok(Node::scalar(text, origin.clone()));
    }
    match parse_yaml("value", text) {
        Ok(mut node) => {
            set_origin(&mut node, origin);
            Ok(node)
        }
        Err(problem) => Err(Problem { origin: origin.clone(), ..problem }),
    }
}

fn set_origin(node: &mut Node, origin: &Origin) {
    node.origin = origin.clone();
    match &mut node.value {
        Value::List(elements) => {
            for element in elements {
                set_origin(element, origin);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                entry.origin = origin.clone();
                set_origin(&mut entry.node, origin);
            }
        }
        Value::Null | Value::Scalar(_) => {}
    }
}

/// The elements of a list, which may also be written as text with commas.
pub(crate) fn elements_of(node: &Node) -> Vec<Node> {
    match &node.value {
        Value::Null => Vec::new(),
        Value::Scalar(scalar) if scalar.text.is_empty() => Vec::new(),
        Value::Scalar(scalar) => {
            scalar.text.split(',').map(|part| Node::scalar(part.trim(), node.origin.clone())).collect()
        }
        Value::List(elements) => elements.clone(),
        Value::Map(_) => vec![node.clone()],
    }
}
