//! From a checked push to an answer of its ingesters.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use larch_membership::{Member, Members, Part};
use larch_proto::{AppendRequest, AppendResponse, RefusalReason, StreamOutcome};
use larch_rpc::{CallContext, CallError, Deadline, TenantContext, Transport};
use larch_runtime::Clock;
use larch_types::{ErrorKind, RequestId, TenantId, TraceContext};
use tokio::sync::Semaphore;

use crate::error::PushError;
use crate::metrics::Metrics;
use crate::place::{RingBook, Share, place};

/// Reaches ingesters.
pub(crate) struct Sender {
    pub(crate) members: Members,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) replication_factor: usize,
    /// How long a push waits for its ingesters.
    pub(crate) timeout: Duration,
    /// Calls at a time.
    pub(crate) calls: Semaphore,
    pub(crate) metrics: Metrics,
    pub(crate) rings: RingBook,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The call as dashboards of Loki know it.
const OPERATION: &str = "/logproto.Pusher/Push";

/// Whose push it is, for those who work on it elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) tenant: TenantId,
    pub(crate) request: RequestId,
    pub(crate) trace: TraceContext,
}

/// What the replicas of a part said of it: nothing if they took it.
type Answers = Vec<Option<Refused>>;

#[derive(Debug, Clone)]
struct Refused {
    error: CallError,
    reason: Option<RefusalReason>,
}

/// What became of the streams of a push.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Of the last stream that too few replicas have.
    pub(crate) failure: Option<CallError>,
    /// Streams that too few replicas have, by their places.
    pub(crate) failed: Vec<(usize, Option<RefusalReason>)>,
}

impl Sender {
    /// Sends the streams of a push to their replicas, which are filled in here. A stream that has not failed
    /// is on a majority of them.
    ///
    /// # Cancel safety
    /// Whoever lets go does not know what was stored.
    pub(crate) async fn send(&self, origin: &Origin, request: AppendRequest) -> Result<Sent, PushError> {
        let view = self.members.view();
        let found = view.of(Part::Ingester).count();
        // Of the replicas that there should be, not of those that are there.
        let needed = self.replication_factor / 2 + 1;
        if found < needed {
            return Err(PushError::TooFewIngesters { needed, found });
        }
        let AppendRequest { stamp, levels, streams, .. } = request;
        let ring = self.rings.ring(&view);
        let placed = place(&origin.tenant, streams, &ring, self.replication_factor);
        let outlines = placed.outlines();
        let deadline = Deadline::after(self.timeout);
        let call = CallContext { request: origin.request.clone(), trace: origin.trace, deadline };
        let context = TenantContext { tenant: origin.tenant.clone(), call };
        let mut calls = Vec::new();
        for Share { node, places, streams, replica_sets } in placed.into_shares() {
            let Some(member) = view.find(Part::Ingester, node) else { continue };
            let request = AppendRequest { stamp, replica_sets, levels: levels.clone(), streams };
            let call = self.call(member, context.clone(), request);
            calls.push(async move { (call.await, places) });
        }
        let mut answers: Vec<Answers> = vec![Vec::new(); outlines.len()];
        for (answer, places) in join_all(calls).await {
            for (place, outcome) in places.iter().zip(outcomes(answer, places.len())) {
                answers[*place].push(outcome);
            }
        }
        Ok(quorum(&outlines, &answers, needed))
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
        let started = self.clock.monotonic();
        let answer = self.transport.ingester(&replica.address).append(context, request).await;
        let status = match &answer {
            Ok(_) => "2xx",
            Err(error) if error.kind().http() < 500 => "4xx",
            Err(_) => "5xx",
        };
        let took = self.clock.monotonic().since(started);
        self.metrics.append_seconds.with([OPERATION, status]).observe(took.as_secs_f64());
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
fn outcomes(answer: Result<AppendResponse, CallError>, streams: usize) -> Vec<Option<Refused>> {
    let all = |error: CallError| vec![Some(Refused { error, reason: None }); streams];
    match answer {
        Err(error) => all(error),
        Ok(answer) if answer.outcomes.len() != streams => {
            let text = format!("an ingester answered for {} of {streams} streams", answer.outcomes.len());
            all(CallError::new(ErrorKind::Internal, text))
        }
        Ok(answer) => {
            let refused = |outcome: StreamOutcome| {
                let reason = outcome.reason;
                outcome.refusal.map(|refusal| Refused { error: refusal.into(), reason })
            };
            answer.outcomes.into_iter().map(refused).collect()
        }
    }
}

/// Which streams are not on so many replicas as they need, by the places that parts have in the push, and the
/// failure of the last of them: what clients did wrong is told as it is, if so many replicas say so that too
/// few are left.
fn quorum(places: &[usize], answers: &[Answers], needed: usize) -> Sent {
    let mut sent = Sent::default();
    for (place, answers) in places.iter().zip(answers) {
        let refusals: Vec<&Refused> = answers.iter().flatten().collect();
        if answers.len() - refusals.len() >= needed {
            continue;
        }
        let by_client: Vec<&&Refused> =
            refusals.iter().filter(|refusal| (400..500).contains(&refusal.error.kind().http())).collect();
        let tolerated = answers.len().saturating_sub(needed);
        let decisive = match by_client.last() {
            Some(refusal) if by_client.len() > tolerated => Some(**refusal),
            _ => refusals.iter().rfind(|refusal| refusal.error.kind().http() >= 500).copied(),
        };
        let reason = decisive.and_then(|refused| refused.reason);
        // Parts of a stream follow each other, and a stream fails once.
        if sent.failed.last().is_none_or(|(last, _)| last != place) {
            sent.failed.push((*place, reason));
        }
        let too_few = || CallError::new(ErrorKind::Unavailable, "too few ingesters answered for a stream");
        sent.failure = Some(decisive.map_or_else(too_few, |refused| refused.error.clone()));
    }
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replicas' words on one or more streams: `-` for taken, else a kind.
    #[track_caller]
    fn check(replicas: &[&str], want: Option<ErrorKind>) {
        let outcome = |c: char| match c {
            '-' => None,
            'r' => Some(CallError::new(ErrorKind::TooMany, "r")),
            'i' => Some(CallError::new(ErrorKind::Invalid, "i")),
            'u' => Some(CallError::new(ErrorKind::Unavailable, "u")),
            _ => Some(CallError::new(ErrorKind::Timeout, "t")),
        };
        let (streams, needed) = (replicas[0].len(), replicas.len() / 2 + 1);
        let refused = |c| outcome(c).map(|error| Refused { error, reason: None });
        let of_stream =
            |stream| replicas.iter().map(|word| word.chars().nth(stream)).collect::<Option<String>>();
        let answers: Vec<Answers> =
            (0..streams).map(|stream| of_stream(stream).unwrap().chars().map(refused).collect()).collect();
        let places: Vec<usize> = (0..streams).collect();
        let sent = quorum(&places, &answers, needed);
        assert_eq!(sent.failure.map(|error| error.kind()), want, "{replicas:?}");
        assert_eq!(sent.failed.is_empty(), want.is_none());
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
    fn a_stream_fails_once_with_its_last_part() {
        let refused = |kind, reason| Some(Refused { error: CallError::new(kind, "x"), reason });
        let answers = [
            vec![None],
            vec![refused(ErrorKind::TooMany, Some(RefusalReason::StreamRate))],
            vec![refused(ErrorKind::Unavailable, None)],
            vec![None],
        ];
        let sent = quorum(&[0, 1, 1, 2], &answers, 1);
        assert_eq!(sent.failed, [(1, Some(RefusalReason::StreamRate))]);
        assert_eq!(sent.failure.map(|error| error.kind()), Some(ErrorKind::Unavailable));
        let nobody = quorum(&[0], &[Vec::new()], 1);
        assert_eq!(nobody.failed, [(0, None)]);
        assert_eq!(nobody.failure.map(|error| error.kind()), Some(ErrorKind::Unavailable));
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
        assert!(outcomes.iter().flatten().all(|refused| refused.error.kind() == ErrorKind::Internal));
    }
}
