//! One piece: answered while its answer is reported.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::unfold;
use larch_proto::{Done, Piece, ReportHead, ResultPart};
use larch_rpc::{CallContext, CallError, CallStream, Deadline, WorkQueue};
use larch_telemetry::join_trace;
use larch_types::{ErrorKind, Monotonic};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tracing::{Instrument, debug, info, info_span};

use super::Worker;
use crate::answer::{Output, Task, answer, kind_of, query_of};
use crate::cpu::Cpu;

/// Parts that wait for the queue to take them.
const PARTS_WAITING: usize = 4;

/// How much longer than the piece its report may take, so that the queue learns that the time was over.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// From where on the log calls a query slow, as Loki does.
const SLOW: Duration = Duration::from_secs(10);

impl Worker {
    /// Answers the piece once there is a slot for it.
    pub(super) async fn work(&self, queue: &dyn WorkQueue, piece: Piece, deadline: Deadline) {
        let span = info_span!("piece", request_id = piece.request.as_str(), tenant = tenants(&piece));
        let trace = join_trace(&span, Some(piece.trace), self.deps.env.random.next_u128());
        let call = CallContext { request: piece.request.clone(), trace, deadline };
        self.work_inside(queue, piece, call).instrument(span).await;
    }

    async fn work_inside(&self, queue: &dyn WorkQueue, piece: Piece, call: CallContext) {
        let taken = self.deps.env.clock.monotonic();
        let slot = within(call.deadline, async {
            let slot = Arc::clone(&self.slots).acquire_owned().await;
            slot.map_err(|_| CallError::new(ErrorKind::Unavailable, "the querier is stopping"))
        });
        let slot = slot.await;
        let _in_flight = self.deps.metrics.inflight.hold(1);
        let (sender, parts) = mpsc::channel(PARTS_WAITING);
        let output = Output::new(sender);
        let head = ReportHead { piece: piece.id, worker: self.id };
        let report_call =
            CallContext { deadline: Deadline::after(call.deadline.time_left() + LAST_WORDS), ..call.clone() };
        let reporting = pin!(queue.report(report_call, head, stream_of(parts)));
        let answering = pin!(self.answer(&piece, call, slot, output, taken));
        let reported = match select(reporting, answering).await {
            // Nobody wants more of it.
            Either::Left((reported, _)) => reported.map(|response| response.wanted),
            Either::Right(((), reporting)) => reporting.await.map(|response| response.wanted),
        };
        let status = match reported {
            Ok(_) => "200".to_owned(),
            Err(error) => {
                debug!(%error, "the report was not taken");
                error.kind().http().to_string()
            }
        };
        let took = self.deps.env.clock.monotonic().since(taken);
        self.deps.metrics.piece_duration.with([kind_of(&piece.question), &status]).observe_duration(took);
    }

    /// Sends all parts of the answer, the last one included.
    async fn answer(
        &self,
        piece: &Piece,
        call: CallContext,
        slot: Result<OwnedSemaphorePermit, CallError>,
        output: Output,
        taken: Monotonic,
    ) {
        let clock = &self.deps.env.clock;
        let begun = clock.monotonic();
        let wait_ns = u64::try_from(begun.since(taken).as_nanos()).unwrap_or(u64::MAX);
        let end = match slot {
            Err(error) => Err(error),
            Ok(slot) => {
                let cpu = Cpu::new(&self.deps.env, self.deps.metrics.panics.clone(), Some(slot));
                let deadline = call.deadline;
                let mut task = Task::new(&self.deps, piece, call, cpu);
                // The kinds of questions together make a large future.
                within(deadline, Box::pin(answer(&mut task, &piece.question, &output))).await
            }
        };
        let end = end.map(|mut done| {
            done.statistics.wait_ns = wait_ns;
            done
        });
        self.say(piece, &end, clock.monotonic().since(begun));
        output.end(end.map(|done| ResultPart::Done(Box::new(done)))).await;
    }

    /// One line for each piece, with the words that dashboards and alerts on Loki's own logs look for.
    fn say(&self, piece: &Piece, end: &Result<Done, CallError>, took: Duration) {
        let kind = kind_of(&piece.question);
        let status = end.as_ref().map_or_else(|error| error.kind().http(), |_| 200);
        self.deps.metrics.query_latency.with([kind, &status.to_string()]).observe_duration(took);
        let statistics = end.as_ref().map(|done| done.statistics).unwrap_or_default();
        let error = end.as_ref().err().map(CallError::text);
        info!(
            component = "querier",
            org_id = tenants(piece),
            latency = if took > SLOW { "slow" } else { "fast" },
            query = query_of(&piece.question),
            query_type = kind,
            length = %piece.end.since(piece.start),
            duration = ?took,
            status,
            total_bytes = statistics.line_bytes,
            total_lines = statistics.rows,
            post_filter_lines = statistics.rows_after_filters,
            duplicates = statistics.duplicate_rows,
            queue_time = ?Duration::from_nanos(statistics.wait_ns),
            ingester_requests = statistics.ingesters_asked,
            source = piece.query_tags,
            error,
            "piece answered"
        );
    }
}

fn tenants(piece: &Piece) -> String {
    let names: Vec<&str> = piece.tenants.iter().map(|tenant| tenant.tenant.as_str()).collect();
    names.join("|")
}

fn stream_of(parts: mpsc::Receiver<Result<ResultPart, CallError>>) -> CallStream<ResultPart> {
    unfold(parts, |mut parts| async { parts.recv().await.map(|part| (part, parts)) }).boxed()
}

/// The deadline bounds the work as it bounds the calls that it makes.
async fn within<T>(
    deadline: Deadline,
    work: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let late = || CallError::new(ErrorKind::Timeout, "deadline exceeded");
    tokio::time::timeout(deadline.time_left(), work).await.unwrap_or_else(|_| Err(late()))
}
