//! A process that installs its telemetry, seen from outside.

use std::io;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use larch_telemetry::{
    InstallError, LogFormat, LogLevel, LogOptions, Options, Registry, TraceOptions, install,
};
use larch_types::Timestamp;

const PATIENCE: Duration = Duration::from_secs(60);

fn options(endpoint: String) -> Options {
    let metrics = Registry::default();
    let log = LogOptions {
        level: LogLevel::Info,
        format: LogFormat::Logfmt,
        clock: Arc::new(|| Timestamp::from_secs(1_700_000_000)),
        metrics: metrics.clone(),
    };
    let trace = TraceOptions {
        endpoint,
        ca: None,
        service_name: "larch".to_owned(),
        sample_ratio: 1.0,
        random: Arc::new(|| 1),
        metrics,
    };
    Options { log, trace: Some(trace) }
}

/// Where nobody listens any more.
fn deaf_collector() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(format!("http://{}", listener.local_addr()?))
}

#[tokio::test]
async fn installs_once_and_writes_to_standard_error() {
    assert!(matches!(install(options("collector".to_owned())), Err(InstallError::Export(_))));
    let mut telemetry = install(options(deaf_collector().unwrap())).unwrap();
    tracing::info!(target: "larch", tenant = "a", "first");
    tracing::debug!(target: "larch", "too early");
    telemetry.level().set(LogLevel::Debug);
    tracing::debug!(target: "larch", "second");
    drop(tracing::info_span!(target: "larch", "span"));
    let task = telemetry.take_export_task().unwrap();
    assert!(telemetry.take_export_task().is_none());
    let (finished, ()) = tokio::join!(telemetry.finish_spans(PATIENCE), task.run());
    assert!(finished && telemetry.flush_lines(PATIENCE));
    assert!(matches!(install(options(deaf_collector().unwrap())), Err(InstallError::Installed)));
}

#[test]
fn the_lines_are_there_when_the_process_ends() {
    let this = std::env::current_exe().unwrap();
    let arguments = ["--exact", "installs_once_and_writes_to_standard_error", "--nocapture"];
    let output = Command::new(this).args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("ts=")).collect();
    let [first, second, deaf] = &lines[..] else { panic!("three lines: {text}") };
    assert_eq!(*first, "ts=2023-11-14T22:13:20.000000Z level=info target=larch msg=first tenant=a");
    assert_eq!(*second, "ts=2023-11-14T22:13:20.000000Z level=debug target=larch msg=second");
    assert!(deaf.contains(" level=warn ") && deaf.contains(" msg=\"spans are not exported\" "), "{deaf}");
}
