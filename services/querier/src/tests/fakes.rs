//! An ingester that holds rows in a list, and a queue that hands out what it is told to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::pending;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{empty, iter, once, unfold};
use larch_logql::LabelMatcher;
use larch_proto::{
    AppendRequest, AppendResponse, Assignment, Direction, Done, Estimate, EstimateRequest, FlushRequest,
    FlushResponse, HistogramBatch, HistogramCell, HistogramGap, HistogramRequest, HistogramSource,
    LabelsQuery, LabelsRequest, LevelCount, Pair, PatternBatch, PatternsRequest, PieceId, PullRequest,
    ReadHead, ReadRequest, ReportHead, ReportResponse, ResultPart, RingDigest, Row, RowBatch, SegmentEntry,
    Selection, Selector, StateResponse, TextBatch, TieOrder, WalPosition,
};
use larch_rpc::{CallContext, CallError, CallStream, Headed, Ingester, TenantContext, WorkQueue};
use larch_segment::RowIdentity;
use larch_types::{ErrorKind, Labels, NodeId, PushStamp, StreamId, StreamOrder, StreamShard, Timestamp};
use tokio::sync::{mpsc, watch};

/// A row as it was pushed.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) tenant: Arc<str>,
    pub(super) stream: Arc<StoredStream>,
    pub(super) timestamp: Timestamp,
    pub(super) line: Bytes,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) level: Option<&'static str>,
    pub(super) tie: TieOrder,
}

#[derive(Debug)]
pub(super) struct StoredStream {
    pub(super) labels: Labels,
    pub(super) text: String,
    order: StreamOrder,
}

impl StoredStream {
    pub(super) fn new(labels: Labels) -> Arc<Self> {
        Arc::new(Self { text: labels.canonical(), order: StreamOrder::of(&labels), labels })
    }
}

impl Stored {
    pub(super) fn new(tenant: &str, labels: &str, second: i64, line: &str) -> Self {
        Self {
            tenant: tenant.into(),
            stream: StoredStream::new(labels.parse().expect(labels)),
            timestamp: Timestamp::from_secs(second),
            line: Bytes::copy_from_slice(line.as_bytes()),
            metadata: Vec::new(),
            level: None,
            tie: TieOrder { stamp: PushStamp(0), index: 0 },
        }
    }
}

/// How it behaves, and what it saw.
pub(super) struct FakeIngester {
    pub(super) node: NodeId,
    pub(super) rows: Mutex<Vec<Stored>>,
    /// Rows of one batch.
    pub(super) batch: usize,
    pub(super) handed_over: Vec<SegmentEntry>,
    pub(super) fails: Option<CallError>,
    /// Sends one batch of each read, and no more.
    pub(super) stalls: bool,
    /// Sends its batches in the wrong order.
    pub(super) turns_back: bool,
    pub(super) patterns: Vec<PatternBatch>,
    pub(super) requests: Mutex<Vec<ReadRequest>>,
    /// Bodies that were opened, those that are open now, batches that were sent.
    pub(super) begun: watch::Sender<u64>,
    pub(super) open: Arc<watch::Sender<i64>>,
    pub(super) sent: Arc<watch::Sender<u64>>,
}

impl FakeIngester {
    pub(super) fn new(node: u128, rows: Vec<Stored>) -> Self {
        Self {
            node: NodeId::from_u128(node),
            rows: Mutex::new(rows),
            batch: 7,
            handed_over: Vec::new(),
            fails: None,
            stalls: false,
            turns_back: false,
            patterns: Vec::new(),
            requests: Mutex::default(),
            begun: watch::Sender::default(),
            open: Arc::default(),
            sent: Arc::default(),
        }
    }

    fn head(&self) -> Result<ReadHead, CallError> {
        if let Some(error) = &self.fails {
            return Err(error.clone());
        }
        Ok(ReadHead {
            node: self.node,
            ring_digest: RingDigest(0),
            wal_position: WalPosition(self.rows.lock().unwrap().len() as u64),
            handed_over: self.handed_over.clone(),
            tombstones_applied: Vec::new(),
        })
    }

    /// The tenant's selected rows in the order of the direction.
    fn selected(&self, context: &TenantContext, selection: &Selection, direction: Direction) -> Vec<Stored> {
        let selects = Selects::new(selection);
        let mut known: HashMap<*const StoredStream, bool> = HashMap::new();
        let mut rows = Vec::new();
        for row in self.rows.lock().unwrap().iter() {
            let in_range = row.timestamp >= selection.start && row.timestamp < selection.end;
            if *row.tenant == *context.tenant.as_str()
                && in_range
                && *known.entry(Arc::as_ptr(&row.stream)).or_insert_with(|| selects.stream(&row.stream))
            {
                rows.push(row.clone());
            }
        }
        rows.sort_by(|left, right| {
            let streams =
                (left.stream.order, &left.stream.labels).cmp(&(right.stream.order, &right.stream.labels));
            let forward = (left.timestamp, left.tie).cmp(&(right.timestamp, right.tie));
            let time = left.timestamp.cmp(&right.timestamp);
            match direction {
                Direction::Forward => time.then(streams).then(forward),
                Direction::Backward => time.reverse().then(streams).then(forward.reverse()),
            }
        });
        rows
    }

    /// Counts the body as open until it is dropped.
    fn body<T: Send + 'static>(&self, parts: Vec<T>) -> CallStream<T> {
        struct Open(Arc<watch::Sender<i64>>);
        impl Drop for Open {
            fn drop(&mut self) {
                self.0.send_modify(|open| *open -= 1);
            }
        }
        self.open.send_modify(|open| *open += 1);
        self.begun.send_modify(|begun| *begun += 1);
        let (open, sent) = (Open(Arc::clone(&self.open)), Arc::clone(&self.sent));
        let stalls = if self.stalls { 1 } else { usize::MAX };
        let rest = if self.stalls { once(pending()).boxed() } else { empty().boxed() };
        let parts = iter(parts).take(stalls).chain(rest);
        let counted = parts.map(move |part| {
            let _open = &open;
            sent.send_modify(|sent| *sent += 1);
            Ok(part)
        });
        counted.boxed()
    }
}

/// A selection, compiled.
pub(super) struct Selects {
    any_of: Vec<Vec<LabelMatcher>>,
    policy: Option<Vec<Vec<LabelMatcher>>>,
    shard: Option<StreamShard>,
}

impl Selects {
    pub(super) fn new(selection: &Selection) -> Self {
        let all = |selectors: &[Selector]| -> Vec<Vec<LabelMatcher>> {
            let one = |selector: &Selector| {
                selector.matchers.iter().map(|matcher| LabelMatcher::new(matcher).unwrap()).collect()
            };
            selectors.iter().map(one).collect()
        };
        Self {
            any_of: all(&selection.any_of),
            policy: selection.policy.as_ref().map(|policy| all(&policy.any_of)),
            shard: selection.shard,
        }
    }

    fn stream(&self, stream: &StoredStream) -> bool {
        self.labels(&stream.labels)
    }

    pub(super) fn labels(&self, labels: &Labels) -> bool {
        let holds =
            |matcher: &LabelMatcher| matcher.matches(labels.get(matcher.name()).unwrap_or("").as_bytes());
        let any = |selectors: &[Vec<LabelMatcher>]| selectors.iter().any(|all| all.iter().all(holds));
        (self.any_of.is_empty() || any(&self.any_of))
            && self.policy.as_ref().is_none_or(|policy| any(policy))
            && self.shard.is_none_or(|shard| shard.contains(StreamId::of(labels)))
    }
}

/// Complete by itself, as a batch is.
pub(super) fn batch_of(rows: &[Stored]) -> RowBatch {
    let (mut batch, mut streams) = (RowBatch::default(), HashMap::new());
    for row in rows {
        let stream = *streams.entry(Arc::as_ptr(&row.stream)).or_insert_with(|| {
            batch.streams.push(row.stream.text.clone());
            batch.streams.len() as u32 - 1
        });
        let level = row.level.map(|level| {
            let known = batch.levels.iter().position(|known| known == level);
            known.unwrap_or_else(|| {
                batch.levels.push(level.to_owned());
                batch.levels.len() - 1
            }) as u32
        });
        let pair = |(name, value): &(String, String)| Pair {
            name: name.as_str().into(),
            value: value.as_str().into(),
        };
        batch.rows.push(Row {
            stream,
            timestamp: row.timestamp,
            line: row.line.clone(),
            metadata: row.metadata.iter().map(pair).collect(),
            level,
            tie: Some(row.tie),
        });
    }
    batch
}

fn has_needles(request: &ReadRequest, line: &[u8]) -> bool {
    request.needles.iter().all(|group| {
        group.any_of.iter().any(|needle| {
            let needle = larch_logql::Needle {
                bytes: needle.text.to_vec().into(),
                ignore_ascii_case: needle.ignore_case,
            };
            needle.is_in(line)
        })
    })
}

/// Whole cells of rows in the order of time, each row once; a batch for each stream.
fn histogram_of(rows: &[Stored], node: NodeId, request: &HistogramRequest) -> Vec<HistogramBatch> {
    let width = 60_000_000_000 * i64::from(request.minutes_per_cell.get());
    let mut seen = BTreeSet::new();
    let mut batches: BTreeMap<String, HistogramBatch> = BTreeMap::new();
    for row in rows {
        let time = row.timestamp.nanos();
        let end = (time - 1).div_euclid(width) * width + width;
        let is_whole =
            end - width + 1 >= request.selection.start.nanos() && end < request.selection.end.nanos();
        let is_new = seen.insert((&row.stream.text, time, &row.line, &row.metadata));
        if !is_whole || !is_new {
            continue;
        }
        let batch = batches.entry(row.stream.text.clone()).or_insert_with(|| HistogramBatch {
            streams: vec![row.stream.text.clone()],
            sources: vec![HistogramSource { uploader: node, segment: None }],
            ..HistogramBatch::default()
        });
        if row.metadata.iter().any(|(name, _)| request.labels.has(name)) {
            let (start, end) = (Timestamp::from_nanos(end - width), Timestamp::from_nanos(end));
            batch.gaps.push(HistogramGap { stream: 0, start, end, rows: 1 });
        }
        let level = row.level.map(|level| {
            let known = batch.levels.iter().position(|known| known == level);
            known.unwrap_or_else(|| {
                batch.levels.push(level.to_owned());
                batch.levels.len() - 1
            }) as u32
        });
        if batch.cells.last().is_none_or(|cell| cell.end.nanos() != end) {
            let (first, last, end) = (row.timestamp, row.timestamp, Timestamp::from_nanos(end));
            let (stream, source, rows, bytes, digest, levels) = (0, 0, 0, 0, Some(0), Vec::new());
            batch.cells.push(HistogramCell { stream, source, end, rows, bytes, digest, levels, first, last });
        }
        let cell = batch.cells.last_mut().unwrap();
        let pairs = row.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let id = StreamId::of(&row.stream.labels);
        let identity = RowIdentity::of(id, row.timestamp, &row.line, pairs);
        cell.rows += 1;
        cell.bytes += row.line.len() as u64;
        cell.digest = cell.digest.map(|digest| digest.wrapping_add(identity.0));
        cell.last = row.timestamp;
        match cell.levels.iter_mut().find(|count| count.level == level) {
            Some(count) => (count.rows, count.bytes) = (count.rows + 1, count.bytes + row.line.len() as u64),
            None => cell.levels.push(LevelCount { level, rows: 1, bytes: row.line.len() as u64 }),
        }
    }
    batches.into_values().collect()
}

fn unused<T>() -> Result<T, CallError> {
    Err(CallError::new(ErrorKind::Internal, "no test asks for it"))
}

#[async_trait]
impl Ingester for FakeIngester {
    async fn append(&self, _: TenantContext, _: AppendRequest) -> Result<AppendResponse, CallError> {
        unused()
    }

    async fn read(
        &self,
        context: TenantContext,
        request: ReadRequest,
    ) -> Result<Headed<ReadHead, RowBatch>, CallError> {
        let head = self.head()?;
        let mut rows = self.selected(&context, &request.selection, request.direction);
        rows.retain(|row| has_needles(&request, &row.line));
        if request.limit > 0 && rows.len() > request.limit as usize {
            let last = rows[request.limit as usize - 1].timestamp;
            let behind = rows.iter().skip(request.limit as usize);
            let ties = behind.take_while(|row| row.timestamp == last).count();
            rows.truncate(request.limit as usize + ties);
        }
        self.requests.lock().unwrap().push(request);
        let mut batches: Vec<RowBatch> = rows.chunks(self.batch).map(batch_of).collect();
        if self.turns_back {
            batches.reverse();
        }
        Ok(Headed { head, body: self.body(batches) })
    }

    async fn labels(
        &self,
        context: TenantContext,
        request: LabelsRequest,
    ) -> Result<Headed<ReadHead, TextBatch>, CallError> {
        let head = self.head()?;
        let mut texts = BTreeSet::new();
        for row in self.selected(&context, &request.selection, Direction::Forward) {
            match &request.query {
                LabelsQuery::Names => {
                    texts.extend(row.stream.labels.iter().map(|label| label.name.to_string()))
                }
                LabelsQuery::Values(name) => texts.extend(row.stream.labels.get(name).map(str::to_owned)),
                LabelsQuery::Series => drop(texts.insert(row.stream.text.clone())),
            }
        }
        let texts: Vec<String> = texts.into_iter().collect();
        let batches = texts.chunks(2).map(|texts| TextBatch { texts: texts.to_vec() }).collect();
        Ok(Headed { head, body: self.body(batches) })
    }

    async fn histogram(
        &self,
        context: TenantContext,
        request: HistogramRequest,
    ) -> Result<Headed<ReadHead, HistogramBatch>, CallError> {
        let head = self.head()?;
        let rows = self.selected(&context, &request.selection, Direction::Forward);
        Ok(Headed { head, body: self.body(histogram_of(&rows, self.node, &request)) })
    }

    async fn patterns(
        &self,
        _: TenantContext,
        _: PatternsRequest,
    ) -> Result<Headed<ReadHead, PatternBatch>, CallError> {
        Ok(Headed { head: self.head()?, body: self.body(self.patterns.clone()) })
    }

    async fn estimate(
        &self,
        context: TenantContext,
        request: EstimateRequest,
    ) -> Result<Estimate, CallError> {
        let rows = self.selected(&context, &request.selection, Direction::Forward);
        Ok(Estimate { chunks: rows.len().min(1) as u64, ..Estimate::default() })
    }

    async fn flush(&self, _: CallContext, _: FlushRequest) -> Result<FlushResponse, CallError> {
        unused()
    }

    async fn state(&self, _: CallContext) -> Result<StateResponse, CallError> {
        unused()
    }
}

/// What a report came to: the parts before the last one, and that.
pub(super) type Reported = (Vec<ResultPart>, Result<Done, CallError>);

/// Hands out what it is sent, to whoever pulls.
#[derive(Default)]
pub(super) struct FakeQueue {
    pulls: Mutex<Option<mpsc::Sender<Result<Assignment, CallError>>>>,
    pub(super) pulled: watch::Sender<u64>,
    pub(super) concurrency: Mutex<u32>,
    reports: Mutex<BTreeMap<PieceId, mpsc::Sender<Reported>>>,
    /// Reports of these are let go of after their first part.
    pub(super) unwanted: Mutex<BTreeSet<PieceId>>,
}

impl FakeQueue {
    pub(super) async fn send(&self, assignment: Assignment) {
        self.pulled.subscribe().wait_for(|pulled| *pulled > 0).await.unwrap();
        let pull = self.pulls.lock().unwrap().clone().unwrap();
        pull.send(Ok(assignment)).await.unwrap();
    }

    pub(super) fn expect(&self, id: PieceId) -> mpsc::Receiver<Reported> {
        let (sender, receiver) = mpsc::channel(1);
        self.reports.lock().unwrap().insert(id, sender);
        receiver
    }

    /// Ends the stream of pieces, with an error or without.
    pub(super) async fn hang_up(&self, error: Option<CallError>) {
        let pull = self.pulls.lock().unwrap().take().unwrap();
        if let Some(error) = error {
            pull.send(Err(error)).await.unwrap();
        }
    }
}

#[async_trait]
impl WorkQueue for FakeQueue {
    async fn pull(&self, _: CallContext, request: PullRequest) -> Result<CallStream<Assignment>, CallError> {
        let (sender, receiver) = mpsc::channel(1);
        *self.pulls.lock().unwrap() = Some(sender);
        *self.concurrency.lock().unwrap() = request.concurrency;
        self.pulled.send_modify(|pulled| *pulled += 1);
        Ok(unfold(receiver, |mut receiver| async { receiver.recv().await.map(|next| (next, receiver)) })
            .boxed())
    }

    async fn report(
        &self,
        _: CallContext,
        head: ReportHead,
        mut parts: CallStream<ResultPart>,
    ) -> Result<ReportResponse, CallError> {
        let mut taken = Vec::new();
        let end = loop {
            match parts.next().await {
                Some(Ok(ResultPart::Done(done))) => break Ok(*done),
                Some(Ok(part)) => taken.push(part),
                Some(Err(error)) => break Err(error),
                None => break Err(CallError::new(ErrorKind::Unavailable, "the report just ended")),
            }
            if self.unwanted.lock().unwrap().contains(&head.piece) {
                return Ok(ReportResponse { wanted: false });
            }
        };
        let waiting = self.reports.lock().unwrap().remove(&head.piece);
        if let Some(waiting) = waiting {
            waiting.send((taken, end)).await.ok();
        }
        Ok(ReportResponse { wanted: true })
    }
}
