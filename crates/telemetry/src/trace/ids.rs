//! Names of spans, from the randomness that the process was given.

use std::fmt;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::IdGenerator;

use super::layer::RandomIds;

pub(crate) struct Ids(pub(crate) RandomIds);

impl IdGenerator for Ids {
    /// Zero means "no id" to OpenTelemetry.
    fn new_trace_id(&self) -> TraceId {
        TraceId::from((self.0)().max(1))
    }

    fn new_span_id(&self) -> SpanId {
        SpanId::from(((self.0)() as u64).max(1))
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}
