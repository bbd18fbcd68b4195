//! Traces: the id that joins what several processes say about one request, and the optional export of
//! spans over OTLP.
//!
//! Every request has a trace id, whether or not spans are exported: it is in the log lines and travels
//! with calls to other processes. Without an endpoint nothing of OpenTelemetry runs.

mod context;
mod export;
mod ids;
mod layer;
mod queue;
#[cfg(test)]
mod tests;

pub use context::{join_trace, outgoing_trace};
pub use export::ExportTask;
pub use layer::{InvalidEndpoint, RandomIds, TraceOptions};
pub(crate) use layer::{span_layer, start};
pub(crate) use queue::SpanQueue;
