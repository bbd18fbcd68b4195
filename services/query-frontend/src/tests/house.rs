//! A frontend in a simulated process, with workers that answer what a test tells them to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use larch_api::Tenancy;
use larch_launch::{Frame, Role, SharedSettings, TenantLimits};
use larch_limits::LimitsSettings;
use larch_membership::{Members, Part};
use larch_proto::{
    Assignment, Done, Estimate, Piece, PieceId, PullRequest, QueryStatistics, Question, ReportHead,
    ResultPart,
};
use larch_rpc::{CallContext, CallError, Deadline, LocalTransport, WorkQueue};
use larch_runtime::{Module, Scope};
use larch_store::{Backing, Catalog, Segments, Store, StoreOptions};
use larch_telemetry::{Format, Registry};
use larch_testkit::sim;
use larch_types::{Address, NodeId, RequestId, TraceContext};
use tower::ServiceExt;

use crate::role::{Config, with_config};

/// What a test sets before its frontend is built.
pub(super) struct Wanted {
    pub(super) limits: LimitsSettings,
    pub(super) config: Config,
}

impl Default for Wanted {
    fn default() -> Self {
        let mut config = Config::default();
        config.frontend.multi_tenant_queries_enabled = true;
        config.frontend.pattern_ingester_enabled = true;
        Self { limits: LimitsSettings::default(), config }
    }
}

pub(super) struct House {
    pub(super) world: sim::World,
    pub(super) router: Router,
    pub(super) frame: Frame,
    pub(super) metrics: Registry,
    pub(super) modules: Vec<Arc<dyn Module>>,
    pub(super) scope: Scope,
    /// What workers say that a query would read. They are asked for it before every query with a filter or an
    /// aggregation, which no list of theirs shows.
    pub(super) estimate: Arc<AtomicU64>,
}

/// Runs a test in a house. Gives all that was said.
pub(super) fn in_house(wanted: Wanted, test: impl AsyncFnOnce(House)) -> sim::Trace {
    let ((), trace) = sim::run(7, |world| async {
        let house = build(wanted, world);
        for module in &house.modules {
            module.start(&house.scope).await.expect("the queue starts");
        }
        test(house).await;
    });
    trace
}

/// The same with the settings that nobody has set.
pub(super) fn in_plain_house(test: impl AsyncFnOnce(House)) -> sim::Trace {
    in_house(Wanted::default(), test)
}

fn build(wanted: Wanted, world: sim::World) -> House {
    let (metrics, local) = (Registry::default(), LocalTransport::new());
    let dir = world.wal_dir.clone();
    let backing = Backing::other(Arc::new(world.store.clone()));
    let store = Store::new(backing, StoreOptions::default(), world.env.clone(), &metrics);
    let catalog = Catalog::new(store.clone(), world.env.clone(), &metrics);
    let frame = Frame {
        env: world.env.clone(),
        metrics: metrics.clone(),
        settings: Arc::new(settings()),
        limits: TenantLimits::new(wanted.limits, Default::default()),
        tenancy: Tenancy::new(true, "fake").expect("a tenancy"),
        open_dir: Arc::new(move |_| Ok(Arc::new(dir.clone()))),
        segments: Segments::new(catalog.clone(), &Default::default(), &metrics),
        catalog,
        store,
        transport: Arc::new(local.clone()),
        local,
        members: Members::default(),
        here: "here:1".parse().expect("an address"),
    };
    let service = with_config(wanted.config).build(&frame).expect("a frontend");
    let scope = Scope::default();
    let (router, modules, estimate) = (service.http, service.modules, Arc::default());
    House { world, router, frame, metrics, modules, scope, estimate }
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

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("an answer in UTF-8")
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("a plain header")).unwrap_or_default()
    }
}

impl House {
    /// A read of the tenant `acme`.
    pub(super) async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Answer {
        self.get_as("acme", path, parameters, &[]).await
    }

    pub(super) async fn get_as(
        &self,
        tenant: &str,
        path: &str,
        parameters: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let uri = format!("{path}?{}", encoded(parameters));
        let mut request = Request::get(uri).header("x-scope-orgid", tenant);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.body(Body::empty()).expect("a request")).await
    }

    pub(super) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.respond(request).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().collect().await.expect("a body").to_bytes().to_vec();
        Answer { status, headers, body }
    }

    /// An answer whose body is not read yet.
    pub(super) async fn respond(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.expect("an answer")
    }

    /// The queue as workers reach it.
    pub(super) fn queue(&self) -> Arc<dyn WorkQueue> {
        self.frame.transport.work_queue(&self.address())
    }

    /// Where it is found.
    pub(super) fn address(&self) -> Address {
        self.frame.members.view().of(Part::WorkQueue).next().expect("a queue").address.clone()
    }

    /// Starts a worker. What it was asked and told is on its list.
    pub(super) fn worker(&self, node: u128, concurrency: u32, answer: impl Answering) -> Arc<Worker> {
        let (node, estimate) = (NodeId::from_u128(node), Arc::clone(&self.estimate));
        let worker = Arc::new(Worker { node, seen: Mutex::default(), estimate });
        let (queue, scope, seen) = (self.queue(), self.scope.clone(), Arc::clone(&worker));
        let answer: Arc<dyn Answering> = Arc::new(answer);
        self.scope.spawn("worker", async move { seen.work(queue, scope, concurrency, answer).await });
        worker
    }

    /// The lines of a scrape that begin with a name.
    pub(super) fn metric(&self, name: &str) -> Vec<String> {
        let text = self.metrics.encode(Format::Prometheus);
        text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
    }
}

fn encoded(parameters: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in parameters {
        for (text, end) in [(name, '='), (value, '&')] {
            for byte in text.bytes() {
                if byte.is_ascii_alphanumeric() {
                    out.push(char::from(byte));
                } else {
                    out.push_str(&format!("%{byte:02X}"));
                }
            }
            out.push(end);
        }
    }
    out
}

/// What a worker does with a piece.
pub(super) enum Reply {
    Parts(Vec<ResultPart>),
    Failure(CallError),
    /// Says nothing, for ever.
    Silence,
    /// Dies.
    Death,
}

pub(super) trait Answering: Fn(&Piece) -> Reply + Send + Sync + 'static {}
impl<F: Fn(&Piece) -> Reply + Send + Sync + 'static> Answering for F {}

/// What a worker saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) pieces: Vec<Piece>,
    pub(super) cancelled: Vec<PieceId>,
    /// Whether somebody waited for each report to its end.
    pub(super) wanted: Vec<bool>,
}

pub(super) struct Worker {
    node: NodeId,
    seen: Mutex<Seen>,
    estimate: Arc<AtomicU64>,
}

impl Worker {
    pub(super) fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn pieces(&self) -> Vec<Piece> {
        self.seen(|seen| seen.pieces.clone())
    }

    async fn work(
        self: Arc<Self>,
        queue: Arc<dyn WorkQueue>,
        scope: Scope,
        concurrency: u32,
        answer: Arc<dyn Answering>,
    ) {
        let request = PullRequest { worker: self.node, concurrency };
        let mut assignments = queue.pull(context(3600), request).await.expect("a pull");
        while let Some(Some(assignment)) = scope.until_cancelled(assignments.next()).await {
            match assignment.expect("an assignment") {
                Assignment::Cancel(id) => self.seen(|seen| seen.cancelled.push(id)),
                Assignment::Piece(piece) if matches!(piece.question, Question::Estimate { .. }) => {
                    let bytes = self.estimate.load(Ordering::Relaxed);
                    let parts = [ResultPart::Stats(Estimate { bytes, ..Estimate::default() }), done()];
                    let head = ReportHead { piece: piece.id, worker: self.node };
                    let parts = stream::iter(parts.map(Ok)).boxed();
                    queue.report(context(60), head, parts).await.expect("an answer to a report");
                }
                Assignment::Piece(piece) => {
                    self.seen(|seen| seen.pieces.push((*piece).clone()));
                    let parts = match answer(&piece) {
                        Reply::Silence => continue,
                        Reply::Death => return,
                        Reply::Parts(parts) => parts.into_iter().map(Ok).collect(),
                        Reply::Failure(error) => vec![Err(error)],
                    };
                    let (queue, worker) = (Arc::clone(&queue), Arc::clone(&self));
                    scope.spawn("report", async move { worker.report(&*queue, piece.id, parts).await });
                }
            }
        }
    }

    async fn report(&self, queue: &dyn WorkQueue, piece: PieceId, parts: Vec<Result<ResultPart, CallError>>) {
        let head = ReportHead { piece, worker: self.node };
        let answer = queue.report(context(60), head, stream::iter(parts).boxed()).await;
        self.seen(|seen| seen.wanted.push(answer.expect("an answer to a report").wanted));
    }
}

pub(super) fn context(seconds: u64) -> CallContext {
    CallContext {
        request: RequestId::from_random(1),
        trace: TraceContext::new(1, 1, 0).expect("ids that are not 0"),
        deadline: Deadline::after(Duration::from_secs(seconds)),
    }
}

pub(super) fn done() -> ResultPart {
    ResultPart::Done(Box::default())
}

pub(super) fn done_with(statistics: QueryStatistics, warnings: &[&str]) -> ResultPart {
    let warnings = warnings.iter().map(|text| (*text).to_owned()).collect();
    ResultPart::Done(Box::new(Done { statistics, warnings, ..Done::default() }))
}

/// A worker for which nothing is there.
pub(super) fn nothing(_: &Piece) -> Reply {
    Reply::Parts(vec![done()])
}

/// Lets every task run until all wait.
pub(super) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
