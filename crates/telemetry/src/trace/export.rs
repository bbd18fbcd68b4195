//! The task that sends spans to a collector over OTLP.
//!
//! OpenTelemetry's own exporter takes headers, compression and more from environment variables, behind
//! the back of the configuration; sending a batch with its message types is one call.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::trace::SpanData;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::queue::Message;
use crate::metrics::Counter;

/// These three are OpenTelemetry's defaults, which collectors are sized for.
const MAX_BATCH: usize = 512;
const MAX_DELAY: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends spans until it is told to finish. The caller spawns it.
pub struct ExportTask {
    pub(crate) endpoint: Endpoint,
    pub(crate) resource: ResourceAttributesWithSchema,
    pub(crate) messages: mpsc::Receiver<Message>,
    pub(crate) exported: Counter,
    /// Sent in vain.
    pub(crate) failed: Counter,
    /// Taken by the collector's transport and refused by itself.
    pub(crate) rejected: Counter,
}

#[derive(Default)]
struct Batch {
    spans: Vec<SpanData>,
    permits: Vec<OwnedSemaphorePermit>,
    /// No span follows this batch.
    last: bool,
    done: Option<oneshot::Sender<()>>,
}

impl Batch {
    fn take(&mut self, message: Option<Message>) {
        match message {
            Some(Message::Span(span, permit)) => {
                self.spans.push(*span);
                self.permits.push(permit);
            }
            Some(Message::Finish(done)) => {
                self.last = true;
                self.done = Some(done);
            }
            None => self.last = true,
        }
    }
}

impl ExportTask {
    /// # Cancel safety
    /// Dropping the future loses the spans that were not sent yet, and nothing else.
    pub async fn run(mut self) {
        let mut client = TraceServiceClient::new(self.endpoint.connect_lazy());
        let mut failing = false;
        loop {
            let batch = self.next_batch().await;
            if !batch.spans.is_empty() {
                failing = self.export(&mut client, batch.spans, failing).await;
            }
            drop(batch.permits);
            if let Some(done) = batch.done {
                // Whoever asked may have run out of patience.
                done.send(()).ok();
            }
            if batch.last {
                return;
            }
        }
    }

    /// Waits for a span as long as it takes, then for more of them as long as the delay allows.
    async fn next_batch(&mut self) -> Batch {
        let mut batch = Batch::default();
        batch.take(self.messages.recv().await);
        let deadline = Instant::now() + MAX_DELAY;
        while batch.spans.len() < MAX_BATCH && !batch.last {
            match timeout_at(deadline, self.messages.recv()).await {
                Ok(message) => batch.take(message),
                Err(_) => break,
            }
        }
        batch
    }

    /// True if it failed. Only the first of several failures is told, and the first success after them:
    /// an unreachable collector would otherwise fill the log.
    async fn export(
        &self,
        client: &mut TraceServiceClient<Channel>,
        spans: Vec<SpanData>,
        was_failing: bool,
    ) -> bool {
        let count = spans.len() as u64;
        let resource_spans = group_spans_by_resource_and_scope(spans, &self.resource);
        let sent = send(client, ExportTraceServiceRequest { resource_spans }).await;
        match sent {
            Ok(rejected) => {
                self.rejected.add(rejected.min(count));
                self.exported.add(count.saturating_sub(rejected));
                if was_failing {
                    tracing::info!("spans are exported again");
                }
                false
            }
            Err(status) => {
                self.failed.add(count);
                if !was_failing {
                    tracing::warn!(code = ?status.code(), error = status.message(), "spans are not exported");
                }
                true
            }
        }
    }
}

/// How many spans the collector refused.
async fn send(
    client: &mut TraceServiceClient<Channel>,
    request: ExportTraceServiceRequest,
) -> Result<u64, Status> {
    let sent = tokio::time::timeout(TIMEOUT, client.export(request)).await;
    let response = sent.unwrap_or_else(|_| Err(Status::new(Code::DeadlineExceeded, "no answer in time")))?;
    let rejected = response.into_inner().partial_success.map_or(0, |partial| partial.rejected_spans);
    Ok(u64::try_from(rejected).unwrap_or(0))
}
