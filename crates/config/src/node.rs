//! A tree of settings whose every part knows where it came from.

use serde_json::Value as Json;

use crate::Origin;

#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// Text whose type is decided by the setting that asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Written without quotes, so that a reader who does not ask for a type may see a number in it.
    pub(crate) plain: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) origin: Origin,
    pub(crate) node: Node,
}

impl Node {
    pub fn empty_map(origin: Origin) -> Self {
        Self { value: Value::Map(Vec::new()), origin }
    }

    pub fn scalar(text: impl Into<String>, origin: Origin) -> Self {
        Self { value: Value::Scalar(Scalar { text: text.into(), plain: true }), origin }
    }

    /// The same value, said to come from somewhere else.
    pub fn with_origin(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub fn is_mapping(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The child under a key of a mapping.
    pub fn child(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node),
            _ => None,
        }
    }

    /// The children of a mapping with their keys, in the order of the text.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Node)> {
        let entries = match &self.value {
            Value::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(|entry| (entry.key.as_str(), &entry.node))
    }

    /// The elements of a list.
    pub fn elements(&self) -> &[Node] {
        match &self.value {
            Value::List(elements) => elements,
            _ => &[],
        }
    }

    /// Takes out what is at a dotted path below, with the place of its key.
    pub fn take_below(&mut self, path: &str) -> Option<Node> {
        let keys: Vec<&str> = path.split('.').collect();
        self.take(&keys).map(|entry| Node { origin: entry.origin, ..entry.node })
    }

    /// What kind of thing it is, for messages.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Scalar(scalar) => larch_types::quoted(&scalar.text),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }

    pub(crate) fn child_mut(&mut self, key: &str) -> Option<&mut Node> {
        match &mut self.value {
            Value::Map(entries) => {
                entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node)
            }
            _ => None,
        }
    }

    /// Sets what is below the path, making mappings on the way. What stood there goes.
    pub(crate) fn put(&mut self, path: &[&str], node: Node) {
        let Some((first, rest)) = path.split_first() else {
            *self = node;
            return;
        };
        if !matches!(self.value, Value::Map(_)) {
            self.value = Value::Map(Vec::new());
        }
        if self.child(first).is_none() {
            let entry = Entry {
                key: (*first).to_owned(),
                origin: node.origin.clone(),
                node: Node::empty_map(node.origin.clone()),
            };
            if let Value::Map(entries) = &mut self.value {
                entries.push(entry);
            }
        }
        if let Some(child) = self.child_mut(first) {
            child.put(rest, node);
        }
    }

    /// Takes out what is below the path, with the place of its key, and mappings that it leaves empty.
    pub(crate) fn take(&mut self, path: &[&str]) -> Option<Entry> {
        let (first, rest) = path.split_first()?;
        let Value::Map(entries) = &mut self.value else { return None };
        let index = entries.iter().position(|entry| entry.key == *first)?;
        if rest.is_empty() {
            return Some(entries.remove(index));
        }
        let taken = entries[index].node.take(rest)?;
        if matches!(&entries[index].node.value, Value::Map(below) if below.is_empty()) {
            entries.remove(index);
        }
        Some(taken)
    }

    /// As JSON, reading plain scalars as YAML does.
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Scalar(scalar) => scalar.to_json(),
            Value::List(elements) => Json::Array(elements.iter().map(Self::to_json).collect()),
            Value::Map(entries) => {
                let mut map = serde_json::Map::new();
                for entry in entries {
                    map.insert(entry.key.clone(), entry.node.to_json());
                }
                Json::Object(map)
            }
        }
    }
}

impl Scalar {
    fn to_json(&self) -> Json {
        if !self.plain {
            return Json::String(self.text.clone());
        }
        match self.text.as_str() {
            "true" | "True" | "TRUE" => return Json::Bool(true),
            "false" | "False" | "FALSE" => return Json::Bool(false),
            _ => {}
        }
        if let Ok(number) = self.text.parse::<i64>() {
            return Json::from(number);
        }
        let looks_numeric = self.text.bytes().any(|b| b.is_ascii_digit());
        match self.text.parse::<f64>() {
            Ok(number) if looks_numeric && number.is_finite() => Json::from(number),
            _ => Json::String(self.text.clone()),
        }
    }
}
