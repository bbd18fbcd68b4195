//! Random histories of an ingester, a store, its catalog, a planner and a querier: pushes and their repetitions, cuts,
//! uploads, crashes, a store that lags, refuses and loses answers, views of the catalog that are old, clocks that
//! step. Every query that succeeds equals a model that is a set of rows, and what a query has shown stays.
//!
//! Everything is decided by a seed, under a clock that jumps; a history that fails is replayed by it:
//! `LARCH_HISTORY_SEED=17 cargo test -p larch --test history`. What a querier computes runs on threads of its own,
//! so that a replay may differ in the order of what happens at one moment. `cargo xtask soak` runs ten thousand.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

#[path = "history/querying.rs"]
mod querying;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larch_launch::{Frame, Service};
use larch_proto::{AppendEntry, AppendRequest, AppendStream, FlushRequest, ReplicaSet};
use larch_rpc::{CallContext, CallError, Deadline, Ingester, TenantContext};
use larch_runtime::Scope;
use larch_testkit::sim::{World, run};
use larch_types::{ErrorKind, NodeId, PushStamp, RequestId, Span, TenantId, Timestamp, TraceContext};

use querying::{House, frame};

/// Steps of one history: enough for rows to be cut, uploaded and forgotten between crashes.
const STEPS: u64 = 25;

/// Histories of a test run; the soak sets more.
const HISTORIES: u64 = 100;

const NANOS_PER_DAY: i64 = 86_400_000_000_000;

/// A row's identity: stream, time, line.
type Row = (&'static str, i64, String);

const STREAMS: [&str; 3] = [r#"{app="a"}"#, r#"{app="b", env="x"}"#, r#"{app="b", env="y"}"#];

fn tenant() -> TenantId {
    "acme".parse().expect("a tenant")
}

pub(crate) fn context() -> TenantContext {
    let call = CallContext {
        request: RequestId::from_random(1),
        trace: TraceContext::new(1, 1, 0).expect("a trace"),
        deadline: Deadline::after(Duration::from_secs(600)),
    };
    TenantContext { tenant: tenant(), call }
}

/// One life of the ingester.
struct Life {
    frame: Frame,
    service: Service,
    scope: Scope,
}

struct History {
    world: World,
    house: House,
    life: Option<Life>,
    /// Acknowledged.
    model: BTreeSet<Row>,
    /// Pushed, and perhaps stored: the answer was an error, or never came.
    maybe: BTreeSet<Row>,
    /// Shown by a query.
    shown: BTreeSet<Row>,
    pushes: u128,
    /// What was asked and refused.
    failed_queries: u64,
    queries: u64,
}

impl History {
    async fn begin(world: World) -> Self {
        let house = House::build(&world).await;
        let (model, maybe, shown) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut history =
            Self { world, house, life: None, model, maybe, shown, pushes: 0, failed_queries: 0, queries: 0 };
        history.start().await;
        history
    }

    async fn start(&mut self) {
        // The ingester is a process of its own: what it knows of the catalog the planner does not.
        let frame = Frame {
            local: self.house.frame.local.clone(),
            members: self.house.frame.members.clone(),
            transport: Arc::clone(&self.house.frame.transport),
            here: "ingester:1".parse().expect("an address"),
            ..frame(&self.world)
        };
        let service = larch_ingester::role().build(&frame).expect("an ingester");
        let scope = Scope::default();
        for module in &service.modules {
            module.start(&scope).await.expect("the ingester starts");
        }
        self.life = Some(Life { frame, service, scope });
    }

    /// The power goes, at whatever the node is doing.
    async fn crash(&mut self) {
        let Some(life) = self.life.take() else { return };
        self.world.wal_dir.power_cut();
        life.frame.local.remove(&life.frame.here);
        drop(life.scope.close(Duration::from_secs(1)).await);
        drop(life.service);
        for member in self.house.frame.members.view().of(larch_membership::Part::Ingester) {
            self.house.frame.members.leave(larch_membership::Part::Ingester, member.node);
        }
        self.start().await;
    }

    fn ingester(&self) -> Arc<dyn Ingester> {
        self.house.frame.transport.ingester(&"ingester:1".parse().expect("an address"))
    }

    fn below(&self, bound: u64) -> u64 {
        self.world.env.random.below(bound)
    }

    /// Some rows of few kinds, so that many were pushed before.
    fn any_rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for _ in 0..=self.below(4) {
            let stream = STREAMS[self.below(STREAMS.len() as u64) as usize];
            let time = self.below(3) as i64 * NANOS_PER_DAY + self.below(3) as i64;
            rows.push((stream, BASE.nanos() + time, format!("line {}", self.below(12))));
        }
        rows
    }

    async fn push(&mut self, rows: Vec<Row>) {
        self.pushes += 1;
        let request = request(self.pushes, &rows);
        // Whoever pushes may not wait for the answer.
        let patience = if self.below(8) == 0 { Duration::from_micros(10) } else { Duration::from_secs(60) };
        let answer = tokio::time::timeout(patience, self.ingester().append(context(), request)).await;
        match answer {
            Ok(Ok(answer)) if answer.outcomes.iter().all(|outcome| outcome.refusal.is_none()) => {
                self.model.extend(rows);
            }
            _ => self.maybe.extend(rows),
        }
    }

    async fn flush(&self, wait_for_upload: bool) {
        let request = FlushRequest { tenant: Some(tenant()), any_of: Vec::new(), wait_for_upload };
        let (ingester, most) = (self.ingester(), Duration::from_secs(self.below(100)));
        // While the store refuses, it fails.
        drop(tokio::time::timeout(most, ingester.flush(context().call, request)).await);
    }

    fn change_store(&self) {
        let store = &self.world.store;
        let per_mille = |history: &Self| [0, 0, 200, 1000][history.below(4) as usize];
        match self.below(6) {
            0 => store.refuse(per_mille(self)),
            1 => store.lose_answers(per_mille(self)),
            2 => store.delay_puts(per_mille(self), Duration::from_secs(self.below(86_400))),
            3 => store.repeat_puts(per_mille(self), Duration::from_secs(self.below(86_400))),
            // The bound of what Larch allows for.
            4 => store.set_list_lag(Duration::from_secs(self.below(1200))),
            _ => store.tear_lists(1 + self.below(3)),
        }
    }

    fn calm_store(&self) {
        let store = &self.world.store;
        store.refuse(0);
        store.lose_answers(0);
        store.delay_puts(0, Duration::ZERO);
        store.repeat_puts(0, Duration::ZERO);
    }

    async fn query(&mut self) -> Result<(), CallError> {
        let found = self.house.ask().await;
        self.judge(found)
    }

    /// Rows become segments while they are read.
    async fn query_during_flush(&mut self) {
        let (found, ()) = futures_util::future::join(self.house.ask(), self.flush(true)).await;
        drop(self.judge(found));
    }

    /// Every row once, or an error.
    fn judge(&mut self, found: Result<Vec<Row>, CallError>) -> Result<(), CallError> {
        self.queries += 1;
        let rows = match found {
            Ok(rows) => rows,
            Err(error) => {
                self.failed_queries += 1;
                let kinds = [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Internal];
                assert!(kinds.contains(&error.kind()), "{error}");
                return Err(error);
            }
        };
        let set: BTreeSet<Row> = rows.iter().cloned().collect();
        assert_eq!(set.len(), rows.len(), "each row once: {rows:?}");
        let lost: Vec<&Row> = self.model.difference(&set).collect();
        assert!(lost.is_empty(), "acknowledged and not found: {lost:?}");
        let gone: Vec<&Row> = self.shown.difference(&set).collect();
        assert!(gone.is_empty(), "shown before and not found: {gone:?}");
        let made_up: Vec<&Row> =
            set.difference(&self.model).filter(|row| !self.maybe.contains(*row)).collect();
        assert!(made_up.is_empty(), "never pushed: {made_up:?}");
        self.shown.extend(set);
        Ok(())
    }

    async fn step(&mut self) {
        match self.below(20) {
            0..=5 => self.push(self.any_rows()).await,
            6 => self.flush(false).await,
            7 | 8 => self.flush(true).await,
            9 | 10 => self.crash().await,
            11 => self.change_store(),
            12 => self.calm_store(),
            13 => self.world.clock.step(Span::from_secs(self.below(172_800) as i64 - 86_400)),
            14 => self.sleep(2400).await,
            15 => self.sleep(300).await,
            16 => self.sleep(5).await,
            17 => self.query_during_flush().await,
            _ => drop(self.query().await),
        }
    }

    async fn sleep(&self, most_seconds: u64) {
        self.world.env.sleep(Duration::from_millis(self.below(most_seconds * 1000))).await;
    }

    /// Once faults have stopped everything gets into the store in bounded time, and queries succeed.
    async fn settle(&mut self) {
        self.calm_store();
        self.world.env.sleep(Duration::from_secs(1)).await;
        self.query().await.expect("nothing is in the way");
        let request = FlushRequest { tenant: Some(tenant()), any_of: Vec::new(), wait_for_upload: true };
        self.ingester().flush(context().call, request).await.expect("all is uploaded");
        self.query().await.expect("nothing is in the way");
        // What was named is forgotten.
        self.world.env.sleep(Duration::from_secs(2400)).await;
        let state = self.ingester().state(context().call).await.expect("an ingester");
        assert_eq!((state.uploads_waiting, state.rows), (0, 0));
        self.query().await.expect("nothing is in the way");
        self.crash().await;
        self.query().await.expect("nothing is in the way");
    }
}

/// 2026-01-01: the simulated clock begins there.
pub(crate) const BASE: Timestamp = Timestamp::from_secs(1_767_225_600);

fn request(number: u128, rows: &[Row]) -> AppendRequest {
    let mut streams: Vec<AppendStream> = Vec::new();
    for (index, (labels, time, line)) in rows.iter().enumerate() {
        let place = streams.iter().position(|stream| stream.labels == *labels).unwrap_or_else(|| {
            let labels = (*labels).to_owned();
            streams.push(AppendStream {
                labels,
                write_shard: None,
                replica_set: 0,
                entries: Vec::new(),
                policy: String::new(),
                write_shards: 0,
            });
            streams.len() - 1
        });
        streams[place].entries.push(AppendEntry {
            timestamp: Timestamp::from_nanos(*time),
            line: Bytes::copy_from_slice(line.as_bytes()),
            metadata: Vec::new(),
            index: index as u32,
            level: None,
        });
    }
    AppendRequest {
        stamp: PushStamp(number),
        replica_sets: vec![ReplicaSet { nodes: vec![NodeId::from_u128(1)] }],
        levels: Vec::new(),
        streams,
    }
}

/// Gives how many queries there were, and how many of them failed.
async fn history(world: World) -> (u64, u64) {
    let mut history = History::begin(world).await;
    for _ in 0..STEPS {
        history.step().await;
    }
    history.settle().await;
    (history.queries, history.failed_queries)
}

#[expect(clippy::disallowed_methods, reason = "the soak says how many, and whoever replays says which")]
fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

#[test]
fn every_answer_equals_the_model() {
    if let Some(seed) = number_of("LARCH_HISTORY_SEED") {
        let (_, trace) = run(seed, history);
        println!("{trace:?}");
        return;
    }
    let seeds = number_of("LARCH_SOAK_HISTORIES").unwrap_or(HISTORIES);
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let (mut queries, mut failed) = (0, 0);
    std::thread::scope(|scope| {
        let some = |first: u64| move || (first..seeds).step_by(threads as usize).map(outcome).collect();
        let running: Vec<_> = (0..threads).map(|first| scope.spawn(some(first))).collect();
        for thread in running {
            let outcomes: Vec<(u64, u64)> = thread.join().expect("no history fails");
            queries += outcomes.iter().map(|(asked, _)| asked).sum::<u64>();
            failed += outcomes.iter().map(|(_, refused)| refused).sum::<u64>();
        }
    });
    assert!(
        failed * 2 < queries,
        "{failed} of {queries} queries failed: the faults leave nothing to compare"
    );
}

fn outcome(seed: u64) -> (u64, u64) {
    let outcome = std::panic::catch_unwind(|| run(seed, history).0);
    outcome.unwrap_or_else(|_| panic!("the history of seed {seed} fails"))
}
