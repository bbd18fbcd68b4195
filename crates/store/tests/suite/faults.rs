//! The suite, and single requests, under faults that a seed decides.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larch_proto::Partition;
use larch_store::{
    Backing, FactKind, FactName, Failure, Folder, HedgingSettings, Key, Patience, Store, StoreOptions,
};
use larch_telemetry::Registry;
use larch_testkit::sim::{World, run};
use larch_types::{FactId, SegmentId};

use crate::conformance::conformance;
use crate::harness::metrics;

fn open(world: &World, options: StoreOptions, registry: &Registry) -> Store {
    Store::new(Backing::other(Arc::new(world.store.clone())), options, world.env.clone(), registry)
}

fn key(number: u128) -> Key {
    Key::segment(&"t".parse().unwrap(), Partition::Wide, SegmentId::from_u128(number))
}

fn fact(number: u128) -> Key {
    let name = FactName { kind: FactKind::Add, id: FactId::from_u128(number) };
    Key::fact(&"t".parse().unwrap(), Partition::Wide, name)
}

fn folder() -> Folder {
    Folder::facts(&"t".parse().unwrap(), Partition::Wide)
}

#[test]
fn a_bad_store_is_as_good_as_any() {
    for seed in 1..=3 {
        run(seed, async |world: World| {
            world.store.refuse(50);
            world.store.lose_answers(50);
            world.store.repeat_puts(20, Duration::from_millis(50));
            let registry = Registry::default();
            let store = open(&world, StoreOptions::default(), &registry);
            conformance(&store).await;
            let text = metrics(&registry);
            let retried =
                text.lines().any(|line| line.starts_with("larch_store_retries_total{operation=\"upload\"}"));
            assert!(retried, "{text}");
        });
    }
}

#[test]
fn nobody_waits_for_ever() {
    let ((), _) = run(1, async |world: World| {
        let store = open(&world, StoreOptions::default(), &Registry::default());
        world.store.refuse(1000);
        let start = world.env.clock.monotonic();
        let failure = store.get(&key(1), 10).await.unwrap_err();
        assert_eq!(failure.failure(), Failure::Unavailable);
        assert_eq!(
            failure.to_string(),
            format!("get {}: the store is not available, after 10 tries (simulated: refused)", key(1))
        );
        let took = world.env.clock.monotonic().since(start);
        assert!(took <= Duration::from_secs(30), "{took:?}");
        // A store that hangs is left after the limit of each try, and the budget of all.
        world.store.refuse(0);
        world.store.set_latency(Duration::from_secs(100_000));
        let start = world.env.clock.monotonic();
        assert_eq!(store.head(&key(1)).await.unwrap_err().failure(), Failure::Late);
        assert!(world.env.clock.monotonic().since(start) <= Duration::from_secs(125));
    });
}

#[test]
fn waits_are_drawn_from_the_seed() {
    let once = |seed| {
        let (took, _) = run(seed, async |world: World| {
            world.store.refuse(1000);
            let store = open(&world, StoreOptions::default(), &Registry::default());
            store.head(&key(1)).await.unwrap_err();
            world.env.clock.monotonic()
        });
        took
    };
    assert_eq!(once(5), once(5));
    assert_ne!(once(5), once(6));
}

#[test]
fn what_is_too_late_is_not_tried_again() {
    let ((), _) = run(1, async |world: World| {
        let patience = Patience { budget: Duration::from_secs(7200), tries: 1000, ..Patience::default() };
        let store = open(&world, StoreOptions { patience, ..StoreOptions::default() }, &Registry::default());
        world.store.refuse(1000);
        let minute = Duration::from_secs(60);
        let last = larch_types::Monotonic::from_start(minute);
        let failure = store.put_before(&fact(1), "x".into(), last).await.unwrap_err();
        assert_eq!(failure.failure(), Failure::Expired);
        let spent = world.env.clock.monotonic().since(larch_types::Monotonic::from_start(Duration::ZERO));
        assert!(minute <= spent && spent <= minute + Duration::from_secs(5), "{spent:?}");
    });
}

#[test]
fn an_upload_whose_completion_was_not_answered_is_done() {
    let ((), _) = run(1, async |world: World| {
        let store = open(&world, StoreOptions::default(), &Registry::default());
        let bytes = Bytes::from(vec![7; 40 << 20]);
        world.store.lose_answers(300);
        for number in 0..10 {
            store.put(&key(number), bytes.clone()).await.unwrap();
            world.store.lose_answers(300);
            assert_eq!(store.head(&key(number)).await.unwrap().size, bytes.len() as u64);
        }
    });
}

#[test]
fn late_and_repeated_puts_arrive() {
    let ((), _) = run(3, async |world: World| {
        let patience = Patience { tries: 1, ..Patience::default() };
        let store = open(&world, StoreOptions { patience, ..StoreOptions::default() }, &Registry::default());
        world.store.delay_puts(1000, Duration::from_secs(86_400));
        store.put(&fact(1), "late".into()).await.unwrap_err();
        assert!(store.head(&fact(1)).await.unwrap_err().is_missing());
        world.store.delay_puts(0, Duration::ZERO);
        world.store.repeat_puts(1000, Duration::from_secs(86_400));
        store.put(&fact(2), "twice".into()).await.unwrap();
        store.delete(&fact(2)).await.unwrap();
        assert!(store.head(&fact(2)).await.unwrap_err().is_missing());
        world.env.sleep(Duration::from_secs(86_401)).await;
        assert_eq!(store.get(&fact(1), 10).await.unwrap(), "late");
        assert_eq!(store.get(&fact(2), 10).await.unwrap(), "twice");
    });
}

#[test]
fn lists_lag_and_tear_and_end_up_whole() {
    let ((), _) = run(9, async |world: World| {
        let store = open(&world, StoreOptions::default(), &Registry::default());
        world.store.set_list_lag(Duration::from_secs(1200));
        world.store.tear_lists(10);
        for number in 0..100 {
            store.put(&fact(number), "x".into()).await.unwrap();
            world.env.sleep(Duration::from_secs(10)).await;
        }
        let torn = store.list(&folder(), None, 1000).await.unwrap().objects;
        assert!(!torn.is_empty() && torn.len() < 100, "{}", torn.len());
        world.env.sleep(Duration::from_secs(1200)).await;
        assert_eq!(store.list(&folder(), None, 1000).await.unwrap().objects.len(), 100);
    });
}

#[test]
fn a_second_request_overtakes_a_slow_one() {
    let ((), _) = run(2, async |world: World| {
        let hedging =
            HedgingSettings { at: larch_types::Span::from_millis(100), up_to: 2, max_per_second: 1 };
        let registry = Registry::default();
        let store = open(&world, StoreOptions { hedging, ..StoreOptions::default() }, &registry);
        store.put(&fact(1), "x".into()).await.unwrap();
        world.store.set_latency(Duration::from_secs(1));
        // Both are slow: the one that draws the shorter way wins.
        for _ in 0..20 {
            store.get(&fact(1), 10).await.unwrap();
        }
        let text = metrics(&registry);
        let count = |name: &str| -> u64 {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert!(count("hedged_requests_total") >= 10, "{text}");
        let won = |by: &str| count(&format!("hedged_requests_won_total{{type=\"{by}\"}}"));
        assert!((1..20).contains(&won("hedged")), "{text}");
        assert_eq!(won("hedged") + won("original"), count("hedged_requests_total"), "one of two wins");
        assert!(count("hedged_requests_rate_limited_total") <= 10, "{text}");
    });
}
