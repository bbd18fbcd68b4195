//! Calls to whoever knows the segments.

use async_trait::async_trait;
use larch_proto::{
    Estimate, HistogramBatch, PlanEstimateRequest, PlanHead, PlanHistogramRequest, PlanLabelsRequest,
    PlanRequest, PlannedSegment, TextBatch,
};

use crate::{CallError, Headed, TenantContext};

/// Turns matchers and a time range into chunks to read, or answers from footers alone.
///
/// # Cancel safety
/// A caller may let go of any call at any time.
#[async_trait]
pub trait Planner: Send + Sync {
    /// The chunks and pages that a read needs, and the deletes to apply.
    async fn plan(
        &self,
        context: TenantContext,
        request: PlanRequest,
    ) -> Result<Headed<PlanHead, PlannedSegment>, CallError>;

    /// Labels of streams of which segments hold rows.
    async fn labels(
        &self,
        context: TenantContext,
        request: PlanLabelsRequest,
    ) -> Result<Headed<PlanHead, TextBatch>, CallError>;

    /// Rows and bytes by stream and minute.
    async fn histogram(
        &self,
        context: TenantContext,
        request: PlanHistogramRequest,
    ) -> Result<Headed<PlanHead, HistogramBatch>, CallError>;

    /// How much a read would touch.
    async fn estimate(
        &self,
        context: TenantContext,
        request: PlanEstimateRequest,
    ) -> Result<Estimate, CallError>;
}
