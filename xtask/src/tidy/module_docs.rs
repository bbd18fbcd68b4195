//! Every source says on its first line what it is for.
//!
//! Excepted are folders of data (see `tree.rs`) and files called `tests.rs`: their name and the module
//! that they test say it.

use std::path::Path;

use super::Offence;
use crate::failure::Failure;
use crate::tree::rust_sources;

pub(super) fn check(root: &Path) -> Result<Vec<Offence>, Failure> {
    let mut offences = Vec::new();
    for file in rust_sources(root)? {
        if file.name() == "tests.rs" {
            continue;
        }
        let text = file.text()?.unwrap_or_default();
        if !text.lines().next().is_some_and(is_doc) {
            let message = "the file does not begin with a module doc: say on its first line what it is for";
            offences.push(Offence::new(file.path, 1, message));
        }
    }
    Ok(offences)
}

/// One word at least: a lone full stop is no doc.
fn is_doc(line: &str) -> bool {
    line.strip_prefix("//!").is_some_and(|doc| doc.contains(char::is_alphabetic))
}
