//! [`Planner`] over gRPC.

use std::sync::Arc;

use async_trait::async_trait;
use larch_proto::wire::plan as wire;
use larch_proto::wire::plan::planner_client::PlannerClient;
use larch_proto::wire::plan::planner_server as server;
use larch_proto::wire::types::Estimate as WireEstimate;
use larch_proto::{
    Estimate, HistogramBatch, PlanEstimateRequest, PlanHead, PlanHistogramRequest, PlanLabelsRequest,
    PlanRequest, PlannedSegment, TextBatch,
};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::answers::{self, Messages, tenant_call};
use super::calls::{self, tenant_request};
use crate::{CallError, Headed, MessageLimits, Planner, TenantContext};

/// A planner in another process.
pub(super) struct RemotePlanner {
    client: PlannerClient<Channel>,
    limits: MessageLimits,
}

impl RemotePlanner {
    pub(super) fn new(channel: Channel, limits: MessageLimits) -> Self {
        let client = PlannerClient::new(channel).max_decoding_message_size(limits.max_receive_bytes);
        Self { client, limits }
    }
}

#[async_trait]
impl Planner for RemotePlanner {
    async fn plan(
        &self,
        context: TenantContext,
        request: PlanRequest,
    ) -> Result<Headed<PlanHead, PlannedSegment>, CallError> {
        let request = tenant_request::<wire::PlanRequest>(&context, self.limits, request)?;
        calls::headed(context.call.deadline, self.client.clone().plan(request)).await
    }

    async fn labels(
        &self,
        context: TenantContext,
        request: PlanLabelsRequest,
    ) -> Result<Headed<PlanHead, TextBatch>, CallError> {
        let request = tenant_request::<wire::LabelsRequest>(&context, self.limits, request)?;
        calls::headed(context.call.deadline, self.client.clone().labels(request)).await
    }

    async fn histogram(
        &self,
        context: TenantContext,
        request: PlanHistogramRequest,
    ) -> Result<Headed<PlanHead, HistogramBatch>, CallError> {
        let request = tenant_request::<wire::HistogramRequest>(&context, self.limits, request)?;
        calls::headed(context.call.deadline, self.client.clone().histogram(request)).await
    }

    async fn estimate(
        &self,
        context: TenantContext,
        request: PlanEstimateRequest,
    ) -> Result<Estimate, CallError> {
        let request = tenant_request::<wire::EstimateRequest>(&context, self.limits, request)?;
        calls::single(context.call.deadline, self.client.clone().estimate(request)).await
    }
}

/// A planner of this process, for others.
pub(super) struct ServedPlanner {
    service: Arc<dyn Planner>,
    limits: MessageLimits,
}

pub(super) fn serve(
    service: Arc<dyn Planner>,
    limits: MessageLimits,
) -> server::PlannerServer<ServedPlanner> {
    server::PlannerServer::new(ServedPlanner { service, limits })
        .max_decoding_message_size(limits.max_receive_bytes)
}

#[async_trait]
impl server::Planner for ServedPlanner {
    type PlanStream = Messages<wire::PlanPart>;
    type LabelsStream = Messages<wire::LabelsPart>;
    type HistogramStream = Messages<wire::HistogramPart>;

    async fn plan(&self, request: Request<wire::PlanRequest>) -> Result<Response<Self::PlanStream>, Status> {
        let (context, request) = tenant_call(request)?;
        answers::headed(context.call.deadline, self.limits, self.service.plan(context, request)).await
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

    async fn estimate(
        &self,
        request: Request<wire::EstimateRequest>,
    ) -> Result<Response<WireEstimate>, Status> {
        let (context, request) = tenant_call(request)?;
        answers::single(context.call.deadline, self.limits, self.service.estimate(context, request)).await
    }
}
