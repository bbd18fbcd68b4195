//! What every package inherits from the workspace, and how its folder is called.

use std::path::Path;

use toml::{Table, Value};

use super::{Offence, line_of_key};
use crate::failure::{Failure, read};
use crate::repository::{Member, workspace};

const INHERITED: [&str; 5] = ["version", "edition", "rust-version", "license", "publish"];

const DEPENDENCIES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Packages whose folder is not called as they are, minus `larch-`.
const NAMED_OTHERWISE: [(&str, &str); 5] = [
    ("services/larch", "larch"),
    ("services/larchctl", "larchctl"),
    ("tests", "larch-tests"),
    ("bench", "larch-bench"),
    ("xtask", "xtask"),
];

pub(super) fn check(root: &Path) -> Result<Vec<Offence>, Failure> {
    let mut offences = Vec::new();
    for member in workspace(root)?.members {
        let path = member.manifest();
        let text = read(&root.join(&path))?;
        let manifest: Table = text.parse().map_err(|e| Failure::because(format!("read {path}"), e))?;
        let mut add =
            |key: &str, message| offences.push(Offence::new(&path, line_of_key(&text, key), message));
        check_name(&member, &mut add);
        check_inheritance(&manifest, &mut add);
        for table in dependency_tables(&manifest) {
            check_dependencies(table, &mut add);
        }
    }
    Ok(offences)
}

fn check_name(member: &Member, add: &mut impl FnMut(&str, String)) {
    let folder = member.folder.as_str();
    let want = match NAMED_OTHERWISE.iter().find(|(own, _)| *own == folder) {
        Some((_, name)) => (*name).to_owned(),
        None => match folder.split_once('/') {
            Some(("crates" | "services", name)) if !name.contains('/') => format!("larch-{name}"),
            _ => {
                add("name", format!("no package lives in `{folder}`: move it to crates/ or services/"));
                return;
            }
        },
    };
    if member.name != want {
        add("name", format!("the package in `{folder}` is called `{want}`, not `{}`", member.name));
    }
}

fn check_inheritance(manifest: &Table, add: &mut impl FnMut(&str, String)) {
    for key in INHERITED {
        let value = manifest.get("package").and_then(|package| package.get(key));
        if !value.is_some_and(is_inherited) {
            add(key, format!("the package does not inherit its {key}: write `{key}.workspace = true`"));
        }
    }
    if !manifest.get("lints").is_some_and(is_inherited) {
        add(
            "lints",
            "the package does not inherit the lints: write `[lints]` and `workspace = true`".to_owned(),
        );
    }
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

/// The tables of a manifest that name dependencies, those of `[target.*]` too.
fn dependency_tables(manifest: &Table) -> Vec<&Table> {
    let mut holders = vec![manifest];
    if let Some(targets) = manifest.get("target").and_then(Value::as_table) {
        holders.extend(targets.values().filter_map(Value::as_table));
    }
    let mut tables = Vec::new();
    for holder in holders {
        for key in DEPENDENCIES {
            tables.extend(holder.get(key).and_then(Value::as_table));
        }
    }
    tables
}

fn check_dependencies(table: &Table, add: &mut impl FnMut(&str, String)) {
    for (name, value) in table {
        if !is_inherited(value) {
            add(
                name,
                format!(
                    "`{name}` says itself where it comes from: put that into [workspace.dependencies] of the \
                     root and write `{name}.workspace = true`"
                ),
            );
        }
    }
}
