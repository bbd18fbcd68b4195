//! Which trace the work at hand belongs to.

use std::num::NonZeroU64;

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceState};
use opentelemetry::{Context, trace};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan;

use super::parent::{TraceId, TraceParent};

/// Makes a new span, the outermost one of a request in this process, part of the trace that the caller
/// named, or else of a new one. From then on log lines within the span carry the trace id.
///
/// It is called before the span is entered or has children. The random number names the span, and the
/// trace if it is new; spans that are exported have names already.
pub fn join_trace(span: &Span, incoming: Option<TraceParent>, random: u128) -> TraceParent {
    if let Some(parent) = incoming {
        // Refused if spans are not exported, and then not needed.
        span.set_parent(Context::new().with_remote_span_context(to_remote(parent))).ok();
    }
    let own = exported(span).unwrap_or_else(|| {
        let folded = (random >> 64) as u64 ^ random as u64;
        TraceParent {
            trace_id: incoming.map_or(TraceId::from_random(random), |parent| parent.trace_id),
            span_id: NonZeroU64::new(folded).unwrap_or(NonZeroU64::MIN),
            sampled: incoming.is_some_and(|parent| parent.sampled),
        }
    });
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
pub fn outgoing_trace(span: &Span) -> Option<TraceParent> {
    exported(span).or_else(|| span.with_subscriber(|(id, dispatch)| joined(dispatch, id)).flatten())
}

fn joined(dispatch: &tracing::Dispatch, id: &tracing::Id) -> Option<TraceParent> {
    let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
    for span in span.scope() {
        if let Some(parent) = span.extensions().get::<TraceParent>() {
            return Some(*parent);
        }
    }
    None
}

fn exported(span: &Span) -> Option<TraceParent> {
    let context = span.context();
    let context = trace::TraceContextExt::span(&context).span_context().clone();
    if !context.is_valid() {
        return None;
    }
    Some(TraceParent {
        trace_id: TraceId::from_random(u128::from_be_bytes(context.trace_id().to_bytes())),
        span_id: NonZeroU64::new(u64::from_be_bytes(context.span_id().to_bytes()))?,
        sampled: context.is_sampled(),
    })
}

fn to_remote(parent: TraceParent) -> SpanContext {
    let flags = if parent.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    SpanContext::new(
        trace::TraceId::from(parent.trace_id.as_u128()),
        SpanId::from(parent.span_id.get()),
        flags,
        true,
        TraceState::NONE,
    )
}
