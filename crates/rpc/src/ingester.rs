//! Calls to an ingester.

use async_trait::async_trait;
use larch_proto::{
    AppendRequest, AppendResponse, Estimate, EstimateRequest, FlushRequest, FlushResponse, HistogramBatch,
    HistogramRequest, LabelsRequest, PatternBatch, PatternsRequest, ReadHead, ReadRequest, RowBatch,
    StateResponse, TextBatch,
};

use crate::{CallContext, CallError, Headed, TenantContext};

/// Takes pushes and answers about the rows that it holds.
///
/// # Cancel safety
/// A caller may let go of any call at any time; what an implementation must finish nevertheless, it
/// hands to a task of its own.
#[async_trait]
pub trait Ingester: Send + Sync {
    /// Success of a stream means that it is in the node's WAL, fsynced unless the answer says otherwise.
    async fn append(
        &self,
        context: TenantContext,
        request: AppendRequest,
    ) -> Result<AppendResponse, CallError>;

    /// The rows that the node holds, as of one moment.
    async fn read(
        &self,
        context: TenantContext,
        request: ReadRequest,
    ) -> Result<Headed<ReadHead, RowBatch>, CallError>;

    /// Labels of streams of which the node holds rows.
    async fn labels(
        &self,
        context: TenantContext,
        request: LabelsRequest,
    ) -> Result<Headed<ReadHead, TextBatch>, CallError>;

    /// Rows and bytes by stream and minute.
    async fn histogram(
        &self,
        context: TenantContext,
        request: HistogramRequest,
    ) -> Result<Headed<ReadHead, HistogramBatch>, CallError>;

    /// Line patterns mined on the node.
    async fn patterns(
        &self,
        context: TenantContext,
        request: PatternsRequest,
    ) -> Result<Headed<ReadHead, PatternBatch>, CallError>;

    /// How much a read would touch.
    async fn estimate(&self, context: TenantContext, request: EstimateRequest)
    -> Result<Estimate, CallError>;

    /// Cuts and uploads what the request names.
    async fn flush(&self, context: CallContext, request: FlushRequest) -> Result<FlushResponse, CallError>;

    /// The node's condition.
    async fn state(&self, context: CallContext) -> Result<StateResponse, CallError>;
}
