//! Tests that run in every build, for longer.

use std::path::Path;
use std::process::Command;

use crate::failure::Failure;

/// Needles that are cut from lines and looked for in the filters of segments.
const NEEDLES: &str = "1000000";

/// Histories of pushes, cuts, uploads and crashes that are held against a model.
const HISTORIES: &str = "10000";

/// How long clients ask, once one tenant alone and once two.
const SECONDS: &str = "60";

/// How long the store is away, at least.
const OUTAGE_SECONDS: &str = "10";

/// Whether all of them passed.
pub(crate) fn run(root: &Path) -> Result<bool, Failure> {
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(root)
        .args(["test", "--release", "-p", "larch-segment", "no_needle_of_a_line_is_missed"])
        .env("LARCH_SOAK_NEEDLES", NEEDLES);
    Ok(passes(cargo)? && histories(root)? && clients(root)? && outage(root)?)
}

fn histories(root: &Path) -> Result<bool, Failure> {
    let mut test = Command::new("cargo");
    test.current_dir(root)
        .args(["test", "--release", "--package", "larch", "--test", "history"])
        .env("LARCH_SOAK_HISTORIES", HISTORIES);
    passes(test)
}

/// Fifty clients of two tenants, on a server that is built for it.
fn clients(root: &Path) -> Result<bool, Failure> {
    let mut build = Command::new("cargo");
    build.current_dir(root).args(["build", "--release", "--package", "larch"]);
    let mut test = Command::new("cargo");
    test.current_dir(root)
        .args(["test", "--release", "--package", "larch-tests", "--test", "clients", "--", "--nocapture"])
        .env("LARCH_SOAK_SECONDS", SECONDS);
    Ok(passes(build)? && passes(test)?)
}

/// On the server that was built for the clients.
fn outage(root: &Path) -> Result<bool, Failure> {
    let mut test = Command::new("cargo");
    test.current_dir(root)
        .args(["test", "--release", "--package", "larch-tests", "--test", "outage"])
        .env("LARCH_SOAK_OUTAGE_SECONDS", OUTAGE_SECONDS);
    passes(test)
}

fn passes(mut cargo: Command) -> Result<bool, Failure> {
    let status = cargo.status().map_err(|error| Failure::because("run cargo", error))?;
    Ok(status.success())
}
