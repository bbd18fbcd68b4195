//! The miner as a whole, under the clock of the simulator.

use futures_util::StreamExt;
use larch_limits::OperationalSettings;
use larch_proto::{Failure, RingDigest, StreamOutcome, WalPosition};
use larch_telemetry::Namespace;
use larch_testkit::sim::{World, run};
use larch_types::{ErrorKind, MatchOp, NodeId};

use super::*;
use crate::selection::Chosen;
use crate::testing::{Line, push, selection};

const APP: &str = "{app=\"a\"}";
const SECOND: i64 = 1_000_000_000;

struct Mine {
    patterns: Arc<Patterns>,
    scope: Scope,
    world: World,
    registry: Registry,
}

impl Mine {
    fn open(world: World, limits: LimitsSettings) -> Self {
        let registry = Registry::new("loki".parse::<Namespace>().unwrap());
        let limits = TenantLimits::new(limits, OperationalSettings::default());
        let settings = PatternIngesterSettings { enabled: true, ..PatternIngesterSettings::default() };
        let patterns = Patterns::new(settings, world.env.clone(), limits, &registry);
        let scope = Scope::default();
        patterns.start(&scope);
        Self { patterns, scope, world, registry }
    }

    fn now(&self) -> i64 {
        self.world.env.clock.now().nanos()
    }

    fn push(&self, tenant: &str, lines: &[Line<'_>], outcome: StreamOutcome) {
        let request = push(1, lines);
        let outcomes = vec![outcome; request.streams.len()];
        let response = AppendResponse {
            node: NodeId::from_u128(1),
            outcomes,
            synced: true,
            wal_position: WalPosition(1),
            ring_digest: RingDigest(0),
        };
        self.patterns.offer(&tenant.parse().unwrap(), Offer::of(&request), &response);
    }

    /// Waits until all that was pushed is mined.
    async fn settle(&self) {
        self.world.env.sleep(Duration::from_secs(3)).await;
    }

    /// Stream, level, pattern, start and rows of each sample.
    async fn read(&self, tenant: &str, matchers: &[(&str, MatchOp, &str)], step: i64) -> Vec<String> {
        let chosen = Chosen::new(selection(matchers, 0, i64::MAX)).unwrap();
        let tenant = tenant.parse().unwrap();
        let mut body = self.patterns.read(&tenant, chosen, Span::from_secs(step)).await;
        let mut all = Vec::new();
        while let Some(batch) = body.next().await {
            let batch = batch.unwrap();
            for pattern in batch.patterns {
                let stream = &batch.streams[pattern.stream as usize];
                let level = &batch.levels[pattern.level.unwrap() as usize];
                let samples: Vec<(i64, u64)> = pattern
                    .samples
                    .iter()
                    .map(|sample| (sample.start.nanos() / SECOND, sample.rows))
                    .collect();
                all.push(format!("{stream} {level} {} {samples:?}", pattern.text));
            }
        }
        all.sort();
        all
    }

    fn metric(&self, line: &str) -> bool {
        self.registry.encode(larch_telemetry::Format::from_accept(None)).lines().any(|shown| shown == line)
    }
}

fn taken() -> StreamOutcome {
    StreamOutcome::default()
}

#[test]
fn rows_are_counted_by_stream_level_and_step() {
    run(1, async |world| {
        let mine = Mine::open(world, LimitsSettings::default());
        let second = mine.now() / SECOND / 60 * 60 - 600;
        let at = |offset: i64| (second + offset) * SECOND;
        mine.push("acme", &[(APP, at(1), "order 1 was taken"), (APP, at(2), "order 2 was taken")], taken());
        mine.push(
            "acme",
            &[(APP, at(31), "order 3 was taken"), (APP, at(61), "error 3 seen again")],
            taken(),
        );
        mine.push("acme", &[("{app=\"b\"}", at(1), "order 4 was taken")], taken());
        mine.push("other", &[(APP, at(1), "a secret of 5")], taken());
        mine.settle().await;
        let app = &[("app", MatchOp::Equal, "a")];
        let want = [
            format!("{APP} error error 3 seen again [({}, 1)]", second + 60),
            format!("{APP} info order <_> was taken [({second}, 2), ({}, 1)]", second + 30),
        ];
        assert_eq!(mine.read("acme", app, 1).await, want);
        let want = [
            format!("{APP} error error 3 seen again [({}, 1)]", second + 60),
            format!("{APP} info order <_> was taken [({second}, 3)]"),
        ];
        assert_eq!(mine.read("acme", app, 60).await, want);
        assert_eq!(mine.read("acme", &[], 60).await.len(), 3);
        assert_eq!(mine.read("other", &[], 60).await.len(), 1);
        assert!(mine.read("nobody", &[], 60).await.is_empty());
        mine.scope.close(Duration::from_secs(1)).await.unwrap();
    });
}

#[test]
fn what_was_not_stored_is_not_counted() {
    run(2, async |world| {
        let mine = Mine::open(world, LimitsSettings::default());
        let (now, long) = (mine.now(), "x ".repeat(2000));
        let failure = Failure { kind: ErrorKind::TooMany, text: String::new() };
        mine.push(
            "acme",
            &[(APP, now, "refused 1 row today")],
            StreamOutcome { refusal: Some(failure), ..taken() },
        );
        let known = StreamOutcome { duplicate_rows: 1, ..taken() };
        mine.push("acme", &[(APP, now, "sent 1 row before"), (APP, now, "sent 2 rows now")], known);
        mine.push("acme", &[(APP, now, &long), (APP, 0, "from 1970 on here"), (APP, now, "one")], taken());
        mine.settle().await;
        let found = mine.read("acme", &[], 10).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("sent 2 rows now"), "{found:?}");
        for reason in ["line_too_long", "out_of_time_range", "too_few_tokens"] {
            let labels = format!("{{tenant=\"acme\",reason=\"{reason}\"}}");
            let line = format!("loki_pattern_ingester_patterns_dropped_total{labels} 1");
            assert!(mine.metric(&line), "{line}");
        }
        assert!(mine.metric("loki_pattern_ingester_patterns_active 1"));
        mine.scope.close(Duration::from_secs(1)).await.unwrap();
    });
}

#[test]
fn patterns_are_forgotten_when_their_time_is_over() {
    run(3, async |world| {
        let mine = Mine::open(world, LimitsSettings::default());
        mine.push("acme", &[(APP, mine.now(), "order 1 was taken")], taken());
        mine.settle().await;
        assert_eq!(mine.patterns.extent().patterns, 1);
        // Counts go with the hour that they are in.
        mine.world.env.sleep(Duration::from_hours(4) + Duration::from_mins(3)).await;
        assert_eq!(mine.patterns.extent(), Extent::default());
        assert!(mine.patterns.tenants().is_empty());
        mine.scope.close(Duration::from_secs(1)).await.unwrap();
    });
}

#[test]
fn tenants_choose_the_fields_of_objects() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let limits = LimitsSettings {
        pattern_ingester_tokenizable_json_fields_append: names(&["event"]),
        pattern_ingester_tokenizable_json_fields_delete: names(&["msg", "log"]),
        ..LimitsSettings::default()
    };
    assert_eq!(tokenizable_fields(&limits), ["message", "msg_", "_msg", "content", "event"]);
    run(4, async |world| {
        let mine = Mine::open(world, limits);
        let line = r#"{"msg":"not this","event":"order 1 was taken"}"#;
        mine.push("acme", &[(APP, mine.now(), line)], taken());
        mine.settle().await;
        let found = mine.read("acme", &[], 10).await;
        assert!(found[0].contains(" <_>order 1 was taken<_> "), "{found:?}");
        mine.scope.close(Duration::from_secs(1)).await.unwrap();
    });
}
