//! The planner: what it is asked, and what it answers with.

use async_trait::async_trait;
use futures_util::stream::{StreamExt, iter};
use larch_proto::{
    Estimate, HistogramBatch, PlanEstimateRequest, PlanHead, PlanHistogramRequest, PlanLabelsRequest,
    PlanRequest, PlanScope, PlannedSegment, TextBatch,
};
use larch_rpc::{CallError, Headed, Planner, TenantContext};
use larch_runtime::Env;
use larch_store::Segments;
use larch_types::TenantId;

use crate::folding::Folding;
use crate::live::{self, Live};
use crate::metrics::Metrics;
use crate::read::{estimate, histogram, labels, plan};
use crate::selection::Chosen;

/// Answers from the catalog and from footers; rows are read only where times decide.
pub(crate) struct GatewayPlanner {
    env: Env,
    segments: Segments,
    metrics: Metrics,
    folding: Folding,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
enum Call {
    Plan,
    Labels,
    Histogram,
    Estimate,
}

impl Call {
    const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Labels => "labels",
            Self::Histogram => "histogram",
            Self::Estimate => "estimate",
        }
    }

    /// What is nearest to it in Loki. Series are asked for in the same way as labels.
    const fn operation(self) -> &'static str {
        match self {
            Self::Plan => "chunk_refs",
            Self::Labels => "label_values",
            Self::Histogram => "volume",
            Self::Estimate => "stats",
        }
    }
}

impl GatewayPlanner {
    pub(crate) fn new(env: Env, segments: Segments, metrics: Metrics) -> Self {
        Self { env, segments, metrics, folding: Folding::default() }
    }

    /// Writes snapshots of what plans find long, until it is dropped.
    pub(crate) async fn fold(&self) {
        self.folding.run(self.segments.catalog(), &self.env, &self.metrics).await;
    }

    async fn find(&self, tenant: &TenantId, scope: &PlanScope) -> Result<(Chosen, Live), CallError> {
        let chosen = Chosen::new(&scope.selection)?;
        let clock = &*self.env.clock;
        let live = live::find(self.segments.catalog(), clock, tenant, scope, &chosen).await?;
        for partition in &live.long {
            self.folding.ask(tenant, *partition, clock.monotonic());
        }
        Ok((chosen, live))
    }

    /// There are no deletes yet that a reader would have to apply.
    fn head(live: &Live, chunks_in_range: u64) -> PlanHead {
        PlanHead {
            view_age: live.age,
            tombstones: Vec::new(),
            segments_in_range: live.segments.len() as u64,
            chunks_in_range,
            chunks_of_segments: 0,
            chunks_in_time: 0,
        }
    }

    /// Answers a question of some kind.
    async fn counted<T>(
        &self,
        call: Call,
        answering: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let started = self.env.clock.monotonic();
        let answer = answering.await;
        let took = self.env.clock.monotonic().since(started);
        let status = answer.as_ref().map_or_else(|error| error.kind().http(), |_| 200).to_string();
        self.metrics.calls.with([call.name(), &status]).inc();
        self.metrics.seconds.with([call.operation(), &status]).observe_duration(took);
        answer
    }

    async fn plan_inside(
        &self,
        tenant: &TenantId,
        request: &PlanRequest,
    ) -> Result<Headed<PlanHead, PlannedSegment>, CallError> {
        let (chosen, live) = self.find(tenant, &request.scope).await?;
        let plans = plan::read(&self.segments, tenant, &live.segments, &chosen, &request.needles).await?;
        let (planned, ruled_out) = (plans.chunks(), plans.chunks_in_range - plans.chunks());
        self.metrics.chunks.with(["planned"]).add(planned);
        self.metrics.chunks.with(["ruled_out"]).add(ruled_out);
        self.metrics.chunk_refs.with(["matched"]).add(planned);
        self.metrics.chunk_refs.with(["discarded"]).add(ruled_out);
        let head = PlanHead {
            chunks_of_segments: plans.chunks_of_segments,
            chunks_in_time: plans.chunks_in_time,
            ..Self::head(&live, plans.chunks_in_range)
        };
        Ok(Headed { head, body: iter(plans.segments).map(Ok).boxed() })
    }

    async fn labels_inside(
        &self,
        tenant: &TenantId,
        request: &PlanLabelsRequest,
    ) -> Result<Headed<PlanHead, TextBatch>, CallError> {
        let (chosen, live) = self.find(tenant, &request.scope).await?;
        let found = labels::read(&self.segments, tenant, &live.segments, &chosen, &request.query).await?;
        let head = Self::head(&live, found.chunks_in_range);
        Ok(Headed { head, body: iter(found.parts).map(Ok).boxed() })
    }

    async fn histogram_inside(
        &self,
        tenant: &TenantId,
        request: PlanHistogramRequest,
    ) -> Result<Headed<PlanHead, HistogramBatch>, CallError> {
        let (chosen, live) = self.find(tenant, &request.scope).await?;
        let how = (request.minutes_per_cell, request.labels);
        let counted = histogram::read(&self.segments, tenant, &live.segments, &chosen, how).await?;
        let head = Self::head(&live, counted.chunks_in_range);
        Ok(Headed { head, body: iter(counted.parts).map(Ok).boxed() })
    }

    async fn estimate_inside(
        &self,
        tenant: &TenantId,
        request: &PlanEstimateRequest,
    ) -> Result<Estimate, CallError> {
        let (chosen, live) = self.find(tenant, &request.scope).await?;
        estimate::read(&self.segments, tenant, &live.segments, &chosen).await
    }
}

#[async_trait]
impl Planner for GatewayPlanner {
    async fn plan(
        &self,
        context: TenantContext,
        request: PlanRequest,
    ) -> Result<Headed<PlanHead, PlannedSegment>, CallError> {
        self.counted(Call::Plan, self.plan_inside(&context.tenant, &request)).await
    }

    async fn labels(
        &self,
        context: TenantContext,
        request: PlanLabelsRequest,
    ) -> Result<Headed<PlanHead, TextBatch>, CallError> {
        self.counted(Call::Labels, self.labels_inside(&context.tenant, &request)).await
    }

    async fn histogram(
        &self,
        context: TenantContext,
        request: PlanHistogramRequest,
    ) -> Result<Headed<PlanHead, HistogramBatch>, CallError> {
        self.counted(Call::Histogram, self.histogram_inside(&context.tenant, request)).await
    }

    async fn estimate(
        &self,
        context: TenantContext,
        request: PlanEstimateRequest,
    ) -> Result<Estimate, CallError> {
        self.counted(Call::Estimate, self.estimate_inside(&context.tenant, &request)).await
    }
}
