//! The command line: queries, pushes, rules, deletes, checks and backups.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod ask;
mod http;
mod segment;
mod store;

use std::process::ExitCode;

use store::Command;

const USAGE: &str = "\
usage: larchctl query|explain ADDRESS QUERY [--from TIME] [--to TIME] [--limit N] [--step TIME] [--direction WAY]
       larchctl instant ADDRESS QUERY [--time TIME] [--limit N]
       larchctl labels ADDRESS [NAME] [--from TIME] [--to TIME]
       larchctl series ADDRESS SELECTOR [--from TIME] [--to TIME]
       larchctl segment inspect|verify [--json] FILE
       larchctl catalog show [--json] [--tenant ID] [-config.file=FILE ...]
       larchctl catalog rebuild [--dry-run] [--json] [--tenant ID] [-config.file=FILE ...]
       larchctl verify [--json] [--tenant ID] [-config.file=FILE ...]

ADDRESS is that of a server, as host:port or http://host:port/prefix; these commands take --tenant ID and --json.
`verify` reads everything that is stored and exits with 1 if something is damaged. `catalog rebuild` announces
segments that no fact of the catalog names. Settings are those of the servers: the file, flags, environment.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["query", rest @ ..] => ask::run(ask::Command::Query, rest),
        ["explain", rest @ ..] => ask::run(ask::Command::Explain, rest),
        ["instant", rest @ ..] => ask::run(ask::Command::Instant, rest),
        ["labels", rest @ ..] => ask::run(ask::Command::Labels, rest),
        ["series", rest @ ..] => ask::run(ask::Command::Series, rest),
        ["segment", rest @ ..] => segment::run(rest),
        ["catalog", "show", rest @ ..] => store::run(Command::Show, rest),
        ["catalog", "rebuild", rest @ ..] => store::run(Command::Rebuild, rest),
        ["verify", rest @ ..] => store::run(Command::Verify, rest),
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
        Err(Failure::Found(text)) => {
            println!("{text}");
            ExitCode::FAILURE
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
    /// It did, and something is wrong with what it looked at; this says what.
    Found(String),
}
