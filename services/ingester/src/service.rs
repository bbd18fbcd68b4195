//! The ingester as others call it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{Either, select};
use futures_util::stream::{StreamExt, unfold};
use larch_proto::{
    AppendRequest, AppendResponse, Estimate, EstimateRequest, FlushRequest, FlushResponse, HistogramBatch,
    HistogramRequest, LabelsRequest, Load, Member, MemberState, PatternBatch, PatternsRequest, ReadHead,
    ReadRequest, Role, RowBatch, StateResponse, SubscribeRequest, TailEvent, TailStart, TextBatch,
    WalPosition,
};
use larch_rpc::{CallContext, CallError, CallStream, Headed, Ingester, Tail, TenantContext};
use larch_types::ErrorKind;
use tokio::sync::watch;

use crate::append::append;
use crate::flush::flush_to_the_end;
use crate::needles::Needles;
use crate::node::{Node, unavailable};
use crate::patterns::{Offer, Patterns};
use crate::read::{estimate, histogram, labels, rows};
use crate::selection::Chosen;
use crate::shelf::{Place, View};
use crate::source::Source;
use crate::tail::{Filter, Reading};
use crate::tenant::Tenant;

/// How often a live tail without rows hears that the node is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// A disk that syncs for longer is not slow, it hangs.
const STALLED_AFTER: Duration = Duration::from_secs(2);

/// Rows of one event: enough to be few, little enough to be buffered on the way.
const EVENT_BYTES: usize = 1 << 20;

/// Known to callers before the node is: it is made when the log is open.
#[derive(Default)]
pub(crate) struct Door {
    node: OnceLock<Arc<Node>>,
    /// If they are mined.
    patterns: Option<Arc<Patterns>>,
}

impl Door {
    pub(crate) fn new(patterns: Option<Arc<Patterns>>) -> Self {
        Self { node: OnceLock::new(), patterns }
    }

    pub(crate) fn open(&self, node: Arc<Node>) {
        // A module is started once.
        drop(self.node.set(node));
    }

    /// Before the log is read back, an answer about rows would be silent about some.
    pub(crate) fn node(&self) -> Result<&Arc<Node>, CallError> {
        self.node.get().ok_or_else(|| unavailable("the ingester is reading its log back"))
    }
}

/// What the tenant holds, with the head that goes before it. The head's position is older, so that it is in the
/// rows; its segments are of the same moment as the rows.
async fn look(
    node: &Node,
    context: &TenantContext,
    chosen: &Chosen,
) -> Result<(ReadHead, Vec<Source>), CallError> {
    let mut head = node.read_head();
    let tenant = node.tenants.find(&context.tenant);
    let View { places, handed_over } = tenant.map(|tenant| tenant.shelf.view()).unwrap_or_default();
    for handed in handed_over {
        if handed.entry.first < chosen.end && chosen.start <= handed.entry.last {
            head.handed_over.push(handed.entry.clone());
        }
    }
    let mut sources = Vec::new();
    for place in places {
        match place {
            Place::Memory(snapshot) => sources.push(Source::Memory(snapshot)),
            Place::File(file) if file.may_have(chosen.start, chosen.end) => {
                sources.push(Source::File(file.open_among(&node.dir, &node.tails).await?));
            }
            Place::File(_) => {}
        }
    }
    Ok((head, sources))
}

#[async_trait]
impl Ingester for Door {
    async fn append(
        &self,
        context: TenantContext,
        request: AppendRequest,
    ) -> Result<AppendResponse, CallError> {
        let Some(patterns) = &self.patterns else {
            return append(self.node()?, &context.tenant, request).await;
        };
        let offer = Offer::of(&request);
        let response = append(self.node()?, &context.tenant, request).await?;
        patterns.offer(&context.tenant, offer, &response);
        Ok(response)
    }

    async fn read(
        &self,
        context: TenantContext,
        request: ReadRequest,
    ) -> Result<Headed<ReadHead, RowBatch>, CallError> {
        let node = self.node()?;
        let query = rows::RowsQuery {
            chosen: Chosen::new(request.selection)?,
            needles: Needles::new(&request.needles)?,
            direction: request.direction,
            limit: request.limit,
        };
        let (head, sources) = look(node, &context, &query.chosen).await?;
        Ok(Headed { head, body: rows::read(sources, query)? })
    }

    async fn labels(
        &self,
        context: TenantContext,
        request: LabelsRequest,
    ) -> Result<Headed<ReadHead, TextBatch>, CallError> {
        let node = self.node()?;
        let chosen = Chosen::new(request.selection)?;
        let (head, sources) = look(node, &context, &chosen).await?;
        Ok(Headed { head, body: labels::read(sources, &chosen, &request.query).await? })
    }

    async fn histogram(
        &self,
        context: TenantContext,
        request: HistogramRequest,
    ) -> Result<Headed<ReadHead, HistogramBatch>, CallError> {
        let node = self.node()?;
        let chosen = Chosen::new(request.selection)?;
        let (head, sources) = look(node, &context, &chosen).await?;
        let how = (request.minutes_per_cell, &request.labels);
        let body = histogram::read(sources, &chosen, how, node.id).await?;
        Ok(Headed { head, body })
    }

    /// The pattern ingester is off unless it is configured, and then Loki too answers that there is
    /// nothing.
    async fn patterns(
        &self,
        context: TenantContext,
        request: PatternsRequest,
    ) -> Result<Headed<ReadHead, PatternBatch>, CallError> {
        let node = self.node()?;
        let Some(patterns) = &self.patterns else {
            return Err(CallError::new(ErrorKind::NotFound, "no patterns are mined here"));
        };
        let chosen = Chosen::new(request.selection)?;
        let body = patterns.read(&context.tenant, chosen, request.step).await;
        Ok(Headed { head: node.read_head(), body })
    }

    async fn estimate(
        &self,
        context: TenantContext,
        request: EstimateRequest,
    ) -> Result<Estimate, CallError> {
        let node = self.node()?;
        let chosen = Chosen::new(request.selection)?;
        estimate::read(look(node, &context, &chosen).await?.1, &chosen).await
    }

    async fn flush(&self, _: CallContext, request: FlushRequest) -> Result<FlushResponse, CallError> {
        flush_to_the_end(self.node()?, request).await
    }

    async fn state(&self, _: CallContext) -> Result<StateResponse, CallError> {
        Ok(state(self.node()?))
    }
}

fn state(node: &Node) -> StateResponse {
    let (mut streams, mut rows, mut raw_bytes, mut tenants, mut files) = (0, 0, 0, 0, 0);
    for tenant in node.tenants.all() {
        let held = tenant.shelf.holdings();
        tenants += 1;
        streams += held.streams as u64;
        rows += held.rows;
        raw_bytes += held.raw_bytes as u64;
        files += held.files as u64;
    }
    let member = Member {
        node: node.id,
        roles: vec![Role::Ingester],
        grpc_address: Some(node.here.clone()),
        http_address: None,
        zone: String::new(),
        state: member_state(node.is_leaving(), node.log.running_call()),
        tokens: Vec::new(),
        load: Load { streams, held_bytes: raw_bytes, taken_bytes_per_second: 0 },
        ring_digest: node.ring_digest(),
        started: node.started,
        registered: node.started,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    StateResponse {
        member,
        wal_position: node.applied(),
        wal_bytes: node.log.used_bytes(),
        replaying: false,
        tenants,
        streams,
        rows,
        raw_bytes,
        uploads_waiting: files,
    }
}

/// Others go round a node whose disk has not answered for long.
fn member_state(is_leaving: bool, running_call: Option<Duration>) -> MemberState {
    if is_leaving {
        MemberState::Leaving
    } else if running_call.is_some_and(|took| took > STALLED_AFTER) {
        MemberState::Stalled
    } else {
        MemberState::Active
    }
}

#[async_trait]
impl Tail for Door {
    async fn subscribe(
        &self,
        context: TenantContext,
        request: SubscribeRequest,
    ) -> Result<Headed<TailStart, TailEvent>, CallError> {
        let node = self.node()?;
        let filter = Arc::new(Filter {
            chosen: Chosen::new(request.selection)?,
            needles: Needles::new(&request.needles)?,
            most_examples: node.bounds.named_dropped,
        });
        let tenant = node.tenants.find_or_make(&context.tenant);
        let from = request.from.filter(|from| from.node == node.id).map(|from| from.position);
        let changes = tenant.feed.changes();
        let (listener, position) = tenant.feed.listen(Arc::clone(&filter), from, node.applied());
        let subscription = Subscription { node: Arc::clone(node), tenant, listener, filter, changes };
        let head = TailStart { node: node.id, position, ring_digest: node.ring_digest() };
        Ok(Headed { head, body: subscription.events() })
    }
}

/// One listener. Dropping it ends it.
struct Subscription {
    node: Arc<Node>,
    tenant: Arc<Tenant>,
    listener: u64,
    filter: Arc<Filter>,
    changes: watch::Receiver<WalPosition>,
}

impl Subscription {
    fn events(self) -> CallStream<TailEvent> {
        unfold(self, |mut subscription| async {
            let event = subscription.next().await;
            Some((Ok(event), subscription))
        })
        .boxed()
    }

    async fn next(&mut self) -> TailEvent {
        loop {
            // Whatever comes from here on is seen as a change.
            self.changes.mark_unchanged();
            match self.tenant.feed.read(self.listener, EVENT_BYTES) {
                Reading::Dropped(event) => return event,
                Reading::Pushes { pushes, position } => {
                    let batch = self.filter.rows(&pushes);
                    if !batch.rows.is_empty() {
                        return TailEvent::Rows { batch, position };
                    }
                }
                Reading::Nothing { position } => {
                    if !self.changed_before_heartbeat().await {
                        return TailEvent::Rows { batch: RowBatch::default(), position };
                    }
                }
            }
        }
    }

    async fn changed_before_heartbeat(&mut self) -> bool {
        let timer = std::pin::pin!(self.node.env.sleep(HEARTBEAT));
        let change = std::pin::pin!(self.changes.changed());
        // The sender lives as long as the tenant, which is held here.
        matches!(select(timer, change).await, Either::Right(_))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.tenant.feed.leave(self.listener, self.node.env.clock.monotonic());
    }
}

#[cfg(test)]
mod tests;
