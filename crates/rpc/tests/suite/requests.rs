//! Requests with every field set, and the contexts that go with them.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use larch_proto::{
    AccessPolicy, AppendEntry, AppendRequest, AppendStream, Direction, Embedded, EstimateRequest,
    FlushRequest, HistogramRequest, LabelSummary, LabelsQuery, LabelsRequest, Needle, NeedleGroup, Pair,
    Partition, PatternsRequest, PlanScope, ReadRequest, ReplicaSet, SegmentEntry, Selection, Selector,
    SubscribeRequest, TextBatch, WalPoint, WalPosition,
};
use larch_rpc::{CallContext, Deadline, TenantContext};
use larch_types::{
    MatchOp, Matcher, NodeId, PushStamp, SegmentId, Span, StreamShard, Timestamp, TombstoneId, TraceContext,
    WriteShard,
};

/// Long enough for any machine: where it is used, the deadline is not what the test is about.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn call(wait: Duration) -> CallContext {
    CallContext {
        request: "request-7/x".parse().unwrap(),
        trace: TraceContext::new(0xabc, 0xdef, 1).unwrap(),
        deadline: Deadline::after(wait),
    }
}

pub(crate) fn tenant(wait: Duration) -> TenantContext {
    TenantContext { tenant: "team_a!".parse().unwrap(), call: call(wait) }
}

fn selector(op: MatchOp) -> Selector {
    Selector { matchers: vec![Matcher { name: "app".into(), op, value: "a\"ü\n.*".into() }] }
}

fn selection() -> Selection {
    Selection {
        any_of: vec![selector(MatchOp::Equal), selector(MatchOp::NotRegex)],
        policy: Some(AccessPolicy { any_of: vec![selector(MatchOp::Regex)] }),
        start: Timestamp::from_nanos(-1),
        end: Timestamp::MAX,
        shard: StreamShard::new(3, 8),
    }
}

fn needles() -> Vec<NeedleGroup> {
    let needle = Needle { text: Bytes::from_static(b"\xff\0needle"), ignore_case: true };
    vec![NeedleGroup { any_of: vec![needle] }]
}

fn tombstone() -> TombstoneId {
    TombstoneId::from_u128(u128::MAX)
}

pub(crate) fn segment_entry() -> SegmentEntry {
    SegmentEntry {
        id: SegmentId::from_u128(1 << 100),
        partition: Partition::Day(Timestamp::from_nanos(-1).day()),
        first: Timestamp::MIN,
        last: Timestamp::from_nanos(-1),
        rows: 1,
        raw_bytes: 2,
        uploader: NodeId::from_u128(3),
        object_bytes: 1 << 40,
        footer_offset: 5,
        footer_bytes: 6,
        embedded: Some(Embedded { add_id: 7, offset: 8 }),
        label_summaries: vec![LabelSummary { name: "app".into(), values: vec![String::new(), "a".into()] }],
        tombstones_applied: vec![tombstone()],
    }
}

pub(crate) fn append(line: Bytes) -> AppendRequest {
    let metadata = vec![Pair { name: "trace".into(), value: "ü".into() }];
    let entry =
        AppendEntry { timestamp: Timestamp::from_nanos(42), line, metadata, index: 4, level: Some(0) };
    AppendRequest {
        stamp: PushStamp(u128::MAX / 3),
        replica_sets: vec![ReplicaSet { nodes: vec![NodeId::from_u128(1), NodeId::from_u128(2)] }],
        levels: vec!["info".into()],
        streams: vec![AppendStream {
            labels: r#"{app="a"}"#.into(),
            write_shard: Some(WriteShard(2)),
            replica_set: 0,
            entries: vec![entry],
            policy: "p".into(),
            write_shards: 3,
        }],
    }
}

pub(crate) fn read() -> ReadRequest {
    ReadRequest {
        selection: selection(),
        needles: needles(),
        direction: Direction::Backward,
        limit: u64::MAX,
        tombstones_known: vec![tombstone()],
    }
}

pub(crate) fn labels() -> LabelsRequest {
    LabelsRequest { selection: selection(), query: LabelsQuery::Values("app".into()) }
}

pub(crate) fn histogram() -> HistogramRequest {
    HistogramRequest {
        selection: selection(),
        minutes_per_cell: NonZeroU32::MAX,
        tombstones_known: vec![tombstone()],
        labels: larch_proto::CountedLabels::Only(["app".to_owned()].into()),
    }
}

pub(crate) fn patterns() -> PatternsRequest {
    PatternsRequest { selection: selection(), step: Span::from_secs(10) }
}

pub(crate) fn estimate() -> EstimateRequest {
    EstimateRequest { selection: selection() }
}

pub(crate) fn flush() -> FlushRequest {
    FlushRequest {
        tenant: Some("b".parse().unwrap()),
        any_of: vec![selector(MatchOp::NotEqual)],
        wait_for_upload: true,
    }
}

pub(crate) fn plan_scope() -> PlanScope {
    PlanScope {
        selection: selection(),
        announced: vec![segment_entry()],
        max_view_age: Duration::from_secs(300),
        tombstones_known: vec![tombstone()],
    }
}

pub(crate) fn plan() -> larch_proto::PlanRequest {
    larch_proto::PlanRequest { scope: plan_scope(), needles: needles(), of: larch_proto::PlanOf::AllRows }
}

pub(crate) fn subscribe() -> SubscribeRequest {
    let from = WalPoint { node: NodeId::from_u128(9), position: WalPosition(u64::MAX) };
    SubscribeRequest { selection: selection(), needles: needles(), from: Some(from) }
}

pub(crate) fn texts(text: &str) -> TextBatch {
    TextBatch { texts: vec![text.to_owned()] }
}
