//! YAML text to a tree of nodes that know their lines.
//!
//! Hostile text is bounded: its size, its depth and, because an alias repeats what its anchor holds,
//! the number of nodes that come out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use crate::node::{Entry, Node, Scalar, Value};
use crate::{Origin, Problem};

/// Larger than any configuration seen; overrides of ten thousand tenants fit.
pub const MAX_DOCUMENT_BYTES: usize = 16 << 20;
/// The deepest block of the configuration nests nine mappings.
pub const MAX_DEPTH: usize = 64;
/// Bounds what aliases can blow up to.
pub const MAX_NODES: usize = 1 << 20;

/// Parses one document. An empty text is an empty mapping; a second document is refused, because it
/// would be ignored otherwise.
pub fn parse_yaml(name: &str, text: &str) -> Result<Node, Problem> {
    let name: Arc<str> = name.into();
    if text.len() > MAX_DOCUMENT_BYTES {
        let text = format!("larger than {} MB", MAX_DOCUMENT_BYTES >> 20);
        return Err(Problem::new(Origin::WholeFile(name), "", text));
    }
    let mut builder =
        Builder { name, events: Parser::new_from_str(text), anchors: BTreeMap::new(), nodes: 0 };
    builder.document()
}

struct Builder<'t> {
    name: Arc<str>,
    events: Parser<'t, saphyr_parser::StrInput<'t>>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
}

impl<'t> Builder<'t> {
    fn document(&mut self) -> Result<Node, Problem> {
        let mut root = None;
        loop {
            let (event, mark) = self.next()?;
            match event {
                Event::StreamEnd => {
                    let origin = Origin::WholeFile(Arc::clone(&self.name));
                    return Ok(root.unwrap_or_else(|| Node::empty_map(origin)));
                }
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                _ if root.is_some() => {
                    return Err(self.problem(mark, "a second YAML document, only one is read"));
                }
                event => {
                    let node = self.node(event, mark, 0, "")?;
                    root = Some(if node.is_null() { Node::empty_map(node.origin) } else { node });
                }
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Marker), Problem> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok((event, span.start)),
            Some(Err(error)) => {
                let text = format!("not valid YAML: {}", error.info());
                Err(self.problem(*error.marker(), &text))
            }
            None => Ok((Event::StreamEnd, Marker::default())),
        }
    }

    fn origin(&self, mark: Marker) -> Origin {
        Origin::File { name: Arc::clone(&self.name), line: mark.line().max(1) }
    }

    fn problem(&self, mark: Marker, text: &str) -> Problem {
        Problem::new(self.origin(mark), "", text)
    }

    fn count(&mut self, mark: Marker, depth: usize, added: usize) -> Result<(), Problem> {
        self.nodes += added;
        if self.nodes > MAX_NODES {
            return Err(self.problem(mark, &format!("more than {MAX_NODES} values")));
        }
        if depth > MAX_DEPTH {
            return Err(self.problem(mark, &format!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'t>, mark: Marker, depth: usize, path: &str) -> Result<Node, Problem> {
        self.count(mark, depth, 1)?;
        let origin = self.origin(mark);
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => (scalar(text, style), anchor),
            Event::SequenceStart(anchor, _) => (self.list(depth, path)?, anchor),
            Event::MappingStart(anchor, _) => (self.mapping(mark, depth, path)?, anchor),
            Event::Alias(anchor) => return self.alias(anchor, mark, depth),
            _ => return Err(self.problem(mark, "not valid YAML: a value is missing")),
        };
        let node = Node { value, origin };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, mark: Marker, depth: usize) -> Result<Node, Problem> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(self.problem(mark, "an alias to an anchor that is not complete yet"));
        };
        let (node, size, below) = (node.clone(), size_of(node), depth_of(node));
        self.count(mark, depth + below, size)?;
        Ok(node)
    }

    fn list(&mut self, depth: usize, path: &str) -> Result<Value, Problem> {
        let mut elements = Vec::new();
        loop {
            let (event, mark) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Value::List(elements));
            }
            elements.push(self.node(event, mark, depth + 1, path)?);
        }
    }

    fn mapping(&mut self, start: Marker, depth: usize, path: &str) -> Result<Value, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut lines: BTreeMap<String, usize> = BTreeMap::new();
        let mut merged = Vec::new();
        loop {
            let (event, mark) = self.next()?;
            let key = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(self.problem(mark, "a key must be plain text")),
            };
            let key_path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let (event, value_mark) = self.next()?;
            let node = self.node(event, value_mark, depth + 1, &key_path)?;
            if key == "<<" {
                merged.push((node, mark));
                continue;
            }
            if let Some(first) = lines.insert(key.clone(), mark.line()) {
                let text = format!("duplicate key, first set in line {first}");
                return Err(Problem::new(self.origin(mark), key_path, text));
            }
            entries.push(Entry { key, origin: self.origin(mark), node });
        }
        for (node, mark) in merged {
            self.merge(&mut entries, node, mark)?;
        }
        self.count(start, depth, 0)?;
        Ok(Value::Map(entries))
    }

    /// `<<: *anchor`: what the mapping itself sets wins, then the first of several anchors.
    fn merge(&self, entries: &mut Vec<Entry>, node: Node, mark: Marker) -> Result<(), Problem> {
        let sources = match node.value {
            Value::List(elements) => elements,
            _ => vec![node],
        };
        for source in sources {
            let Value::Map(inherited) = source.value else {
                return Err(self.problem(mark, "<< must name a mapping or a list of mappings"));
            };
            for entry in inherited {
                if !entries.iter().any(|own| own.key == entry.key) {
                    entries.push(entry);
                }
            }
        }
        Ok(())
    }
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle) -> Value {
    let plain = style == ScalarStyle::Plain;
    if plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    Value::Scalar(Scalar { text: text.into_owned(), plain })
}

fn size_of(node: &Node) -> usize {
    let mut size = 1;
    for element in node.elements() {
        size += size_of(element);
    }
    for (_, child) in node.entries() {
        size += size_of(child);
    }
    size
}

fn depth_of(node: &Node) -> usize {
    let mut depth = 0;
    for element in node.elements() {
        depth = depth.max(1 + depth_of(element));
    }
    for (_, child) in node.entries() {
        depth = depth.max(1 + depth_of(child));
    }
    depth
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        parse_yaml("f.yaml", text).expect(text).to_json().to_string()
    }

    fn error(text: &str) -> String {
        parse_yaml("f.yaml", text).expect_err(text).to_string()
    }

    #[test]
    fn trees() {
        for (text, want) in [
            ("", "{}"),
            ("# only a comment\n", "{}"),
            ("---\na: 1\n...\n", r#"{"a":1}"#),
            ("a: {b: [1, x, '2', true, ~, 1.5e+06]}", r#"{"a":{"b":[1,"x","2",true,null,1500000.0]}}"#),
            ("a: &x {b: 1}\nc: *x", r#"{"a":{"b":1},"c":{"b":1}}"#),
            ("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3", r#"{"a":{"b":1,"c":2},"d":{"c":3,"b":1}}"#),
            ("a: |\n  two\n  lines\n", r#"{"a":"two\nlines\n"}"#),
            ("a: infinity", r#"{"a":"infinity"}"#),
        ] {
            assert_eq!(json(text), want, "{text}");
        }
    }

    #[test]
    fn lines_are_those_of_the_values() {
        let node = parse_yaml("f.yaml", "a:\n  b: 1\n  c:\n    - x\n    - y\n").unwrap();
        let c = node.child("a").and_then(|a| a.child("c")).unwrap();
        assert_eq!(c.elements()[1].origin().to_string(), "f.yaml:5");
    }

    #[test]
    fn refusals() {
        for (text, want) in [
            ("a: 1\nb: 2\na: 3", "f.yaml:3: a: duplicate key, first set in line 1"),
            ("s:\n  a: 1\n  a: 1", "f.yaml:3: s.a: duplicate key, first set in line 2"),
            ("a: 1\n---\nb: 2", "f.yaml:3: a second YAML document, only one is read"),
            ("[a]: 1", "f.yaml:1: a key must be plain text"),
            ("a: &x\n  b: *x", "f.yaml:2: an alias to an anchor that is not complete yet"),
            ("a:\n  <<: 3", "f.yaml:2: << must name a mapping or a list of mappings"),
        ] {
            assert_eq!(error(text), want, "{text}");
        }
        for text in ["a: [1", "a: 'x", "a:\n\tb: 1", "a: b: c", "*x", "a: !<x", "{a: 1}}", "a: \"\\q\""] {
            assert!(error(text).contains("not valid YAML: "), "{text}");
        }
    }

    #[test]
    fn bounds() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert!(error(&deep).contains("nested deeper than 64 levels"));
        let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (name, inner) in [("b", "a"), ("c", "b"), ("d", "c"), ("e", "d"), ("f", "e"), ("g", "f")] {
            let aliases = vec![format!("*{inner}"); 10].join(", ");
            bomb.push_str(&format!("{name}: &{name} [{aliases}]\n"));
        }
        assert!(error(&bomb).contains("more than 1048576 values"));
        assert_eq!(error(&" ".repeat(MAX_DOCUMENT_BYTES + 1)), "f.yaml: larger than 16 MB");
    }
}
