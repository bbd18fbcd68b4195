//! Calls of a worker to the queue that has work for it.

use async_trait::async_trait;
use larch_proto::{Assignment, PullRequest, ReportHead, ReportResponse, ResultPart};

use crate::{CallContext, CallError, CallStream};

/// Hands out pieces of queries and takes their answers.
///
/// # Cancel safety
/// A worker may let go of any call at any time, most of all by dying: a piece that was handed out and
/// not answered is the queue's to give away again.
#[async_trait]
pub trait WorkQueue: Send + Sync {
    /// Pieces for as long as the worker keeps the stream, never more at once than it asked for. When the
    /// deadline ends the stream, the worker pulls again; its pieces stay its own until then.
    async fn pull(
        &self,
        context: CallContext,
        request: PullRequest,
    ) -> Result<CallStream<Assignment>, CallError>;

    /// The answer to one piece. The parts end with [`ResultPart::Done`] or with an error, which is then
    /// the piece's; a stream that just ends is given an error on the way. The queue answers before the
    /// end if nobody waits any more.
    async fn report(
        &self,
        context: CallContext,
        head: ReportHead,
        parts: CallStream<ResultPart>,
    ) -> Result<ReportResponse, CallError>;
}
