//! A distributor with its surroundings in one simulated process.

use std::future::Future;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use larch_api::Tenancy;
use larch_launch::{Frame, SharedSettings, TenantLimits};
use larch_limits::LimitsSettings;
use larch_membership::{Member, Members, Part};
use larch_proto::{
    AppendRequest, AppendResponse, Estimate, EstimateRequest, Failure, FlushRequest, FlushResponse,
    HistogramBatch, HistogramRequest, LabelsRequest, PatternBatch, PatternsRequest, ReadHead, ReadRequest,
    RefusalReason, RingDigest, RowBatch, StateResponse, StreamOutcome, TextBatch, WalPosition,
};
use larch_rpc::{CallContext, CallError, Headed, Ingester, LocalTransport, TenantContext};
use larch_store::{Backing, Catalog, Segments, Store, StoreOptions};
use larch_telemetry::{Format, Registry};
use larch_testkit::sim;
use larch_types::{Address, ErrorKind, NodeId, Timestamp};
use prost::Message as _;
use tower::ServiceExt;

use super::wire::WireStatus;
use crate::distributor::Distributor;
use crate::grpc;
use crate::http::routes;
use crate::settings::DistributorSettings;

/// What a test sets before its distributor is built.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) limits: LimitsSettings,
    pub(super) settings: DistributorSettings,
    /// How many there are, and of how many replicas a stream has.
    pub(super) ingesters: Option<usize>,
    pub(super) replication_factor: Option<u32>,
}

pub(super) struct House {
    pub(super) world: sim::World,
    pub(super) router: Router,
    pub(super) ingesters: Vec<Arc<FakeIngester>>,
    pub(super) metrics: Registry,
    pub(super) local: LocalTransport,
}

/// Of calls of gRPC.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// Runs a test in a house.
pub(super) fn in_house<F: Future<Output = ()>>(wanted: Wanted, test: impl FnOnce(House) -> F) {
    sim::run(7, |world| test(build(wanted, world)));
}

fn build(wanted: Wanted, world: sim::World) -> House {
    let metrics = Registry::default();
    let (local, members) = (LocalTransport::new(), Members::default());
    let mut ingesters = Vec::new();
    for number in 0..wanted.ingesters.unwrap_or(1) {
        let node = NodeId::from_u128(100 + number as u128);
        let address: Address = format!("ingester-{number}:1").parse().unwrap();
        let ingester = Arc::new(FakeIngester {
            node,
            kept: Mutex::default(),
            refuse: Mutex::default(),
            reason: Mutex::default(),
        });
        local.add_ingester(address.clone(), Arc::clone(&ingester) as Arc<_>);
        members.enter(Member { part: Part::Ingester, node, address });
        ingesters.push(ingester);
    }
    let mut settings = settings();
    settings.common.replication_factor = wanted.replication_factor.unwrap_or(1);
    let dir = world.wal_dir.clone();
    let backing = Backing::other(Arc::new(world.store.clone()));
    let store = Store::new(backing, StoreOptions::default(), world.env.clone(), &metrics);
    let catalog = Catalog::new(store.clone(), world.env.clone(), &metrics);
    let frame = Frame {
        env: world.env.clone(),
        metrics: metrics.clone(),
        settings: Arc::new(settings),
        limits: TenantLimits::new(wanted.limits, Default::default()),
        tenancy: Tenancy::new(true, "fake").unwrap(),
        open_dir: Arc::new(move |_| Ok(Arc::new(dir.clone()))),
        segments: Segments::new(catalog.clone(), &Default::default(), &metrics),
        catalog,
        store,
        transport: Arc::new(local.clone()),
        local: local.clone(),
        members,
        here: "here:1".parse().unwrap(),
    };
    let distributor = Arc::new(Distributor::new(&frame, wanted.settings));
    let pages = distributor.pages(&frame);
    let grpc = grpc::routes(Arc::clone(&distributor), MAX_MESSAGE_BYTES);
    let router = routes(distributor).merge(pages.routes()).merge(grpc);
    House { world, router, ingesters, metrics, local }
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

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: String,
}

pub(super) const OTLP: &str = "/otlp/v1/logs";
pub(super) const V1: &str = "/loki/api/v1/push";
pub(super) const LEGACY: &str = "/api/prom/push";
pub(super) const JSON: (&str, &str) = ("content-type", "application/json");
pub(super) const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

impl House {
    pub(super) fn now(&self) -> Timestamp {
        self.world.env.clock.now()
    }

    /// A push of the tenant `t`, unless the headers name another.
    pub(super) async fn push(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::post(path);
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("x-scope-orgid")) {
            request = request.header("x-scope-orgid", "t");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let content_type = response.headers().get("content-type").cloned();
        if status >= 400 {
            assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        }
        let has_retry = response.headers().contains_key("retry-after");
        assert_eq!(has_retry, matches!(status, 429 | 503), "{status}");
        let text = response.into_body().collect().await.unwrap().to_bytes();
        if path == OTLP && status != 204 && status != 401 {
            let message = match content_type.unwrap().to_str().unwrap() {
                "application/json" => {
                    let status: serde_json::Value = serde_json::from_slice(&text).unwrap();
                    status["message"].as_str().unwrap().to_owned()
                }
                "application/x-protobuf" => WireStatus::decode(text).unwrap().message,
                other => panic!("{other}"),
            };
            return Answer { status, text: message };
        }
        if status >= 400 {
            assert_eq!(content_type.unwrap(), "text/plain; charset=utf-8");
        }
        Answer { status, text: String::from_utf8(text.to_vec()).unwrap() }
    }

    /// A push of the v1 JSON form.
    pub(super) async fn push_json(&self, body: &str) -> Answer {
        self.push(V1, &[JSON], body.to_owned()).await
    }

    pub(super) fn kept(&self) -> Vec<AppendRequest> {
        self.ingesters[0].kept.lock().unwrap().iter().map(|(_, request)| request.clone()).collect()
    }

    /// Labels, metadata with the level, line.
    pub(super) fn rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for request in self.kept() {
            for stream in &request.streams {
                for entry in &stream.entries {
                    let mut row = format!("{} {}", stream.labels, String::from_utf8_lossy(&entry.line));
                    for pair in &entry.metadata {
                        row.push_str(&format!(" {}={}", pair.name, pair.value));
                    }
                    if let Some(level) = entry.level {
                        row.push_str(&format!(" [{}]", request.levels[level as usize]));
                    }
                    rows.push(row);
                }
            }
        }
        rows
    }

    /// Lines of the scrape that begin like this, without what follows the name and labels' brace.
    pub(super) fn scraped(&self, start: &str) -> Vec<String> {
        let scrape = self.metrics.encode(Format::Prometheus);
        scrape.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
    }
}

/// Says of a stream's labels whether it is refused.
type Refuse = Box<dyn Fn(&str) -> Option<Failure> + Send>;

/// Keeps what it gets.
pub(super) struct FakeIngester {
    node: NodeId,
    pub(super) kept: Mutex<Vec<(TenantContext, AppendRequest)>>,
    pub(super) refuse: Mutex<Option<Refuse>>,
    /// Of what it refuses.
    pub(super) reason: Mutex<Option<RefusalReason>>,
}

fn not_asked() -> CallError {
    CallError::new(ErrorKind::Internal, "a distributor does not ask for this")
}

#[async_trait]
impl Ingester for FakeIngester {
    async fn append(
        &self,
        context: TenantContext,
        request: AppendRequest,
    ) -> Result<AppendResponse, CallError> {
        let refuse = self.refuse.lock().unwrap();
        let refusal = |labels: &str| refuse.as_ref().and_then(|refuse| refuse(labels));
        let outcomes = request
            .streams
            .iter()
            .map(|stream| {
                let refusal = refusal(&stream.labels);
                let reason = refusal.as_ref().and(*self.reason.lock().unwrap());
                StreamOutcome { refusal, reason, ..StreamOutcome::default() }
            })
            .collect();
        self.kept.lock().unwrap().push((context, request));
        Ok(AppendResponse {
            node: self.node,
            outcomes,
            synced: true,
            wal_position: WalPosition(1),
            ring_digest: RingDigest(1),
        })
    }

    async fn read(&self, _: TenantContext, _: ReadRequest) -> Result<Headed<ReadHead, RowBatch>, CallError> {
        Err(not_asked())
    }

    async fn labels(
        &self,
        _: TenantContext,
        _: LabelsRequest,
    ) -> Result<Headed<ReadHead, TextBatch>, CallError> {
        Err(not_asked())
    }

    async fn histogram(
        &self,
        _: TenantContext,
        _: HistogramRequest,
    ) -> Result<Headed<ReadHead, HistogramBatch>, CallError> {
        Err(not_asked())
    }

    async fn patterns(
        &self,
        _: TenantContext,
        _: PatternsRequest,
    ) -> Result<Headed<ReadHead, PatternBatch>, CallError> {
        Err(not_asked())
    }

    async fn estimate(&self, _: TenantContext, _: EstimateRequest) -> Result<Estimate, CallError> {
        Err(not_asked())
    }

    async fn flush(&self, _: CallContext, _: FlushRequest) -> Result<FlushResponse, CallError> {
        Err(not_asked())
    }

    async fn state(&self, _: CallContext) -> Result<StateResponse, CallError> {
        Err(not_asked())
    }
}
