//! `logfmt a="key"`: only the values of given keys.

use crate::stage::logfmt::set_fault;
use crate::stage::logfmt_reader::LogfmtReader;
use crate::stage::name::sanitize;
use crate::stage::path::parse_logfmt_key;
use crate::stage::text::push_readable;
use crate::stage::{Hints, LogfmtFlags, Row, StageError};

#[derive(Debug, Clone)]
pub struct LogfmtKeys {
    flags: LogfmtFlags,
    extractions: Vec<Extraction>,
    hints: Hints,
}

#[derive(Debug, Clone)]
struct Extraction {
    name: Box<str>,
    key: Box<str>,
}

impl LogfmtKeys {
    /// Names of labels and the keys of their values. Of the hints only "nothing is needed" counts.
    pub fn new(
        flags: LogfmtFlags,
        extractions: Vec<(String, String)>,
        hints: Hints,
    ) -> Result<Self, StageError> {
        let mut checked = Vec::with_capacity(extractions.len());
        for (name, path) in extractions {
            let key = parse_logfmt_key(&path)?.into();
            checked.push(Extraction { name: name.into(), key });
        }
        Ok(Self { flags, extractions: checked, hints })
    }

    /// A key that the line does not have gives an empty label. Of several pairs with one key the last counts.
    pub fn run(&self, row: &mut Row<'_>) {
        if self.hints.is_nothing() {
            return;
        }
        let Row { line, labels, scratch, .. } = row;
        for Extraction { name, .. } in &self.extractions {
            if !labels.is_taken(name) {
                labels.set(name, b"");
            }
        }
        let mut reader = LogfmtReader::new(line.bytes());
        while let Some(pair) = reader.next() {
            let (key, value) = match pair {
                Ok(pair) => pair,
                Err(fault) if self.flags.strict => {
                    set_fault(labels, &fault, &self.hints);
                    return;
                }
                Err(_) => continue,
            };
            if !sanitize(&mut scratch.name, key) {
                continue;
            }
            for name in self.names_for(&scratch.name) {
                labels.assign(name, |out| push_readable(out, &value));
            }
        }
    }

    /// The labels whose key it is. A key that only is the name of one assigns that one too.
    fn names_for<'s>(&'s self, key: &'s str) -> impl Iterator<Item = &'s str> {
        let by_key = self.extractions.iter().any(|extraction| *extraction.key == *key);
        let matches = move |extraction: &&Extraction| {
            if by_key { *extraction.key == *key } else { *extraction.name == *key }
        };
        self.extractions.iter().filter(matches).map(|extraction| &*extraction.name)
    }
}
