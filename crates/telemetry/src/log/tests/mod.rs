//! Whole lines, as a reader of standard error sees them.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use expect_test::{Expect, expect};
use larch_types::Timestamp;
use tracing::{debug, error, info, info_span, warn};

use super::*;
use crate::metrics::{Format, Registry};

/// Keeps every write apart.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<String>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn options(level: LogLevel, format: LogFormat) -> LogOptions {
    LogOptions {
        level,
        format,
        clock: Arc::new(|| Timestamp::from_nanos(1_700_000_000_123_456_789)),
        metrics: Registry::default(),
    }
}

fn written(options: LogOptions, act: impl FnOnce(&LevelHandle)) -> Vec<String> {
    let out = Captured::default();
    let (subscriber, level) = subscriber_over(options, out.clone());
    tracing::subscriber::with_default(subscriber, || act(&level));
    std::mem::take(&mut out.0.lock().unwrap())
}

#[track_caller]
fn check(format: LogFormat, act: impl FnOnce(), want: Expect) {
    let lines = written(options(LogLevel::Info, format), |_| act());
    assert!(lines.iter().all(|line| line.matches('\n').count() == 1 && line.ends_with('\n')), "{lines:?}");
    want.assert_eq(&lines.concat());
}

#[derive(Debug, thiserror::Error)]
#[error("open segment")]
struct Outer(#[source] io::Error);

fn some_events() {
    let error: Box<dyn std::error::Error> = Box::new(Outer(io::Error::other("no\nspace")));
    info!("started");
    warn!(
        count = 3,
        ratio = 0.5,
        infinite = f64::INFINITY,
        ok = true,
        r#type = "x",
        "a \"quoted\" {}",
        "word"
    );
    error!(error, path = %"a b", list = ?[1, 2], "failed");
    info!(only = "fields");
}

#[test]
fn logfmt() {
    check(
        LogFormat::Logfmt,
        some_events,
        expect![[r#"
            ts=2023-11-14T22:13:20.123456Z level=info target=larch_telemetry::log::tests msg=started
            ts=2023-11-14T22:13:20.123456Z level=warn target=larch_telemetry::log::tests msg="a \"quoted\" word" count=3 ratio=0.5 infinite=inf ok=true type=x
            ts=2023-11-14T22:13:20.123456Z level=error target=larch_telemetry::log::tests msg=failed error="open segment: no\nspace" path="a b" list="[1, 2]"
            ts=2023-11-14T22:13:20.123456Z level=info target=larch_telemetry::log::tests msg="" only=fields
        "#]],
    );
}

#[test]
fn json() {
    check(
        LogFormat::Json,
        some_events,
        expect![[r#"
            {"ts":"2023-11-14T22:13:20.123456Z","level":"info","target":"larch_telemetry::log::tests","msg":"started"}
            {"ts":"2023-11-14T22:13:20.123456Z","level":"warn","target":"larch_telemetry::log::tests","msg":"a \"quoted\" word","count":3,"ratio":0.5,"infinite":"inf","ok":true,"type":"x"}
            {"ts":"2023-11-14T22:13:20.123456Z","level":"error","target":"larch_telemetry::log::tests","msg":"failed","error":"open segment: no\nspace","path":"a b","list":"[1, 2]"}
            {"ts":"2023-11-14T22:13:20.123456Z","level":"info","target":"larch_telemetry::log::tests","msg":"","only":"fields"}
        "#]],
    );
}

#[test]
fn spans_lend_their_fields_and_the_innermost_wins() {
    check(
        LogFormat::Logfmt,
        || {
            let request =
                info_span!("request", tenant = "a", request_id = 7, trace_id = tracing::field::Empty);
            request.in_scope(|| {
                info!("before");
                request.record("trace_id", "4bf9");
                request.record("request_id", 8);
                let push = info_span!("push", tenant = "b", streams = 2);
                push.in_scope(|| info!(streams = 3, "within"));
            });
            info!(parent: &request, "apart");
            info!("outside");
        },
        expect![[r#"
            ts=2023-11-14T22:13:20.123456Z level=info target=larch_telemetry::log::tests msg=before tenant=a request_id=7
            ts=2023-11-14T22:13:20.123456Z level=info target=larch_telemetry::log::tests msg=within streams=3 tenant=b request_id=8 trace_id=4bf9
            ts=2023-11-14T22:13:20.123456Z level=info target=larch_telemetry::log::tests msg=apart tenant=a request_id=8 trace_id=4bf9
            ts=2023-11-14T22:13:20.123456Z level=info target=larch_telemetry::log::tests msg=outside
        "#]],
    );
}

#[test]
fn the_level_changes_while_it_runs_and_spans_stay() {
    let lines = written(options(LogLevel::Error, LogFormat::Logfmt), |level| {
        let span = info_span!("request", tenant = "a");
        let say = || {
            span.in_scope(|| {
                error!("e");
                warn!("w");
                info!("i");
                debug!("d");
                tracing::trace!("t");
                info!(target: "h2::codec", "i");
                debug!(target: "h2::codec", "d");
            });
        };
        for next in [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Error] {
            level.set(next);
            say();
        }
    });
    assert!(lines.iter().all(|line| line.ends_with(" tenant=a\n")), "{lines:?}");
    let said: Vec<&str> = lines.iter().map(|line| line.split_once("msg=").unwrap().1).collect();
    let said: String = said.iter().map(|rest| &rest[..1]).collect();
    assert_eq!(said, concat!("e", "ew", "ewii", "ewidi", "e"));
}

#[test]
fn lines_are_counted_by_level() {
    let options = options(LogLevel::Info, LogFormat::Json);
    let metrics = options.metrics.clone();
    let lines = written(options, |_| {
        info!("one");
        info!("two");
        error!("three");
        debug!("not written");
    });
    assert_eq!(lines.len(), 3);
    let text = metrics.encode(Format::Prometheus);
    for (level, count) in [("error", 1), ("warn", 0), ("info", 2), ("debug", 0)] {
        let sample = format!("loki_internal_log_messages_total{{level=\"{level}\"}} {count}\n");
        assert!(text.contains(&sample), "{text}");
    }
}

/// A value whose formatting itself logs, which must neither deadlock nor tear the line.
struct Talkative;

impl std::fmt::Display for Talkative {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        info!("inner");
        f.write_str("value")
    }
}

#[test]
fn a_value_may_log() {
    let lines = written(options(LogLevel::Info, LogFormat::Logfmt), |_| {
        let span = info_span!("span", value = tracing::field::Empty);
        let _entered = span.enter();
        span.record("value", tracing::field::display(Talkative));
        info!(other = %Talkative, "outer");
    });
    assert!(lines.last().unwrap().ends_with(" msg=outer other=value value=value\n"), "{lines:?}");
}
