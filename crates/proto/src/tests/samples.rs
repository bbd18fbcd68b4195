//! Messages as a dice throws them.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use larch_types::{
    ErrorKind, MatchOp, Matcher, NodeId, PushStamp, SegmentId, Span, StreamShard, TenantId, Timestamp,
    TombstoneId, TraceContext, WriteShard,
};
use prost::Message;

use super::dice::Dice;
use crate::{
    AccessPolicy, AnswerPath, AppendEntry, AppendRequest, AppendResponse, AppendStream, Assignment,
    ChunkStream, CountedLabels, Direction, Done, DroppedRow, Embedded, EntryBatch, Estimate, EstimateRequest,
    Failure, FlushRequest, HistogramBatch, HistogramCell, HistogramGap, HistogramRequest, HistogramSource,
    LabelSummary, LabelsQuery, LabelsRequest, LevelCount, Load, Member, MemberState, Needle, NeedleGroup,
    PageRange, Pair, Part, Partition, Pattern, PatternBatch, PatternSample, PatternSeries, PatternsRequest,
    Piece, PieceId, PieceTenant, PlanEstimateRequest, PlanHead, PlanHistogramRequest, PlanLabelsRequest,
    PlanOf, PlanRequest, PlanScope, PlannedChunk, PlannedSegment, PullRequest, QueryStatistics, Question,
    ReadHead, ReadRequest, RefusalReason, ReplicaSet, ReportHead, ReportPart, ResultEntry, ResultLabels,
    ResultPart, ResultStream, RingDigest, Role, Row, RowBatch, SampleSeries, SegmentEntry, Selection,
    Selector, StateResponse, StreamOutcome, SubscribeRequest, TailEvent, TailStart, Text, TextBatch,
    TieOrder, Tombstone, WalPoint, WalPosition, wire,
};

// === nouns ===

fn node(dice: &mut Dice<'_>) -> NodeId {
    NodeId::from_u128(dice.u128())
}

fn tombstone_id(dice: &mut Dice<'_>) -> TombstoneId {
    TombstoneId::from_u128(dice.u128())
}

fn time(dice: &mut Dice<'_>) -> Timestamp {
    Timestamp::from_nanos(dice.i64())
}

/// The earlier one first.
fn range(dice: &mut Dice<'_>) -> (Timestamp, Timestamp) {
    let (one, other) = (time(dice), time(dice));
    (one.min(other), one.max(other))
}

fn step(dice: &mut Dice<'_>) -> Span {
    Span::from_nanos(1 + i64::from(dice.u32()))
}

fn tenant(dice: &mut Dice<'_>) -> TenantId {
    dice.name().parse().unwrap()
}

fn pair(dice: &mut Dice<'_>) -> Pair {
    Pair { name: Text::from(dice.name()), value: Text::from(dice.text()) }
}

fn matcher(dice: &mut Dice<'_>) -> Matcher {
    let op = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex];
    Matcher { name: dice.name(), op: op[usize::from(dice.below(4))], value: dice.text() }
}

fn selector(dice: &mut Dice<'_>) -> Selector {
    Selector { matchers: dice.list(matcher) }
}

fn policy(dice: &mut Dice<'_>) -> AccessPolicy {
    AccessPolicy { any_of: dice.list(selector) }
}

fn shard(dice: &mut Dice<'_>) -> StreamShard {
    let log2 = dice.below(9);
    StreamShard::new(dice.u32() % (1 << log2), 1 << log2).unwrap()
}

fn selection(dice: &mut Dice<'_>) -> Selection {
    let (start, end) = range(dice);
    Selection {
        any_of: dice.list(selector),
        policy: dice.maybe(policy),
        start,
        end,
        shard: dice.maybe(shard),
    }
}

fn direction(dice: &mut Dice<'_>) -> Direction {
    if dice.flag() { Direction::Forward } else { Direction::Backward }
}

fn needles(dice: &mut Dice<'_>) -> Vec<NeedleGroup> {
    let needle = |dice: &mut Dice<'_>| Needle { text: dice.bytes(), ignore_case: dice.flag() };
    dice.list(|dice| NeedleGroup { any_of: dice.list_of_one_or_more(needle) })
}

fn labels_query(dice: &mut Dice<'_>) -> LabelsQuery {
    match dice.below(3) {
        0 => LabelsQuery::Names,
        1 => LabelsQuery::Values(dice.name()),
        _ => LabelsQuery::Series,
    }
}

fn failure(dice: &mut Dice<'_>) -> Failure {
    let kinds = ErrorKind::table();
    Failure { kind: kinds[usize::from(dice.below(kinds.len() as u8))].kind, text: dice.text() }
}

pub(super) fn estimate(dice: &mut Dice<'_>) -> Estimate {
    Estimate { streams: dice.u64(), chunks: dice.u64(), rows: dice.u64(), bytes: dice.u64() }
}

fn segment_entry(dice: &mut Dice<'_>) -> SegmentEntry {
    let (first, last) = range(dice);
    let (footer_offset, footer_bytes) = (dice.u64() >> 2, dice.u32());
    let summary = |dice: &mut Dice<'_>| {
        let mut values = dice.list(Dice::text);
        values.sort();
        values.dedup();
        LabelSummary { name: dice.name(), values }
    };
    SegmentEntry {
        id: SegmentId::from_u128(dice.u128()),
        partition: dice.maybe(|dice| Partition::Day(time(dice).day())).unwrap_or(Partition::Wide),
        first,
        last,
        rows: dice.u64(),
        raw_bytes: dice.u64(),
        uploader: node(dice),
        object_bytes: footer_offset + u64::from(footer_bytes) + u64::from(dice.byte()),
        footer_offset,
        footer_bytes,
        embedded: dice.maybe(|dice| Embedded { add_id: dice.u128(), offset: dice.u64() }),
        label_summaries: dice.list(summary),
        tombstones_applied: dice.list(tombstone_id),
    }
}

pub(super) fn text_batch(dice: &mut Dice<'_>) -> TextBatch {
    TextBatch { texts: dice.list(Dice::text) }
}

pub(super) fn row_batch(dice: &mut Dice<'_>) -> RowBatch {
    let streams = dice.list_of_one_or_more(Dice::text);
    let levels = dice.list_of_one_or_more(Dice::name);
    let tie = |dice: &mut Dice<'_>| TieOrder { stamp: PushStamp(dice.u128()), index: dice.u32() };
    let rows = dice.list(|dice| Row {
        stream: dice.place(&streams),
        timestamp: time(dice),
        line: dice.bytes(),
        metadata: dice.list(pair),
        level: dice.maybe(|dice| dice.place(&levels)),
        tie: dice.maybe(tie),
    });
    RowBatch { streams, levels, rows }
}

pub(super) fn histogram_batch(dice: &mut Dice<'_>) -> HistogramBatch {
    let streams = dice.list_of_one_or_more(Dice::text);
    let levels = dice.list_of_one_or_more(Dice::name);
    let sources = dice.list_of_one_or_more(|dice| HistogramSource {
        uploader: node(dice),
        segment: dice.maybe(|dice| SegmentId::from_u128(dice.u128())),
    });
    let cells = dice.list(|dice| HistogramCell {
        stream: dice.place(&streams),
        source: dice.place(&sources),
        end: Timestamp::from_secs(60 * i64::from(1 + dice.u32() % 10_000_000)),
        first: Timestamp::from_secs(7),
        last: Timestamp::from_secs(60),
        rows: dice.u64(),
        bytes: dice.u64(),
        digest: dice.maybe(Dice::u64),
        levels: dice.list(|dice| LevelCount {
            level: dice.maybe(|dice| dice.place(&levels)),
            rows: dice.u64(),
            bytes: dice.u64(),
        }),
    });
    let gaps = dice.list(|dice| HistogramGap {
        stream: dice.place(&streams),
        start: Timestamp::from_secs(-60 * i64::from(dice.u32() % 10_000_000)),
        end: Timestamp::from_secs(60 * i64::from(1 + dice.u32() % 10_000_000)),
        rows: dice.u64(),
    });
    HistogramBatch { streams, levels, sources, cells, gaps }
}

fn counted_labels(dice: &mut Dice<'_>) -> CountedLabels {
    if dice.flag() {
        CountedLabels::All
    } else {
        CountedLabels::Only(dice.list(Dice::name).into_iter().collect())
    }
}

pub(super) fn part<H, B>(
    dice: &mut Dice<'_>,
    head: impl FnOnce(&mut Dice<'_>) -> H,
    body: impl FnOnce(&mut Dice<'_>) -> B,
) -> Part<H, B> {
    if dice.flag() { Part::Head(head(dice)) } else { Part::Body(body(dice)) }
}

// === ingest ===

pub(super) fn append_request(dice: &mut Dice<'_>) -> AppendRequest {
    let replica_sets = dice.list_of_one_or_more(|dice| ReplicaSet { nodes: dice.list_of_one_or_more(node) });
    let levels = dice.list_of_one_or_more(Dice::name);
    let entry = |dice: &mut Dice<'_>| AppendEntry {
        timestamp: time(dice),
        line: dice.bytes(),
        metadata: dice.list(pair),
        index: dice.u32(),
        level: dice.maybe(|dice| dice.place(&levels)),
    };
    let streams = dice.list_of_one_or_more(|dice| AppendStream {
        labels: dice.text(),
        write_shard: dice.maybe(|dice| WriteShard(dice.u32())),
        replica_set: dice.place(&replica_sets),
        entries: dice.list_of_one_or_more(entry),
        policy: dice.text(),
        write_shards: dice.u32(),
    });
    AppendRequest { stamp: PushStamp(dice.u128()), replica_sets, levels, streams }
}

pub(super) fn append_response(dice: &mut Dice<'_>) -> AppendResponse {
    let outcome =
        |dice: &mut Dice<'_>| StreamOutcome {
            refusal: dice.maybe(failure),
            duplicate_rows: dice.u64(),
            duplicate_bytes: dice.u64(),
            reason: dice.maybe(|dice| {
                if dice.flag() { RefusalReason::StreamLimit } else { RefusalReason::StreamRate }
            }),
        };
    AppendResponse {
        node: node(dice),
        outcomes: dice.list(outcome),
        synced: dice.flag(),
        wal_position: WalPosition(dice.u64()),
        ring_digest: RingDigest(dice.u64()),
    }
}

pub(super) fn read_request(dice: &mut Dice<'_>) -> ReadRequest {
    ReadRequest {
        selection: selection(dice),
        needles: needles(dice),
        direction: direction(dice),
        limit: dice.u64(),
        tombstones_known: dice.list(tombstone_id),
    }
}

pub(super) fn read_head(dice: &mut Dice<'_>) -> ReadHead {
    ReadHead {
        node: node(dice),
        ring_digest: RingDigest(dice.u64()),
        wal_position: WalPosition(dice.u64()),
        handed_over: dice.list(segment_entry),
        tombstones_applied: dice.list(tombstone_id),
    }
}

pub(super) fn labels_request(dice: &mut Dice<'_>) -> LabelsRequest {
    LabelsRequest { selection: selection(dice), query: labels_query(dice) }
}

pub(super) fn histogram_request(dice: &mut Dice<'_>) -> HistogramRequest {
    HistogramRequest {
        selection: selection(dice),
        minutes_per_cell: NonZeroU32::MIN.saturating_add(dice.u32()),
        tombstones_known: dice.list(tombstone_id),
        labels: counted_labels(dice),
    }
}

pub(super) fn patterns_request(dice: &mut Dice<'_>) -> PatternsRequest {
    PatternsRequest { selection: selection(dice), step: step(dice) }
}

pub(super) fn pattern_batch(dice: &mut Dice<'_>) -> PatternBatch {
    let streams = dice.list_of_one_or_more(Dice::text);
    let levels = dice.list_of_one_or_more(Dice::name);
    let patterns = dice.list(|dice| {
        let mut samples =
            dice.list(|dice| PatternSample { start: time(dice), rows: dice.u64(), digest: dice.u64() });
        samples.sort_by_key(|sample| sample.start);
        samples.dedup_by_key(|sample| sample.start);
        Pattern {
            stream: dice.place(&streams),
            level: dice.maybe(|dice| dice.place(&levels)),
            text: dice.text(),
            samples,
        }
    });
    PatternBatch { streams, levels, patterns }
}

pub(super) fn estimate_request(dice: &mut Dice<'_>) -> EstimateRequest {
    EstimateRequest { selection: selection(dice) }
}

pub(super) fn flush_request(dice: &mut Dice<'_>) -> FlushRequest {
    let tenant = dice.maybe(tenant);
    let any_of = if tenant.is_some() { dice.list(selector) } else { Vec::new() };
    FlushRequest { tenant, any_of, wait_for_upload: dice.flag() }
}

pub(super) fn state_response(dice: &mut Dice<'_>) -> StateResponse {
    StateResponse {
        member: member(dice),
        wal_position: WalPosition(dice.u64()),
        wal_bytes: dice.u64(),
        replaying: dice.flag(),
        tenants: dice.u64(),
        streams: dice.u64(),
        rows: dice.u64(),
        raw_bytes: dice.u64(),
        uploads_waiting: dice.u64(),
    }
}

// === tail and ring ===

pub(super) fn subscribe_request(dice: &mut Dice<'_>) -> SubscribeRequest {
    let from = |dice: &mut Dice<'_>| WalPoint { node: node(dice), position: WalPosition(dice.u64()) };
    SubscribeRequest { selection: selection(dice), needles: needles(dice), from: dice.maybe(from) }
}

pub(super) fn tail_start(dice: &mut Dice<'_>) -> TailStart {
    TailStart { node: node(dice), position: WalPosition(dice.u64()), ring_digest: RingDigest(dice.u64()) }
}

pub(super) fn tail_event(dice: &mut Dice<'_>) -> TailEvent {
    let position = WalPosition(dice.u64());
    if dice.flag() {
        return TailEvent::Rows { batch: row_batch(dice), position };
    }
    let example = |dice: &mut Dice<'_>| DroppedRow { labels: dice.text(), timestamp: time(dice) };
    TailEvent::Dropped { rows: dice.u64(), examples: dice.list(example), position }
}

pub(super) fn member(dice: &mut Dice<'_>) -> Member {
    let roles = [
        Role::Distributor,
        Role::Ingester,
        Role::QueryFrontend,
        Role::Querier,
        Role::IndexGateway,
        Role::Compactor,
        Role::Ruler,
    ];
    let states = [MemberState::Joining, MemberState::Active, MemberState::Stalled, MemberState::Leaving];
    let address =
        |dice: &mut Dice<'_>| format!("{}:{}", dice.name(), 1 + u16::from(dice.byte())).parse().unwrap();
    let mut tokens = dice.list(Dice::u32);
    tokens.sort_unstable();
    tokens.dedup();
    Member {
        node: node(dice),
        roles: dice.list_of_one_or_more(|dice| roles[usize::from(dice.below(7))]),
        grpc_address: dice.maybe(address),
        http_address: dice.maybe(address),
        zone: dice.text(),
        state: states[usize::from(dice.below(4))],
        tokens,
        load: Load { streams: dice.u64(), held_bytes: dice.u64(), taken_bytes_per_second: dice.u64() },
        ring_digest: RingDigest(dice.u64()),
        started: time(dice),
        registered: time(dice),
        version: dice.text(),
    }
}

// === plan ===

fn plan_scope(dice: &mut Dice<'_>) -> PlanScope {
    PlanScope {
        selection: selection(dice),
        announced: dice.list(segment_entry),
        max_view_age: Duration::from_nanos(dice.u64()),
        tombstones_known: dice.list(tombstone_id),
    }
}

pub(super) fn plan_request(dice: &mut Dice<'_>) -> PlanRequest {
    let of = match dice.u32() % 3 {
        0 => PlanOf::AllRows,
        1 => PlanOf::FirstRows {
            direction: direction(dice),
            limit: NonZeroU64::MIN.saturating_add(dice.u64()),
        },
        _ => PlanOf::Segments,
    };
    PlanRequest { scope: plan_scope(dice), needles: needles(dice), of }
}

pub(super) fn plan_labels_request(dice: &mut Dice<'_>) -> PlanLabelsRequest {
    PlanLabelsRequest { scope: plan_scope(dice), query: labels_query(dice) }
}

pub(super) fn plan_histogram_request(dice: &mut Dice<'_>) -> PlanHistogramRequest {
    let minutes_per_cell = NonZeroU32::MIN.saturating_add(dice.u32());
    PlanHistogramRequest { scope: plan_scope(dice), minutes_per_cell, labels: counted_labels(dice) }
}

pub(super) fn plan_estimate_request(dice: &mut Dice<'_>) -> PlanEstimateRequest {
    PlanEstimateRequest { scope: plan_scope(dice) }
}

pub(super) fn plan_head(dice: &mut Dice<'_>) -> PlanHead {
    let tombstone = |dice: &mut Dice<'_>| {
        let (start, end) = range(dice);
        Tombstone { id: tombstone_id(dice), query: dice.text(), start, end }
    };
    PlanHead {
        view_age: Duration::from_nanos(dice.u64()),
        tombstones: dice.list(tombstone),
        segments_in_range: dice.u64(),
        chunks_in_range: dice.u64(),
        chunks_of_segments: dice.u64(),
        chunks_in_time: dice.u64(),
    }
}

pub(super) fn planned_segment(dice: &mut Dice<'_>) -> PlannedSegment {
    let entry = segment_entry(dice);
    let streams = dice.list_of_one_or_more(Dice::text);
    let chunks = dice.list(|dice| {
        let (first, last) = range(dice);
        let rows = 1 + dice.u32() / 2;
        PlannedChunk {
            number: dice.u32(),
            rows,
            first,
            last,
            directory: dice.bytes(),
            streams: dice.list(|dice| {
                let first_row = dice.u32() % rows;
                ChunkStream { stream: dice.place(&streams), first_row, rows: rows - first_row }
            }),
            pages: dice.list(|dice| PageRange {
                column: dice.u32(),
                offset: entry.footer_offset,
                bytes: entry.footer_bytes,
            }),
        }
    });
    PlannedSegment { entry, format_version: dice.u32(), streams, chunks }
}

// === query ===

pub(super) fn pull_request(dice: &mut Dice<'_>) -> PullRequest {
    PullRequest { worker: node(dice), concurrency: dice.u32().max(1) }
}

fn question(dice: &mut Dice<'_>) -> Question {
    let any_of = dice.list(selector);
    match dice.below(7) {
        0 => Question::Logs { query: dice.text(), direction: direction(dice), limit: dice.u64() },
        1 => {
            let (start, end) = range(dice);
            Question::Metric { query: dice.text(), start, end, step: step(dice) }
        }
        2 => Question::Labels { query: labels_query(dice), any_of },
        3 => Question::Volume {
            any_of,
            target_labels: dice.list(Dice::name),
            by_label_names: dice.flag(),
            step: dice.maybe(step).unwrap_or_default(),
        },
        4 => Question::Stats { any_of },
        5 => Question::Estimate { any_of },
        _ => Question::Patterns { any_of, step: step(dice) },
    }
}

pub(super) fn assignment(dice: &mut Dice<'_>) -> Assignment {
    let id = PieceId(dice.u64());
    if dice.below(4) == 3 {
        return Assignment::Cancel(id);
    }
    let (start, end) = range(dice);
    let piece_tenant = |dice: &mut Dice<'_>| PieceTenant { tenant: tenant(dice), policy: dice.maybe(policy) };
    Assignment::Piece(Box::new(Piece {
        id,
        tenants: dice.list_of_one_or_more(piece_tenant),
        question: question(dice),
        start,
        end,
        shard: dice.maybe(shard),
        time_left: Duration::from_nanos(dice.u64()),
        request: dice.name().parse().unwrap(),
        trace: TraceContext::new(dice.u128() | 1, dice.u64() | 1, dice.byte()).unwrap(),
        max_bytes: dice.u64(),
        max_series: dice.u64(),
        query_tags: dice.text(),
        no_cache: dice.flag(),
        keeps_answer: dice.flag(),
        kept: dice.maybe(Dice::u128),
    }))
}

fn entry_batch(dice: &mut Dice<'_>) -> EntryBatch {
    let streams = dice.list_of_one_or_more(|dice| ResultStream { tenant: tenant(dice), labels: dice.text() });
    let labels = dice.list_of_one_or_more(|dice| ResultLabels {
        stream: dice.list(pair),
        metadata: dice.list(pair),
        parsed: dice.list(pair),
    });
    let entries = dice.list(|dice| ResultEntry {
        stream: dice.place(&streams),
        labels: dice.place(&labels),
        timestamp: time(dice),
        line: dice.bytes(),
    });
    EntryBatch { streams, labels, entries }
}

fn sample_series(dice: &mut Dice<'_>) -> SampleSeries {
    let mut steps = dice.list(Dice::u32);
    steps.sort_unstable();
    steps.dedup();
    let values = steps.iter().map(|_| dice.i64() as f64 / 8.0).collect();
    let exact = dice.flag();
    let remainders = steps.iter().filter(|_| !exact).map(|_| dice.i64() as f64 / 1e20).collect();
    SampleSeries { labels: dice.list(pair), steps, values, remainders }
}

fn statistics(dice: &mut Dice<'_>) -> QueryStatistics {
    QueryStatistics { rows: dice.u64(), page_bytes: dice.u64(), wait_ns: dice.u64(), ..Default::default() }
}

pub(super) fn report_part(dice: &mut Dice<'_>) -> ReportPart {
    let series = |dice: &mut Dice<'_>| {
        let mut counts = dice.list(|dice| (time(dice), dice.u64()));
        counts.sort_unstable();
        counts.dedup_by_key(|(start, _)| *start);
        PatternSeries { text: dice.text(), level: dice.text(), counts }
    };
    let result = match dice.below(8) {
        0 => return ReportPart::Head(ReportHead { piece: PieceId(dice.u64()), worker: node(dice) }),
        1 => return ReportPart::Failed(failure(dice)),
        2 => ResultPart::Entries(entry_batch(dice)),
        3 => ResultPart::Samples(dice.list(sample_series)),
        4 => ResultPart::Texts(text_batch(dice)),
        5 => ResultPart::Stats(estimate(dice)),
        6 => ResultPart::Patterns(dice.list(series)),
        _ => ResultPart::Done(Box::new(Done {
            statistics: statistics(dice),
            cache_key: dice.maybe(Dice::u128),
            warnings: dice.list(Dice::text),
            unchanged: dice.flag(),
            path: [AnswerPath::Unknown, AnswerPath::Kept, AnswerPath::Histograms, AnswerPath::Index]
                [dice.below(4) as usize],
            reasons: dice.list(Dice::text),
        })),
    };
    ReportPart::Result(result)
}

// === corpus ===

/// Several of each message that [`crate::fuzz_messages`] knows, behind the byte that chooses it.
pub(super) fn corpus() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for seed in 1..6_u8 {
        // Odd and even bytes of any size: every choice is made by one of the seeds.
        let entropy: Vec<u8> = (0..1500_u32).map(|place| (place * u32::from(seed) % 251) as u8).collect();
        let dice = &mut Dice::new(&entropy);
        let mut add = |choice: u8, message: Vec<u8>| {
            let mut case = vec![choice];
            case.extend_from_slice(&message);
            all.push(case);
        };
        add(0, wire::ingest::AppendRequest::from(append_request(dice)).encode_to_vec());
        add(1, wire::ingest::AppendResponse::from(append_response(dice)).encode_to_vec());
        add(2, wire::ingest::ReadRequest::from(read_request(dice)).encode_to_vec());
        add(3, wire::ingest::ReadPart::from(part(dice, read_head, row_batch)).encode_to_vec());
        add(4, wire::ingest::LabelsRequest::from(labels_request(dice)).encode_to_vec());
        add(5, wire::ingest::LabelsPart::from(part(dice, read_head, text_batch)).encode_to_vec());
        add(6, wire::ingest::HistogramRequest::from(histogram_request(dice)).encode_to_vec());
        add(7, wire::ingest::HistogramPart::from(part(dice, read_head, histogram_batch)).encode_to_vec());
        add(8, wire::ingest::PatternsRequest::from(patterns_request(dice)).encode_to_vec());
        add(9, wire::ingest::PatternsPart::from(part(dice, read_head, pattern_batch)).encode_to_vec());
        add(10, wire::ingest::EstimateRequest::from(estimate_request(dice)).encode_to_vec());
        add(11, wire::ingest::FlushRequest::from(flush_request(dice)).encode_to_vec());
        add(12, wire::ingest::StateResponse::from(state_response(dice)).encode_to_vec());
        add(13, wire::ingest::SubscribeRequest::from(subscribe_request(dice)).encode_to_vec());
        add(14, wire::ingest::TailPart::from(part(dice, tail_start, tail_event)).encode_to_vec());
        add(15, wire::plan::PlanRequest::from(plan_request(dice)).encode_to_vec());
        add(16, wire::plan::PlanPart::from(part(dice, plan_head, planned_segment)).encode_to_vec());
        add(17, wire::plan::LabelsRequest::from(plan_labels_request(dice)).encode_to_vec());
        add(18, wire::plan::HistogramRequest::from(plan_histogram_request(dice)).encode_to_vec());
        add(19, wire::plan::EstimateRequest::from(plan_estimate_request(dice)).encode_to_vec());
        add(20, wire::query::PullRequest::from(pull_request(dice)).encode_to_vec());
        add(21, wire::query::Assignment::from(assignment(dice)).encode_to_vec());
        add(22, wire::query::ReportPart::from(report_part(dice)).encode_to_vec());
        add(23, wire::ring::Member::from(member(dice)).encode_to_vec());
    }
    all
}
