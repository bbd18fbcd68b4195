//! Budgets with a list of the exceptions of today, which may only shrink.

use std::collections::BTreeMap;
use std::path::Path;

use super::Offence;
use crate::failure::{Failure, read};

pub(super) struct Budget {
    /// The list of exceptions, below the root.
    pub(super) list: &'static str,
    pub(super) what: &'static str,
    pub(super) lines: usize,
}

pub(super) struct Measured {
    pub(super) path: String,
    pub(super) line: usize,
    pub(super) lines: usize,
}

struct Entry {
    line: usize,
    lines: usize,
}

/// `measured` goes by the name under which the list would hold it.
pub(super) fn check(
    root: &Path,
    budget: &Budget,
    measured: &BTreeMap<String, Measured>,
) -> Result<Vec<Offence>, Failure> {
    let (entries, mut offences) = load(root, budget)?;
    for (name, present) in measured {
        if present.lines <= budget.lines {
            continue;
        }
        let Measured { path, line, lines } = present;
        let what = budget.what;
        let message = match entries.get(name) {
            None => {
                format!("this {what} has {lines} lines outside tests, {} are allowed: split it", budget.lines)
            }
            Some(entry) if entry.lines < *lines => {
                format!(
                    "this {what} grew from {} to {lines} lines, and {} only shrinks",
                    entry.lines, budget.list
                )
            }
            Some(_) => continue,
        };
        offences.push(Offence::new(path, *line, message));
    }
    for (name, entry) in &entries {
        let message = match measured.get(name) {
            None => format!("there is no `{name}` any more: remove this line"),
            Some(present) if present.lines <= budget.lines => {
                format!("`{name}` is within the budget now: remove this line")
            }
            Some(present) if present.lines < entry.lines => {
                format!("`{name}` has only {0} lines now: write {0}", present.lines)
            }
            Some(_) => continue,
        };
        offences.push(Offence::new(budget.list, entry.line, message));
    }
    Ok(offences)
}

fn load(root: &Path, budget: &Budget) -> Result<(BTreeMap<String, Entry>, Vec<Offence>), Failure> {
    let mut entries = BTreeMap::new();
    let mut offences = Vec::new();
    for (index, text) in read(&root.join(budget.list))?.lines().enumerate() {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let line = index + 1;
        let parsed = text.split_once(' ').and_then(|(lines, name)| Some((lines.parse().ok()?, name.trim())));
        let Some((lines, name)) = parsed else {
            offences.push(Offence::new(
                budget.list,
                line,
                format!("`{text}` is not a number of lines and a name"),
            ));
            continue;
        };
        if entries.insert(name.to_owned(), Entry { line, lines }).is_some() {
            offences.push(Offence::new(budget.list, line, format!("`{name}` is listed twice")));
        }
    }
    Ok((entries, offences))
}
