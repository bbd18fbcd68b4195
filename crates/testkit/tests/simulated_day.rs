//! The simulator runs one small service for a day, and a seed gives the same day again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use larch_runtime::{Budgets, Env, Job, Module, Next, Process, Rhythm, Scope, StartError, spawn_job};
use larch_testkit::sim::{SimDir, SimStore, World, run};
use larch_types::{Span, Timestamp};
use larch_wal::Dir;
use object_store::{ObjectStore, ObjectStoreExt};
use tracing::{info, warn};

const BUDGETS: Budgets = Budgets {
    refuse: Duration::from_secs(1),
    drain: Duration::from_secs(1),
    cut: Duration::from_secs(30),
    leave: Duration::from_secs(1),
    close: Duration::from_secs(1),
};

/// Writes a heartbeat to its disk every few seconds and uploads the count of them now and then.
struct Heartbeat {
    world: World,
}

struct Beat {
    dir: SimDir,
    store: SimStore,
    env: Env,
    beats: u64,
}

impl Job for Beat {
    const NAME: &'static str = "beat";

    async fn run_once(&mut self, now: Timestamp) -> Next {
        self.beats += 1;
        let mut file = self.dir.create(&format!("beat-{}", self.beats).parse().unwrap()).unwrap();
        file.append(&now.nanos().to_le_bytes()).unwrap();
        if self.env.random.below(100) == 0 {
            let path = format!("beats/{}", self.env.new_segment_id()).into();
            match self.store.put(&path, self.beats.to_string().into()).await {
                Ok(_) => info!(beats = self.beats, %path, "uploaded"),
                Err(error) => warn!(beats = self.beats, %error, "upload"),
            }
        }
        Next::Wait
    }
}

impl Module for Heartbeat {
    fn name(&self) -> &'static str {
        "heartbeat"
    }

    fn start<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(), StartError>> {
        Box::pin(async move {
            let World { env, wal_dir, store, .. } = self.world.clone();
            let job = Beat { dir: wal_dir, store, env: env.clone(), beats: 0 };
            spawn_job(scope, &env, Rhythm::every(Duration::from_secs(10)), job);
            Ok(())
        })
    }
}

async fn one_day(world: World) -> (usize, usize) {
    world.store.lose_answers(100);
    let process = Process::new(world.env.clone());
    process.add(Arc::new(Heartbeat { world: world.clone() }));
    process.start().await.unwrap();
    world.env.sleep(Duration::from_secs(43_200)).await;
    world.clock.step(Span::from_hours(-1));
    world.env.sleep(Duration::from_secs(43_200)).await;
    process.stop(&BUDGETS).await;
    (world.wal_dir.list().unwrap().len(), listed(&world.store).await)
}

async fn listed(store: &SimStore) -> usize {
    store.list(None).try_collect::<Vec<_>>().await.unwrap().len()
}

#[test]
fn a_seed_gives_the_same_day_again() {
    let (first, first_trace) = run(42, one_day);
    let (second, second_trace) = run(42, one_day);
    assert_eq!(first, second);
    assert_eq!(first_trace.lines(), second_trace.lines());
    // One beat each ten to eleven seconds.
    assert!((7_854..=8_640).contains(&first.0), "{}", first.0);
    assert!(first_trace.lines().len() > first.0, "every pass is traced");
    assert!(first_trace.lines().iter().any(|line| line.contains("WARN") && line.contains("answer was lost")));
    let (_, other_trace) = run(43, one_day);
    assert_ne!(first_trace.lines(), other_trace.lines());
}

#[test]
fn lists_lag_and_lost_answers_are_done_all_the_same() {
    let ((), _) = run(1, async |world: World| {
        let store = world.store;
        store.set_list_lag(Duration::from_secs(60));
        store.lose_answers(1000);
        assert!(store.put(&"a/b".into(), "x".into()).await.is_err());
        assert_eq!(listed(&store).await, 0, "too young to be listed");
        assert_eq!(store.get(&"a/b".into()).await.unwrap().bytes().await.unwrap(), "x");
        world.env.sleep(Duration::from_secs(60)).await;
        assert_eq!(listed(&store).await, 1);
        assert_eq!(store.list_with_delimiter(Some(&"a".into())).await.unwrap().objects.len(), 1);
    });
}
