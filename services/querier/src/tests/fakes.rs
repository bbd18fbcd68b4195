//! An ingester that holds rows in a list, and a queue that hands out what it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{iter, once, unfold};
use larch_logql::LabelMatcher;
use larch_proto::{
    AppendRequest, AppendResponse, Assignment, Direction, Done, Estimate, EstimateRequest, FlushRequest,
    FlushResponse, HistogramBatch, HistogramRequest, LabelsQuery, LabelsRequest, Pair, PatternBatch,
    PatternsRequest, PieceId, PullRequest, ReadHead, ReadRequest, ReportHead, ReportResponse, ResultPart,
    RingDigest, Row, RowBatch, SegmentEntry, Selection, Selector, StateResponse, TextBatch, TieOrder,
    WalPosition,
};
use larch_rpc::{CallContext, CallError, CallStream, Headed, Ingester, TenantContext, WorkQueue};
use larch_types::{ErrorKind, Labels, NodeId, PushStamp, StreamId, StreamOrder, Timestamp};
use tokio::sync::{mpsc, watch};

/// A row as it was pushed.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) tenant: String,
    pub(super) labels: Labels,
    pub(super) timestamp: Timestamp,
    pub(super) line: Vec<u8>,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) level: Option<String>,
    pub(super) tie: TieOrder,
}

impl Stored {
    pub(super) fn new(tenant: &str, labels: &str, second: i64, line: &str) -> Self {
        Self {
            tenant: tenant.to_owned(),
            labels: labels.parse().expect(labels),
            timestamp: Timestamp::from_secs(second),
            line: line.as_bytes().to_vec(),
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
    /// Bodies that are open now, batches that were sent.
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
        let mut rows = self.rows.lock().unwrap().clone();
        rows.retain(|row| row.tenant == context.tenant.as_str() && selects(selection, row));
        rows.sort_by_key(|row| {
            let tie = (row.tie.stamp, row.tie.index);
            let turned = (PushStamp(!tie.0.0), !tie.1);
            let stream = (StreamOrder::of(&row.labels), row.labels.clone());
            match direction {
                Direction::Forward => (row.timestamp.nanos(), stream, tie),
                Direction::Backward => (!row.timestamp.nanos(), stream, turned),
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
        let (open, sent) = (Open(Arc::clone(&self.open)), Arc::clone(&self.sent));
        let parts = iter(parts).map(move |part| {
            let _open = &open;
            sent.send_modify(|sent| *sent += 1);
            Ok(part)
        });
        if self.stalls { parts.take(1).chain(once(pending())).boxed() } else { parts.boxed() }
    }
}

fn selects(selection: &Selection, row: &Stored) -> bool {
    let any = |selectors: &[Selector]| selectors.iter().any(|selector| matches(selector, &row.labels));
    let in_range = row.timestamp >= selection.start && row.timestamp < selection.end;
    in_range
        && (selection.any_of.is_empty() || any(&selection.any_of))
        && selection.policy.as_ref().is_none_or(|policy| any(&policy.any_of))
        && selection.shard.is_none_or(|shard| shard.contains(StreamId::of(&row.labels)))
}

fn matches(selector: &Selector, labels: &Labels) -> bool {
    selector.matchers.iter().all(|matcher| {
        let compiled = LabelMatcher::new(matcher).expect("a matcher");
        compiled.matches(labels.get(&matcher.name).unwrap_or("").as_bytes())
    })
}

/// Complete by itself, as a batch is.
pub(super) fn batch_of(rows: &[Stored]) -> RowBatch {
    let (mut streams, mut levels) = (Vec::new(), Vec::new());
    let place = |list: &mut Vec<String>, text: String| {
        let known = list.iter().position(|known| *known == text);
        known.unwrap_or_else(|| {
            list.push(text);
            list.len() - 1
        }) as u32
    };
    let mut out = Vec::new();
    for row in rows {
        let pair = |(name, value): &(String, String)| Pair {
            name: name.as_str().into(),
            value: value.as_str().into(),
        };
        out.push(Row {
            stream: place(&mut streams, row.labels.canonical()),
            timestamp: row.timestamp,
            line: Bytes::from(row.line.clone()),
            metadata: row.metadata.iter().map(pair).collect(),
            level: row.level.clone().map(|level| place(&mut levels, level)),
            tie: Some(row.tie),
        });
    }
    RowBatch { streams, levels, rows: out }
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
        if request.limit > 0 {
            rows.truncate(request.limit as usize);
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
                LabelsQuery::Names => texts.extend(row.labels.iter().map(|label| label.name.to_string())),
                LabelsQuery::Values(name) => texts.extend(row.labels.get(name).map(str::to_owned)),
                LabelsQuery::Series => drop(texts.insert(row.labels.canonical())),
            }
        }
        let texts: Vec<String> = texts.into_iter().collect();
        let batches = texts.chunks(2).map(|texts| TextBatch { texts: texts.to_vec() }).collect();
        Ok(Headed { head, body: self.body(batches) })
    }

    async fn histogram(
        &self,
        _: TenantContext,
        _: HistogramRequest,
    ) -> Result<Headed<ReadHead, HistogramBatch>, CallError> {
        unused()
    }

    async fn patterns(
        &self,
        _: TenantContext,
        _: PatternsRequest,
    ) -> Result<Headed<ReadHead, PatternBatch>, CallError> {
        Ok(Headed { head: self.head()?, body: self.body(self.patterns.clone()) })
    }

    async fn estimate(&self, context: TenantContext, request: EstimateRequest) -> Result<Estimate, CallError> {
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
        Ok(unfold(receiver, |mut receiver| async { receiver.recv().await.map(|next| (next, receiver)) }).boxed())
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
