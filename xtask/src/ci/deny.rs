//! `cargo deny check`, as far as this machine allows: the tool may be missing, and its database of
//! advisories may be out of reach.

use std::path::Path;
use std::process::Stdio;

use super::{Passed, run_cargo};
use crate::failure::Failure;
use crate::repository::cargo;

pub(super) fn run(root: &Path) -> Result<Passed, Failure> {
    if !succeeds(root, &["deny", "--version"])? {
        let skipped = "all of it: cargo-deny is not installed (`cargo install cargo-deny --locked`)";
        println!("skipped {skipped}");
        return Ok(Passed { skipped: vec![skipped.to_owned()], ..Passed::default() });
    }
    run_cargo(root, &["deny", "check", "bans", "licenses", "sources"])?;
    if !succeeds(root, &["deny", "fetch", "db"])? {
        let skipped = "advisories: their database cannot be fetched";
        println!("skipped {skipped}");
        return Ok(Passed { skipped: vec![skipped.to_owned()], ..Passed::default() });
    }
    run_cargo(root, &["deny", "check", "advisories"])
}

/// Only asks: the answer is in the exit status.
fn succeeds(root: &Path, args: &[&str]) -> Result<bool, Failure> {
    let mut command = cargo(root);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().map_err(|e| Failure::because("start cargo", e))?;
    Ok(status.success())
}
