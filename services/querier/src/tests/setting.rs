//! A querier among fakes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use larch_launch::TenantLimits;
use larch_limits::{LimitsSettings, OperationalSettings};
use larch_membership::{Member, Members, Part};
use larch_proto::{Assignment, Piece, PieceId, PieceTenant, Question, Selector};
use larch_rpc::LocalTransport;
use larch_runtime::{Env, Scope};
use larch_store::{Backing, Catalog, ChunkStoreSettings, Segments, Store, StoreOptions};
use larch_telemetry::Registry;
use larch_types::{Address, NodeId, RequestId, Timestamp, TraceContext};

use super::fakes::{FakeIngester, FakeQueue, Reported};
use super::planner::FakePlanner;
use crate::deps::Deps;
use crate::metrics::Metrics;
use crate::role::Config;
use crate::scan::threads_to_share;
use crate::worker::Worker;

pub(super) struct Setting {
    pub(super) deps: Arc<Deps>,
    pub(super) local: LocalTransport,
    pub(super) members: Members,
    pub(super) ingesters: Vec<Arc<FakeIngester>>,
    pub(super) planner: Arc<FakePlanner>,
    pub(super) queue: Arc<FakeQueue>,
    pub(super) scope: Scope,
}

pub(super) const PLANNER: NodeId = NodeId::from_u128(98);
pub(super) const QUEUE: NodeId = NodeId::from_u128(99);

impl Setting {
    pub(super) fn new(ingesters: Vec<FakeIngester>) -> Self {
        Self::with(ingesters, Config::default(), LimitsSettings::default())
    }

    pub(super) fn with(ingesters: Vec<FakeIngester>, config: Config, limits: LimitsSettings) -> Self {
        let (local, members) = (LocalTransport::new(), Members::default());
        let (env, registry) = (Env::system(), Registry::default());
        let store = Store::new(Backing::memory(), StoreOptions::default(), env.clone(), &registry);
        let catalog = Catalog::new(store.clone(), env.clone(), &registry);
        let segments = Segments::new(catalog, &ChunkStoreSettings::default(), &registry);
        let planner = Arc::new(FakePlanner::new(store, segments.clone()));
        let deps = Deps {
            env,
            members: members.clone(),
            transport: Arc::new(local.clone()),
            limits: TenantLimits::new(limits, OperationalSettings::default()),
            segments,
            chunks_ahead: 3,
            more_threads: threads_to_share(),
            metrics: Metrics::new(&registry),
            config,
        };
        let mut setting = Self {
            deps: Arc::new(deps),
            local,
            members,
            ingesters: Vec::new(),
            planner,
            queue: Arc::default(),
            scope: Scope::default(),
        };
        for ingester in ingesters {
            setting.add_ingester(Arc::new(ingester));
        }
        let here: Address = "planner:1".parse().unwrap();
        setting.local.add_planner(here.clone(), setting.planner.clone());
        setting.members.enter(Member { part: Part::Planner, node: PLANNER, address: here });
        let here: Address = "queue:1".parse().unwrap();
        setting.local.add_work_queue(here.clone(), setting.queue.clone());
        setting.members.enter(Member { part: Part::WorkQueue, node: QUEUE, address: here });
        setting
    }

    pub(super) fn add_ingester(&mut self, ingester: Arc<FakeIngester>) {
        let address: Address = format!("ingester-{}:1", self.ingesters.len()).parse().unwrap();
        self.local.add_ingester(address.clone(), ingester.clone());
        self.members.enter(Member { part: Part::Ingester, node: ingester.node, address });
        self.ingesters.push(ingester);
    }

    /// Starts the worker.
    pub(super) fn start(&self) {
        let worker = Worker::new(self.deps.clone());
        self.scope.spawn("worker", worker.run(self.scope.clone()));
    }

    /// Hands the piece out and waits for its report.
    pub(super) async fn ask(&self, piece: Piece) -> Reported {
        let mut report = self.queue.expect(piece.id);
        self.queue.send(Assignment::Piece(Box::new(piece))).await;
        report.recv().await.expect("a report")
    }

    pub(super) async fn stop(self) {
        self.scope.close(Duration::from_secs(60)).await.expect("everything stops");
    }
}

/// Over all of time.
pub(super) fn piece(id: u64, tenants: &[&str], question: Question) -> Piece {
    let tenant = |tenant: &&str| PieceTenant { tenant: tenant.parse().unwrap(), policy: None };
    Piece {
        id: PieceId(id),
        tenants: tenants.iter().map(tenant).collect(),
        question,
        start: Timestamp::from_secs(0),
        end: Timestamp::from_secs(10_000_000_000),
        shard: None,
        time_left: Duration::from_secs(600),
        request: RequestId::from_random(id),
        trace: TraceContext::new(1, 1, 0).unwrap(),
        max_bytes: 0,
        max_series: 0,
        query_tags: String::new(),
        no_cache: false,
        keeps_answer: false,
        kept: None,
    }
}

pub(super) fn selector(text: &str) -> Selector {
    Selector { matchers: larch_logql::parse_any_selector(text).expect(text) }
}

/// When a test first asked. It stays, so that a row that is made twice has one time.
pub(super) fn now() -> Timestamp {
    static ASKED: OnceLock<Timestamp> = OnceLock::new();
    *ASKED.get_or_init(|| Env::system().clock.now())
}
