//! Finished spans on their way to the task that exports them.
//!
//! A span ends in the middle of a request, so nothing here waits: what does not fit is dropped and
//! counted. The processors that OpenTelemetry brings either own a thread or block the caller when they
//! stop, and tell nobody how much they drop.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::metrics::Counter;

/// Four full batches: what a busy process ends while one batch is on its way.
const MAX_SPANS: usize = 2048;

/// Attributes are queries and errors of any length, so spans are bounded by their size too.
const MAX_BYTES: usize = 16 * 1024 * 1024;

pub(crate) enum Message {
    /// The permit is given back when the span is exported or given up.
    Span(Box<SpanData>, OwnedSemaphorePermit),
    /// Export what came before this, answer, and end.
    Finish(oneshot::Sender<()>),
}

/// The end that spans go into. Clones fill the same queue.
#[derive(Clone)]
pub(crate) struct SpanQueue {
    messages: mpsc::Sender<Message>,
    bytes: Arc<Semaphore>,
    dropped: Counter,
}

impl SpanQueue {
    /// The other end is read by the task that exports.
    pub(crate) fn new(dropped: Counter) -> (Self, mpsc::Receiver<Message>) {
        let (messages, receiver) = mpsc::channel(MAX_SPANS);
        (Self { messages, bytes: Arc::new(Semaphore::new(MAX_BYTES)), dropped }, receiver)
    }

    /// Waits until everything before it is exported, at most as long as the budget. Spans that end later
    /// are dropped. False if the budget was too short.
    pub(crate) async fn finish(&self, budget: Duration) -> bool {
        let (done, finished) = oneshot::channel();
        let finish = async {
            // An error means that the task has ended, and with it the queue.
            self.messages.send(Message::Finish(done)).await.ok();
            finished.await.ok();
        };
        tokio::time::timeout(budget, finish).await.is_ok()
    }

    fn push(&self, span: SpanData) -> Option<()> {
        let bytes = u32::try_from(approximate_bytes(&span)).ok()?;
        let permit = Arc::clone(&self.bytes).try_acquire_many_owned(bytes).ok()?;
        self.messages.try_send(Message::Span(Box::new(span), permit)).ok()
    }
}

impl SpanProcessor for SpanQueue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.push(span).is_none() {
            self.dropped.inc();
        }
    }

    /// Spans leave by themselves; [`SpanQueue::finish`] waits for them without blocking a thread.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl fmt::Debug for SpanQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpanQueue")
    }
}

fn approximate_bytes(span: &SpanData) -> usize {
    let mut bytes = size_of::<SpanData>() + span.name.len() + attribute_bytes(&span.attributes);
    for event in &span.events.events {
        bytes += size_of_val(event) + event.name.len() + attribute_bytes(&event.attributes);
    }
    bytes
}

fn attribute_bytes(attributes: &[KeyValue]) -> usize {
    let mut bytes = size_of_val(attributes);
    for attribute in attributes {
        bytes += attribute.key.as_str().len();
        // `tracing` has no arrays, so text is the only value of unknown size.
        if let Value::String(text) = &attribute.value {
            bytes += text.as_str().len();
        }
    }
    bytes
}
