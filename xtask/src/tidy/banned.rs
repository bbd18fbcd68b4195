//! Texts that must not stand in the repository: unfinished work, skipped tests, code that differs
//! under test, and paths of somebody's machine.

use std::path::Path;

use super::Offence;
use crate::failure::Failure;
use crate::rust_text::mask;
use crate::tree::{File, files};

/// Looked for in code only: in a string or a comment they are talked about, not used.
const IN_CODE: [(&str, &str); 6] = [
    ("todo!(", "finish it"),
    ("unimplemented!(", "finish it"),
    ("dbg!(", "remove it, or log through larch-telemetry"),
    ("#[ignore", "a test that does not run is no test: run it or remove it"),
    ("cfg(not(test))", "what is tested is what is shipped: make the difference a setting"),
    ("cfg!(not(test))", "what is tested is what is shipped: make the difference a setting"),
];

/// Looked for in comments too. In pieces, so that this file does not hold them.
const WORDS: [[&str; 2]; 2] = [["TO", "DO"], ["FIX", "ME"]];

/// First folders of paths that mean something on one machine only: homes, and where CI runners and
/// development containers check out.
const MACHINE_FOLDERS: [&str; 6] = ["home", "root", "Users", "work", "workspace", "workspaces"];

/// What a person writes for a machine to run or read; no extension is a script or a Dockerfile.
const SOURCES: [&str; 10] = ["rs", "toml", "proto", "sh", "yaml", "yml", "tpl", "tf", "py", ""];

pub(super) fn check(root: &Path) -> Result<Vec<Offence>, Failure> {
    let mut offences = Vec::new();
    for file in files(root)? {
        let is_source = SOURCES.contains(&file.extension());
        let is_prose = file.extension() == "md";
        if file.is_data() || !(is_source || is_prose) {
            continue;
        }
        let Some(text) = file.text()? else { continue };
        if file.extension() == "rs" {
            check_code(&file, &text, &mut offences);
        }
        for (index, line) in text.lines().enumerate() {
            if is_source && let Some(word) = unfinished(line) {
                let message = format!("`{word}`: do it, or write down elsewhere that it is to be done");
                offences.push(Offence::new(&file.path, index + 1, message));
            }
            if let Some(path) = machine_path(line) {
                let message = format!("`{path}` is a path of one machine: name it relative to something");
                offences.push(Offence::new(&file.path, index + 1, message));
            }
        }
    }
    Ok(offences)
}

fn check_code(file: &File, text: &str, offences: &mut Vec<Offence>) {
    for (index, line) in mask(text).lines().enumerate() {
        for (banned, advice) in IN_CODE {
            if line.contains(banned) {
                offences.push(Offence::new(&file.path, index + 1, format!("`{banned}`: {advice}")));
            }
        }
    }
}

/// The first of the banned words that stands alone in the line.
fn unfinished(line: &str) -> Option<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for word in WORDS.map(|pieces| pieces.concat()) {
        for (at, _) in line.match_indices(&word) {
            if !line[..at].ends_with(is_word) && !line[at + word.len()..].starts_with(is_word) {
                return Some(word);
            }
        }
    }
    None
}

/// The first absolute path in the line that leads below a machine's own folders.
fn machine_path(line: &str) -> Option<String> {
    // A path begins where no other path, address or name goes on.
    let continues =
        |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '}' | ')' | '*' | '>');
    for (at, _) in line.match_indices('/') {
        if line[..at].ends_with(continues) {
            continue;
        }
        let path = &line[at..];
        let first = path[1..].split_once('/').map(|(first, _)| first);
        if first.is_some_and(|first| MACHINE_FOLDERS.contains(&first)) {
            let end = path.find(|c: char| c.is_whitespace() || "\"'`<>)],;".contains(c));
            return Some(path[..end.unwrap_or(path.len())].to_owned());
        }
    }
    None
}
