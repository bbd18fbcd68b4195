//! The rows from before a tail, and the subscriptions that go on exactly where they end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use larch_logql::{EvalLimits, LogRow, Origin};
use larch_membership::Part;
use larch_proto::{Direction, PieceTenant, WalPoint, WalPosition};
use larch_rpc::{CallContext, CallError, Deadline};
use larch_store::MAX_VIEW_AGE;
use larch_types::{Address, ErrorKind, NodeId, Span, Timestamp};
use tracing::debug;

use super::session::Session;
use super::subscription::{Subscribed, Subscriber};
use crate::answer::{Entries, Shown, lost};
use crate::cpu::Cpu;
use crate::rows::{AnswerHead, Asker, Opened, Read, failed, log_read};

/// Reads are begun anew if an ingester cannot go on from where one ended: the new one then covers what was
/// missing. Once is enough, because the subscriptions are open by then.
const TRIES: usize = 3;

pub(super) struct Backlog {
    /// Oldest first, with what makes them known again.
    pub(super) rows: Vec<(Origin, LogRow)>,
    /// By ingester: the last record that the rows cover, and what comes behind it.
    pub(super) live: BTreeMap<NodeId, Live>,
}

pub(super) struct Live {
    pub(super) address: Address,
    pub(super) covered: WalPosition,
    pub(super) stream: Subscribed,
}

impl Session {
    /// Refuses what the tenant's limits refuse, in their words.
    pub(super) fn check_limits(&self) -> Result<Timestamp, String> {
        let limits = self.tails.deps.limits.limits(&self.tenant);
        let (limit, most) = (self.request.limit, limits.max_entries_limit_per_query);
        if most > 0 && limit > most {
            return Err(format!(
                "max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {most})"
            ));
        }
        let now = self.tails.deps.env.clock.now();
        let mut start = self.request.start;
        if limits.max_query_lookback > Span::ZERO {
            start = start.max(now.minus(limits.max_query_lookback));
        }
        let (length, most) = (now.since(start), limits.max_query_length);
        if most > Span::ZERO && length > most {
            let (length, most) = (length.to_go(), most.to_prometheus());
            return Err(format!(
                "the query time range exceeds the limit (query length: {length}, limit: {most})"
            ));
        }
        Ok(start)
    }

    pub(super) fn call(&self, lasts: Duration) -> Result<CallContext, CallError> {
        let random = &self.tails.deps.env.random;
        let trace = larch_telemetry::outgoing_trace(&self.span)
            .or_else(|| larch_types::TraceContext::new(random.next_u128(), random.next_u64(), 0))
            .ok_or_else(|| CallError::new(ErrorKind::Internal, "no trace"))?;
        Ok(CallContext { request: self.id.clone(), trace, deadline: Deadline::after(lasts) })
    }

    /// Reads what is there, and subscribes to what comes from the position that the read covers.
    pub(super) async fn backlog(
        &self,
        start: Timestamp,
        subscriber: &Subscriber,
        cpu: &Cpu,
    ) -> Result<Backlog, CallError> {
        let deps = &self.tails.deps;
        let lasts = deps.limits.limits(&self.tenant).query_timeout.to_std();
        let max_memory = deps.config.querier.engine.max_memory;
        let mut asker = Asker {
            deps: Arc::clone(deps),
            call: self.call(lasts)?,
            tenants: vec![PieceTenant { tenant: self.tenant.clone(), policy: None }],
            shard: None,
            max_memory,
            max_bytes: 0,
            max_view_age: MAX_VIEW_AGE,
        };
        // Rows of the future that are there already would come from nowhere else.
        let range = (start, Timestamp::MAX);
        let (direction, limit) = (Direction::Backward, u64::from(self.request.limit));
        let read = log_read(&self.request.query, range, direction, limit);
        let shown = Shown { range, direction, limit, now: deps.env.clock.now() };
        let mut live = BTreeMap::new();
        let found = self.read_rows(&asker, (&read, &shown), (subscriber, cpu), &mut live).await;
        let entries = match found {
            // Others have taken the place of a segment that the plan names, and it is gone: nothing was shown yet.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                debug!(%error, "plan again");
                asker.max_view_age = Duration::ZERO;
                self.read_rows(&asker, (&read, &shown), (subscriber, cpu), &mut live).await.map_err(lost)?
            }
            found => found?,
        };
        Ok(Backlog { rows: entries.rows.into_iter().rev().collect(), live })
    }

    async fn read_rows(
        &self,
        asker: &Asker,
        (read, shown): (&Read, &Shown),
        (subscriber, cpu): (&Subscriber, &Cpu),
        live: &mut BTreeMap<NodeId, Live>,
    ) -> Result<Entries, CallError> {
        let log = self.request.query.clone();
        let limits = EvalLimits { max_series: 0, max_range: None, max_memory: asker.max_memory };
        let evaluation = shown.begin(cpu, log, limits).await?.map_err(|error| failed(&error))?;
        let mut rows = self.open_seamless(asker, read, subscriber, live).await?;
        Entries::collect(cpu, &*self.tails.deps.env.clock, &mut rows.rows, evaluation).await
    }

    /// Subscriptions are kept from one try to the next; only the read is begun anew.
    async fn open_seamless(
        &self,
        asker: &Asker,
        read: &Read,
        subscriber: &Subscriber,
        live: &mut BTreeMap<NodeId, Live>,
    ) -> Result<Opened, CallError> {
        for _ in 0..TRIES {
            let opened = asker.open(std::slice::from_ref(read)).await?;
            let mut is_seamless = true;
            for AnswerHead { node, head, .. } in &opened.heads {
                if !live.contains_key(node) {
                    let from = WalPoint { node: head.node, position: head.wal_position };
                    let (address, stream) = self.subscribe(*node, from, subscriber).await?;
                    live.insert(*node, Live { address, covered: head.wal_position, stream });
                }
                if let Some(live) = live.get_mut(node) {
                    live.covered = head.wal_position;
                    is_seamless &= live.stream.head.position <= live.covered;
                }
            }
            if is_seamless {
                return Ok(opened);
            }
        }
        Err(CallError::new(ErrorKind::Unavailable, "an ingester cannot be followed from where it was read"))
    }

    async fn subscribe(
        &self,
        node: NodeId,
        from: WalPoint,
        subscriber: &Subscriber,
    ) -> Result<(Address, Subscribed), CallError> {
        let deps = &self.tails.deps;
        let view = deps.members.view();
        let member = view
            .find(Part::Ingester, node)
            .ok_or_else(|| CallError::new(ErrorKind::Unavailable, format!("ingester {node} has left")))?;
        let stream = subscriber.subscribe(deps, &member.address, Some(from)).await?;
        Ok((member.address.clone(), stream))
    }
}
