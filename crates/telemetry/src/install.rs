//! The one call that makes events of this process visible.

use std::io;
use std::time::Duration;

use tracing_subscriber::layer::SubscriberExt;

use crate::log::{LevelHandle, LogLayer, LogOptions, Queue};
use crate::trace::{self, ExportTask, InvalidEndpoint, SpanQueue, TraceOptions, span_layer};

/// What a process says of itself, and how.
#[derive(Debug, Clone)]
pub struct Options {
    pub log: LogOptions,
    /// `None` exports no spans.
    pub trace: Option<TraceOptions>,
}

#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("start the thread that writes logs")]
    Thread(#[source] io::Error),
    #[error("set up the export of spans")]
    Export(#[source] InvalidEndpoint),
    #[error("logging is already set up in this process")]
    Installed,
}

/// Holds what was installed. Events are written as long as the process lives.
pub struct Telemetry {
    level: LevelHandle,
    lines: Queue,
    spans: Option<SpanQueue>,
    export: Option<ExportTask>,
}

/// Sets the subscriber of the whole process, once.
pub fn install(options: Options) -> Result<Telemetry, InstallError> {
    let Options { log, trace } = options;
    let export = trace.map(trace::start).transpose().map_err(InstallError::Export)?;
    let (tracer, spans, export) = match export {
        Some(export) => (Some(export.tracer), Some(export.queue), Some(export.task)),
        None => (None, None, None),
    };
    let (layer, lines) = LogLayer::over_stderr(log).map_err(InstallError::Thread)?;
    let level = layer.level.clone();
    let subscriber = tracing_subscriber::registry().with(layer).with(tracer.map(span_layer));
    tracing::subscriber::set_global_default(subscriber).map_err(|_| InstallError::Installed)?;
    Ok(Telemetry { level, lines, spans, export })
}

impl Telemetry {
    pub fn level(&self) -> &LevelHandle {
        &self.level
    }

    /// The task that exports spans, once, for the caller to spawn. None if there is nothing to export to.
    pub fn take_export_task(&mut self) -> Option<ExportTask> {
        self.export.take()
    }

    /// Waits until the spans that have ended are exported, at most as long as the budget, and ends the
    /// task. False if that was too short.
    pub async fn finish_spans(&self, budget: Duration) -> bool {
        match &self.spans {
            Some(spans) => spans.finish(budget).await,
            None => true,
        }
    }

    /// Waits until the lines logged so far are written, at most as long as the budget. False if that was
    /// too short. It blocks, so it belongs to the end of `main`.
    pub fn flush_lines(&self, budget: Duration) -> bool {
        self.lines.flush(budget)
    }
}
