//! From a checked push to an answer of its ingesters.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use larch_membership::{Member, Members, Part};
use larch_proto::{AppendRequest, AppendResponse, ReplicaSet};
use larch_rpc::{CallContext, CallError, Deadline, TenantContext, Transport};
use larch_types::{ErrorKind, RequestId, TenantId, TraceContext};
use tokio::sync::Semaphore;

use crate::error::PushError;
use crate::metrics::Metrics;

/// Reaches ingesters. Those that are known, up to the replication factor, are the replicas of every stream.
pub(crate) struct Sender {
    pub(crate) members: Members,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) replication_factor: usize,
    /// How long a push waits for its ingesters.
    pub(crate) timeout: Duration,
    /// Calls at a time.
    pub(crate) calls: Semaphore,
    pub(crate) metrics: Metrics,
}

/// Whose push it is, for those who work on it elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) tenant: TenantId,
    pub(crate) request: RequestId,
    pub(crate) trace: TraceContext,
}

/// What one replica said of every stream: nothing if it took it.
type Outcomes = Vec<Option<CallError>>;

impl Sender {
    /// Sends a push to its replicas, which are filled in here. Success means that a majority of them has
    /// every stream.
    ///
    /// # Cancel safety
    /// Whoever lets go does not know what was stored.
    pub(crate) async fn send(&self, origin: &Origin, mut request: AppendRequest) -> Result<(), PushError> {
        let view = self.members.view();
        let replicas: Vec<&Member> = view.of(Part::Ingester).take(self.replication_factor).collect();
        // Of the replicas that there should be, not of those that are there.
        let needed = self.replication_factor / 2 + 1;
        if replicas.len() < needed {
            return Err(PushError::TooFewIngesters { needed, found: replicas.len() });
        }
        request.replica_sets =
            vec![ReplicaSet { nodes: replicas.iter().map(|member| member.node).collect() }];
        let streams = request.streams.len();
        let deadline = Deadline::after(self.timeout);
        let call = CallContext { request: origin.request.clone(), trace: origin.trace, deadline };
        let context = TenantContext { tenant: origin.tenant.clone(), call };
        // One copy a replica; a single replica gets the request itself.
        let copies = vec![request; replicas.len()];
        let calls =
            replicas.iter().zip(copies).map(|(replica, copy)| self.call(replica, context.clone(), copy));
        let mut answers = Vec::with_capacity(replicas.len());
        for answer in join_all(calls).await {
            answers.push(outcomes(answer, streams));
        }
        quorum(&answers, streams, needed).map_err(PushError::Ingester)
    }

    async fn call(
        &self,
        replica: &Member,
        context: TenantContext,
        request: AppendRequest,
    ) -> Result<AppendResponse, CallError> {
        let late = || CallError::new(ErrorKind::Timeout, "no call to an ingester became free in time");
        let permit = tokio::time::timeout(context.call.deadline.time_left(), self.calls.acquire());
        // The semaphore is never closed.
        let Ok(Ok(_permit)) = permit.await else { return Err(late()) };
        let ingester = replica.address.as_str();
        self.metrics.appends.with([ingester]).inc();
        let answer = self.transport.ingester(&replica.address).append(context, request).await;
        if let Err(error) = &answer {
            self.metrics.append_failures.with([ingester]).inc();
            if error.kind() == ErrorKind::Timeout {
                self.metrics.append_timeouts.with([ingester]).inc();
            }
        }
        answer
    }
}

/// An answer as one outcome a stream; a call that failed failed for all of them.
fn outcomes(answer: Result<AppendResponse, CallError>, streams: usize) -> Outcomes {
    let all = |error: CallError| vec![Some(error); streams];
    match answer {
        Err(error) => all(error),
        Ok(answer) if answer.outcomes.len() != streams => {
            let text = format!("an ingester answered for {} of {streams} streams", answer.outcomes.len());
            all(CallError::new(ErrorKind::Internal, text))
        }
        Ok(answer) => {
            answer.outcomes.into_iter().map(|outcome| outcome.refusal.map(CallError::from)).collect()
        }
    }
}

/// Whether every stream is on so many replicas as it needs. If not, the failure of the last stream that is
/// not: what clients did wrong is told as it is, if so many replicas say so that too few are left.
fn quorum(answers: &[Outcomes], streams: usize, needed: usize) -> Result<(), CallError> {
    let mut failure = None;
    for stream in 0..streams {
        let refusals: Vec<&CallError> = answers.iter().filter_map(|of| of[stream].as_ref()).collect();
        if answers.len() - refusals.len() >= needed {
            continue;
        }
        let by_client: Vec<&&CallError> =
            refusals.iter().filter(|refusal| (400..500).contains(&refusal.kind().http())).collect();
        let tolerated = answers.len() - needed;
        failure = match by_client.last() {
            Some(refusal) if by_client.len() > tolerated => Some((**refusal).clone()),
            _ => refusals.iter().rfind(|refusal| refusal.kind().http() >= 500).copied().cloned(),
        };
    }
    failure.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replicas' words on one or more streams: `-` for taken, else a kind.
    #[track_caller]
    fn check(answers: &[&str], want: Option<ErrorKind>) {
        let outcome = |c: char| match c {
            '-' => None,
            'r' => Some(CallError::new(ErrorKind::TooMany, "r")),
            'i' => Some(CallError::new(ErrorKind::Invalid, "i")),
            'u' => Some(CallError::new(ErrorKind::Unavailable, "u")),
            _ => Some(CallError::new(ErrorKind::Timeout, "t")),
        };
        let (streams, needed) = (answers[0].len(), answers.len() / 2 + 1);
        let answers: Vec<Outcomes> =
            answers.iter().map(|answer| answer.chars().map(outcome).collect()).collect();
        let kind = quorum(&answers, streams, needed).err().map(|error| error.kind());
        assert_eq!(kind, want, "{answers:?}");
    }

    #[test]
    fn a_majority_of_replicas_decides() {
        check(&["-"], None);
        check(&["r"], Some(ErrorKind::TooMany));
        check(&["u"], Some(ErrorKind::Unavailable));
        check(&["-r-"], Some(ErrorKind::TooMany));
        check(&["ri-"], Some(ErrorKind::Invalid));
        check(&["-", "-", "u"], None);
        check(&["-", "u", "t"], Some(ErrorKind::Timeout));
        check(&["-", "r", "r"], Some(ErrorKind::TooMany));
        check(&["-", "r", "u"], Some(ErrorKind::Unavailable));
        check(&["-", "u"], Some(ErrorKind::Unavailable));
        check(&["-u", "u-", "--"], None);
    }

    #[test]
    fn an_answer_for_other_streams_is_none() {
        let answer = AppendResponse {
            node: larch_types::NodeId::from_u128(1),
            outcomes: Vec::new(),
            synced: true,
            wal_position: larch_proto::WalPosition(1),
            ring_digest: larch_proto::RingDigest(1),
        };
        let outcomes = outcomes(Ok(answer), 2);
        assert_eq!(outcomes.len(), 2);
        assert!(outcomes.iter().flatten().all(|error| error.kind() == ErrorKind::Internal));
    }
}
