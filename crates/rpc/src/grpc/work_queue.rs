//! [`WorkQueue`] over gRPC.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::ready;
use futures_util::stream::{Stream, StreamExt, once};
use larch_proto::wire::query as wire;
use larch_proto::wire::query::work_queue_client::WorkQueueClient;
use larch_proto::wire::query::work_queue_server as server;
use larch_proto::{Assignment, PullRequest, ReportHead, ReportPart, ReportResponse, ResultPart};
use larch_types::ErrorKind;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

use super::answers::{self, Messages, plain_call};
use super::calls::{self, checked, plain_request, plain_stream};
use super::metadata::read_call;
use super::sizes::sendable;
use super::status::to_status;
use crate::streams::{until, whole_report, within};
use crate::{CallContext, CallError, CallStream, Deadline, MessageLimits, WorkQueue};

/// A queue in another process.
pub(super) struct RemoteWorkQueue {
    client: WorkQueueClient<Channel>,
    limits: MessageLimits,
}

impl RemoteWorkQueue {
    pub(super) fn new(channel: Channel, limits: MessageLimits) -> Self {
        let client = WorkQueueClient::new(channel).max_decoding_message_size(limits.max_receive_bytes);
        Self { client, limits }
    }
}

#[async_trait]
impl WorkQueue for RemoteWorkQueue {
    async fn pull(
        &self,
        context: CallContext,
        request: PullRequest,
    ) -> Result<CallStream<Assignment>, CallError> {
        let request = plain_request::<wire::PullRequest>(&context, self.limits, request)?;
        calls::stream(context.deadline, self.client.clone().pull(request)).await
    }

    async fn report(
        &self,
        context: CallContext,
        head: ReportHead,
        parts: CallStream<ResultPart>,
    ) -> Result<ReportResponse, CallError> {
        let request = plain_stream(&context, report_messages(context.deadline, self.limits, head, parts));
        calls::single(context.deadline, self.client.clone().report(request)).await
    }
}

/// An error is the worker's answer and travels as a message: a stream of messages cannot fail.
fn report_messages(
    deadline: Deadline,
    limits: MessageLimits,
    head: ReportHead,
    parts: CallStream<ResultPart>,
) -> impl Stream<Item = wire::ReportPart> + Send + 'static {
    let message = move |part: Result<ResultPart, CallError>| {
        let message = part.and_then(|part| sendable(ReportPart::Result(part).into(), limits));
        message.unwrap_or_else(|error| ReportPart::Failed(error.into()).into())
    };
    let head = once(ready(wire::ReportPart::from(ReportPart::Head(head))));
    head.chain(until(deadline, parts).map(message))
}

/// A queue of this process, for others.
pub(super) struct ServedWorkQueue {
    service: Arc<dyn WorkQueue>,
    limits: MessageLimits,
}

pub(super) fn serve(
    service: Arc<dyn WorkQueue>,
    limits: MessageLimits,
) -> server::WorkQueueServer<ServedWorkQueue> {
    server::WorkQueueServer::new(ServedWorkQueue { service, limits })
        .max_decoding_message_size(limits.max_receive_bytes)
}

#[async_trait]
impl server::WorkQueue for ServedWorkQueue {
    type PullStream = Messages<wire::Assignment>;

    async fn pull(&self, request: Request<wire::PullRequest>) -> Result<Response<Self::PullStream>, Status> {
        let (context, request) = plain_call(request)?;
        answers::stream(context.deadline, self.limits, self.service.pull(context, request)).await
    }

    async fn report(
        &self,
        request: Request<Streaming<wire::ReportPart>>,
    ) -> Result<Response<wire::ReportResponse>, Status> {
        let context = read_call(request.metadata()).map_err(|error| to_status(&error))?;
        let deadline = context.deadline;
        let mut parts: CallStream<ReportPart> = until(deadline, checked(request.into_inner()));
        let head = match within(deadline, async { Ok(parts.next().await) }).await {
            Ok(Some(Ok(ReportPart::Head(head)))) => head,
            Ok(Some(Ok(_)) | None) => return Err(to_status(&misplaced_head())),
            Ok(Some(Err(error))) | Err(error) => return Err(to_status(&error)),
        };
        let part = |part: Result<ReportPart, CallError>| match part? {
            ReportPart::Result(part) => Ok(part),
            ReportPart::Failed(failure) => Err(failure.into()),
            ReportPart::Head(_) => Err(misplaced_head()),
        };
        let parts = whole_report(parts.map(part).boxed());
        answers::single(deadline, self.limits, self.service.report(context, head, parts)).await
    }
}

fn misplaced_head() -> CallError {
    CallError::new(ErrorKind::Internal, "a report must begin with its head and have no other")
}
