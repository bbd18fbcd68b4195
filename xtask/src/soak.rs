//! Tests that run in every build, for longer.

use std::path::Path;
use std::process::Command;

use crate::failure::Failure;

/// Needles that are cut from lines and looked for in the filters of segments.
const NEEDLES: &str = "1000000";

/// Whether all of them passed.
pub(crate) fn run(root: &Path) -> Result<bool, Failure> {
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(root)
        .args(["test", "--release", "-p", "larch-segment", "no_needle_of_a_line_is_missed"])
        .env("LARCH_SOAK_NEEDLES", NEEDLES);
    let status = cargo.status().map_err(|error| Failure::because("run cargo", error))?;
    Ok(status.success())
}
