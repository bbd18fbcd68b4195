//! Letting go of a call ends it where it runs.

use std::pin::pin;

use futures_util::future::{Either, select};
use futures_util::stream::{StreamExt, iter, pending};
use larch_proto::{PieceId, PullRequest, ReportHead, ResultPart};
use larch_types::NodeId;

use crate::echo::{Echo, Script};
use crate::harness::{Harness, WAYS, eventually};
use crate::requests::{self, PATIENCE};

#[tokio::test]
async fn a_call_that_is_let_go() {
    for way in WAYS {
        let echo = Echo::new(Script::Hang);
        let harness = Harness::start(way, &echo).await;
        let ingester = harness.transport.ingester(&harness.address);
        {
            let call = pin!(ingester.append(requests::tenant(PATIENCE), requests::append("x".into())));
            let hanging = pin!(eventually(echo.seen.wait_hanging(1)));
            assert!(matches!(select(call, hanging).await, Either::Right(_)), "{way:?}");
        }
        eventually(echo.seen.wait_let_go(1)).await;
    }
}

#[tokio::test]
async fn a_stream_that_is_let_go() {
    for way in WAYS {
        let echo = Echo::new(Script::HangInStream);
        let harness = Harness::start(way, &echo).await;
        let tail = harness.transport.tail(&harness.address);
        let answer = tail.subscribe(requests::tenant(PATIENCE), requests::subscribe()).await.unwrap();
        let mut body = answer.body;
        assert!(body.next().await.unwrap().is_ok());
        drop(body);
        eventually(echo.seen.wait_let_go(1)).await;

        let queue = harness.transport.work_queue(&harness.address);
        let pull = PullRequest { worker: NodeId::from_u128(1), concurrency: 1 };
        drop(queue.pull(requests::call(PATIENCE), pull).await.unwrap());
        eventually(echo.seen.wait_let_go(2)).await;
    }
}

/// A worker that dies in the middle of a report.
#[tokio::test]
async fn a_report_that_is_let_go() {
    for way in WAYS {
        let echo = Echo::new(Script::HangInStream);
        let harness = Harness::start(way, &echo).await;
        let queue = harness.transport.work_queue(&harness.address);
        let head = ReportHead { piece: PieceId(1), worker: NodeId::from_u128(1) };
        let first = ResultPart::Texts(requests::texts("x"));
        let parts = iter([Ok(first)]).chain(pending()).boxed();
        {
            let report = pin!(queue.report(requests::call(PATIENCE), head, parts));
            let hanging = pin!(eventually(echo.seen.wait_hanging(1)));
            assert!(matches!(select(report, hanging).await, Either::Right(_)), "{way:?}");
        }
        eventually(echo.seen.wait_let_go(1)).await;
    }
}
