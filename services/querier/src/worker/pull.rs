//! One queue: its stream of pieces, kept open and begun again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use larch_proto::{Assignment, Piece, PullRequest};
use larch_rpc::{CallContext, CallError, CallStream, Deadline, WorkQueue};
use larch_runtime::Scope;
use larch_types::{Address, ErrorKind, RequestId, TraceContext};
use tracing::{debug, info, warn};

use super::Worker;
use super::inflight::InFlight;

/// As long as a call may last.
const PULL_LASTS: Duration = Duration::from_secs(24 * 60 * 60);

/// A share of each wait is added at random, so that workers do not come back all at once.
const JITTER: f64 = 0.5;

impl Worker {
    /// Pulls until the scope stops. Waits between tries grow, and begin anew once a stream was opened.
    pub(super) async fn pull(&self, address: &Address, scope: Scope) {
        let queue = self.deps.transport.work_queue(address);
        let backoff = &self.deps.config.worker.grpc_client_config.backoff_config;
        let (shortest, longest) = (backoff.min_period.to_std(), backoff.max_period.to_std());
        let mut wait = shortest;
        loop {
            let Some(opened) = scope.until_cancelled(self.open(&*queue)).await else { return };
            match opened {
                Ok((pieces, deadline)) => {
                    info!(queue = %address, "pulling pieces of queries");
                    wait = shortest;
                    let lost = self.serve(&queue, pieces, deadline, &scope).await;
                    if scope.is_cancelled() {
                        return;
                    }
                    match lost {
                        Lost::Deadline => continue,
                        Lost::Ended => debug!(queue = %address, "the queue ended the stream of pieces"),
                        Lost::Failed(error) => warn!(queue = %address, %error, "lost the queue"),
                    }
                }
                Err(error) => debug!(queue = %address, %error, "cannot pull"),
            }
            let pause = self.deps.env.random.jitter(wait, JITTER);
            if scope.until_cancelled(self.deps.env.sleep(pause)).await.is_none() {
                return;
            }
            wait = (wait * 2).min(longest).max(shortest);
        }
    }

    async fn open(&self, queue: &dyn WorkQueue) -> Result<(CallStream<Assignment>, Deadline), CallError> {
        let deadline = Deadline::after(PULL_LASTS);
        let random = &self.deps.env.random;
        // Neither number is 0 but once in 2^64 calls; then one of them is 1.
        let trace = TraceContext::new(random.next_u128().max(1), random.next_u64().max(1), 0)
            .ok_or_else(|| CallError::new(ErrorKind::Internal, "no trace"))?;
        let context = CallContext { request: RequestId::from_random(random.next_u64()), trace, deadline };
        let request = PullRequest { worker: self.id, concurrency: self.deps.config.querier.max_concurrent };
        Ok((queue.pull(context, request).await?, deadline))
    }

    /// Works on what the queue sends, until the stream ends or the scope stops.
    async fn serve(
        &self,
        queue: &Arc<dyn WorkQueue>,
        mut pieces: CallStream<Assignment>,
        deadline: Deadline,
        scope: &Scope,
    ) -> Lost {
        let _connected = self.deps.metrics.queues.hold(1);
        let in_flight = InFlight::default();
        // A queue knows that a piece is done before its worker does, so that for a moment there may be more.
        let most = self.deps.config.querier.max_concurrent as usize * 2;
        let lost = loop {
            match scope.until_cancelled(pieces.next()).await {
                Some(Some(Ok(Assignment::Piece(_)))) if in_flight.len() >= most => {
                    let text = "the queue sent more pieces than it was asked for";
                    break Lost::Failed(CallError::new(ErrorKind::Internal, text));
                }
                Some(Some(Ok(Assignment::Piece(piece)))) => self.begin(queue, *piece, &in_flight, scope),
                Some(Some(Ok(Assignment::Cancel(id)))) => in_flight.cancel(id),
                Some(Some(Err(_))) if deadline.has_passed() => break Lost::Deadline,
                Some(Some(Err(error))) => break Lost::Failed(error),
                Some(None) | None => break Lost::Ended,
            }
        };
        // Pieces that were begun in time are still wanted; of a lost queue nobody takes the answers.
        if !matches!(lost, Lost::Deadline) {
            in_flight.cancel_all();
        }
        lost
    }

    fn begin(&self, queue: &Arc<dyn WorkQueue>, piece: Piece, in_flight: &InFlight, scope: &Scope) {
        let worker = self.clone();
        let queue = Arc::clone(queue);
        let own = scope.child();
        let entered = in_flight.enter(piece.id, own.clone());
        let deadline = Deadline::after(piece.time_left);
        scope.spawn("querier piece", async move {
            // Letting go of the work lets go of all calls that it waits for.
            own.until_cancelled(worker.work(&*queue, piece, deadline)).await;
            drop(entered);
        });
    }
}

/// Why a stream of pieces is over.
enum Lost {
    /// It lasted as long as a call may.
    Deadline,
    Ended,
    Failed(CallError),
}
