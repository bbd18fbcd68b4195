//! The reading side of a history: a planner and a querier of a process of their own, and a queue that hands pieces
//! out and takes what is reported.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::unfold;
use larch_api::Tenancy;
use larch_launch::{Frame, SharedSettings, TenantLimits};
use larch_membership::{Member, Members, Part};
use larch_proto::{
    Assignment, Direction, Piece, PieceId, PieceTenant, PullRequest, Question, ReportHead, ReportResponse,
    ResultPart,
};
use larch_rpc::{CallContext, CallError, CallStream, LocalTransport, WorkQueue};
use larch_runtime::{Env, Scope};
use larch_store::{Backing, Catalog, Segments, Store, StoreOptions};
use larch_telemetry::Registry;
use larch_testkit::sim::{SimDir, World};
use larch_types::{ErrorKind, NodeId, Span, TenantId};
use tokio::sync::{mpsc, oneshot};

use crate::model::{Metric, Row, Samples, end};
use crate::{BASE, STREAMS, context};

/// What one process is given of the world.
pub(crate) fn frame(world: &World) -> Frame {
    frame_on(world, &world.env)
}

/// On a machine of its own.
pub(crate) fn frame_on(world: &World, env: &Env) -> Frame {
    let (metrics, local) = (Registry::default(), LocalTransport::new());
    let dir = world.wal_dir.clone();
    let backing = Backing::other(Arc::new(world.store.clone()));
    let store = Store::new(backing, StoreOptions::default(), env.clone(), &metrics);
    let catalog = Catalog::new(store.clone(), env.clone(), &metrics);
    Frame {
        env: env.clone(),
        metrics: metrics.clone(),
        settings: Arc::new(settings()),
        limits: TenantLimits::new(Default::default(), Default::default()),
        tenancy: Tenancy::new(true, "fake").expect("a tenancy"),
        open_dir: Arc::new(move |_| Ok(Arc::new(dir.clone()))),
        segments: Segments::new(catalog.clone(), &Default::default(), &metrics),
        catalog,
        store,
        transport: Arc::new(local.clone()),
        local,
        members: Members::default(),
        here: "reader:1".parse().expect("an address"),
    }
}

fn settings() -> SharedSettings {
    SharedSettings {
        top: Default::default(),
        server: Default::default(),
        common: Default::default(),
        memberlist: Default::default(),
        tracing: Default::default(),
        limits: Default::default(),
        operational: Default::default(),
        runtime_config: Default::default(),
        schema: Default::default(),
        storage: Default::default(),
        chunk_store: Default::default(),
        ingester_client: Default::default(),
        serves_grpc: false,
        runs_all: true,
    }
}

/// Planner, querier and queue.
pub(crate) struct House {
    pub(crate) frame: Frame,
    queue: Arc<Queue>,
    scope: Scope,
}

type Reported = Result<Vec<ResultPart>, CallError>;

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pull: Option<mpsc::Sender<Result<Assignment, CallError>>>,
    /// Who waits for the piece that is out.
    waiting: Option<(PieceId, oneshot::Sender<Reported>)>,
    pieces: u64,
}

impl House {
    /// With footers and pages in a directory, which outlives it.
    pub(crate) async fn build(world: &World, cache: &SimDir) -> Self {
        let frame = frame(world);
        let (scope, queue) = (Scope::default(), Arc::new(Queue::default()));
        let opened = frame.segments.open_disk_cache(Arc::new(cache.clone()), &scope).await;
        opened.expect("a directory that nobody has");
        let here: larch_types::Address = "queue:1".parse().expect("an address");
        frame.local.add_work_queue(here.clone(), Arc::clone(&queue) as Arc<_>);
        frame.members.enter(Member { part: Part::WorkQueue, node: NodeId::from_u128(9), address: here });
        for role in [larch_index_gateway::role(), larch_querier::role()] {
            let service = role.build(&frame).expect("a reader");
            for module in &service.modules {
                module.start(&scope).await.expect("the reader starts");
            }
        }
        while queue.lock().pull.is_none() {
            world.env.sleep(Duration::from_millis(1)).await;
        }
        Self { frame, queue, scope }
    }

    pub(crate) async fn stop(self) {
        self.scope.close(Duration::from_secs(60)).await.expect("everything stops");
    }

    /// All rows of a tenant that are found.
    pub(crate) async fn rows(&self, tenant: &TenantId) -> Result<Vec<Row>, CallError> {
        let question = Question::Logs {
            // A regex would take longer to build than the rest of the question.
            query: r#"{app!=""}"#.to_owned(),
            direction: Direction::Forward,
            limit: 1_000_000,
        };
        let mut rows = Vec::new();
        for part in self.ask(tenant, question).await? {
            let ResultPart::Entries(batch) = part else { continue };
            for entry in batch.entries {
                let labels = &batch.streams[entry.stream as usize].labels;
                let stream = STREAMS.iter().position(|(text, _)| text == labels).expect("a known stream");
                let line = String::from_utf8(entry.line.to_vec()).expect("a text");
                rows.push((stream, entry.timestamp.nanos(), line));
            }
        }
        Ok(rows)
    }

    /// Samples of each day.
    pub(crate) async fn samples(&self, tenant: &TenantId, metric: Metric) -> Result<Samples, CallError> {
        let question = Question::Metric {
            query: metric.query().to_owned(),
            start: BASE,
            end: end(),
            step: Span::from_hours(24),
        };
        let mut samples = Samples::new();
        for part in self.ask(tenant, question).await? {
            let ResultPart::Samples(all) = part else { continue };
            for series in all {
                let app = series.labels.iter().find(|pair| pair.name.as_str() == "app").expect("a label");
                for (step, value) in series.steps.iter().zip(&series.values) {
                    let known = samples.insert((app.value.as_str().to_owned(), *step), *value);
                    assert_eq!(known, None, "a series comes once");
                }
            }
        }
        Ok(samples)
    }

    async fn ask(&self, tenant: &TenantId, question: Question) -> Reported {
        let (piece, reported) = self.queue.hand_out(tenant, question);
        let pull = self.queue.lock().pull.clone().expect("a querier that pulls");
        pull.send(Ok(Assignment::Piece(Box::new(piece)))).await.expect("a querier that pulls");
        reported.await.map_err(|_| CallError::new(ErrorKind::Internal, "no report"))?
    }
}

impl Queue {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_out(&self, tenant: &TenantId, question: Question) -> (Piece, oneshot::Receiver<Reported>) {
        let mut state = self.lock();
        state.pieces += 1;
        let id = PieceId(state.pieces);
        let (sender, receiver) = oneshot::channel();
        state.waiting = Some((id, sender));
        let context = context(tenant);
        let piece = Piece {
            id,
            tenants: vec![PieceTenant { tenant: context.tenant, policy: None }],
            question,
            start: BASE.plus(Span::from_hours(-24)),
            end: end().plus(Span::from_hours(24)),
            shard: None,
            time_left: Duration::from_secs(300),
            request: context.call.request,
            trace: context.call.trace,
            max_bytes: 0,
            max_series: 0,
            query_tags: String::new(),
            no_cache: false,
            keeps_answer: false,
            kept: None,
        };
        (piece, receiver)
    }
}

#[async_trait]
impl WorkQueue for Queue {
    async fn pull(&self, _: CallContext, _: PullRequest) -> Result<CallStream<Assignment>, CallError> {
        let (sender, receiver) = mpsc::channel(1);
        self.lock().pull = Some(sender);
        let next =
            |mut receiver: mpsc::Receiver<_>| async { receiver.recv().await.map(|next| (next, receiver)) };
        Ok(unfold(receiver, next).boxed())
    }

    async fn report(
        &self,
        _: CallContext,
        head: ReportHead,
        mut parts: CallStream<ResultPart>,
    ) -> Result<ReportResponse, CallError> {
        let mut taken = Vec::new();
        let end = loop {
            match parts.next().await {
                Some(Ok(ResultPart::Done(_))) => break Ok(taken),
                Some(Ok(part)) => taken.push(part),
                Some(Err(error)) => break Err(error),
                None => break Err(CallError::new(ErrorKind::Unavailable, "the report just ended")),
            }
        };
        let waiting = self.lock().waiting.take_if(|(id, _)| *id == head.piece);
        if let Some((_, sender)) = waiting {
            drop(sender.send(end));
        }
        Ok(ReportResponse { wanted: true })
    }
}
