//! The command line: queries, pushes, rules, deletes, checks and backups.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod segment;

use std::process::ExitCode;

const USAGE: &str = "usage: larchctl segment inspect|verify [--json] FILE";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["segment", rest @ ..] => segment::run(rest),
        ["--help" | "-h" | "help"] => Ok(USAGE.to_owned()),
        _ => Err(Failure::Usage),
    };
    match result {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(Failure::Usage) => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
        Err(Failure::Command(text)) => {
            eprintln!("larchctl: {text}");
            ExitCode::FAILURE
        }
    }
}

/// Why a command did not do what it should.
enum Failure {
    /// The command line makes no sense.
    Usage,
    Command(String),
}
