//! [`Tail`] over gRPC.

use std::sync::Arc;

use async_trait::async_trait;
use larch_proto::wire::ingest as wire;
use larch_proto::wire::ingest::tail_client::TailClient;
use larch_proto::wire::ingest::tail_server as server;
use larch_proto::{SubscribeRequest, TailEvent, TailStart};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::answers::{self, Messages, tenant_call};
use super::calls::{self, tenant_request};
use crate::{CallError, Headed, MessageLimits, Tail, TenantContext};

/// An ingester's rows in another process.
pub(super) struct RemoteTail {
    client: TailClient<Channel>,
    limits: MessageLimits,
}

impl RemoteTail {
    pub(super) fn new(channel: Channel, limits: MessageLimits) -> Self {
        let client = TailClient::new(channel).max_decoding_message_size(limits.max_receive_bytes);
        Self { client, limits }
    }
}

#[async_trait]
impl Tail for RemoteTail {
    async fn subscribe(
        &self,
        context: TenantContext,
        request: SubscribeRequest,
    ) -> Result<Headed<TailStart, TailEvent>, CallError> {
        let request = tenant_request::<wire::SubscribeRequest>(&context, self.limits, request)?;
        calls::headed(context.call.deadline, self.client.clone().subscribe(request)).await
    }
}

/// The rows of an ingester of this process, for others.
pub(super) struct ServedTail {
    service: Arc<dyn Tail>,
    limits: MessageLimits,
}

pub(super) fn serve(service: Arc<dyn Tail>, limits: MessageLimits) -> server::TailServer<ServedTail> {
    server::TailServer::new(ServedTail { service, limits })
        .max_decoding_message_size(limits.max_receive_bytes)
}

#[async_trait]
impl server::Tail for ServedTail {
    type SubscribeStream = Messages<wire::TailPart>;

    async fn subscribe(
        &self,
        request: Request<wire::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let (context, request) = tenant_call(request)?;
        answers::headed(context.call.deadline, self.limits, self.service.subscribe(context, request)).await
    }
}
