//! Checks that every section of the configuration must pass, so that each owner tests its own with data.

#![expect(clippy::expect_used, reason = "a test helper fails its test by panicking")]

use std::fmt::Debug;

use larch_types::{Fate, Section};
use serde::Serialize;
use serde_json::Value as Json;

/// Every key of a section with its default, one `path: value` a line, in the order of the fields.
///
/// It also holds the section to what the reader of configuration files relies on: the default passes its
/// own check, and no old key hides a key that exists.
#[track_caller]
pub fn defaults<S: Section>() -> String {
    let default = S::default();
    assert_eq!(default.check(), Ok(()), "the default must pass its own check");
    let lines = flat(&default);
    for (index, old) in S::OLD_KEYS.iter().enumerate() {
        assert!(well_formed(old.path), "old key {} is not a dotted path", old.path);
        let below = format!("{}.", old.path);
        for (path, _) in &lines {
            assert!(path != old.path && !path.starts_with(&below), "old key {} hides {path}", old.path);
        }
        for other in &S::OLD_KEYS[..index] {
            let covered = old.path == other.path || old.path.starts_with(&format!("{}.", other.path));
            assert!(!covered, "old key {} is listed after {}, which covers it", old.path, other.path);
        }
        match old.fate {
            Fate::MovedTo(target) => assert!(well_formed(target), "{target} is not a dotted path"),
            Fate::Meaningless(why) => assert!(!why.is_empty(), "{} needs a reason", old.path),
        }
    }
    let mut text = String::new();
    for (path, value) in lines {
        text.push_str(&format!("{path}: {value}\n"));
    }
    text
}

/// Reads a section from JSON, and holds every value given there against what the section then prints:
/// each must be kept as written and differ from its default. Prints and reads once more.
#[track_caller]
pub fn comes_back<S: Section + PartialEq + Debug>(given: &str) -> S {
    let given: Json = serde_json::from_str(given).expect("the test's JSON");
    let section: S = serde_json::from_value(given.clone()).expect("a section");
    let defaults = flat(&S::default());
    let shown = flat(&section);
    for (path, value) in leaves(&given) {
        let printed = shown.iter().find(|(name, _)| *name == path).map(|(_, value)| value.as_str());
        let masked = printed == Some("\"********\"");
        assert!(masked || printed == Some(value.as_str()), "{path}: {value} is printed as {printed:?}");
        assert!(!defaults.contains(&(path.clone(), value.clone())), "{path}: {value} is the default");
    }
    let again: S = serde_json::from_value(tree(&section)).expect("the printed section");
    assert_eq!(flat(&again), shown, "printing and reading must end where it began");
    section
}

/// Reads a section from JSON and gives why it is refused: by its types, or by its check.
#[track_caller]
pub fn refusal<S: Section + Debug>(given: &str) -> String {
    match serde_json::from_str::<S>(given) {
        Err(error) => {
            // The place inside the test's own JSON is noise.
            let text = error.to_string();
            text.split(" at line ").next().unwrap_or_default().to_owned()
        }
        Ok(section) => section.check().expect_err("must be refused").to_string(),
    }
}

/// The files that a section read from JSON asks for, as `key=path`.
#[track_caller]
pub fn files<S: Section>(given: &str) -> Vec<String> {
    let section: S = serde_json::from_str(given).expect("a section");
    section.files().iter().map(|file| format!("{}={}", file.key, file.path.display())).collect()
}

fn tree<S: Serialize>(section: &S) -> Json {
    serde_json::to_value(section).expect("sections serialize")
}

fn flat<S: Serialize>(section: &S) -> Vec<(String, String)> {
    leaves(&tree(section))
}

/// Lists and empty mappings are leaves: what is in them has no default.
fn leaves(tree: &Json) -> Vec<(String, String)> {
    let mut out = Vec::new();
    collect("", tree, &mut out);
    out
}

fn collect(prefix: &str, tree: &Json, out: &mut Vec<(String, String)>) {
    match tree {
        Json::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                collect(&path, value, out);
            }
        }
        leaf => out.push((prefix.to_owned(), leaf.to_string())),
    }
}

fn well_formed(path: &str) -> bool {
    let name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    path.split('.').all(name)
}
