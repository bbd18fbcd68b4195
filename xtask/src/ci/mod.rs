//! Everything that CI runs, in its order; it stops at the first failure.

mod deny;
mod test_run;

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::repository::{cargo, workspace};
use crate::tidy::metrics::{self, Inventory};
use crate::tidy::{self, Offence};

struct Step {
    name: &'static str,
    run: fn(&Path) -> Result<Passed, Failure>,
}

/// What the summary says of a step that did not fail.
#[derive(Default)]
struct Passed {
    note: Option<String>,
    /// Parts that could not run here, and why.
    skipped: Vec<String>,
}

const STEPS: [Step; 6] = [
    Step { name: "format", run: format },
    Step { name: "clippy", run: clippy },
    Step { name: "tidy", run: sources_are_tidy },
    Step { name: "deny", run: deny::run },
    Step { name: "tests", run: test_run::run },
    Step { name: "metric names", run: metric_names },
];

/// The command: whether everything passed.
pub(crate) fn run(root: &Path) -> Result<bool, Failure> {
    run_steps(root, &STEPS, &mut io::stdout()).map_err(|e| Failure::because("write to the terminal", e))
}

#[expect(clippy::disallowed_methods, reason = "a person wants to know how long each step took")]
fn run_steps(root: &Path, steps: &[Step], out: &mut dyn Write) -> io::Result<bool> {
    let mut summary = Vec::new();
    let mut skipped = Vec::new();
    let start = Instant::now();
    for step in steps {
        writeln!(out, "\n=== {}", step.name)?;
        out.flush()?;
        let step_start = Instant::now();
        let result = (step.run)(root);
        let took = seconds(step_start.elapsed());
        match result {
            Ok(passed) => {
                writeln!(out, "=== {}: passed in {took}", step.name)?;
                let note = passed.note.map(|note| format!(": {note}")).unwrap_or_default();
                summary.push(format!("  {:<13} {took:>8}{note}", step.name));
                skipped.extend(passed.skipped.iter().map(|what| format!("  {}: {what}", step.name)));
            }
            Err(failure) => {
                writeln!(out, "{failure}")?;
                writeln!(
                    out,
                    "\nci: FAILED at `{}` after {took}; the steps after it did not run",
                    step.name
                )?;
                return Ok(false);
            }
        }
    }
    writeln!(out, "\n=== summary")?;
    for line in summary {
        writeln!(out, "{line}")?;
    }
    if !skipped.is_empty() {
        writeln!(out, "skipped:")?;
        for line in skipped {
            writeln!(out, "{line}")?;
        }
    }
    writeln!(out, "ci: passed in {}", seconds(start.elapsed()))?;
    Ok(true)
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn format(root: &Path) -> Result<Passed, Failure> {
    run_cargo(root, &["fmt", "--all", "--check"])
}

fn clippy(root: &Path) -> Result<Passed, Failure> {
    run_cargo(root, &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
}

/// Runs cargo on this terminal.
fn run_cargo(root: &Path, args: &[&str]) -> Result<Passed, Failure> {
    let command = format!("cargo {}", args.join(" "));
    println!("{command}");
    let status =
        cargo(root).args(args).status().map_err(|e| Failure::because(format!("start `{command}`"), e))?;
    if status.success() {
        Ok(Passed::default())
    } else {
        Err(Failure::new(format!("`{command}` failed: {status}")))
    }
}

fn sources_are_tidy(root: &Path) -> Result<Passed, Failure> {
    in_order(&tidy::check_sources(root)?)
}

/// After the tests, because they build the `larch` that is asked.
fn metric_names(root: &Path) -> Result<Passed, Failure> {
    if !metrics::are_named(root)? {
        return Ok(Passed {
            note: Some("no dashboard and no rule names one".to_owned()),
            ..Passed::default()
        });
    }
    let binary = workspace(root)?.target.join("debug/larch");
    in_order(&metrics::check(root, &Inventory::ask(&binary)?)?)
}

fn in_order(offences: &[Offence]) -> Result<Passed, Failure> {
    let report = tidy::report(offences);
    if offences.is_empty() {
        println!("{report}");
        Ok(Passed::default())
    } else {
        Err(Failure::new(report))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(_: &Path) -> Result<Passed, Failure> {
        Ok(Passed { note: Some("3 things".to_owned()), skipped: vec!["a tool is missing".to_owned()] })
    }

    fn fails(_: &Path) -> Result<Passed, Failure> {
        Err(Failure::new("it broke"))
    }

    #[track_caller]
    fn output(steps: &[Step], passed: bool) -> String {
        let mut out = Vec::new();
        assert_eq!(run_steps(Path::new("."), steps, &mut out).unwrap(), passed);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn stops_at_the_first_failure_and_says_so_last() {
        let text = output(
            &[
                Step { name: "one", run: passes },
                Step { name: "two", run: fails },
                Step { name: "three", run: passes },
            ],
            false,
        );
        let last: Vec<&str> = text.lines().rev().take(3).collect();
        assert!(last[0].starts_with("ci: FAILED at `two` after "), "{text}");
        assert_eq!(last[2], "it broke");
        assert!(!text.contains("three"), "{text}");
    }

    #[test]
    fn the_summary_names_what_was_skipped() {
        let text = output(&[Step { name: "one", run: passes }], true);
        let (_, summary) = text.split_once("=== summary\n").unwrap();
        let lines: Vec<&str> = summary.lines().collect();
        assert!(lines[0].starts_with("  one ") && lines[0].ends_with(" s: 3 things"), "{text}");
        assert_eq!(lines[1..3], ["skipped:", "  one: a tool is missing"]);
        assert!(lines[3].starts_with("ci: passed in "), "{text}");
    }
}
