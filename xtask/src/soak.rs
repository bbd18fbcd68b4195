//! Tests that run in every build, for longer.

use std::path::Path;
use std::process::Command;

use crate::failure::Failure;

/// Needles that are cut from lines and looked for in the filters of segments.
const NEEDLES: &str = "1000000";

/// Histories of pushes, cuts, uploads and crashes that are held against a model.
const HISTORIES: &str = "10000";

/// Whether all of them passed.
pub(crate) fn run(root: &Path) -> Result<bool, Failure> {
    let needles = ["-p", "larch-segment", "no_needle_of_a_line_is_missed"];
    let histories = ["-p", "larch", "--test", "history"];
    Ok(passes(root, &needles, ("LARCH_SOAK_NEEDLES", NEEDLES))?
        && passes(root, &histories, ("LARCH_SOAK_HISTORIES", HISTORIES))?)
}

fn passes(root: &Path, test: &[&str], (variable, value): (&str, &str)) -> Result<bool, Failure> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["test", "--release"]).args(test).env(variable, value);
    let status = cargo.status().map_err(|error| Failure::because("run cargo", error))?;
    Ok(status.success())
}
