//! The README's command for the tests. Cargo's lines pass through as they come, and are counted: one
//! sum at the end says more than a hundred lines of which most are of empty doc tests.

use std::io::{self, BufRead, BufReader, PipeReader, Write};
use std::path::Path;

use super::Passed;
use crate::failure::Failure;
use crate::repository::cargo;

const ARGS: [&str; 3] = ["test", "--workspace", "--locked"];

pub(super) fn run(root: &Path) -> Result<Passed, Failure> {
    let name = format!("cargo {}", ARGS.join(" "));
    println!("{name}");
    let failed = |e| Failure::because(format!("run `{name}`"), e);
    let (reader, writer) = io::pipe().map_err(failed)?;
    // One pipe for both keeps cargo's names of the test suites before their results.
    let mut command = cargo(root);
    command.args(ARGS).stdout(writer.try_clone().map_err(failed)?).stderr(writer);
    let mut child = command.spawn().map_err(failed)?;
    // The command holds the pipe's writing ends; the reader would wait for them for ever.
    drop(command);
    let counted = pass_through(reader).map_err(failed);
    let status = child.wait().map_err(failed)?;
    let counts = counted?;
    if !status.success() {
        return Err(Failure::new(format!("`{name}` failed: {status}; so far {}", counts.text())));
    }
    if counts.passed == 0 {
        return Err(Failure::new(format!("`{name}` ran no test")));
    }
    let mut skipped = Vec::new();
    if counts.ignored > 0 {
        skipped.push(format!("{} ignored tests", counts.ignored));
    }
    Ok(Passed { note: Some(counts.text()), skipped })
}

fn pass_through(reader: PipeReader) -> io::Result<Counts> {
    let mut counts = Counts::default();
    let mut reader = BufReader::new(reader);
    let mut out = io::stdout();
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        counts.add(&String::from_utf8_lossy(&line));
        out.write_all(&line)?;
        line.clear();
    }
    out.flush()?;
    Ok(counts)
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    suites: u64,
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`
    fn add(&mut self, line: &str) {
        let Some((_, numbers)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        self.suites += 1;
        for part in numbers.split(';') {
            match part.trim().split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                Some((number, "ignored")) => self.ignored += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }

    fn text(&self) -> String {
        let Self { suites, passed, failed, ignored } = self;
        format!("{passed} passed, {failed} failed, {ignored} ignored in {suites} suites")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_results_of_all_suites() {
        let output = "\
running 2 tests
test a ... ok
test test result: ok. 9 passed ... ok
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
note: test result: ok. 9 passed;
test result: FAILED. 10 passed; 1 failed; 3 ignored; 0 measured; 7 filtered out; finished in 1.00s
";
        let mut counts = Counts::default();
        for line in output.lines() {
            counts.add(line);
        }
        assert_eq!(counts, Counts { suites: 2, passed: 12, failed: 1, ignored: 3 });
    }
}
