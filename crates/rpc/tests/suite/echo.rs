//! Services that answer with what they were asked, or fail, or never answer, as their script says.

use std::fmt::Debug;
use std::future::pending;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{StreamExt, iter, once};
use larch_proto::{
    AppendRequest, AppendResponse, Assignment, Estimate, EstimateRequest, Failure, FlushRequest,
    FlushResponse, HistogramBatch, HistogramRequest, LabelsRequest, Load, Member, MemberState, PatternBatch,
    PatternsRequest, Piece, PieceId, PieceTenant, PlanEstimateRequest, PlanHead, PlanHistogramRequest,
    PlanLabelsRequest, PlanRequest, PlannedSegment, PullRequest, Question, ReadHead, ReadRequest, ReportHead,
    ReportResponse, ResultPart, RingDigest, Role, Row, RowBatch, StateResponse, StreamOutcome,
    SubscribeRequest, TailEvent, TailStart, TextBatch, WalPosition,
};
use larch_rpc::{
    CallContext, CallError, CallStream, Headed, Ingester, Planner, Tail, TenantContext, WorkQueue,
};
use larch_types::{ErrorKind, NodeId, Timestamp};
use tokio::sync::watch;

use crate::requests::segment_entry;

#[derive(Debug, Clone)]
pub(crate) enum Script {
    Answer,
    /// Before anything is answered.
    Fail(CallError),
    /// After the first part.
    FailInStream(CallError),
    Hang,
    /// After the first part.
    HangInStream,
    /// Parts of this size, without end.
    Flood(usize),
}

#[derive(Clone)]
pub(crate) struct Echo {
    script: Script,
    pub(crate) seen: Arc<Seen>,
}

/// What the service saw of its callers.
pub(crate) struct Seen {
    calls: Mutex<Vec<String>>,
    /// The time that the last call had left when it came in.
    time_left: Mutex<Duration>,
    hanging: watch::Sender<u64>,
    let_go: watch::Sender<u64>,
    flooded: watch::Sender<u64>,
}

/// Counts a call that hangs, and that it was let go.
struct Hanging(Arc<Seen>);

impl Hanging {
    fn begin(seen: &Arc<Seen>) -> Self {
        seen.hanging.send_modify(|count| *count += 1);
        Self(seen.clone())
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.let_go.send_modify(|count| *count += 1);
    }
}

impl Seen {
    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn time_left(&self) -> Duration {
        *self.time_left.lock().unwrap()
    }

    pub(crate) async fn wait_hanging(&self, count: u64) {
        self.hanging.subscribe().wait_for(|seen| *seen >= count).await.unwrap();
    }

    pub(crate) async fn wait_let_go(&self, count: u64) {
        self.let_go.subscribe().wait_for(|seen| *seen >= count).await.unwrap();
    }

    /// Until nothing hangs any more. On a slow machine a call may have ended before it came in.
    pub(crate) async fn wait_all_let_go(&self) {
        let hanging = *self.hanging.subscribe().borrow();
        self.wait_let_go(hanging).await;
    }

    /// Until so many bytes left the service.
    pub(crate) async fn wait_flooded(&self, bytes: u64) {
        self.flooded.subscribe().wait_for(|seen| *seen >= bytes).await.unwrap();
    }
}

impl Echo {
    pub(crate) fn new(script: Script) -> Self {
        let seen = Seen {
            calls: Mutex::default(),
            time_left: Mutex::default(),
            hanging: watch::Sender::default(),
            let_go: watch::Sender::default(),
            flooded: watch::Sender::default(),
        };
        Self { script, seen: Arc::new(seen) }
    }

    async fn tenant_call(&self, context: TenantContext, request: impl Debug) -> Result<String, CallError> {
        self.call(context.call, format!("{:?} {request:?}", context.tenant)).await
    }

    /// Everything that came in, as one text.
    async fn call(&self, context: CallContext, request: impl Debug) -> Result<String, CallError> {
        let text = format!("{:?} {:?} {request:?}", context.request, context.trace);
        self.seen.calls.lock().unwrap().push(text.clone());
        *self.seen.time_left.lock().unwrap() = context.deadline.time_left();
        match &self.script {
            Script::Fail(error) => Err(error.clone()),
            Script::Hang => {
                let _hanging = Hanging::begin(&self.seen);
                pending().await
            }
            _ => Ok(text),
        }
    }

    fn body<T: Send + 'static>(&self, parts: Vec<T>) -> CallStream<T> {
        let mut parts = parts.into_iter().map(Ok);
        match &self.script {
            Script::FailInStream(error) => {
                let first = iter(parts.next()).chain(iter([Err(error.clone())]));
                // What follows an error is never seen.
                first.chain(iter(parts)).boxed()
            }
            Script::HangInStream => {
                let hanging = Hanging::begin(&self.seen);
                let never = once(async move {
                    let _hanging = hanging;
                    pending().await
                });
                iter(parts.next()).chain(never).boxed()
            }
            _ => iter(parts).boxed(),
        }
    }

    fn rows(&self, text: String) -> CallStream<RowBatch> {
        let Script::Flood(bytes) = self.script else {
            return self.body(vec![row_batch(&text, 1), row_batch(&text, 2), row_batch(&text, 3)]);
        };
        let seen = self.seen.clone();
        let batches = iter(std::iter::repeat_with(move || {
            let mut batch = row_batch(&text, 1);
            batch.rows[0].line = Bytes::from(vec![b'x'; bytes]);
            seen.flooded.send_modify(|flooded| *flooded += bytes as u64);
            Ok(batch)
        }));
        batches.boxed()
    }
}

fn number(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

pub(crate) fn node() -> NodeId {
    NodeId::from_u128(0x0123_4567_89ab_cdef)
}

fn row_batch(text: &str, rows: i64) -> RowBatch {
    let row = |place: i64| Row {
        stream: 0,
        timestamp: Timestamp::from_nanos(place),
        line: Bytes::from(text.to_owned()),
        metadata: Vec::new(),
        level: None,
        tie: None,
    };
    RowBatch { streams: vec![text.to_owned()], levels: Vec::new(), rows: (0..rows).map(row).collect() }
}

fn read_head(text: &str) -> ReadHead {
    ReadHead {
        node: node(),
        ring_digest: RingDigest(number(text)),
        wal_position: WalPosition(number(text)),
        handed_over: vec![segment_entry()],
        tombstones_applied: Vec::new(),
    }
}

fn plan_head(text: &str) -> PlanHead {
    PlanHead {
        view_age: Duration::from_nanos(number(text)),
        tombstones: Vec::new(),
        segments_in_range: number(text),
        chunks_in_range: 2,
        chunks_of_segments: 9,
        chunks_in_time: 8,
    }
}

fn texts(text: &str) -> Vec<TextBatch> {
    vec![TextBatch { texts: vec![text.to_owned()] }, TextBatch { texts: vec![text.to_owned(); 2] }]
}

fn histogram(text: &str) -> Vec<HistogramBatch> {
    vec![HistogramBatch { streams: vec![text.to_owned()], ..HistogramBatch::default() }]
}

fn estimate(text: &str) -> Estimate {
    Estimate { streams: number(text), chunks: 1, rows: 2, bytes: 3 }
}

#[async_trait]
impl Ingester for Echo {
    async fn append(
        &self,
        context: TenantContext,
        request: AppendRequest,
    ) -> Result<AppendResponse, CallError> {
        let text = self.tenant_call(context, request).await?;
        let refusal = Some(Failure { kind: ErrorKind::Conflict, text: text.clone() });
        Ok(AppendResponse {
            node: node(),
            outcomes: vec![StreamOutcome::default(), StreamOutcome { refusal, ..StreamOutcome::default() }],
            synced: true,
            wal_position: WalPosition(number(&text)),
            ring_digest: RingDigest(5),
        })
    }

    async fn read(
        &self,
        context: TenantContext,
        request: ReadRequest,
    ) -> Result<Headed<ReadHead, RowBatch>, CallError> {
        let text = self.tenant_call(context, request).await?;
        Ok(Headed { head: read_head(&text), body: self.rows(text) })
    }

    async fn labels(
        &self,
        context: TenantContext,
        request: LabelsRequest,
    ) -> Result<Headed<ReadHead, TextBatch>, CallError> {
        let text = self.tenant_call(context, request).await?;
        Ok(Headed { head: read_head(&text), body: self.body(texts(&text)) })
    }

    async fn histogram(
        &self,
        context: TenantContext,
        request: HistogramRequest,
    ) -> Result<Headed<ReadHead, HistogramBatch>, CallError> {
        let text = self.tenant_call(context, request).await?;
        Ok(Headed { head: read_head(&text), body: self.body(histogram(&text)) })
    }

    async fn patterns(
        &self,
        context: TenantContext,
        request: PatternsRequest,
    ) -> Result<Headed<ReadHead, PatternBatch>, CallError> {
        let text = self.tenant_call(context, request).await?;
        let batch = PatternBatch { streams: vec![text.clone()], ..PatternBatch::default() };
        Ok(Headed { head: read_head(&text), body: self.body(vec![batch]) })
    }

    async fn estimate(
        &self,
        context: TenantContext,
        request: EstimateRequest,
    ) -> Result<Estimate, CallError> {
        Ok(estimate(&self.tenant_call(context, request).await?))
    }

    async fn flush(&self, context: CallContext, request: FlushRequest) -> Result<FlushResponse, CallError> {
        let text = self.call(context, request).await?;
        Ok(FlushResponse { wal_position: WalPosition(number(&text)), segments: 7 })
    }

    async fn state(&self, context: CallContext) -> Result<StateResponse, CallError> {
        let text = self.call(context, "state").await?;
        let member = Member {
            node: node(),
            roles: vec![Role::Ingester, Role::Querier],
            grpc_address: Some("[::1]:9095".parse().unwrap()),
            http_address: None,
            zone: "a".to_owned(),
            state: MemberState::Stalled,
            tokens: vec![1, u32::MAX],
            load: Load { streams: 1, held_bytes: 2, taken_bytes_per_second: 3 },
            ring_digest: RingDigest(u64::MAX),
            started: Timestamp::MIN,
            registered: Timestamp::MAX,
            version: text,
        };
        Ok(StateResponse {
            member,
            wal_position: WalPosition(1),
            wal_bytes: 2,
            replaying: true,
            tenants: 3,
            streams: 4,
            rows: 5,
            raw_bytes: 6,
            uploads_waiting: 7,
        })
    }
}

#[async_trait]
impl Planner for Echo {
    async fn plan(
        &self,
        context: TenantContext,
        request: PlanRequest,
    ) -> Result<Headed<PlanHead, PlannedSegment>, CallError> {
        let text = self.tenant_call(context, request).await?;
        let segment = PlannedSegment {
            entry: segment_entry(),
            format_version: 1,
            streams: vec![text.clone()],
            chunks: Vec::new(),
        };
        Ok(Headed { head: plan_head(&text), body: self.body(vec![segment.clone(), segment]) })
    }

    async fn labels(
        &self,
        context: TenantContext,
        request: PlanLabelsRequest,
    ) -> Result<Headed<PlanHead, TextBatch>, CallError> {
        let text = self.tenant_call(context, request).await?;
        Ok(Headed { head: plan_head(&text), body: self.body(texts(&text)) })
    }

    async fn histogram(
        &self,
        context: TenantContext,
        request: PlanHistogramRequest,
    ) -> Result<Headed<PlanHead, HistogramBatch>, CallError> {
        let text = self.tenant_call(context, request).await?;
        Ok(Headed { head: plan_head(&text), body: self.body(histogram(&text)) })
    }

    async fn estimate(
        &self,
        context: TenantContext,
        request: PlanEstimateRequest,
    ) -> Result<Estimate, CallError> {
        Ok(estimate(&self.tenant_call(context, request).await?))
    }
}

#[async_trait]
impl WorkQueue for Echo {
    async fn pull(
        &self,
        context: CallContext,
        request: PullRequest,
    ) -> Result<CallStream<Assignment>, CallError> {
        let (request_id, trace) = (context.request.clone(), context.trace);
        let text = self.call(context, request).await?;
        let piece = Piece {
            id: PieceId(number(&text)),
            tenants: vec![PieceTenant { tenant: "acme".parse().unwrap(), policy: None }],
            question: Question::Stats { any_of: Vec::new() },
            start: Timestamp::EPOCH,
            end: Timestamp::MAX,
            shard: None,
            time_left: Duration::from_secs(1),
            request: request_id,
            trace,
            max_bytes: 1,
            max_series: 2,
            query_tags: text,
            no_cache: true,
            keeps_answer: true,
            kept: Some(1 << 127),
        };
        Ok(self.body(vec![Assignment::Piece(Box::new(piece)), Assignment::Cancel(PieceId(9))]))
    }

    async fn report(
        &self,
        context: CallContext,
        head: ReportHead,
        mut parts: CallStream<ResultPart>,
    ) -> Result<ReportResponse, CallError> {
        if let Script::HangInStream = self.script {
            // As long as the worker keeps sending; the answer then goes to nobody.
            let _hanging = Hanging::begin(&self.seen);
            while let Some(Ok(_)) = parts.next().await {}
        }
        if let Script::Flood(_) = self.script {
            // Nobody waits for the piece.
            return Ok(ReportResponse { wanted: false });
        }
        let mut all = Vec::new();
        while let Some(part) = parts.next().await {
            all.push(part);
        }
        self.call(context, (head, all)).await?;
        Ok(ReportResponse { wanted: true })
    }
}

#[async_trait]
impl Tail for Echo {
    async fn subscribe(
        &self,
        context: TenantContext,
        request: SubscribeRequest,
    ) -> Result<Headed<TailStart, TailEvent>, CallError> {
        let text = self.tenant_call(context, request).await?;
        let rows = |rows: i64| TailEvent::Rows {
            batch: row_batch(&text, rows),
            position: WalPosition(rows.unsigned_abs()),
        };
        let dropped =
            TailEvent::Dropped { rows: 3, examples: Vec::new(), position: WalPosition(number(&text)) };
        let head = TailStart { node: node(), position: WalPosition(1), ring_digest: RingDigest(2) };
        Ok(Headed { head, body: self.body(vec![rows(1), dropped, rows(0)]) })
    }
}
