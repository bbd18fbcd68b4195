//! A network that is slow, loses answers, and falls apart.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use larch_proto::{
    AppendRequest, AppendResponse, Assignment, Estimate, EstimateRequest, FlushRequest, FlushResponse,
    HistogramBatch, HistogramRequest, LabelsRequest, PatternBatch, PatternsRequest, PlanEstimateRequest,
    PlanHead, PlanHistogramRequest, PlanLabelsRequest, PlanRequest, PlannedSegment, PullRequest, ReadHead,
    ReadRequest, ReportHead, ReportResponse, ResultPart, RowBatch, StateResponse, SubscribeRequest,
    TailEvent, TailStart, TextBatch,
};
use larch_rpc::{
    CallContext, CallError, CallStream, Deadline, Headed, Ingester, LocalTransport, Planner, Tail,
    TenantContext, Transport, WorkQueue,
};
use larch_runtime::Env;
use larch_types::{Address, ErrorKind};

/// One node's way to the others. All nodes of a world share the services and the faults; each has its own
/// place, so that the network can fall apart between any two.
#[derive(Clone)]
pub struct SimNet {
    env: Env,
    from: Address,
    services: LocalTransport,
    faults: Arc<Mutex<Faults>>,
}

#[derive(Debug, Default)]
struct Faults {
    latency: Duration,
    lost_answers_per_mille: u64,
    /// Pairs of addresses between which nothing passes, the smaller one first.
    cut: BTreeSet<(Address, Address)>,
}

impl SimNet {
    pub fn new(env: Env, from: Address) -> Self {
        let faults = Faults { latency: Duration::from_millis(1), ..Faults::default() };
        Self { env, from, services: LocalTransport::new(), faults: Arc::new(Mutex::new(faults)) }
    }

    /// The same network as another node sees it.
    pub fn seen_from(&self, node: Address) -> Self {
        Self { from: node, ..self.clone() }
    }

    /// Where nodes add and remove their services.
    pub fn services(&self) -> &LocalTransport {
        &self.services
    }

    /// Every call takes between one and two times so long.
    pub fn set_latency(&self, latency: Duration) {
        self.faults().latency = latency;
    }

    /// So many of a thousand calls are done and then fail.
    pub fn lose_answers(&self, per_mille: u64) {
        self.faults().lost_answers_per_mille = per_mille;
    }

    /// Lets nothing pass between two nodes: calls wait for their deadline.
    pub fn cut(&self, one: &Address, other: &Address) {
        self.faults().cut.insert(pair(one, other));
    }

    pub fn heal(&self, one: &Address, other: &Address) {
        self.faults().cut.remove(&pair(one, other));
    }

    fn faults(&self) -> std::sync::MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn link<S: ?Sized>(&self, to: &Address, service: Arc<S>) -> Link<S> {
        Link { net: self.clone(), to: to.clone(), service }
    }
}

fn pair(one: &Address, other: &Address) -> (Address, Address) {
    let (one, other) = (one.clone(), other.clone());
    if one <= other { (one, other) } else { (other, one) }
}

impl Transport for SimNet {
    fn ingester(&self, address: &Address) -> Arc<dyn Ingester> {
        Arc::new(self.link(address, self.services.ingester(address)))
    }

    fn planner(&self, address: &Address) -> Arc<dyn Planner> {
        Arc::new(self.link(address, self.services.planner(address)))
    }

    fn work_queue(&self, address: &Address) -> Arc<dyn WorkQueue> {
        Arc::new(self.link(address, self.services.work_queue(address)))
    }

    fn tail(&self, address: &Address) -> Arc<dyn Tail> {
        Arc::new(self.link(address, self.services.tail(address)))
    }
}

/// The way of a call to one service.
struct Link<S: ?Sized> {
    net: SimNet,
    to: Address,
    service: Arc<S>,
}

impl<S: ?Sized> Link<S> {
    /// There and back.
    async fn call<T>(
        &self,
        deadline: Deadline,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let (latency, lost, is_cut) = {
            let faults = self.net.faults();
            let is_cut = faults.cut.contains(&pair(&self.net.from, &self.to));
            (faults.latency, faults.lost_answers_per_mille, is_cut)
        };
        if is_cut {
            self.net.env.sleep(deadline.time_left()).await;
            return Err(CallError::new(ErrorKind::Timeout, "simulated: the network fell apart"));
        }
        self.net.env.sleep(self.net.env.random.jitter(latency, 1.0)).await;
        let answer = call.await?;
        if self.net.env.random.below(1000) < lost {
            return Err(CallError::new(ErrorKind::Unavailable, "simulated: the answer was lost"));
        }
        Ok(answer)
    }
}

#[async_trait]
impl Ingester for Link<dyn Ingester> {
    async fn append(
        &self,
        context: TenantContext,
        request: AppendRequest,
    ) -> Result<AppendResponse, CallError> {
        self.call(context.call.deadline, self.service.append(context, request)).await
    }

    async fn read(
        &self,
        context: TenantContext,
        request: ReadRequest,
    ) -> Result<Headed<ReadHead, RowBatch>, CallError> {
        self.call(context.call.deadline, self.service.read(context, request)).await
    }

    async fn labels(
        &self,
        context: TenantContext,
        request: LabelsRequest,
    ) -> Result<Headed<ReadHead, TextBatch>, CallError> {
        self.call(context.call.deadline, self.service.labels(context, request)).await
    }

    async fn histogram(
        &self,
        context: TenantContext,
        request: HistogramRequest,
    ) -> Result<Headed<ReadHead, HistogramBatch>, CallError> {
        self.call(context.call.deadline, self.service.histogram(context, request)).await
    }

    async fn patterns(
        &self,
        context: TenantContext,
        request: PatternsRequest,
    ) -> Result<Headed<ReadHead, PatternBatch>, CallError> {
        self.call(context.call.deadline, self.service.patterns(context, request)).await
    }

    async fn estimate(
        &self,
        context: TenantContext,
        request: EstimateRequest,
    ) -> Result<Estimate, CallError> {
        self.call(context.call.deadline, self.service.estimate(context, request)).await
    }

    async fn flush(&self, context: CallContext, request: FlushRequest) -> Result<FlushResponse, CallError> {
        self.call(context.deadline, self.service.flush(context, request)).await
    }

    async fn state(&self, context: CallContext) -> Result<StateResponse, CallError> {
        self.call(context.deadline, self.service.state(context)).await
    }
}

#[async_trait]
impl Planner for Link<dyn Planner> {
    async fn plan(
        &self,
        context: TenantContext,
        request: PlanRequest,
    ) -> Result<Headed<PlanHead, PlannedSegment>, CallError> {
        self.call(context.call.deadline, self.service.plan(context, request)).await
    }

    async fn labels(
        &self,
        context: TenantContext,
        request: PlanLabelsRequest,
    ) -> Result<Headed<PlanHead, TextBatch>, CallError> {
        self.call(context.call.deadline, self.service.labels(context, request)).await
    }

    async fn histogram(
        &self,
        context: TenantContext,
        request: PlanHistogramRequest,
    ) -> Result<Headed<PlanHead, HistogramBatch>, CallError> {
        self.call(context.call.deadline, self.service.histogram(context, request)).await
    }

    async fn estimate(
        &self,
        context: TenantContext,
        request: PlanEstimateRequest,
    ) -> Result<Estimate, CallError> {
        self.call(context.call.deadline, self.service.estimate(context, request)).await
    }
}

#[async_trait]
impl Tail for Link<dyn Tail> {
    async fn subscribe(
        &self,
        context: TenantContext,
        request: SubscribeRequest,
    ) -> Result<Headed<TailStart, TailEvent>, CallError> {
        self.call(context.call.deadline, self.service.subscribe(context, request)).await
    }
}

#[async_trait]
impl WorkQueue for Link<dyn WorkQueue> {
    async fn pull(
        &self,
        context: CallContext,
        request: PullRequest,
    ) -> Result<CallStream<Assignment>, CallError> {
        self.call(context.deadline, self.service.pull(context, request)).await
    }

    async fn report(
        &self,
        context: CallContext,
        head: ReportHead,
        parts: CallStream<ResultPart>,
    ) -> Result<ReportResponse, CallError> {
        self.call(context.deadline, self.service.report(context, head, parts)).await
    }
}

#[cfg(test)]
mod tests {
    use larch_types::{RequestId, TraceContext};
    use tokio::time::Instant;

    use super::*;
    use crate::sim::{World, run};

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    fn context() -> CallContext {
        CallContext {
            request: "r".parse::<RequestId>().unwrap(),
            trace: TraceContext::new(1, 1, 0).unwrap(),
            deadline: Deadline::after(Duration::from_secs(5)),
        }
    }

    /// An ingester's state is asked for where no ingester is: the network's part of the answer shows.
    async fn ask(net: &SimNet, to: &Address) -> (ErrorKind, u64) {
        let begun = Instant::now();
        let error = net.ingester(to).state(context()).await.unwrap_err();
        (error.kind(), begun.elapsed().as_secs())
    }

    #[test]
    fn nodes_are_cut_off_from_one_another_and_healed() {
        run(1, async |world: World| {
            let (a, b, c) = (address("a:1"), address("b:1"), address("c:1"));
            let net = world.net.seen_from(a.clone());
            net.cut(&b, &a);
            assert_eq!(ask(&net, &b).await, (ErrorKind::Timeout, 5));
            assert_eq!(
                ask(&net, &c).await,
                (ErrorKind::Unavailable, 0),
                "nobody is there, which is told at once"
            );
            assert_eq!(ask(&net.seen_from(c), &b).await.0, ErrorKind::Unavailable);
            net.heal(&a, &b);
            assert_eq!(ask(&net, &b).await.0, ErrorKind::Unavailable);
        });
    }
}
