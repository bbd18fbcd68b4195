//! The checks that keep the repository as its rules say. Each is a function from the root to what it
//! found, so that tests run it on small made-up repositories.

mod arrows;
mod banned;
mod budgets;
mod layers;
mod manifests;
pub(crate) mod metrics;
mod module_docs;
mod promql;
mod ratchet;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Instant;

use crate::failure::Failure;

/// One thing that is not as it should be, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Offence {
    /// Below the root, with `/`.
    path: String,
    /// From 1.
    line: usize,
    message: String,
}

impl Offence {
    fn new(path: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.into(), line, message: message.into() }
    }
}

impl std::fmt::Display for Offence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

type Check = fn(&Path) -> Result<Vec<Offence>, Failure>;

/// Those that need only the sources. Metric names also need a built `larch`.
const CHECKS: [Check; 5] =
    [arrows::check, manifests::check, module_docs::check, budgets::check, banned::check];

/// All checks of the sources, sorted by place.
pub(crate) fn check_sources(root: &Path) -> Result<Vec<Offence>, Failure> {
    let mut offences = Vec::new();
    for check in CHECKS {
        offences.extend(check(root)?);
    }
    offences.sort();
    Ok(offences)
}

/// The command: whether everything is in order.
#[expect(clippy::disallowed_methods, reason = "a person wants to know how long it took")]
pub(crate) fn run(root: &Path) -> Result<bool, Failure> {
    let start = Instant::now();
    let mut offences = check_sources(root)?;
    if metrics::are_named(root)? {
        match metrics::newest_binary(root)? {
            Some(binary) => offences.extend(metrics::check(root, &metrics::Inventory::ask(&binary)?)?),
            None => {
                println!("tidy: skipped the metric names: they are asked of a built larch, and there is none")
            }
        }
    }
    println!("{}, looked at in {:.1} s", report(&offences), start.elapsed().as_secs_f64());
    Ok(offences.is_empty())
}

/// The offences, a line each, and how many they are.
pub(crate) fn report(offences: &[Offence]) -> String {
    let mut report = String::new();
    for offence in offences {
        report.push_str(&format!("{offence}\n"));
    }
    match offences.len() {
        0 => report.push_str("tidy: everything is in order"),
        1 => report.push_str("tidy: 1 offence"),
        count => report.push_str(&format!("tidy: {count} offences")),
    }
    report
}

/// The first line of `text` that begins with the name `key`, else the first that holds it, else 1.
fn line_of_key(text: &str, key: &str) -> usize {
    let in_name = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let begins = |line: &str| {
        let rest = line.trim_start().trim_start_matches('[').strip_prefix(key);
        rest.is_some_and(|rest| !rest.starts_with(in_name))
    };
    let holds = |line: &str| {
        let mut places = line.match_indices(key).map(|(at, _)| (&line[..at], &line[at + key.len()..]));
        places.any(|(before, after)| !before.ends_with(in_name) && !after.starts_with(in_name))
    };
    let index = text.lines().position(begins).or_else(|| text.lines().position(holds));
    index.map_or(1, |index| index + 1)
}
