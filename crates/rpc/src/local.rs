//! Calls between services of one process.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use larch_proto::{
    AppendRequest, AppendResponse, Assignment, Estimate, EstimateRequest, FlushRequest, FlushResponse,
    HistogramBatch, HistogramRequest, LabelsRequest, PatternBatch, PatternsRequest, PlanEstimateRequest,
    PlanHead, PlanHistogramRequest, PlanLabelsRequest, PlanRequest, PlannedSegment, PullRequest, ReadHead,
    ReadRequest, ReportHead, ReportResponse, ResultPart, RowBatch, StateResponse, SubscribeRequest,
    TailEvent, TailStart, TextBatch,
};
use larch_types::{Address, ErrorKind};

use crate::streams::{headed_until, until, whole_report, within};
use crate::{
    CallContext, CallError, CallStream, Headed, Ingester, Planner, Tail, TenantContext, Transport, WorkQueue,
};

/// Reaches the services of this process by the addresses under which they were added. The address is
/// looked up at each call, so that a service can come, go and come again, as a process would.
///
/// It keeps the services alive, and they may hold it: whoever adds a service removes it at shutdown.
#[derive(Clone, Default)]
pub struct LocalTransport {
    registry: Arc<RwLock<HashMap<Address, Services>>>,
}

/// What one process offers.
#[derive(Clone, Default)]
struct Services {
    ingester: Option<Arc<dyn Ingester>>,
    planner: Option<Arc<dyn Planner>>,
    work_queue: Option<Arc<dyn WorkQueue>>,
    tail: Option<Arc<dyn Tail>>,
}

impl LocalTransport {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn add_ingester(&self, address: Address, service: Arc<dyn Ingester>) {
        self.change(address, |services| services.ingester = Some(service));
    }

    pub fn add_planner(&self, address: Address, service: Arc<dyn Planner>) {
        self.change(address, |services| services.planner = Some(service));
    }

    pub fn add_work_queue(&self, address: Address, service: Arc<dyn WorkQueue>) {
        self.change(address, |services| services.work_queue = Some(service));
    }

    pub fn add_tail(&self, address: Address, service: Arc<dyn Tail>) {
        self.change(address, |services| services.tail = Some(service));
    }

    /// Everything at the address. Calls that it has taken already go on.
    pub fn remove(&self, address: &Address) {
        self.registry.write().unwrap_or_else(PoisonError::into_inner).remove(address);
    }

    fn change(&self, address: Address, change: impl FnOnce(&mut Services)) {
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        change(registry.entry(address).or_default());
    }

    fn at(&self, address: &Address) -> Local {
        Local { registry: self.clone(), address: address.clone() }
    }
}

impl Transport for LocalTransport {
    fn ingester(&self, address: &Address) -> Arc<dyn Ingester> {
        Arc::new(self.at(address))
    }

    fn planner(&self, address: &Address) -> Arc<dyn Planner> {
        Arc::new(self.at(address))
    }

    fn work_queue(&self, address: &Address) -> Arc<dyn WorkQueue> {
        Arc::new(self.at(address))
    }

    fn tail(&self, address: &Address) -> Arc<dyn Tail> {
        Arc::new(self.at(address))
    }
}

/// Whatever is at the address when it is called. Adds what a network would: the deadline, and that a
/// stream is over after an error.
struct Local {
    registry: LocalTransport,
    address: Address,
}

impl Local {
    fn find<T>(&self, what: &str, pick: impl FnOnce(Services) -> Option<T>) -> Result<T, CallError> {
        let registry = self.registry.registry.read().unwrap_or_else(PoisonError::into_inner);
        let services = registry.get(&self.address).cloned().unwrap_or_default();
        pick(services)
            .ok_or_else(|| CallError::new(ErrorKind::Unavailable, format!("no {what} at {}", self.address)))
    }

    fn find_ingester(&self) -> Result<Arc<dyn Ingester>, CallError> {
        self.find("ingester", |services| services.ingester)
    }

    fn find_planner(&self) -> Result<Arc<dyn Planner>, CallError> {
        self.find("planner", |services| services.planner)
    }

    fn find_work_queue(&self) -> Result<Arc<dyn WorkQueue>, CallError> {
        self.find("work queue", |services| services.work_queue)
    }
}

#[async_trait]
impl Ingester for Local {
    async fn append(
        &self,
        context: TenantContext,
        request: AppendRequest,
    ) -> Result<AppendResponse, CallError> {
        let service = self.find_ingester()?;
        within(context.call.deadline, service.append(context, request)).await
    }

    async fn read(
        &self,
        context: TenantContext,
        request: ReadRequest,
    ) -> Result<Headed<ReadHead, RowBatch>, CallError> {
        let (service, deadline) = (self.find_ingester()?, context.call.deadline);
        Ok(headed_until(deadline, within(deadline, service.read(context, request)).await?))
    }

    async fn labels(
        &self,
        context: TenantContext,
        request: LabelsRequest,
    ) -> Result<Headed<ReadHead, TextBatch>, CallError> {
        let (service, deadline) = (self.find_ingester()?, context.call.deadline);
        Ok(headed_until(deadline, within(deadline, service.labels(context, request)).await?))
    }

    async fn histogram(
        &self,
        context: TenantContext,
        request: HistogramRequest,
    ) -> Result<Headed<ReadHead, HistogramBatch>, CallError> {
        let (service, deadline) = (self.find_ingester()?, context.call.deadline);
        Ok(headed_until(deadline, within(deadline, service.histogram(context, request)).await?))
    }

    async fn patterns(
        &self,
        context: TenantContext,
        request: PatternsRequest,
    ) -> Result<Headed<ReadHead, PatternBatch>, CallError> {
        let (service, deadline) = (self.find_ingester()?, context.call.deadline);
        Ok(headed_until(deadline, within(deadline, service.patterns(context, request)).await?))
    }

    async fn estimate(
        &self,
        context: TenantContext,
        request: EstimateRequest,
    ) -> Result<Estimate, CallError> {
        let service = self.find_ingester()?;
        within(context.call.deadline, service.estimate(context, request)).await
    }

    async fn flush(&self, context: CallContext, request: FlushRequest) -> Result<FlushResponse, CallError> {
        let service = self.find_ingester()?;
        within(context.deadline, service.flush(context, request)).await
    }

    async fn state(&self, context: CallContext) -> Result<StateResponse, CallError> {
        let service = self.find_ingester()?;
        within(context.deadline, service.state(context)).await
    }
}

#[async_trait]
impl Planner for Local {
    async fn plan(
        &self,
        context: TenantContext,
        request: PlanRequest,
    ) -> Result<Headed<PlanHead, PlannedSegment>, CallError> {
        let (service, deadline) = (self.find_planner()?, context.call.deadline);
        Ok(headed_until(deadline, within(deadline, service.plan(context, request)).await?))
    }

    async fn labels(
        &self,
        context: TenantContext,
        request: PlanLabelsRequest,
    ) -> Result<Headed<PlanHead, TextBatch>, CallError> {
        let (service, deadline) = (self.find_planner()?, context.call.deadline);
        Ok(headed_until(deadline, within(deadline, service.labels(context, request)).await?))
    }

    async fn histogram(
        &self,
        context: TenantContext,
        request: PlanHistogramRequest,
    ) -> Result<Headed<PlanHead, HistogramBatch>, CallError> {
        let (service, deadline) = (self.find_planner()?, context.call.deadline);
        Ok(headed_until(deadline, within(deadline, service.histogram(context, request)).await?))
    }

    async fn estimate(
        &self,
        context: TenantContext,
        request: PlanEstimateRequest,
    ) -> Result<Estimate, CallError> {
        let service = self.find_planner()?;
        within(context.call.deadline, service.estimate(context, request)).await
    }
}

#[async_trait]
impl WorkQueue for Local {
    async fn pull(
        &self,
        context: CallContext,
        request: PullRequest,
    ) -> Result<CallStream<Assignment>, CallError> {
        let (service, deadline) = (self.find_work_queue()?, context.deadline);
        Ok(until(deadline, within(deadline, service.pull(context, request)).await?))
    }

    async fn report(
        &self,
        context: CallContext,
        head: ReportHead,
        parts: CallStream<ResultPart>,
    ) -> Result<ReportResponse, CallError> {
        let (service, deadline) = (self.find_work_queue()?, context.deadline);
        within(deadline, service.report(context, head, whole_report(parts))).await
    }
}

#[async_trait]
impl Tail for Local {
    async fn subscribe(
        &self,
        context: TenantContext,
        request: SubscribeRequest,
    ) -> Result<Headed<TailStart, TailEvent>, CallError> {
        let (service, deadline) = (self.find("tail", |services| services.tail)?, context.call.deadline);
        Ok(headed_until(deadline, within(deadline, service.subscribe(context, request)).await?))
    }
}
