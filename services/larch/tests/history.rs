//! Random histories of an ingester with two tenants, a store, its catalog, a planner and a querier: pushes and their
//! repetitions, cuts, uploads, crashes, a store that lags, refuses and loses answers, a disk that is full, does not
//! sync or takes no segment files, a cache on disk that is damaged, full or gone, readers that begin anew, views of the catalog that are old, clocks that step. Every query for rows that
//! succeeds equals a model that is a set of rows, what a query has shown stays, and metric queries are within what
//! the model allows. Fewer and longer histories have segments that are objects of their own, a compactor that sweeps, and a node
//! that is away for days: in the end each live segment is there, and nothing else.
//!
//! Everything is decided by a seed, in one thread and under a clock that jumps; a history that fails is replayed by it, step
//! for step: `LARCH_HISTORY_SEED=17 cargo test -p larch --test history`. `cargo xtask soak` runs ten thousand.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

#[path = "history/keeping.rs"]
mod keeping;
#[path = "history/model.rs"]
mod model;
#[path = "history/querying.rs"]
mod querying;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larch_launch::{Frame, Service};
use larch_proto::{AppendEntry, AppendRequest, AppendStream, FlushRequest, ReplicaSet};
use larch_rpc::{CallContext, CallError, Deadline, Ingester, TenantContext};
use larch_runtime::Scope;
use larch_testkit::sim::{SimDir, Trace, World, run, run_into};
use larch_types::{ErrorKind, NodeId, PushStamp, RequestId, Span, TenantId, Timestamp, TraceContext};
use larch_wal::Dir;

use keeping::{Census, Keeper};
use model::{METRICS, Model, Row};
use querying::{House, frame};

/// Steps of one history: enough for rows to be cut, uploaded and forgotten between crashes.
const STEPS: u64 = 25;

/// For each so many histories there is a long one, which takes as much time as seven others.
const LONG_EVERY: u64 = 64;

/// Histories of a test run; the soak sets more.
const HISTORIES: u64 = 100;

const HOUR: Duration = Duration::from_secs(3600);

pub(crate) const NANOS_PER_DAY: i64 = 86_400_000_000_000;

/// Days that have rows.
pub(crate) const DAYS: u32 = 3;

/// Their labels, and what they have in `app`.
pub(crate) const STREAMS: [(&str, &str); 3] =
    [(r#"{app="a"}"#, "a"), (r#"{app="b", env="x"}"#, "b"), (r#"{app="b", env="y"}"#, "b")];

const TENANTS: [&str; 2] = ["acme", "o'neill"];

/// A disk that is full while it has so many bytes: some pushes, and no segment.
const SMALL_DISK: u64 = 4000;

fn tenant(place: usize) -> TenantId {
    TENANTS[place].parse().expect("a tenant")
}

pub(crate) fn context(tenant: &TenantId) -> TenantContext {
    let call = CallContext {
        request: RequestId::from_random(1),
        trace: TraceContext::new(1, 1, 0).expect("a trace"),
        deadline: Deadline::after(Duration::from_secs(600)),
    };
    TenantContext { tenant: tenant.clone(), call }
}

/// One life of the ingester.
struct Life {
    frame: Frame,
    service: Service,
    scope: Scope,
}

struct History {
    world: World,
    /// Of the readers.
    cache: SimDir,
    house: House,
    /// In a long history.
    keeper: Option<Keeper>,
    life: Option<Life>,
    /// Of each tenant.
    models: [Model; 2],
    pushes: u128,
    /// What was asked and refused.
    failed_queries: u64,
    queries: u64,
}

impl History {
    async fn begin(world: World, is_long: bool) -> Self {
        let cache = SimDir::new(world.env.random.next_u64());
        let house = House::build(&world, &cache).await;
        let keeper = if is_long { Some(Keeper::start(&world).await) } else { None };
        let models = Default::default();
        let mut history = Self {
            world,
            cache,
            house,
            keeper,
            life: None,
            models,
            pushes: 0,
            failed_queries: 0,
            queries: 0,
        };
        history.start().await;
        history
    }

    async fn start(&mut self) {
        if !self.try_start().await {
            // A disk that takes nothing lets no ingester start.
            self.calm_disk();
            self.world.wal_dir.power_cut();
            assert!(self.try_start().await, "nothing is in the way");
        }
    }

    async fn try_start(&mut self) -> bool {
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
            if module.start(&scope).await.is_err() {
                drop(scope.close(Duration::from_secs(1)).await);
                return false;
            }
        }
        self.life = Some(Life { frame, service, scope });
        true
    }

    /// The power goes, at whatever the node is doing.
    async fn crash(&mut self) {
        self.leave().await;
        self.start().await;
    }

    /// The power goes and does not come back.
    async fn leave(&mut self) {
        let Some(life) = self.life.take() else { return };
        self.world.wal_dir.power_cut();
        life.frame.local.remove(&life.frame.here);
        drop(life.scope.close(Duration::from_secs(1)).await);
        drop(life.service);
        for member in self.house.frame.members.view().of(larch_membership::Part::Ingester) {
            self.house.frame.members.leave(larch_membership::Part::Ingester, member.node);
        }
    }

    /// The node is away while others go on.
    async fn stay_away(&mut self, time: Duration) {
        self.leave().await;
        self.world.env.sleep(time).await;
        self.start().await;
    }

    /// All processes begin anew. What the readers have is what is on their disk.
    async fn restart(&mut self) {
        self.cache.set_read_only(false);
        if self.below(4) == 0 {
            self.cache.sync().expect("nothing is in the way");
            self.cache.power_cut();
        }
        let house = House::build(&self.world, &SimDir::new(1)).await;
        std::mem::replace(&mut self.house, house).stop().await;
        let house = House::build(&self.world, &self.cache).await;
        std::mem::replace(&mut self.house, house).stop().await;
        self.crash().await;
    }

    fn harm_cache(&self) {
        match self.below(4) {
            0 => self.cache.set_capacity(SMALL_DISK),
            1 => self.cache.set_read_only(true),
            2 => {
                self.cache.set_capacity(1 << 30);
                self.cache.set_read_only(false);
            }
            _ => {
                for name in self.cache.list().expect("a list") {
                    self.cache.damage(&name, self.below(4000));
                }
            }
        }
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
            let stream = self.below(STREAMS.len() as u64) as usize;
            let time = self.below(u64::from(DAYS)) as i64 * NANOS_PER_DAY + self.below(3) as i64;
            rows.push((stream, BASE.nanos() + time, format!("line {}", self.below(12))));
        }
        rows
    }

    fn any_tenant(&self) -> usize {
        self.below(TENANTS.len() as u64) as usize
    }

    async fn push(&mut self, of: usize, rows: Vec<Row>) {
        self.pushes += 1;
        let request = request(self.pushes, &rows);
        // Whoever pushes may not wait for the answer.
        let patience = if self.below(8) == 0 { Duration::from_micros(10) } else { Duration::from_secs(60) };
        let answer =
            tokio::time::timeout(patience, self.ingester().append(context(&tenant(of)), request)).await;
        match answer {
            Ok(Ok(answer)) if answer.outcomes.iter().all(|outcome| outcome.refusal.is_none()) => {
                self.models[of].acknowledge(rows);
            }
            _ => self.models[of].doubt(rows),
        }
    }

    async fn flush(&self, wait_for_upload: bool) {
        let of = Some(tenant(self.any_tenant())).filter(|_| self.below(4) > 0);
        let request = FlushRequest { tenant: of, any_of: Vec::new(), wait_for_upload };
        let (ingester, most) = (self.ingester(), Duration::from_secs(self.below(100)));
        // While store or disk refuse, it fails.
        drop(tokio::time::timeout(most, ingester.flush(context(&tenant(0)).call, request)).await);
    }

    /// Rows go on their way, and nobody waits for them.
    async fn flush_soon(&self) {
        let request = FlushRequest { tenant: None, any_of: Vec::new(), wait_for_upload: true };
        let (ingester, most) = (self.ingester(), Duration::from_millis(self.below(60)));
        drop(tokio::time::timeout(most, ingester.flush(context(&tenant(0)).call, request)).await);
    }

    fn change_disk(&self) {
        let disk = &self.world.wal_dir;
        match self.below(4) {
            0 => disk.set_capacity(SMALL_DISK),
            1 => disk.fail_syncs(1 + self.below(5) as u32),
            2 => disk.refuse_names(Some(".seg-new")),
            _ => self.calm_disk(),
        }
    }

    fn calm_disk(&self) {
        let disk = &self.world.wal_dir;
        disk.set_capacity(1 << 30);
        disk.fail_syncs(0);
        disk.refuse_names(None);
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

    async fn query(&mut self, of: usize) -> Result<(), CallError> {
        let found = self.house.rows(&tenant(of)).await;
        self.judge_rows(of, found)
    }

    async fn count(&mut self, of: usize) -> Result<(), CallError> {
        let metric = METRICS[self.below(METRICS.len() as u64) as usize];
        let found = self.house.samples(&tenant(of), metric).await;
        let samples = self.succeeded(found)?;
        self.models[of].judge_samples(metric, &samples);
        Ok(())
    }

    /// Rows become segments while they are read.
    async fn query_during_flush(&mut self) {
        let of = self.any_tenant();
        let asked = tenant(of);
        let (found, ()) = futures_util::future::join(self.house.rows(&asked), self.flush(true)).await;
        drop(self.judge_rows(of, found));
    }

    fn judge_rows(&mut self, of: usize, found: Result<Vec<Row>, CallError>) -> Result<(), CallError> {
        let rows = self.succeeded(found)?;
        self.models[of].judge_rows(&rows);
        Ok(())
    }

    /// A query may fail, but for reasons of the server only.
    fn succeeded<T>(&mut self, found: Result<T, CallError>) -> Result<T, CallError> {
        self.queries += 1;
        found.inspect_err(|error| {
            self.failed_queries += 1;
            let kinds = [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Internal];
            assert!(kinds.contains(&error.kind()), "{error}");
        })
    }

    /// What happens in long histories only.
    async fn long_step(&mut self) {
        match self.below(8) {
            0..=3 => {
                self.push_large().await;
                self.flush(self.below(2) == 0).await;
            }
            4 => self.stay_away(HOUR * [1, 12, 60, 240][self.below(4) as usize]).await,
            5 => self.fill_catalog().await,
            _ => {
                let off = Span::from_secs([0, 0, -200, 200, 4000, -90_000][self.below(6) as usize]);
                if let Some(keeper) = &mut self.keeper {
                    keeper.set_clock_off(off);
                }
            }
        }
    }

    /// A row that makes its segment an object.
    async fn push_large(&mut self) {
        let line = large_line(self.below(3));
        let rows = self.any_rows().into_iter().take(1).map(|(stream, time, _)| (stream, time, line.clone()));
        let rows = rows.collect();
        self.push(self.any_tenant(), rows).await;
    }

    /// More facts of one day than may stay unfolded once they were read.
    async fn fill_catalog(&mut self) {
        self.calm_store();
        self.calm_disk();
        let of = self.any_tenant();
        for number in 0..70 {
            self.push(of, vec![(0, BASE.nanos(), format!("line {number}"))]).await;
            let request =
                FlushRequest { tenant: Some(tenant(of)), any_of: Vec::new(), wait_for_upload: true };
            let ingester = self.ingester();
            let flush = ingester.flush(context(&tenant(of)).call, request);
            drop(tokio::time::timeout(Duration::from_secs(10), flush).await);
        }
        drop(self.query(of).await);
    }

    async fn step(&mut self) {
        if self.keeper.is_some() && self.below(4) == 0 {
            return self.long_step().await;
        }
        match self.below(27) {
            0..=5 => self.push(self.any_tenant(), self.any_rows()).await,
            6 => self.flush(false).await,
            7 | 8 => self.flush(true).await,
            9 | 10 => self.crash().await,
            11 => self.change_store(),
            12 => self.calm_store(),
            13 => self.change_disk(),
            14 => self.calm_disk(),
            15 => self.world.clock.step(Span::from_secs(self.below(172_800) as i64 - 86_400)),
            16 => self.sleep(2400).await,
            17 => self.sleep(300).await,
            18 => self.sleep(5).await,
            19 => self.query_during_flush().await,
            20 if self.below(4) == 0 => self.restart().await,
            20 => self.crash().await,
            21 => self.harm_cache(),
            22 | 23 => drop(self.count(self.any_tenant()).await),
            _ => drop(self.query(self.any_tenant()).await),
        }
    }

    async fn sleep(&self, most_seconds: u64) {
        self.sleep_millis(most_seconds * 1000).await;
    }

    async fn sleep_millis(&self, most: u64) {
        self.world.env.sleep(Duration::from_millis(self.below(most))).await;
    }

    /// Once faults have stopped everything gets into the store in bounded time, and queries succeed.
    async fn settle(&mut self) {
        self.calm_store();
        self.calm_disk();
        self.world.env.sleep(Duration::from_secs(1)).await;
        self.query_all().await;
        let call = || context(&tenant(0)).call;
        let request = FlushRequest { tenant: None, any_of: Vec::new(), wait_for_upload: true };
        self.ingester().flush(call(), request).await.expect("all is uploaded");
        self.query_all().await;
        // What was named is forgotten.
        self.world.env.sleep(Duration::from_secs(2400)).await;
        let state = self.ingester().state(call()).await.expect("an ingester");
        assert_eq!((state.uploads_waiting, state.rows), (0, 0));
        self.query_all().await;
        // New readers, of whom a few histories tell as much as all, take longer than the rest of a history.
        if self.below(8) > 0 {
            self.crash().await;
            return self.query_all().await;
        }
        self.restart().await;
        self.query_all().await;
        self.query_all().await;
        self.restart().await;
        self.query_all().await;
    }

    /// Days later nothing is left in the store but what is live, and all of that.
    async fn sweep_all(&mut self) {
        let Some(keeper) = &mut self.keeper else { return };
        keeper.set_clock_off(Span::ZERO);
        // What is on its way arrives within a day, is old enough after two, and is looked for after six hours.
        self.stay_away(HOUR * 24 * 4).await;
        self.query_all().await;
        let Some(keeper) = &self.keeper else { return };
        let Census { orphans, .. } = keeper.count(&TENANTS.map(|id| id.parse().expect("a tenant"))).await;
        assert_eq!(orphans, 0, "objects that nobody can ask for stay");
    }

    async fn query_all(&mut self) {
        for of in 0..TENANTS.len() {
            self.query(of).await.expect("nothing is in the way");
            self.count(of).await.expect("nothing is in the way");
        }
    }
}

/// 2026-01-01: the simulated clock begins there.
pub(crate) const BASE: Timestamp = Timestamp::from_secs(1_767_225_600);

fn request(number: u128, rows: &[Row]) -> AppendRequest {
    let mut streams: Vec<AppendStream> = Vec::new();
    for (index, (stream, time, line)) in rows.iter().enumerate() {
        let labels = STREAMS[*stream].0;
        let place = streams.iter().position(|stream| stream.labels == labels).unwrap_or_else(|| {
            let labels = labels.to_owned();
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

/// Noise, so that a segment with it is no smaller: one of few, so that it is pushed again.
fn large_line(number: u64) -> String {
    let random = larch_runtime::Random::from_seed(number);
    let mut line = format!("line {number} ");
    while line.len() < 360_000 {
        let bits = random.next_u64();
        line.extend((0..9).map(|place| char::from(b' ' + ((bits >> (7 * place)) & 63) as u8)));
    }
    line
}

/// Gives how many queries there were, and how many of them failed.
async fn history(world: World, is_long: bool) -> (u64, u64) {
    let mut history = History::begin(world, is_long).await;
    for _ in 0..STEPS {
        history.step().await;
    }
    history.settle().await;
    history.sweep_all().await;
    (history.queries, history.failed_queries)
}

#[expect(clippy::disallowed_methods, reason = "the soak says how many, and whoever replays says which")]
fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

#[test]
fn every_answer_equals_the_model() {
    check_all("every_answer", number_of("LARCH_SOAK_HISTORIES").unwrap_or(HISTORIES), false);
}

#[test]
fn what_is_swept_and_folded_is_missed_by_nobody() {
    check_all("what_is_swept", number_of("LARCH_SOAK_HISTORIES").unwrap_or(HISTORIES) / LONG_EVERY + 8, true);
}

#[expect(clippy::print_stdout, reason = "whoever replays a seed reads what happened")]
fn check_all(test: &'static str, seeds: u64, is_long: bool) {
    if let Some(seed) = number_of("LARCH_HISTORY_SEED") {
        let trace = Trace::default();
        let outcome = std::panic::catch_unwind(|| run_into(&trace, seed, |world| history(world, is_long)));
        for line in trace.lines() {
            println!("{line}");
        }
        assert!(outcome.is_ok(), "the history of seed {seed} fails");
        return;
    }
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let (mut queries, mut failed) = (0, 0);
    std::thread::scope(|scope| {
        let outcome = move |seed| outcome(test, seed, is_long);
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

fn outcome(test: &str, seed: u64, is_long: bool) -> (u64, u64) {
    let outcome = std::panic::catch_unwind(|| run(seed, |world| history(world, is_long)).0);
    outcome.unwrap_or_else(|_| {
        panic!(
            "the history of seed {seed} fails; again, with all that is said: \
             LARCH_HISTORY_SEED={seed} cargo test -p larch --test history -- --nocapture {test}"
        )
    })
}

/// Two runs of one seed say the same at the same moments.
#[test]
fn a_history_is_replayed_by_its_seed() {
    for seed in 0..5 {
        let again = || run(seed, |world| history(world, seed == 4));
        let (first, second) = (again(), again());
        assert_eq!(first.0, second.0, "seed {seed}");
        let (first, second) = (first.1.lines(), second.1.lines());
        for (before, after) in first.iter().zip(&second) {
            assert_eq!(before, after, "seed {seed}");
        }
        assert!(first.len() > 50 && first.len() == second.len(), "seed {seed}: {} lines", first.len());
    }
}

/// A hundred crashes at any moment of cuts and uploads, and rows that are pushed once each: each is stored once, and
/// what uploads have left behind is swept.
async fn crashes(world: World) {
    let mut history = History::begin(world, true).await;
    let mut rows = 0;
    for round in 0..100_u64 {
        if round % 10 == 0 {
            for of in 0..TENANTS.len() {
                let noise = if round % 20 == 0 { large_line(round) } else { String::new() };
                history.push(of, vec![(0, BASE.nanos() + round as i64, format!("{round} {noise}"))]).await;
                rows += 1;
            }
        }
        history.flush_soon().await;
        history.sleep_millis(80).await;
        history.crash().await;
    }
    history.settle().await;
    let tenants = TENANTS.map(|id| id.parse().expect("a tenant"));
    let count = async |history: &History| match &history.keeper {
        Some(keeper) => keeper.count(&tenants).await,
        None => Census::default(),
    };
    let census = count(&history).await;
    // A cut has rows of one tenant and one day.
    assert!(census.rows == rows && census.segments as u64 <= rows, "{census:?}, and {rows} rows were pushed");
    history.sweep_all().await;
    assert_eq!(count(&history).await, Census { orphans: 0, ..census });
}

#[test]
fn a_hundred_crashes_in_a_row_store_each_row_once() {
    for seed in 0..number_of("LARCH_SOAK_HISTORIES").map_or(4, |count| count / 500) {
        let outcome = std::panic::catch_unwind(|| run(seed, crashes));
        assert!(outcome.is_ok(), "seed {seed}");
    }
}
