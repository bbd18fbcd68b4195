//! From subscriptions to frames: the rows from before, then those that come, each once and in order.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use larch_api::MAX_TAIL_FRAME_ENTRIES;
use larch_logql::{LabelSet, LivePipeline, LogRow};
use larch_membership::{Part, View};
use larch_proto::{RowBatch, TailEvent, WalPosition};
use larch_rpc::CallError;
use larch_runtime::Scope;
use larch_types::{Address, Labels, NodeId, Timestamp};
use tokio::sync::{mpsc, watch};

use super::backlog::{Backlog, Live};
use super::buffer::Buffer;
use super::seen::{RowKey, Seen};
use super::session::Session;
use super::subscription::{Event, Subscribed, Subscriber, position};
use crate::cpu::Cpu;
use crate::rows::{Budget, InputRows, Streams, failed, rows_of_batch};

/// Batches that wait for the feed. What comes on top waits at the ingesters, which drop it and say so.
const EVENTS_WAITING: usize = 16;

/// Streams that are remembered; then they are read from their texts anew.
const MOST_STREAMS: usize = 10_000;

pub(super) struct Feed<'a> {
    session: &'a Session,
    scope: Scope,
    frames: mpsc::Sender<String>,
    cpu: Cpu,
    buffer: Buffer,
    seen: Seen,
    streams: Streams,
    /// Records up to here were read with the rows from before.
    covered: BTreeMap<NodeId, WalPosition>,
    /// The ingesters that are followed, each in a scope of its own.
    followed: BTreeMap<NodeId, Scope>,
}

/// What the feed waits for.
enum Wake {
    /// The client can take a frame.
    Room,
    /// Rows are due.
    Due,
    Event(Event),
    /// Ingesters came or went.
    Members(Arc<View>),
}

impl<'a> Feed<'a> {
    pub(super) fn new(session: &'a Session, scope: Scope, frames: mpsc::Sender<String>) -> Self {
        Self {
            session,
            scope,
            frames,
            cpu: Cpu::new(&session.tails.deps.env, session.tails.deps.metrics.panics.clone(), None),
            buffer: Buffer::new(session.request.delay.to_std()),
            seen: Seen::default(),
            streams: Streams::new(false),
            covered: BTreeMap::new(),
            followed: BTreeMap::new(),
        }
    }

    /// Why it ended.
    pub(super) async fn run(mut self) -> String {
        match self.follow().await {
            Ok(reason) => reason,
            Err(error) => error.text().to_owned(),
        }
    }

    async fn follow(&mut self) -> Result<String, CallError> {
        let start = match self.session.check_limits() {
            Ok(start) => start,
            Err(reason) => return Ok(reason),
        };
        let expr = self.session.request.query.clone();
        let pipeline = self.cpu.run(move |_| LivePipeline::new(&expr)).await?;
        let mut pipeline = pipeline.map_err(|error| failed(&error))?;
        let deps = &self.session.tails.deps;
        // A little longer than the tail, so that its end is never taken for a lost ingester.
        let lasts = deps.config.querier.tail_max_duration.to_std() + Duration::from_secs(60);
        let subscriber = Subscriber::new(self.session, self.session.call(lasts)?);
        let mut views = deps.members.watch();
        let backlog = self.session.backlog(start, &subscriber, &self.cpu).await?;
        let (sender, mut events) = mpsc::channel(EVENTS_WAITING);
        if !self.show_backlog(backlog, &subscriber, &sender).await {
            return Ok("the client is gone".to_owned());
        }
        self.follow_members(&Arc::clone(&views.borrow_and_update()), &subscriber, &sender);
        while !self.followed.is_empty() {
            match self.wake(&mut events, &mut views).await {
                Wake::Room => self.send_frame(),
                Wake::Due => self.buffer.release(self.session.tails.deps.env.clock.monotonic()),
                Wake::Event(event) => pipeline = self.take(event, pipeline).await?,
                Wake::Members(view) => self.follow_members(&view, &subscriber, &sender),
            }
        }
        Ok("all ingesters closed the connection".to_owned())
    }

    /// Sends the rows from before, which are never dropped, while those that come wait. False: nobody takes
    /// them.
    async fn show_backlog(
        &mut self,
        backlog: Backlog,
        subscriber: &Subscriber,
        events: &mpsc::Sender<Event>,
    ) -> bool {
        for (node, Live { address, covered, stream }) in backlog.live {
            self.covered.insert(node, covered);
            self.begin(node, address, Some(stream), subscriber, events);
        }
        let now = self.session.tails.deps.env.clock.monotonic();
        let mut rows = Vec::new();
        for (origin, row) in backlog.rows {
            self.seen.is_new((row.timestamp, origin.identity), now);
            rows.push(row);
        }
        for rows in rows.chunks(MAX_TAIL_FRAME_ENTRIES) {
            self.count(rows);
            if self.frames.send(self.session.shape.frame(rows, &[])).await.is_err() {
                return false;
            }
        }
        true
    }

    fn count(&self, rows: &[LogRow]) {
        let bytes: usize = rows.iter().map(|row| row.line.len()).sum();
        self.session.tails.deps.metrics.tail_bytes.add(bytes as u64);
    }

    async fn wake(&self, events: &mut mpsc::Receiver<Event>, views: &mut watch::Receiver<Arc<View>>) -> Wake {
        let room = pin!(async {
            // A closed channel has no room: the client is gone, and with it this feed.
            if !self.buffer.has_waiting() || self.frames.reserve().await.is_err() {
                std::future::pending::<()>().await;
            }
        });
        let due = self.buffer.due_in(self.session.tails.deps.env.clock.monotonic());
        let due = pin!(async {
            match due {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        });
        // Neither can end while the feed holds a sender and the members.
        let event = pin!(async {
            match events.recv().await {
                Some(event) => event,
                None => std::future::pending().await,
            }
        });
        let view = pin!(async {
            if views.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            Arc::clone(&views.borrow_and_update())
        });
        match select(select(room, due), select(event, view)).await {
            Either::Left((Either::Left(_), _)) => Wake::Room,
            Either::Left((Either::Right(_), _)) => Wake::Due,
            Either::Right((Either::Left((event, _)), _)) => Wake::Event(event),
            Either::Right((Either::Right((view, _)), _)) => Wake::Members(view),
        }
    }

    fn send_frame(&mut self) {
        let Ok(room) = self.frames.clone().try_reserve_owned() else { return };
        let (rows, dropped) = self.buffer.take_frame();
        self.count(&rows);
        room.send(self.session.shape.frame(&rows, &dropped));
    }

    /// Begins to follow ingesters that came, and lets go of those that went.
    fn follow_members(&mut self, view: &View, subscriber: &Subscriber, events: &mpsc::Sender<Event>) {
        self.followed.retain(|node, scope| {
            let stays = view.find(Part::Ingester, *node).is_some();
            if !stays {
                scope.cancel();
            }
            stays
        });
        for member in view.of(Part::Ingester) {
            if !self.followed.contains_key(&member.node) {
                self.begin(member.node, member.address.clone(), None, subscriber, events);
            }
        }
    }

    fn begin(
        &mut self,
        node: NodeId,
        address: Address,
        opened: Option<Subscribed>,
        subscriber: &Subscriber,
        events: &mpsc::Sender<Event>,
    ) {
        let own = self.scope.child();
        let (subscriber, events, inner) = (subscriber.clone(), events.clone(), own.clone());
        let deps = Arc::clone(&self.session.tails.deps);
        self.scope.spawn("tail of an ingester", async move {
            inner.until_cancelled(subscriber.follow(&deps, (node, address), opened, events)).await;
        });
        self.followed.insert(node, own);
    }

    async fn take(&mut self, event: Event, pipeline: LivePipeline) -> Result<LivePipeline, CallError> {
        let Event { node, event } = event;
        if self.covered.get(&node).is_some_and(|covered| position(&event) <= *covered) {
            return Ok(pipeline);
        }
        match event {
            TailEvent::Rows { batch, .. } => self.take_rows(batch, pipeline).await,
            TailEvent::Dropped { examples, .. } => {
                for row in examples {
                    let labels: Labels = row.labels.parse().unwrap_or_default();
                    self.buffer.drop_row(row.timestamp, Arc::new(LabelSet::from(&labels)));
                }
                Ok(pipeline)
            }
        }
    }

    async fn take_rows(
        &mut self,
        batch: RowBatch,
        mut pipeline: LivePipeline,
    ) -> Result<LivePipeline, CallError> {
        if batch.rows.is_empty() {
            return Ok(pipeline);
        }
        if self.streams.len() >= MOST_STREAMS {
            self.streams = Streams::new(false);
        }
        let deps = &self.session.tails.deps;
        // Of one batch; what is remembered is bounded by the number of streams.
        let mut budget = Budget::new(deps.config.querier.engine.max_memory);
        let rows = rows_of_batch(batch, &self.session.tenant, &mut self.streams, &mut budget)?;
        let now = deps.env.clock.now();
        let step = move |_: &crate::cpu::Stop| {
            let shown = run(&mut pipeline, &InputRows::new(&rows), now);
            (pipeline, shown)
        };
        let (pipeline, shown) = self.cpu.run(step).await?;
        let now = deps.env.clock.monotonic();
        for (key, row) in shown.map_err(|error| failed(&error))? {
            if self.seen.is_new(key, now) {
                self.buffer.add(row, now);
            }
        }
        self.buffer.release(now);
        Ok(pipeline)
    }
}

/// What is shown of the rows, each with what makes it known again.
fn run(
    pipeline: &mut LivePipeline,
    rows: &InputRows<'_>,
    now: Timestamp,
) -> Result<Vec<(RowKey, LogRow)>, larch_logql::EvalError> {
    let shown = pipeline.run(rows.iter(), now)?;
    let keyed = shown.into_iter().map(|(place, row)| ((row.timestamp, rows.row(place).identity()), row));
    Ok(keyed.collect())
}
