//! Peers that speak gRPC and not quite what was agreed.

use std::sync::Mutex;

use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt, iter, pending};
use larch_proto::wire::ingest as wire;
use larch_proto::wire::ingest::tail_part::Part;
use larch_proto::wire::ingest::tail_server::{Tail, TailServer};
use larch_proto::wire::query::report_part::Part as ReportPart;
use larch_proto::wire::query::work_queue_client::WorkQueueClient;
use larch_proto::wire::query::{ReportHead, ReportPart as ReportMessage};
use larch_proto::wire::types::TextBatch;
use larch_rpc::{CallError, GrpcTransport, Transport};
use larch_types::ErrorKind;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};

use crate::echo::{Echo, Script};
use crate::harness::{LIMITS, Port, SHORT, Server, eventually, routes, settings};
use crate::requests::{self, PATIENCE};

/// Sends these messages to the first who asks, without looking at deadlines.
struct Stranger {
    messages: Mutex<Option<BoxStream<'static, Result<wire::TailPart, Status>>>>,
}

#[async_trait]
impl Tail for Stranger {
    type SubscribeStream = BoxStream<'static, Result<wire::TailPart, Status>>;

    async fn subscribe(
        &self,
        _: Request<wire::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let messages = self.messages.lock().unwrap().take();
        messages.map(Response::new).ok_or_else(|| Status::unavailable("asked twice"))
    }
}

fn start() -> Option<Part> {
    let node_id = bytes::Bytes::from_static(&[7; 16]);
    Some(Part::Start(wire::TailStart { node_id, wal_position: 1, ring_digest: 2 }))
}

fn dropped() -> Option<Part> {
    Some(Part::Dropped(wire::TailDropped { rows: 1, examples: Vec::new(), wal_position: 2 }))
}

/// How a subscription with these messages ends: after so many events, and with which error.
async fn subscribe(parts: Vec<Option<Part>>, hangs: bool) -> (usize, Option<CallError>) {
    let messages = iter(parts).map(|part| Ok(wire::TailPart { part }));
    let messages = if hangs { messages.chain(pending()).boxed() } else { messages.boxed() };
    let stranger = TailServer::new(Stranger { messages: Mutex::new(Some(messages)) });
    let server = Server::start(&Port::reserve(), Routes::new(stranger), None);
    let tail = GrpcTransport::new(settings(LIMITS)).tail(&server.address);
    let wait = if hangs { SHORT } else { PATIENCE };
    let answer = match eventually(tail.subscribe(requests::tenant(wait), requests::subscribe())).await {
        Ok(answer) => answer,
        Err(error) => return (0, Some(error)),
    };
    let events: Vec<_> = eventually(answer.body.collect()).await;
    (events.iter().filter(|event| event.is_ok()).count(), events.into_iter().find_map(Result::err))
}

#[tokio::test]
async fn an_answer_has_one_head_at_its_beginning() {
    let misplaced =
        CallError::new(ErrorKind::Internal, "an answer must begin with its head and have no other");
    assert_eq!(subscribe(vec![start(), dropped(), dropped()], false).await, (2, None));
    assert_eq!(subscribe(vec![start()], false).await, (0, None));
    for (parts, events) in [
        (vec![], 0),
        (vec![dropped(), start()], 0),
        (vec![start(), start(), dropped()], 0),
        (vec![start(), dropped(), start(), dropped()], 1),
    ] {
        assert_eq!(subscribe(parts, false).await, (events, Some(misplaced.clone())));
    }
}

/// Nothing that a peer answers is told to a user as the user's own mistake.
#[tokio::test]
async fn an_answer_that_cannot_be_meant() {
    let (events, error) = subscribe(vec![start(), None, dropped()], false).await;
    let text = "invalid message: part: missing, or of a kind not known here";
    assert_eq!((events, error), (0, Some(CallError::new(ErrorKind::Internal, text))));
}

#[tokio::test]
async fn the_client_enforces_the_deadline_by_itself() {
    let (_, error) = subscribe(vec![start(), dropped()], true).await;
    assert_eq!(error, Some(CallError::new(ErrorKind::Timeout, "deadline exceeded")));
    let (_, error) = subscribe(vec![], true).await;
    assert_eq!(error, Some(CallError::new(ErrorKind::Timeout, "deadline exceeded")));
}

/// A service that is not there, though its process is.
#[tokio::test]
async fn a_peer_of_another_role() {
    let stranger = TailServer::new(Stranger { messages: Mutex::default() });
    let server = Server::start(&Port::reserve(), Routes::new(stranger), None);
    let ingester = GrpcTransport::new(settings(LIMITS)).ingester(&server.address);
    let error = ingester.state(requests::call(PATIENCE)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn a_report_has_one_head_at_its_beginning() {
    let head = || Some(ReportPart::Head(ReportHead { piece_id: 1, worker_id: vec![7; 16].into() }));
    let texts = || Some(ReportPart::Texts(TextBatch { texts: vec!["x".to_owned()] }));
    let misplaced = "a report must begin with its head and have no other";
    for (parts, begun) in [
        (vec![], false),
        (vec![texts(), head()], false),
        (vec![head(), head(), texts()], true),
        (vec![head(), texts(), head()], true),
    ] {
        let echo = Echo::new(Script::Answer);
        let mut request = Request::new(iter(parts).map(|part| ReportMessage { part }));
        let metadata = request.metadata_mut();
        metadata.insert("x-request-id", "r".parse().unwrap());
        metadata.insert("traceparent", requests::call(PATIENCE).trace.to_string().parse().unwrap());
        metadata.insert("grpc-timeout", "1M".parse().unwrap());
        let answer = WorkQueueClient::new(routes(&echo, LIMITS)).report(request).await;
        if begun {
            // The queue is told in the place of the part.
            assert!(answer.unwrap().into_inner().wanted);
            assert!(echo.seen.calls().concat().contains(misplaced));
        } else {
            let status = answer.unwrap_err();
            assert_eq!((status.code(), status.message()), (Code::Internal, misplaced));
            assert!(echo.seen.calls().is_empty());
        }
    }
}
