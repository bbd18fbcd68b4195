//! The same requests have the same answers, whichever way they go.

use std::fmt::Debug;

use bytes::Bytes;
use futures_util::stream::{StreamExt, iter};
use larch_proto::{
    AnswerPath, Done, EntryBatch, PieceId, PlanEstimateRequest, PlanHistogramRequest, PlanLabelsRequest,
    PullRequest, QueryStatistics, ReportHead, ResultPart, SampleSeries,
};
use larch_rpc::{CallError, CallStream, Headed, Ingester, Planner, Tail, WorkQueue};
use larch_types::{ErrorKind, NodeId};

use crate::echo::{Echo, Script};
use crate::harness::{Harness, WAYS};
use crate::requests::{self, PATIENCE};

/// Everything that the four services say, as text.
struct Transcript(Vec<String>);

impl Transcript {
    fn single(&mut self, answer: Result<impl Debug, CallError>) {
        self.0.push(format!("{answer:?}"));
    }

    async fn stream(&mut self, answer: Result<CallStream<impl Debug>, CallError>) {
        let parts: Vec<_> = answer.unwrap().collect().await;
        assert!(parts.len() > 1, "streams of several messages are what is tested");
        self.0.push(format!("{parts:?}"));
    }

    async fn headed<B: Debug>(&mut self, answer: Result<Headed<impl Debug, B>, CallError>) {
        let answer = answer.unwrap();
        let body: Vec<_> = answer.body.collect().await;
        self.0.push(format!("{:?} {body:?}", answer.head));
    }

    async fn ingester(&mut self, ingester: &dyn Ingester) {
        let (call, tenant) = (requests::call(PATIENCE), requests::tenant(PATIENCE));
        let line = Bytes::from_static(b"a line \xff that is not UTF-8");
        self.single(ingester.append(tenant.clone(), requests::append(line)).await);
        self.headed(ingester.read(tenant.clone(), requests::read()).await).await;
        self.headed(ingester.labels(tenant.clone(), requests::labels()).await).await;
        self.headed(ingester.histogram(tenant.clone(), requests::histogram()).await).await;
        self.headed(ingester.patterns(tenant.clone(), requests::patterns()).await).await;
        self.single(ingester.estimate(tenant, requests::estimate()).await);
        self.single(ingester.flush(call.clone(), requests::flush()).await);
        self.single(ingester.state(call).await);
    }

    async fn planner(&mut self, planner: &dyn Planner) {
        let tenant = requests::tenant(PATIENCE);
        let scope = requests::plan_scope();
        self.headed(planner.plan(tenant.clone(), requests::plan()).await).await;
        let query = requests::labels().query;
        let labels = PlanLabelsRequest { scope: scope.clone(), query };
        self.headed(planner.labels(tenant.clone(), labels).await).await;
        let minutes_per_cell = requests::histogram().minutes_per_cell;
        let histogram = PlanHistogramRequest {
            scope: scope.clone(),
            minutes_per_cell,
            labels: larch_proto::CountedLabels::All,
        };
        self.headed(planner.histogram(tenant.clone(), histogram).await).await;
        self.single(planner.estimate(tenant, PlanEstimateRequest { scope }).await);
    }

    async fn work_queue(&mut self, queue: &dyn WorkQueue) {
        let call = requests::call(PATIENCE);
        let pull = PullRequest { worker: NodeId::from_u128(8), concurrency: 4 };
        self.stream(queue.pull(call.clone(), pull).await).await;
        let head = ReportHead { piece: PieceId(u64::MAX), worker: NodeId::from_u128(8) };
        for parts in reports() {
            self.single(queue.report(call.clone(), head, iter(parts).boxed()).await);
        }
    }

    async fn tail(&mut self, tail: &dyn Tail) {
        self.headed(tail.subscribe(requests::tenant(PATIENCE), requests::subscribe()).await).await;
    }
}

/// Complete, failed, and broken off.
fn reports() -> [Vec<Result<ResultPart, CallError>>; 4] {
    let entries = ResultPart::Entries(EntryBatch::default());
    let samples =
        ResultPart::Samples(vec![SampleSeries { steps: vec![1], values: vec![0.1], ..Default::default() }]);
    let statistics = QueryStatistics { rows: 7, ..QueryStatistics::default() };
    let done = Done {
        statistics,
        cache_key: Some(1 << 127),
        warnings: vec!["ü".into()],
        unchanged: true,
        path: AnswerPath::Histograms,
        reasons: vec!["columns: ä".into()],
    };
    let done = ResultPart::Done(Box::new(done));
    let failed = CallError::new(ErrorKind::Unprocessable, "ü %41");
    [
        vec![Ok(entries.clone()), Ok(samples.clone()), Ok(done)],
        vec![Ok(samples), Err(failed), Ok(entries.clone())],
        vec![Ok(entries)],
        vec![],
    ]
}

#[tokio::test]
async fn answers_do_not_depend_on_the_way() {
    let direct = Echo::new(Script::Answer);
    let mut expected = Transcript(Vec::new());
    expected.ingester(&direct).await;
    expected.planner(&direct).await;
    expected.tail(&direct).await;
    let mut queues = Vec::new();
    for way in WAYS {
        let echo = Echo::new(Script::Answer);
        let harness = Harness::start(way, &echo).await;
        let (transport, address) = (&harness.transport, &harness.address);
        let mut transcript = Transcript(Vec::new());
        transcript.ingester(&*transport.ingester(address)).await;
        transcript.planner(&*transport.planner(address)).await;
        transcript.tail(&*transport.tail(address)).await;
        assert_eq!(transcript.0, expected.0, "{way:?}");
        assert_eq!(echo.seen.calls(), direct.seen.calls(), "{way:?}");
        let mut queue = Transcript(Vec::new());
        queue.work_queue(&*transport.work_queue(address)).await;
        queue.0.extend(echo.seen.calls());
        queues.push(queue.0);
    }
    assert_eq!(queues[0], queues[1]);
    // What the echo repeats is what was asked, with all that travels beside it.
    for known in ["team_a!", "request-7/x", "TraceContext", "needle", "Unprocessable", "before its last part"]
    {
        let said = expected.0.iter().chain(&queues[1]).any(|text| text.contains(known));
        assert!(said, "{known} is nowhere");
    }
}

#[tokio::test]
async fn long_streams_arrive_in_order() {
    for way in WAYS {
        let echo = Echo::new(Script::Flood(1000));
        let harness = Harness::start(way, &echo).await;
        let ingester = harness.transport.ingester(&harness.address);
        let answer = ingester.read(requests::tenant(PATIENCE), requests::read()).await.unwrap();
        let batches: Vec<_> = answer.body.take(5000).collect().await;
        assert_eq!(batches.len(), 5000);
        assert!(
            batches.iter().all(|batch| batch.as_ref().is_ok_and(|batch| batch.rows[0].line.len() == 1000))
        );
    }
}

/// The queue may answer before the worker has said everything.
#[tokio::test]
async fn a_report_that_nobody_wants_ends_early() {
    for way in WAYS {
        let echo = Echo::new(Script::Flood(0));
        let harness = Harness::start(way, &echo).await;
        let queue = harness.transport.work_queue(&harness.address);
        let head = ReportHead { piece: PieceId(1), worker: NodeId::from_u128(1) };
        let endless = iter(std::iter::repeat_with(|| Ok(ResultPart::Texts(requests::texts("x"))))).boxed();
        let answer = queue.report(requests::call(PATIENCE), head, endless).await;
        assert!(!answer.unwrap().wanted, "{way:?}");
    }
}
