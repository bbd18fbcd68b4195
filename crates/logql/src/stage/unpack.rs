//! `unpack`: undoes what a collector's `pack` stage did to a line.

use crate::stage::name::sanitize;
use crate::stage::scan::{JsonFault, Members, ValueKind};
use crate::stage::text::{json_key, push_unescaped};
use crate::stage::{ErrorName, Hints, Row};

/// The member that holds the original line.
const ENTRY: &[u8] = b"_entry";

const NOT_AN_OBJECT: &str = "expecting json object(6), but it is not";

#[derive(Debug, Clone)]
pub struct Unpack {
    hints: Hints,
}

impl Unpack {
    pub fn new(hints: Hints) -> Self {
        Self { hints }
    }

    /// Only with an entry the other members become labels, and only those that are strings.
    pub fn run(&self, row: &mut Row<'_>) {
        let text = row.line.bytes();
        if self.hints.is_nothing() || text.is_empty() {
            return;
        }
        if text[0] != b'{' {
            row.labels.set_parser_error(ErrorName::Json, Some(NOT_AN_OBJECT), &self.hints);
            return;
        }
        match self.walk(row, Pass::FindEntry) {
            Ok(false) => {}
            // The first pass saw the whole object, so that the second does not fail.
            Ok(true) if self.walk(row, Pass::Labels).is_ok() => {
                let entry = &row.scratch.bytes;
                row.line.replace(|_, out| {
                    out.extend_from_slice(entry);
                    true
                });
            }
            Ok(true) => {}
            Err(fault) => {
                row.labels.set_parser_error(ErrorName::Json, Some(&fault.to_string()), &self.hints);
            }
        }
    }

    /// Whether there is an entry, which is then in the buffer of bytes. Labels are written in a second pass
    /// because damage behind them must leave none.
    fn walk(&self, row: &mut Row<'_>, pass: Pass) -> Result<bool, JsonFault> {
        let Row { line, labels, scratch, .. } = row;
        let mut has_entry = false;
        let mut members = Members::new(line.bytes())?;
        while let Some((raw, is_escaped)) = members.key()? {
            let key = json_key(raw, is_escaped).ok_or(JsonFault::Escape)?;
            let value = members.value()?;
            if value.kind != ValueKind::String {
                members.advance()?;
                continue;
            }
            match pass {
                Pass::FindEntry if *key == *ENTRY => {
                    has_entry = true;
                    scratch.bytes.clear();
                    push_unescaped(&mut scratch.bytes, value.text);
                }
                Pass::Labels if *key != *ENTRY && sanitize(&mut scratch.name, &key) => {
                    // Whether the name is taken is asked of the key as it is written.
                    let suffix = str::from_utf8(&key).map_or("", |key| labels.suffix_for(key));
                    let write = |out: &mut Vec<u8>| push_unescaped(out, value.text);
                    labels.extract_as(&scratch.name, suffix, &self.hints, write);
                }
                _ => {}
            }
            members.advance()?;
        }
        Ok(has_entry)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    FindEntry,
    Labels,
}
