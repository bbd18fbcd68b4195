//! Workers that pull, and their answers.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::unfold;
use larch_proto::{Assignment, PieceId, PullRequest, ReportHead, ReportResponse, ResultPart};
use larch_rpc::{CallContext, CallError, CallStream, Deadline, WorkQueue};
use larch_runtime::{Job, Next};
use larch_types::{NodeId, Timestamp};
use tokio::sync::{mpsc, watch};

use super::state::NextUp;
use super::{Event, Queue};

/// The queue as workers see it.
pub(crate) struct ServedQueue(pub(crate) Arc<Queue>);

#[async_trait]
impl WorkQueue for ServedQueue {
    async fn pull(
        &self,
        context: CallContext,
        request: PullRequest,
    ) -> Result<CallStream<Assignment>, CallError> {
        let number = self.0.change(|state| state.enter(request.worker, request.concurrency));
        let pull = Pull {
            changes: self.0.changes(),
            queue: Arc::clone(&self.0),
            worker: request.worker,
            number,
            deadline: context.deadline,
        };
        let assignments = unfold(pull, |mut pull| async {
            let assignment = pull.next().await?;
            Some((Ok(assignment), pull))
        });
        Ok(assignments.boxed())
    }

    async fn report(
        &self,
        _: CallContext,
        head: ReportHead,
        parts: CallStream<ResultPart>,
    ) -> Result<ReportResponse, CallError> {
        let Some(events) = self.0.change(|state| state.begin_report(head)) else {
            return Ok(ReportResponse { wanted: false });
        };
        let report = Report { queue: Arc::clone(&self.0), piece: head.piece, events };
        Ok(ReportResponse { wanted: report.pass_on(parts).await })
    }
}

/// One worker's stream of assignments.
struct Pull {
    queue: Arc<Queue>,
    changes: watch::Receiver<u64>,
    worker: NodeId,
    number: u64,
    deadline: Deadline,
}

impl Pull {
    async fn next(&mut self) -> Option<Assignment> {
        loop {
            // A change after this look ends the wait below.
            self.changes.borrow_and_update();
            match self.queue.next_up(self.worker, self.number) {
                NextUp::Piece(piece, _) => return Some(Assignment::Piece(piece)),
                NextUp::Cancel(id) => return Some(Assignment::Cancel(id)),
                NextUp::Over => return None,
                NextUp::Wait => self.changes.changed().await.ok()?,
            }
        }
    }
}

impl Drop for Pull {
    /// A stream that ends at its deadline is begun anew by its worker; any other end is the worker's own.
    fn drop(&mut self) {
        let (returns, now) = (self.deadline.has_passed(), self.queue.now());
        self.queue.change(|state| state.leave(self.worker, self.number, returns, now));
    }
}

/// One answer on its way to whoever waits.
struct Report {
    queue: Arc<Queue>,
    piece: PieceId,
    events: mpsc::Sender<Event>,
}

impl Report {
    /// Whether somebody waited to the end.
    async fn pass_on(self, mut parts: CallStream<ResultPart>) -> bool {
        loop {
            let part = match select(pin!(self.events.closed()), parts.next()).await {
                Either::Left(_) => return false,
                Either::Right((part, _)) => part,
            };
            let (event, is_last) = match part {
                Some(Ok(part)) => {
                    let is_last = matches!(part, ResultPart::Done(_));
                    (Event::Part(part), is_last)
                }
                Some(Err(error)) => (Event::Failed(error), true),
                // Without a last part the piece is lost.
                None => return true,
            };
            if self.events.send(event).await.is_err() {
                return false;
            }
            if is_last {
                return true;
            }
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.queue.change(|state| state.end_report(self.piece));
    }
}

/// How long a worker may stay away whose pull ended at its deadline.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often that is looked at.
pub(crate) const SWEEP: Duration = Duration::from_secs(1);

/// Gives up workers that did not come back.
pub(crate) struct Sweep(pub(crate) std::sync::Weak<Queue>);

impl Job for Sweep {
    const NAME: &'static str = "queue-sweep";

    async fn run_once(&mut self, _: Timestamp) -> Next {
        let Some(queue) = self.0.upgrade() else { return Next::Stop };
        let now = queue.now();
        queue.change(|state| state.lose_absent(now, PATIENCE));
        Next::Wait
    }
}
