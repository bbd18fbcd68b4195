//! The planner over a catalog in memory, with segments as ingesters and compactors write them.

use std::num::NonZeroU64;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use larch_proto::{
    Direction, LabelSummary, LabelsQuery, Needle, NeedleGroup, Partition, PlanEstimateRequest,
    PlanLabelsRequest, PlanOf, PlanRequest, PlanScope, PlannedSegment, SegmentEntry, Selection, Selector,
};
use larch_rpc::{CallContext, CallError, Deadline, Planner, TenantContext};
use larch_runtime::Env;
use larch_segment::{Effort, Provenance, Row, Segment, SegmentBuilder};
use larch_store::{
    Backing, Catalog, ChunkStoreSettings, Folder, Input, Key, NewSegment, Segments, Store, StoreOptions,
};
use larch_telemetry::Registry;
use larch_types::{
    ErrorKind, Monotonic, NodeId, RequestId, SegmentId, StreamShard, TenantId, Timestamp, TombstoneId,
    TraceContext,
};

use crate::metrics::Metrics;
use crate::planner::GatewayPlanner;

const DAY: i64 = 86_400;

struct Setting {
    store: Store,
    catalog: Catalog,
    planner: GatewayPlanner,
}

/// Labels, second and line.
type Line<'a> = (&'a str, i64, &'a str);

fn tenant() -> TenantId {
    "t".parse().unwrap()
}

fn day(number: i64) -> Partition {
    Partition::Day(Timestamp::from_secs(number * DAY).day())
}

fn build(id: u128, partition: Partition, lines: &[Line<'_>]) -> (Bytes, SegmentEntry) {
    let mut builder = SegmentBuilder::new();
    for (labels, second, line) in lines {
        let stream = builder.stream(&labels.parse().unwrap()).unwrap();
        let timestamp = Timestamp::from_secs(*second);
        builder
            .push(stream, &Row { timestamp, line: line.as_bytes(), metadata: &[], level: None }, None)
            .unwrap();
    }
    let (id, uploader) = (SegmentId::from_u128(id), NodeId::from_u128(1));
    let (inputs, siblings, tombstones) = (Vec::new(), Vec::new(), Vec::new());
    let provenance = Provenance { id, uploader, inputs, siblings, tombstones };
    let bytes: Bytes = builder.finish(provenance, Effort::Fresh).unwrap().bytes.into();
    let segment = Segment::open(&bytes, bytes.len() as u64).unwrap();
    let totals = segment.totals();
    let entry = SegmentEntry {
        id,
        partition,
        first: totals.first_time,
        last: totals.last_time,
        rows: totals.rows,
        raw_bytes: totals.raw_bytes,
        uploader,
        object_bytes: bytes.len() as u64,
        // The footer alone: the rest of the tail takes a second read.
        footer_offset: bytes.len() as u64 - 40,
        footer_bytes: 40,
        embedded: None,
        label_summaries: Vec::new(),
        tombstones_applied: Vec::new(),
    };
    (bytes, entry)
}

fn in_an_hour(env: &Env) -> Monotonic {
    let since = env.clock.monotonic().since(Monotonic::from_start(Duration::ZERO));
    Monotonic::from_start(since + Duration::from_secs(3600))
}

impl Setting {
    fn new() -> Self {
        let (env, registry) = (Env::system(), Registry::default());
        let store = Store::new(Backing::memory(), StoreOptions::default(), env.clone(), &registry);
        let catalog = Catalog::new(store.clone(), env.clone(), &registry);
        let segments = Segments::new(catalog.clone(), &ChunkStoreSettings::default(), &registry);
        let planner = GatewayPlanner::new(env, segments, Metrics::new(&registry));
        Self { store, catalog, planner }
    }

    async fn put(&self, id: u128, partition: Partition, lines: &[Line<'_>]) -> SegmentEntry {
        let (bytes, entry) = build(id, partition, lines);
        self.store.put(&Key::segment(&tenant(), partition, entry.id), bytes).await.unwrap();
        entry
    }

    async fn add(&self, entry: SegmentEntry, carried: Option<Bytes>) -> SegmentEntry {
        let (name, last) = (self.catalog.new_fact_id(), in_an_hour(&Env::system()));
        let new = vec![NewSegment { entry: entry.clone(), carried }];
        let added = self.catalog.add(&tenant(), entry.partition, name, new, last).await.unwrap();
        added.into_iter().next().unwrap()
    }

    async fn plan_of(
        &self,
        scope: PlanScope,
        needles: &[&str],
        of: PlanOf,
    ) -> Result<(u64, u64, Vec<PlannedSegment>), CallError> {
        let group = |text: &&str| NeedleGroup {
            any_of: vec![Needle { text: Bytes::copy_from_slice(text.as_bytes()), ignore_case: false }],
        };
        let request = PlanRequest { scope, needles: needles.iter().map(group).collect(), of };
        let answer = self.planner.plan(context(), request).await?;
        let head = answer.head;
        assert!(head.view_age <= Duration::from_secs(300) && head.tombstones.is_empty());
        Ok((head.segments_in_range, head.chunks_in_range, answer.body.try_collect().await?))
    }

    /// The ids of the planned segments.
    async fn ids(&self, scope: PlanScope) -> Vec<u128> {
        let plan = self.plan_of(scope, &[], PlanOf::AllRows).await.unwrap().2;
        plan.iter().map(|segment| segment.entry.id.as_u128()).collect()
    }

    async fn labels(&self, scope: PlanScope, query: LabelsQuery) -> Vec<String> {
        let answer = self.planner.labels(context(), PlanLabelsRequest { scope, query }).await.unwrap();
        let parts: Vec<_> = answer.body.try_collect().await.unwrap();
        parts.into_iter().flat_map(|part| part.texts).collect()
    }
}

fn context() -> TenantContext {
    let call = CallContext {
        request: RequestId::from_random(1),
        trace: TraceContext::new(1, 1, 0).unwrap(),
        deadline: Deadline::after(Duration::from_secs(60)),
    };
    TenantContext { tenant: tenant(), call }
}

fn scope(selector: &str, start: i64, end: i64) -> PlanScope {
    let matchers = larch_logql::parse_any_selector(selector).unwrap();
    let selection = Selection {
        any_of: vec![Selector { matchers }],
        policy: None,
        start: Timestamp::from_secs(start),
        end: Timestamp::from_secs(end),
        shard: None,
    };
    let max_view_age = Duration::from_secs(300);
    PlanScope { selection, announced: Vec::new(), max_view_age, tombstones_known: Vec::new() }
}

#[tokio::test]
async fn days_and_wide() {
    let setting = Setting::new();
    for number in 0..40 {
        let line: &[Line<'_>] = &[(r#"{app="a"}"#, number * DAY + 10, "line")];
        let entry = setting.put(number as u128 + 1, day(number), line).await;
        setting.add(entry, None).await;
    }
    let lines: &[Line<'_>] = &[(r#"{app="a"}"#, 5, "old"), (r#"{app="a"}"#, 30 * DAY, "new")];
    let entry = setting.put(100, Partition::Wide, lines).await;
    setting.add(entry, None).await;
    let any = r#"{app="a"}"#;
    assert_eq!(setting.ids(scope(any, 10, DAY + 10)).await, [1, 100]);
    assert_eq!(setting.ids(scope(any, 10, DAY + 11)).await, [1, 2, 100]);
    assert_eq!(setting.ids(scope(any, 38 * DAY, 39 * DAY)).await, [39]);
    // Many days are listed and not asked for one by one.
    let all: Vec<u128> = (1..=40).chain([100]).collect();
    assert_eq!(setting.ids(scope(any, -1_000_000_000, 1_000_000_000)).await, all);
    assert_eq!(setting.ids(scope(any, 100, 100)).await, [0; 0]);
}

#[tokio::test]
async fn what_is_removed_and_what_is_announced() {
    let setting = Setting::new();
    let line: &[Line<'_>] = &[(r#"{app="a"}"#, 10, "line")];
    let (one, other) = (setting.put(1, day(0), line).await, setting.put(2, day(0), line).await);
    let fresh = setting.put(3, day(0), line).await;
    setting.add(one.clone(), None).await;
    setting.add(other.clone(), None).await;
    let any = || scope(r#"{app="a"}"#, 0, 100);
    assert_eq!(setting.ids(any()).await, [1, 2]);
    let inputs = vec![Input { id: one.id, carried_by: None }, Input { id: other.id, carried_by: None }];
    let merged = setting.put(4, day(0), line).await;
    let (name, last) = (setting.catalog.new_fact_id(), in_an_hour(&Env::system()));
    setting.catalog.swap(&tenant(), day(0), name, vec![merged], inputs, last).await.unwrap();
    assert_eq!(setting.ids(any()).await, [4]);
    // An ingester still names one that was merged, and one that no fact tells of yet.
    let announced = vec![one, fresh];
    assert_eq!(setting.ids(PlanScope { announced: announced.clone(), ..any() }).await, [3, 4]);
    let late = PlanScope { announced, ..scope(r#"{app="a"}"#, 50, 100) };
    assert_eq!(setting.ids(late).await, [0; 0]);
    let deleted = PlanScope { tombstones_known: vec![TombstoneId::from_u128(1)], ..any() };
    assert_eq!(
        setting.plan_of(deleted, &[], PlanOf::AllRows).await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
}

#[tokio::test]
async fn streams_texts_and_shards() {
    let setting = Setting::new();
    let mut lines: Vec<(String, i64, String)> = Vec::new();
    for number in 0..40_i64 {
        lines.push((
            format!(r#"{{app="{}", pod="{number}"}}"#, number % 2),
            number,
            format!("request id{number:08}"),
        ));
    }
    let lines: Vec<Line<'_>> =
        lines.iter().map(|(labels, second, line)| (labels.as_str(), *second, line.as_str())).collect();
    // It travels inside its add.
    let (bytes, mut entry) = build(1, day(0), &lines);
    let values = vec!["0".to_owned(), "1".to_owned()];
    entry.label_summaries = vec![LabelSummary { name: "app".to_owned(), values }];
    let entry = setting.add(entry, Some(bytes)).await;
    assert!(entry.embedded.is_some());
    let (segments, chunks, plan) =
        setting.plan_of(scope(r#"{app="0"}"#, 10, 20), &[], PlanOf::AllRows).await.unwrap();
    assert_eq!((segments, chunks, plan.len()), (1, 1, 1));
    let rows: u32 = plan[0].chunks[0].streams.iter().map(|stream| stream.rows).sum();
    assert_eq!((plan[0].streams.len(), rows), (5, 5));
    assert_eq!(plan[0].chunks[0].first, Timestamp::from_secs(10));
    assert_eq!(plan[0].chunks[0].last, Timestamp::from_secs(18));
    // By the catalog alone.
    assert_eq!(
        setting.plan_of(scope(r#"{app="2"}"#, 0, 100), &[], PlanOf::AllRows).await.unwrap(),
        (0, 0, Vec::new())
    );
    for (needle, planned) in [("id00000007", 1), ("id00000077", 0), ("quest id", 1), (" absent ", 0)] {
        let (_, chunks, plan) =
            setting.plan_of(scope(r#"{app=~".+"}"#, 0, 100), &[needle], PlanOf::AllRows).await.unwrap();
        assert_eq!((chunks, plan.len()), (1, planned), "{needle}");
    }
    let mut found = 0;
    for index in 0..4 {
        let mut part = scope(r#"{app=~".+"}"#, 0, 100);
        part.selection.shard = StreamShard::new(index, 4);
        found += setting.labels(part, LabelsQuery::Series).await.len();
    }
    assert_eq!(found, 40);
    let estimate = PlanEstimateRequest { scope: scope(r#"{app=~".+"}"#, 0, 100) };
    let estimate = setting.planner.estimate(context(), estimate).await.unwrap();
    assert_eq!((estimate.streams, estimate.chunks, estimate.rows), (40, 1, 40));
}

/// Of what lies behind the first rows nothing is read: those segments are not even there.
#[tokio::test]
async fn the_first_rows_are_looked_for_where_they_are() {
    let setting = Setting::new();
    for number in 0..20_i64 {
        let mut lines: Vec<(String, i64)> = Vec::new();
        for stream in 0..50 {
            let labels = format!(r#"{{app="a", pod="{stream}"}}"#);
            lines.push((labels.clone(), number * 100 + stream));
            lines.push((labels, number * 100 + stream + 30));
        }
        let lines: Vec<Line<'_>> =
            lines.iter().map(|(labels, second)| (labels.as_str(), *second, "line")).collect();
        let (id, is_there) = (number as u128 + 1, (8..12).contains(&number));
        let entry = match is_there {
            true => setting.put(id, day(0), &lines).await,
            false => build(id, day(0), &lines).1,
        };
        setting.add(entry, None).await;
    }
    let first = |direction, limit| PlanOf::FirstRows { direction, limit: NonZeroU64::new(limit).unwrap() };
    for (start, end, of, ids, streams) in [
        // Its newest row is at 1179, and three rows of as many streams are at 1177 or later.
        (0, 1200, first(Direction::Backward, 3), &[12_u128][..], 3),
        (0, 1200, first(Direction::Backward, 30), &[12], 30),
        // Two end there; of thirty it is not known whether they have rows between their first and last.
        (0, 1150, first(Direction::Backward, 3), &[12], 32),
        (800, 2000, first(Direction::Forward, 3), &[9], 3),
        (800, 2000, first(Direction::Forward, 100), &[9], 50),
        // More than one segment has.
        (800, 1200, first(Direction::Forward, 101), &[9, 10, 11, 12], 200),
        (800, 1200, PlanOf::AllRows, &[9, 10, 11, 12], 200),
        (0, 2000, PlanOf::Segments, &(1..=20).collect::<Vec<u128>>()[..], 0),
    ] {
        let (segments, _, plan) = setting.plan_of(scope(r#"{app="a"}"#, start, end), &[], of).await.unwrap();
        let found: Vec<u128> = plan.iter().map(|segment| segment.entry.id.as_u128()).collect();
        let planned: usize = plan.iter().map(|segment| segment.streams.len()).sum();
        assert_eq!((found.as_slice(), planned), (ids, streams), "{start} {end} {of:?}");
        assert!(segments >= ids.len() as u64);
    }
    // A text may be in few lines: all have to be looked at.
    let missing =
        setting.plan_of(scope(r#"{app="a"}"#, 0, 1200), &["li"], first(Direction::Backward, 3)).await;
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
}

/// A stream without a row in the range is not told of, though it has rows before and behind it.
#[tokio::test]
async fn labels_are_of_the_range() {
    let setting = Setting::new();
    let lines: &[Line<'_>] = &[
        (r#"{app="a", env="x"}"#, 10, "line"),
        (r#"{app="a", env="x"}"#, 30, "line"),
        (r#"{app="b"}"#, 10, "line"),
        (r#"{app="b"}"#, 20, "line"),
        (r#"{app="b"}"#, 30, "line"),
    ];
    let entry = setting.put(1, day(0), lines).await;
    setting.add(entry, None).await;
    for (start, end, names, apps) in [
        (0, 100, &["app", "env"][..], &["a", "b"][..]),
        (15, 25, &["app"], &["b"]),
        (15, 20, &[], &[]),
        (30, 31, &["app", "env"], &["a", "b"]),
        (31, 40, &[], &[]),
    ] {
        let any = || scope(r#"{app=~".+"}"#, start, end);
        assert_eq!(setting.labels(any(), LabelsQuery::Names).await, names, "{start} {end}");
        assert_eq!(setting.labels(any(), LabelsQuery::Values("app".into())).await, apps, "{start} {end}");
    }
}

#[tokio::test]
async fn missing_and_corrupt_objects_fail_the_plan() {
    let setting = Setting::new();
    let line: &[Line<'_>] = &[(r#"{app="a"}"#, 10, "line")];
    let (bytes, entry) = build(1, day(0), line);
    let key = Key::segment(&tenant(), day(0), entry.id);
    setting.add(entry, None).await;
    let any = || scope(r#"{app="a"}"#, 0, 100);
    assert_eq!(setting.plan_of(any(), &[], PlanOf::AllRows).await.unwrap_err().kind(), ErrorKind::NotFound);
    for at in [bytes.len() - 1, bytes.len() - 60] {
        let mut wrong = bytes.to_vec();
        wrong[at] ^= 1;
        setting.store.put(&key, wrong.into()).await.unwrap();
        let error = setting.plan_of(any(), &[], PlanOf::AllRows).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.text().contains(".seg"), "{error}");
    }
    setting.store.put(&key, build(2, day(0), line).0).await.unwrap();
    assert_eq!(setting.plan_of(any(), &[], PlanOf::AllRows).await.unwrap_err().kind(), ErrorKind::Corrupt);
    // Failures are not kept.
    setting.store.put(&key, bytes).await.unwrap();
    assert_eq!(setting.ids(any()).await, [1]);
}

/// After a plan that read more than 64 facts a snapshot is written, and the next process reads that.
#[tokio::test]
async fn long_catalogs_are_folded() {
    let setting = Setting::new();
    for number in 0..70 {
        let line: &[Line<'_>] = &[(r#"{app="a"}"#, 10, "line")];
        let (bytes, entry) = build(number + 1, day(0), line);
        setting.add(entry, Some(bytes)).await;
    }
    let any = || scope(r#"{app="a"}"#, 0, 100);
    let facts = Folder::facts(&tenant(), day(0));
    {
        let mut folding = std::pin::pin!(setting.planner.fold());
        assert!(futures_util::poll!(&mut folding).is_pending());
        assert_eq!(setting.ids(any()).await.len(), 70);
        // It works while others do.
        for _ in 0..1000 {
            assert!(futures_util::poll!(&mut folding).is_pending());
            if setting.store.list(&facts, None, 1000).await.unwrap().objects.len() == 71 {
                break;
            }
        }
    }
    let view = setting.catalog.view(&tenant(), day(0), Duration::ZERO).await.unwrap();
    assert_eq!((view.unfolded, view.segments().len()), (1, 70));
}
