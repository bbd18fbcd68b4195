//! Fields that a tenant wants beside each row: what labels, metadata or the line say under other names.

use std::borrow::Cow;
use std::collections::BTreeMap;

use larch_types::Labels;

use crate::discover::{normalized_name, readable_value};
use crate::stage::{JsonPath, LogfmtReader, Members, ValueKind, push_unescaped};

/// Finds fields by one tenant's settings.
#[derive(Debug, Clone)]
pub struct FieldFinder {
    /// By name.
    fields: Vec<Field>,
}

#[derive(Debug, Clone)]
struct Field {
    /// As metadata has it.
    name: Box<str>,
    /// Where it is looked for, in this order.
    hints: Vec<Hint>,
}

#[derive(Debug, Clone)]
struct Hint {
    text: Box<str>,
    /// As metadata has it.
    normal: Box<str>,
    /// Names of members that lead to it in a JSON line.
    path: Vec<Box<[u8]>>,
}

impl FieldFinder {
    /// Names of fields, each with the names that it may have in labels, metadata and lines; in JSON lines
    /// these are paths such as `meta.pod`. `None` if there is nothing to look for. A field without a normal
    /// name is left out.
    pub fn new(fields: &BTreeMap<String, Vec<String>>) -> Option<Self> {
        let mut made = Vec::with_capacity(fields.len());
        for (name, hints) in fields {
            let hints: Vec<Hint> = hints.iter().map(|hint| Hint::new(hint)).collect();
            if let Ok(name) = normalized_name(name)
                && !hints.is_empty()
            {
                made.push(Field { name: name.into(), hints });
            }
        }
        (!made.is_empty()).then_some(Self { fields: made })
    }

    /// Visits each field that is found, with its value. `metadata` gives the value of a normalised name. A
    /// field that the metadata has already is not looked for.
    pub fn find<'r>(
        &self,
        labels: &'r Labels,
        metadata: impl Fn(&str) -> Option<&'r str>,
        line: &'r [u8],
        mut found: impl FnMut(&str, Cow<'r, str>),
    ) {
        for field in &self.fields {
            if metadata(&field.name).is_some() {
                continue;
            }
            let of_labels = || field.hints.iter().find_map(|hint| labels.get(&hint.text));
            let of_metadata = || field.hints.iter().find_map(|hint| metadata(&hint.normal));
            let given = of_labels().or_else(of_metadata).map(Cow::Borrowed);
            if let Some(value) = given.or_else(|| field.in_line(line)).filter(|value| !value.is_empty()) {
                found(&field.name, value);
            }
        }
    }
}

impl Hint {
    fn new(text: &str) -> Self {
        let path = match JsonPath::parse(text) {
            Ok(path) => path.names().to_vec(),
            // Not a path, but it may be the name of a member.
            Err(_) => vec![text.as_bytes().into()],
        };
        let normal = normalized_name(text).map_or_else(|_| text.into(), Into::into);
        Self { text: text.into(), normal, path }
    }
}

impl Field {
    fn in_line<'r>(&self, line: &'r [u8]) -> Option<Cow<'r, str>> {
        let trimmed = line.trim_ascii();
        if trimmed.first() == Some(&b'{') && trimmed.last() == Some(&b'}') {
            return self.hints.iter().find_map(|hint| in_json(trimmed, &hint.path));
        }
        if memchr::memchr(b'=', line).is_some() { self.in_logfmt(line) } else { None }
    }

    /// The pair whose key is first in the list. Damage ends the search.
    fn in_logfmt<'r>(&self, line: &'r [u8]) -> Option<Cow<'r, str>> {
        let mut best = self.hints.len();
        let mut found = None;
        let mut reader = LogfmtReader::new(line);
        while let Some(Ok((key, value))) = reader.next() {
            let rank = self.hints.iter().position(|hint| hint.text.as_bytes() == key);
            if let Some(rank) = rank.filter(|rank| *rank < best) {
                best = rank;
                found = Some(match value {
                    Cow::Borrowed(value) => readable_value(value),
                    Cow::Owned(value) => Cow::Owned(readable_value(&value).into_owned()),
                });
                if rank == 0 {
                    break;
                }
            }
        }
        found
    }
}

/// The value at a path of member names, as text. The path bounds how deep it goes.
fn in_json<'r>(object: &'r [u8], path: &[Box<[u8]>]) -> Option<Cow<'r, str>> {
    let (name, rest) = path.split_first()?;
    let mut members = Members::new(object).ok()?;
    while let Ok(Some((key, _))) = members.key() {
        let value = members.value().ok()?;
        if key == &**name {
            return match value.kind {
                ValueKind::Object if !rest.is_empty() => in_json(value.text, rest),
                ValueKind::String if rest.is_empty() => Some(text_of(value.text)),
                ValueKind::Number | ValueKind::Bool if rest.is_empty() => Some(readable_value(value.text)),
                _ => None,
            };
        }
        members.advance().ok()?;
    }
    None
}

/// The inside of a JSON string without its escapes.
fn text_of(inside: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', inside).is_none() {
        return readable_value(inside);
    }
    let mut text = Vec::with_capacity(inside.len());
    push_unescaped(&mut text, inside);
    Cow::Owned(readable_value(&text).into_owned())
}

/// Any bytes as a line.
pub fn fuzz_fields(line: &[u8]) {
    let hints = vec!["a.b".to_owned(), "level".to_owned(), "x-y".to_owned()];
    let fields = BTreeMap::from([("found".to_owned(), hints)]);
    if let Some(finder) = FieldFinder::new(&fields) {
        let check = |name: &str, value: Cow<'_, str>| {
            assert!(name == "found" && value.len() <= 3 * line.len(), "no more than the line says");
        };
        finder.find(&Labels::default(), |_| None, line, check);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(labels: &[(&str, &str)], metadata: &[(&str, &str)], line: &str, want: &[(&str, &str)]) {
        let labels = Labels::from_pairs(labels.iter().copied()).unwrap();
        let hints = |hints: &[&str]| hints.iter().map(|hint| (*hint).to_owned()).collect::<Vec<_>>();
        let fields = BTreeMap::from([
            ("pod".to_owned(), hints(&["pod", "k8s.pod", "meta[\"the pod\"]"])),
            ("trace.id".to_owned(), hints(&["traceID", "trace-id"])),
            ("...".to_owned(), hints(&["a"])),
            ("empty".to_owned(), Vec::new()),
        ]);
        let finder = FieldFinder::new(&fields).unwrap();
        let get = |name: &str| metadata.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let mut found = Vec::new();
        finder.find(&labels, get, line.as_bytes(), |name, value| {
            found.push((name.to_owned(), value.into_owned()));
        });
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, want, "{labels} {metadata:?} {line}");
    }

    #[test]
    fn labels_then_metadata_then_the_line() {
        let line = r#"{"pod":"line","trace-id":7}"#;
        check(&[("pod", "label")], &[("k8s_pod", "meta")], line, &[("pod", "label"), ("trace_id", "7")]);
        check(&[], &[("k8s_pod", "meta")], line, &[("pod", "meta"), ("trace_id", "7")]);
        check(&[], &[("pod", "own"), ("trace_id", "own")], line, &[]);
        check(&[], &[], line, &[("pod", "line"), ("trace_id", "7")]);
    }

    #[test]
    fn in_lines() {
        for (line, want) in [
            (r#"{"k8s":{"pod":"a\"b"}}"#, &[("pod", "a\"b")][..]),
            (r#"{"meta":{"the pod":true}}"#, &[("pod", "true")]),
            (r#"{"k8s":{"pod":"second"},"pod":"first"}"#, &[("pod", "first")]),
            (r#"{"pod":{"x":1},"traceID":null}"#, &[]),
            (r#"{"pod":"", "traceID":"t"}"#, &[("trace_id", "t")]),
            (r#"{"broken":1,,"pod":"x"}"#, &[]),
            ("trace-id=b traceID=\"a c\" pod=p", &[("pod", "p"), ("trace_id", "a c")]),
            ("k8s.pod=dotted", &[("pod", "dotted")]),
            ("pod", &[]),
            ("", &[]),
        ] {
            check(&[], &[], line, want);
        }
    }

    #[test]
    fn nothing_to_look_for() {
        assert!(FieldFinder::new(&BTreeMap::new()).is_none());
        let unusable = BTreeMap::from([("...".to_owned(), vec!["a".to_owned()]), ("x".to_owned(), vec![])]);
        assert!(FieldFinder::new(&unusable).is_none());
    }
}
