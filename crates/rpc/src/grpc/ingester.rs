//! [`Ingester`] over gRPC.

use std::sync::Arc;

use async_trait::async_trait;
use larch_proto::wire::ingest as wire;
use larch_proto::wire::ingest::ingester_client::IngesterClient;
use larch_proto::wire::ingest::ingester_server as server;
use larch_proto::wire::types::Estimate as WireEstimate;
use larch_proto::{
    AppendRequest, AppendResponse, Estimate, EstimateRequest, FlushRequest, FlushResponse, HistogramBatch,
    HistogramRequest, LabelsRequest, PatternBatch, PatternsRequest, ReadHead, ReadRequest, RowBatch,
    StateRequest, StateResponse, TextBatch,
};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::answers::{self, Messages, plain_call, tenant_call};
use super::calls::{self, plain_request, tenant_request};
use crate::{CallContext, CallError, Headed, Ingester, MessageLimits, TenantContext};

/// An ingester in another process.
pub(super) struct RemoteIngester {
    client: IngesterClient<Channel>,
    limits: MessageLimits,
}

impl RemoteIngester {
    pub(super) fn new(channel: Channel, limits: MessageLimits) -> Self {
        let client = IngesterClient::new(channel).max_decoding_message_size(limits.max_receive_bytes);
        Self { client, limits }
    }
}

#[async_trait]
impl Ingester for RemoteIngester {
    async fn append(
        &self,
        context: TenantContext,
        request: AppendRequest,
    ) -> Result<AppendResponse, CallError> {
        let request = tenant_request::<wire::AppendRequest>(&context, self.limits, request)?;
        calls::single(context.call.deadline, self.client.clone().append(request)).await
    }

    async fn read(
        &self,
        context: TenantContext,
        request: ReadRequest,
    ) -> Result<Headed<ReadHead, RowBatch>, CallError> {
        let request = tenant_request::<wire::ReadRequest>(&context, self.limits, request)?;
        calls::headed(context.call.deadline, self.client.clone().read(request)).await
    }

    async fn labels(
        &self,
        context: TenantContext,
        request: LabelsRequest,
    ) -> Result<Headed<ReadHead, TextBatch>, CallError> {
        let request = tenant_request::<wire::LabelsRequest>(&context, self.limits, request)?;
        calls::headed(context.call.deadline, self.client.clone().labels(request)).await
    }

    async fn histogram(
        &self,
        context: TenantContext,
        request: HistogramRequest,
    ) -> Result<Headed<ReadHead, HistogramBatch>, CallError> {
        let request = tenant_request::<wire::HistogramRequest>(&context, self.limits, request)?;
        calls::headed(context.call.deadline, self.client.clone().histogram(request)).await
    }

    async fn patterns(
        &self,
        context: TenantContext,
        request: PatternsRequest,
    ) -> Result<Headed<ReadHead, PatternBatch>, CallError> {
        let request = tenant_request::<wire::PatternsRequest>(&context, self.limits, request)?;
        calls::headed(context.call.deadline, self.client.clone().patterns(request)).await
    }

    async fn estimate(
        &self,
        context: TenantContext,
        request: EstimateRequest,
    ) -> Result<Estimate, CallError> {
        let request = tenant_request::<wire::EstimateRequest>(&context, self.limits, request)?;
        calls::single(context.call.deadline, self.client.clone().estimate(request)).await
    }

    async fn flush(&self, context: CallContext, request: FlushRequest) -> Result<FlushResponse, CallError> {
        let request = plain_request::<wire::FlushRequest>(&context, self.limits, request)?;
        calls::single(context.deadline, self.client.clone().flush(request)).await
    }

    async fn state(&self, context: CallContext) -> Result<StateResponse, CallError> {
        let request = plain_request::<wire::StateRequest>(&context, self.limits, StateRequest)?;
        calls::single(context.deadline, self.client.clone().state(request)).await
    }
}

/// An ingester of this process, for others.
pub(super) struct ServedIngester {
    service: Arc<dyn Ingester>,
    limits: MessageLimits,
}

pub(super) fn serve(
    service: Arc<dyn Ingester>,
    limits: MessageLimits,
) -> server::IngesterServer<ServedIngester> {
    server::IngesterServer::new(ServedIngester { service, limits })
        .max_decoding_message_size(limits.max_receive_bytes)
}

#[async_trait]
impl server::Ingester for ServedIngester {
    type ReadStream = Messages<wire::ReadPart>;
    type LabelsStream = Messages<wire::LabelsPart>;
    type HistogramStream = Messages<wire::HistogramPart>;
    type PatternsStream = Messages<wire::PatternsPart>;

    async fn append(
        &self,
        request: Request<wire::AppendRequest>,
    ) -> Result<Response<wire::AppendResponse>, Status> {
        let (context, request) = tenant_call(request)?;
        answers::single(context.call.deadline, self.limits, self.service.append(context, request)).await
    }

    async fn read(&self, request: Request<wire::ReadRequest>) -> Result<Response<Self::ReadStream>, Status> {
        let (context, request) = tenant_call(request)?;
        answers::headed(context.call.deadline, self.limits, self.service.read(context, request)).await
    }

    async fn labels(
        &self,
        request: Request<wire::LabelsRequest>,
    ) -> Result<Response<Self::LabelsStream>, Status> {
        let (context, request) = tenant_call(request)?;
        answers::headed(context.call.deadline, self.limits, self.service.labels(context, request)).await
    }

    async fn histogram(
        &self,
        request: Request<wire::HistogramRequest>,
    ) -> Result<Response<Self::HistogramStream>, Status> {
        let (context, request) = tenant_call(request)?;
        answers::headed(context.call.deadline, self.limits, self.service.histogram(context, request)).await
    }

    async fn patterns(
        &self,
        request: Request<wire::PatternsRequest>,
    ) -> Result<Response<Self::PatternsStream>, Status> {
        let (context, request) = tenant_call(request)?;
        answers::headed(context.call.deadline, self.limits, self.service.patterns(context, request)).await
    }

    async fn estimate(
        &self,
        request: Request<wire::EstimateRequest>,
    ) -> Result<Response<WireEstimate>, Status> {
        let (context, request) = tenant_call(request)?;
        answers::single(context.call.deadline, self.limits, self.service.estimate(context, request)).await
    }

    async fn flush(
        &self,
        request: Request<wire::FlushRequest>,
    ) -> Result<Response<wire::FlushResponse>, Status> {
        let (context, request) = plain_call(request)?;
        answers::single(context.deadline, self.limits, self.service.flush(context, request)).await
    }

    async fn state(
        &self,
        request: Request<wire::StateRequest>,
    ) -> Result<Response<wire::StateResponse>, Status> {
        let (context, StateRequest) = plain_call(request)?;
        answers::single(context.deadline, self.limits, self.service.state(context)).await
    }
}
