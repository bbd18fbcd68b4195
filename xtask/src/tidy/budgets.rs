//! How long a file and a function may be. Tests do not count: what `#[cfg(test)]` leaves out of the
//! shipped code, files called `tests.rs`, and everything in a folder called `tests`.

use std::collections::BTreeMap;
use std::path::Path;

use super::Offence;
use super::ratchet::{self, Budget, Measured};
use crate::failure::Failure;
use crate::rust_text::{Items, scan};
use crate::tree::{File, rust_sources};

/// A file that takes more than some eight screens is proofread by nobody.
const FILE_LINES: usize = 500;

/// A function that does not fit on one tall screen hides its order of steps.
const FUNCTION_LINES: usize = 70;

pub(super) fn check(root: &Path) -> Result<Vec<Offence>, Failure> {
    let sources = shipped(root)?;
    let mut files = BTreeMap::new();
    let mut functions: BTreeMap<String, Measured> = BTreeMap::new();
    for source in &sources {
        let path = &source.path;
        let lines = source.lines - source.items.test_lines;
        files.insert(path.clone(), Measured { path: path.clone(), line: 1, lines });
        for function in &source.items.functions {
            let measured = Measured { path: path.clone(), line: function.line, lines: function.lines };
            let longest = functions.entry(format!("{path} {}", function.name)).or_insert(measured);
            if function.lines > longest.lines {
                (longest.line, longest.lines) = (function.line, function.lines);
            }
        }
    }
    let file_budget = Budget { list: "xtask/ratchet/files.txt", what: "file", lines: FILE_LINES };
    let function_budget =
        Budget { list: "xtask/ratchet/functions.txt", what: "function", lines: FUNCTION_LINES };
    let mut offences = ratchet::check(root, &file_budget, &files)?;
    offences.extend(ratchet::check(root, &function_budget, &functions)?);
    Ok(offences)
}

struct Source {
    path: String,
    lines: usize,
    items: Items,
}

/// All sources but those that only tests compile.
fn shipped(root: &Path) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    let mut test_modules = Vec::new();
    for file in rust_sources(root)? {
        if file.name() == "tests.rs" || file.is_below(&["tests"]) {
            continue;
        }
        let text = file.text()?.unwrap_or_default();
        let items = scan(&text);
        for module in &items.test_modules {
            test_modules.push(format!("{}/{module}", folder_of_modules(&file)));
        }
        sources.push(Source { path: file.path, lines: text.lines().count(), items });
    }
    sources.retain(|source| {
        let is_test = |module: &String| {
            let rest = source.path.strip_prefix(module.as_str());
            rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        !test_modules.iter().any(is_test)
    });
    Ok(sources)
}

/// Where the modules that a file declares lie.
fn folder_of_modules(file: &File) -> String {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    match name {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        _ => format!("{folder}/{}", name.trim_end_matches(".rs")),
    }
}
