//! From events to lines.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use larch_types::{Timestamp, TraceContext};
use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::fields::{Fields, Value};
use super::level::{LevelHandle, LogLevel};
use super::line::Line;
use super::queue::{Queue, write_line};
use crate::metrics::{Counter, Registry, dropped_log_lines, internal_log_messages};

/// Where the time of a line comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Logfmt,
    Json,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unrecognized log format {}", larch_types::quoted(.0))]
pub struct UnknownLogFormat(String);

impl FromStr for LogFormat {
    type Err = UnknownLogFormat;

    fn from_str(text: &str) -> Result<Self, UnknownLogFormat> {
        match text {
            "logfmt" => Ok(Self::Logfmt),
            "json" => Ok(Self::Json),
            _ => Err(UnknownLogFormat(text.to_owned())),
        }
    }
}

/// How log lines are written.
#[derive(Clone)]
pub struct LogOptions {
    pub level: LogLevel,
    pub format: LogFormat,
    pub clock: Clock,
    /// Where lines are counted.
    pub metrics: Registry,
}

impl fmt::Debug for LogOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogOptions")
            .field("level", &self.level)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// A subscriber that writes each line before the event returns, and the handle of its level. For
/// `tracing::subscriber::with_default` and `set_default`; a process calls `install`.
pub fn subscriber_over(
    options: LogOptions,
    out: impl Write + Send + 'static,
) -> (impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync, LevelHandle) {
    let layer = LogLayer::new(options, Sink::Direct(Mutex::new(Box::new(out))));
    let level = layer.level.clone();
    (tracing_subscriber::registry().with(layer), level)
}

/// Where finished lines go.
enum Sink {
    Direct(Mutex<Box<dyn Write + Send>>),
    Queue(Queue),
}

pub(crate) struct LogLayer {
    pub(crate) level: LevelHandle,
    format: LogFormat,
    clock: Clock,
    /// By level.
    written: [Counter; 4],
    dropped: Counter,
    sink: Sink,
}

impl LogLayer {
    fn new(options: LogOptions, sink: Sink) -> Self {
        let LogOptions { level, format, clock, metrics } = options;
        let messages = internal_log_messages(&metrics);
        Self {
            level: LevelHandle::new(level),
            format,
            clock,
            written: LogLevel::ALL.map(|level| messages.with([level.as_str()])),
            dropped: dropped_log_lines(&metrics),
            sink,
        }
    }

    /// Lines go to standard error through a queue.
    pub(crate) fn over_stderr(options: LogOptions) -> io::Result<(Self, Queue)> {
        let LogOptions { format, clock, .. } = options.clone();
        let tell = Box::new(move |count: u64| {
            let mut line =
                begin(format, &clock, LogLevel::Warn, env!("CARGO_CRATE_NAME"), "log lines dropped");
            line.field("count", &Value::Literal(count.to_string()));
            line.finish()
        });
        let queue = Queue::start(io::stderr(), tell)?;
        Ok((Self::new(options, Sink::Queue(queue.clone())), queue))
    }

    fn write(&self, line: String) {
        match &self.sink {
            Sink::Direct(out) => write_line(&mut *out.lock().unwrap_or_else(PoisonError::into_inner), &line),
            Sink::Queue(queue) => {
                if !queue.push(line) {
                    self.dropped.inc();
                }
            }
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.level.allows(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.level.allows(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level.finest())
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        // Values are formatted first: their code may itself log within this span.
        let mut recorded = Fields::default();
        values.record(&mut recorded);
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            fields.update(recorded);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = match fields.take_message() {
            Some(Value::Text(text) | Value::Literal(text)) => text,
            None => String::new(),
        };
        let level = LogLevel::of(*event.metadata().level());
        let mut line = begin(self.format, &self.clock, level, event.metadata().target(), &message);
        line.fields(&fields);
        for span in context.event_scope(event).into_iter().flatten() {
            let extensions = span.extensions();
            if let Some(fields) = extensions.get::<Fields>() {
                line.fields(fields);
            }
            if let Some(trace) = extensions.get::<TraceContext>() {
                line.field("trace_id", &Value::Text(format!("{:032x}", trace.trace_id())));
            }
        }
        self.written[level as usize].inc();
        self.write(line.finish());
    }
}

fn begin(format: LogFormat, clock: &Clock, level: LogLevel, target: &str, message: &str) -> Line {
    let mut line = Line::new(format);
    line.own("ts", &with_micros(clock()));
    line.own("level", level.as_str());
    line.own("target", target);
    line.own("msg", message);
    line
}

/// RFC 3339 with six digits behind the second, so that lines sort as text.
fn with_micros(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(time.nanos())).unwrap_or_default();
    format!("{time:.6}")
}
