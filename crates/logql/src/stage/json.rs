//! `json`: every member of an object becomes a label.

use crate::stage::labels::RowLabels;
use crate::stage::name::append_part;
use crate::stage::scan::{JsonFault, Members, Value, ValueKind};
use crate::stage::text::{push_unescaped, unescape_json};
use crate::stage::{ErrorName, Extracted, Hints, Row};

/// Objects inside one another; deeper ones count as damage.
const MAX_DEPTH: usize = 128;

#[derive(Debug, Clone)]
pub struct Json {
    hints: Hints,
}

/// Why the walk ended before the line did.
enum Stop {
    Fault(JsonFault),
    /// Nothing more is needed.
    Enough,
}

impl From<JsonFault> for Stop {
    fn from(fault: JsonFault) -> Self {
        Self::Fault(fault)
    }
}

impl Json {
    pub fn new(hints: Hints) -> Self {
        Self { hints }
    }

    pub fn run(&self, row: &mut Row<'_>) {
        if self.hints.is_nothing() {
            return;
        }
        let Row { line, labels, scratch, .. } = row;
        scratch.name.clear();
        let mut walk = Walk { labels, hints: &self.hints, name: &mut scratch.name, key: &mut scratch.bytes };
        if let Err(Stop::Fault(fault)) = walk.object(line.bytes(), 0) {
            labels.set_parser_error(ErrorName::Json, Some(&fault.to_string()), &self.hints);
        }
    }
}

struct Walk<'w, 'a> {
    labels: &'w mut RowLabels<'a>,
    hints: &'w Hints,
    /// The parts of the path so far, joined.
    name: &'w mut String,
    /// For keys with escapes.
    key: &'w mut Vec<u8>,
}

impl Walk<'_, '_> {
    fn object(&mut self, text: &[u8], depth: usize) -> Result<(), Stop> {
        if depth >= MAX_DEPTH {
            return Err(JsonFault::Malformed.into());
        }
        let mut members = Members::new(text)?;
        while let Some((key, is_escaped)) = members.key()? {
            let parent = self.name.len();
            self.append_key(key, is_escaped)?;
            self.member(members.value()?, depth)?;
            self.name.truncate(parent);
            members.advance()?;
        }
        Ok(())
    }

    fn append_key(&mut self, key: &[u8], is_escaped: bool) -> Result<(), Stop> {
        if !is_escaped {
            append_part(self.name, key);
            return Ok(());
        }
        self.key.clear();
        if !unescape_json(self.key, key) {
            return Err(JsonFault::Escape.into());
        }
        append_part(self.name, self.key);
        Ok(())
    }

    fn member(&mut self, value: Value<'_>, depth: usize) -> Result<(), Stop> {
        if value.kind == ValueKind::Object {
            if self.hints.wants_prefix(self.name) {
                self.object(value.text, depth + 1)?;
            }
            return Ok(());
        }
        // Nulls and arrays make no labels, and neither do blank names.
        if matches!(value.kind, ValueKind::Null | ValueKind::Array) || self.name.is_empty() {
            return Ok(());
        }
        let extracted = self.labels.extract(self.name, self.hints, |out| {
            if value.kind == ValueKind::String {
                push_unescaped(out, value.text);
            } else {
                out.extend_from_slice(value.text);
            }
        });
        if extracted == Extracted::Stored && self.labels.has_all(self.hints) {
            return Err(Stop::Enough);
        }
        Ok(())
    }
}
