//! Which trace the work at hand belongs to. Of its flags only the one for sampled spans is carried on: no
//! other says anything of the spans of this process.

use larch_types::TraceContext;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceState};
use opentelemetry::{Context, trace};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan;

/// Makes a new span, the outermost one of a request in this process, part of the trace that the caller
/// named, or else of a new one. From then on log lines within the span carry the trace id.
///
/// It is called before the span is entered or has children. The random number names the span, and the
/// trace if it is new; spans that are exported have names already.
pub fn join_trace(span: &Span, incoming: Option<TraceContext>, random: u128) -> TraceContext {
    if let Some(parent) = incoming {
        // Refused if spans are not exported, and then not needed.
        span.set_parent(Context::new().with_remote_span_context(to_remote(parent))).ok();
    }
    let own = exported(span).unwrap_or_else(|| unexported(incoming, random));
    span.with_subscriber(|(id, dispatch)| {
        let span = dispatch.downcast_ref::<Registry>().and_then(|registry| registry.span(id));
        if let Some(span) = span {
            span.extensions_mut().replace(own);
        }
    });
    own
}

/// What calls to other processes carry: the span itself if it is exported, else the nearest one around it
/// that has joined a trace.
pub fn outgoing_trace(span: &Span) -> Option<TraceContext> {
    exported(span).or_else(|| span.with_subscriber(|(id, dispatch)| joined(dispatch, id)).flatten())
}

fn joined(dispatch: &tracing::Dispatch, id: &tracing::Id) -> Option<TraceContext> {
    let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
    for span in span.scope() {
        if let Some(own) = span.extensions().get::<TraceContext>() {
            return Some(*own);
        }
    }
    None
}

fn exported(span: &Span) -> Option<TraceContext> {
    let context = span.context();
    let context = trace::TraceContextExt::span(&context).span_context().clone();
    TraceContext::new(
        u128::from_be_bytes(context.trace_id().to_bytes()),
        u64::from_be_bytes(context.span_id().to_bytes()),
        context.trace_flags().to_u8() & TraceContext::SAMPLED,
    )
}

/// Zero names nothing, so it is not taken from the random number.
#[expect(clippy::expect_used, reason = "ids of other processes are not 0 by their type, own ones are above")]
fn unexported(incoming: Option<TraceContext>, random: u128) -> TraceContext {
    let trace_id = incoming.map_or(random.max(1), TraceContext::trace_id);
    let folded = (random >> 64) as u64 ^ random as u64;
    let flags = incoming.map_or(0, |parent| parent.flags() & TraceContext::SAMPLED);
    TraceContext::new(trace_id, folded.max(1), flags).expect("neither id is 0")
}

fn to_remote(parent: TraceContext) -> SpanContext {
    SpanContext::new(
        trace::TraceId::from(parent.trace_id()),
        SpanId::from(parent.span_id()),
        TraceFlags::new(parent.flags() & TraceContext::SAMPLED),
        true,
        TraceState::NONE,
    )
}
