//! Taking a push: what may come in is logged, then applied in the order of the log, then answered.

use std::sync::Arc;

use larch_proto::{AppendRequest, AppendResponse, AppendStream, RefusalReason, StreamOutcome, WalPosition};
use larch_rpc::CallError;
use larch_types::{ErrorKind, StreamId, TenantId};
use larch_wal::{AppendError, Committed};
use tokio::sync::oneshot;
use tracing::{error, info};

use crate::cut::{check_cuts, is_large};
use crate::leaving::OnItsWay;
use crate::node::{Node, unavailable};
use crate::pressure::wait_for_cuts;
use crate::record;
use crate::refusal::{line_bytes, too_fast, too_many_streams};
use crate::rhythm::note_pressure;
use crate::streams::{Part, Refusal, StreamLimits};
use crate::tenant::{Duplicates, Taken, Tenant, for_each_part};

/// What a row takes in memory besides its bytes, roughly: its columns and its place among identities.
const ROW_BYTES: usize = 100;

/// Who waits for a record of the log.
pub(crate) enum Waiting {
    Push(Push),
    Note(oneshot::Sender<Result<WalPosition, AppendError>>),
}

/// A push that is on its way through the log.
pub(crate) struct Push {
    tenant: Arc<Tenant>,
    /// Without what was refused.
    request: Arc<AppendRequest>,
    answer: oneshot::Sender<Result<Applied, CallError>>,
    _on_its_way: OnItsWay,
}

/// What became of the streams that were taken.
struct Applied {
    duplicates: Vec<Duplicates>,
    position: WalPosition,
}

/// # Cancel safety
/// A caller that lets go loses the answer only: what was handed to the log is applied.
pub(crate) async fn append(
    node: &Node,
    tenant: &TenantId,
    request: AppendRequest,
) -> Result<AppendResponse, CallError> {
    let on_its_way = node.begin_push()?;
    node.check_room(request.streams.iter().map(memory_bytes).sum())?;
    node.check_disk().inspect_err(|_| note_pressure(node))?;
    let tenant = node.tenants.find_or_make(tenant);
    check_cuts(&tenant)?;
    wait_for_cuts(&node.env, &tenant).await;
    check_streams(&tenant, &request)?;
    let (request, mut outcomes) = admit(node, &tenant, request);
    if request.streams.is_empty() {
        return Ok(response(node, outcomes, node.applied()));
    }
    let record = record::encode_push(&tenant.id, request.clone(), &node.buffers);
    let (answer, answered) = oneshot::channel();
    let push = Push { tenant, request: Arc::new(request), answer, _on_its_way: on_its_way };
    if let Err((error, waiting)) = node.log.append(record, Waiting::Push(push)) {
        if let Waiting::Push(push) = waiting {
            give_back(node, &push);
        }
        note_pressure(node);
        return Err(refused(&error));
    }
    let gone = |_| unavailable("Ingester is shutting down");
    let applied = answered.await.map_err(gone)??;
    let mut duplicates = applied.duplicates.into_iter();
    for outcome in outcomes.iter_mut().filter(|outcome| outcome.refusal.is_none()) {
        if let Some(Duplicates { rows, bytes }) = duplicates.next() {
            outcome.duplicate_rows = rows;
            outcome.duplicate_bytes = bytes;
        }
    }
    Ok(response(node, outcomes, applied.position))
}

fn response(node: &Node, outcomes: Vec<StreamOutcome>, wal_position: WalPosition) -> AppendResponse {
    AppendResponse {
        node: node.id,
        outcomes,
        synced: node.synced,
        wal_position,
        ring_digest: node.ring_digest(),
    }
}

/// What could not be applied must not be logged.
fn check_streams(tenant: &Tenant, request: &AppendRequest) -> Result<(), CallError> {
    let mut room = tenant.shelf.room();
    for stream in &request.streams {
        let mut refusal = None;
        let readable = for_each_part(request, stream, |part| {
            if refusal.is_none() {
                refusal = tenant.shelf.admit(part, &mut room).err();
            }
        });
        readable.map_err(|error| CallError::new(ErrorKind::Invalid, error.to_string()))?;
        if let Some(error) = refusal {
            return Err(CallError::new(error.kind(), error.to_string()));
        }
    }
    Ok(())
}

fn memory_bytes(stream: &AppendStream) -> usize {
    let mut bytes = stream.labels.len();
    for entry in &stream.entries {
        bytes += entry.line.len() + ROW_BYTES;
        for pair in &entry.metadata {
            bytes += pair.name.as_bytes().len() + pair.value.as_bytes().len();
        }
    }
    bytes
}

/// Leaves the streams that may grow now; the others have their refusals among the outcomes, which are in
/// the order of the request.
fn admit(node: &Node, tenant: &Tenant, mut request: AppendRequest) -> (AppendRequest, Vec<StreamOutcome>) {
    let limits = node.limits.limits(&tenant.id);
    let ingesters = node.ingesters();
    let logs_new_streams = node.limits.operational(&tenant.id).log_stream_creation;
    let now = node.env.clock.monotonic();
    let mut outcomes = Vec::with_capacity(request.streams.len());
    let mut admitted = Vec::with_capacity(request.streams.len());
    for stream in request.streams {
        let part = Part {
            id: StreamId::of_canonical(&stream.labels),
            label_bytes: stream.labels.len(),
            shares: stream.write_shards,
            bytes: line_bytes(&stream.entries),
        };
        let limits = StreamLimits::of(&limits, &stream.policy, node.replication, ingesters);
        let is_new = logs_new_streams && !tenant.streams.knows(part.id);
        let (refusal, reason) = match tenant.streams.admit(part, limits, now) {
            Ok(()) => (None, None),
            Err(Refusal::TooManyStreams) => {
                (Some(too_many_streams(&tenant.id, &stream)), Some(RefusalReason::StreamLimit))
            }
            Err(Refusal::TooFast) => {
                let text = too_fast(&tenant.id, &stream, limits.rate, node.bounds.named_rows);
                (Some(text), Some(RefusalReason::StreamRate))
            }
        };
        if refusal.is_none() {
            if is_new {
                info!(tenant = %tenant.id, stream = stream.labels, "stream created");
            }
            admitted.push(stream);
        }
        outcomes.push(StreamOutcome { refusal, reason, ..StreamOutcome::default() });
    }
    request.streams = admitted;
    (request, outcomes)
}

/// Whoever repeats what the log has refused must not be refused for its rate then.
fn give_back(node: &Node, push: &Push) {
    let now = node.env.clock.monotonic();
    for stream in &push.request.streams {
        push.tenant.streams.give_back(
            StreamId::of_canonical(&stream.labels),
            line_bytes(&stream.entries),
            now,
        );
    }
}

/// Applies what the log has taken, in its order, and answers whoever waits. Ends with the log.
pub(crate) async fn apply_committed(node: Arc<Node>, mut committed: Committed<Waiting>) {
    while let Some(batch) = committed.next().await {
        for (waiting, outcome) in batch {
            let outcome = outcome.map(|position| WalPosition(position.0));
            match waiting {
                Waiting::Push(push) => {
                    let answer = match outcome {
                        Ok(position) => apply(&node, &push, position),
                        Err(error) => {
                            give_back(&node, &push);
                            Err(refused(&error))
                        }
                    };
                    // Whoever pushed may have gone; the rows stay.
                    drop(push.answer.send(answer));
                }
                Waiting::Note(answer) => drop(answer.send(outcome)),
            }
            tokio::task::yield_now().await;
        }
        note_pressure(&node);
    }
}

fn apply(node: &Node, push: &Push, position: WalPosition) -> Result<Applied, CallError> {
    let now = node.env.clock.monotonic();
    let applied = push.tenant.apply(&push.request, position, now);
    node.set_applied(position);
    let Taken { duplicates, unfit } = applied.map_err(|error| {
        error!(tenant = %push.tenant.id, error = %error, "a logged push cannot be applied");
        CallError::new(ErrorKind::Internal, error.to_string())
    })?;
    node.metrics.count_unfit(&push.tenant.id, position, unfit);
    node.note_memory(&push.tenant);
    if is_large(&push.tenant.shelf.holdings()) {
        node.wake_cutter.notify_one();
    }
    node.metrics.count_applied(&push.tenant.id, &duplicates);
    log_duplicates(node, push, &duplicates);
    Ok(Applied { duplicates, position })
}

/// For tenants whose clients push twice.
fn log_duplicates(node: &Node, push: &Push, duplicates: &[Duplicates]) {
    let is_any = duplicates.iter().any(|one| one.rows > 0);
    if !is_any || !node.limits.operational(&push.tenant.id).log_duplicate_stream_info {
        return;
    }
    for (stream, Duplicates { rows, bytes }) in push.request.streams.iter().zip(duplicates) {
        if *rows > 0 {
            info!(tenant = %push.tenant.id, stream = stream.labels, rows, bytes, "rows pushed twice");
        }
    }
}

fn refused(error: &AppendError) -> CallError {
    CallError::new(error.kind(), error.to_string())
}
