//! A process that installs its telemetry, seen from outside.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use larch_telemetry::{InstallError, LogFormat, LogLevel, LogOptions, Options, Registry, install};
use larch_types::Timestamp;

fn options() -> Options {
    let log = LogOptions {
        level: LogLevel::Info,
        format: LogFormat::Logfmt,
        clock: Arc::new(|| Timestamp::from_secs(1_700_000_000)),
        metrics: Registry::default(),
    };
    Options { log }
}

#[test]
fn installs_once_and_writes_to_standard_error() {
    let telemetry = install(options()).unwrap();
    tracing::info!(target: "larch", tenant = "a", "first");
    tracing::debug!(target: "larch", "too early");
    telemetry.level().set(LogLevel::Debug);
    tracing::debug!(target: "larch", "second");
    assert!(telemetry.flush(Duration::from_secs(60)));
    assert!(matches!(install(options()), Err(InstallError::Installed)));
}

#[test]
fn the_lines_are_there_when_the_process_ends() {
    let this = std::env::current_exe().unwrap();
    let arguments = ["--exact", "installs_once_and_writes_to_standard_error", "--nocapture"];
    let output = Command::new(this).args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    let begin = |level| format!("ts=2023-11-14T22:13:20.000000Z level={level} target=larch msg");
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("target=larch ")).collect();
    assert_eq!(lines, [format!("{}=first tenant=a", begin("info")), format!("{}=second", begin("debug"))]);
}
