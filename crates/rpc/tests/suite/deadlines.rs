//! Nobody waits longer than the caller, and no service works for longer.

use std::time::Duration;

use futures_util::stream::{StreamExt, pending};
use larch_proto::wire::ingest::ingester_client::IngesterClient;
use larch_proto::{PieceId, PullRequest, ReportHead, wire};
use larch_rpc::{CallError, Headed};
use larch_types::{ErrorKind, NodeId};
use tonic::{Code, Request};

use crate::echo::{Echo, Script};
use crate::harness::{Harness, LIMITS, SHORT, WAYS, eventually, routes};
use crate::requests::{self, PATIENCE};

fn exceeded() -> Option<CallError> {
    Some(CallError::new(ErrorKind::Timeout, "deadline exceeded"))
}

/// How an answer ended, in its stream or before it began.
async fn end_of<H, B>(answer: Result<Headed<H, B>, CallError>) -> Option<CallError> {
    match answer {
        Ok(answer) => answer.body.collect::<Vec<_>>().await.pop()?.err(),
        Err(error) => Some(error),
    }
}

#[tokio::test]
async fn a_call_ends_on_both_sides() {
    for way in WAYS {
        let echo = Echo::new(Script::Hang);
        let harness = Harness::start(way, &echo).await;
        let ingester = harness.transport.ingester(&harness.address);
        let planner = harness.transport.planner(&harness.address);
        assert_eq!(ingester.state(requests::call(SHORT)).await.err(), exceeded(), "{way:?}");
        let plan = planner.plan(requests::tenant(SHORT), requests::plan()).await;
        assert_eq!(end_of(plan).await, exceeded(), "{way:?}");
        eventually(echo.seen.wait_all_let_go()).await;
    }
}

#[tokio::test]
async fn a_stream_ends_on_both_sides() {
    for way in WAYS {
        let echo = Echo::new(Script::HangInStream);
        let harness = Harness::start(way, &echo).await;
        let ingester = harness.transport.ingester(&harness.address);
        let read = ingester.read(requests::tenant(SHORT), requests::read()).await;
        assert_eq!(end_of(read).await, exceeded(), "{way:?}");

        let queue = harness.transport.work_queue(&harness.address);
        let pull = PullRequest { worker: NodeId::from_u128(1), concurrency: 1 };
        let pieces = queue.pull(requests::call(SHORT), pull).await;
        assert_eq!(end_of(pieces.map(|body| Headed { head: (), body })).await, exceeded(), "{way:?}");

        let head = ReportHead { piece: PieceId(1), worker: NodeId::from_u128(1) };
        let report = queue.report(requests::call(SHORT), head, pending().boxed()).await;
        assert_eq!(report.err(), exceeded(), "{way:?}");
        eventually(echo.seen.wait_all_let_go()).await;
    }
}

#[tokio::test]
async fn a_deadline_in_the_past_starts_nothing() {
    for way in WAYS {
        let echo = Echo::new(Script::Answer);
        let harness = Harness::start(way, &echo).await;
        let ingester = harness.transport.ingester(&harness.address);
        let late = ingester.state(requests::call(Duration::ZERO)).await;
        assert_eq!(late.err(), exceeded(), "{way:?}");
        assert!(echo.seen.calls().is_empty(), "{way:?}");
    }
}

#[tokio::test]
async fn the_service_knows_how_much_time_is_left() {
    for way in WAYS {
        let echo = Echo::new(Script::Answer);
        let harness = Harness::start(way, &echo).await;
        let ingester = harness.transport.ingester(&harness.address);
        ingester.state(requests::call(PATIENCE)).await.unwrap();
        let left = echo.seen.time_left();
        // On the way it is rounded up to whole milliseconds.
        assert!(!left.is_zero() && left <= PATIENCE + Duration::from_millis(1), "{way:?}: {left:?}");
    }
}

/// The caller's own timer is left out: the client goes straight to the server's routes.
#[tokio::test]
async fn the_server_enforces_it_by_itself() {
    let request = || {
        let mut request = Request::new(wire::ingest::StateRequest {});
        let metadata = request.metadata_mut();
        metadata.insert("x-request-id", "r".parse().unwrap());
        metadata.insert("traceparent", requests::call(SHORT).trace.to_string().parse().unwrap());
        metadata.insert("grpc-timeout", "30m".parse().unwrap());
        request
    };
    let hangs = Echo::new(Script::Hang);
    let status = eventually(IngesterClient::new(routes(&hangs, LIMITS)).state(request())).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::DeadlineExceeded, "deadline exceeded"));
    eventually(hangs.seen.wait_all_let_go()).await;

    let hangs = Echo::new(Script::HangInStream);
    let mut read = Request::new(wire::ingest::ReadRequest::from(requests::read()));
    *read.metadata_mut() = request().metadata().clone();
    read.metadata_mut().insert("x-scope-orgid", "a".parse().unwrap());
    let status = match IngesterClient::new(routes(&hangs, LIMITS)).read(read).await {
        Ok(parts) => eventually(parts.into_inner().collect::<Vec<_>>()).await.pop().unwrap().unwrap_err(),
        Err(status) => status,
    };
    assert_eq!((status.code(), status.message()), (Code::DeadlineExceeded, "deadline exceeded"));
    eventually(hangs.seen.wait_all_let_go()).await;
}
