//! The chores of the repository, each a command of `cargo xtask`: checking it, running what CI runs,
//! starting a server to play with.
//!
//! This package names no Larch crate, so that it builds when nothing else does.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for a person at a terminal")]

mod ci;
mod dev;
mod failure;
mod load_push;
mod repository;
mod rust_text;
#[cfg(test)]
mod scratch;
mod soak;
mod tidy;
mod tree;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::failure::Failure;

const HELP: &str = "\
cargo xtask COMMAND

  tidy    check arrows, manifests, module docs, sizes, banned texts and metric names
  ci      run everything that CI runs, in its order: format, clippy, tidy, deny, tests
  dev     build larch and run it on a temporary directory and a free port
            --debug          build without optimisation
            --for SECONDS    stop after that time instead of on Ctrl-C
  soak    run the tests that can go on for longer: a million needles in segments, ten thousand
          histories of rows, fifty clients
  load-push
          small pushes from many clients to a server that runs, and how long its answers took
            --address HOST:PORT --clients N --streams N --pushes N --bytes N --tenant NAME
  help    print this page
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the chore found everything in order.
fn run(args: &[String]) -> Result<bool, Failure> {
    let (command, rest) = match args {
        [] => ("help", args),
        [command, rest @ ..] => (command.as_str(), rest),
    };
    match command {
        "help" | "-h" | "--help" => {
            print!("{HELP}");
            Ok(true)
        }
        "tidy" => {
            takes_nothing(command, rest)?;
            tidy::run(&here()?)
        }
        "ci" => {
            takes_nothing(command, rest)?;
            ci::run(&here()?)
        }
        "soak" => {
            takes_nothing(command, rest)?;
            soak::run(&here()?)
        }
        "load-push" => load_push::run(&load_push::parse(rest)?),
        "dev" => {
            let options = dev::parse(rest)?;
            dev::run(&here()?, &options)?;
            Ok(true)
        }
        _ => Err(Failure::new(format!("`{command}` is not a command; `cargo xtask help` lists them"))),
    }
}

fn takes_nothing(command: &str, rest: &[String]) -> Result<(), Failure> {
    match rest {
        [] => Ok(()),
        [first, ..] => Err(Failure::new(format!("`{command}` takes no argument, and `{first}` was given"))),
    }
}

fn here() -> Result<PathBuf, Failure> {
    repository::find_root(Path::new("."))
}
