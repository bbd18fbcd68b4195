//! Messages over the limit are refused by whoever sees them first.

use bytes::Bytes;
use futures_util::stream::{StreamExt, iter};
use larch_proto::{PieceId, ReportHead, ResultPart};
use larch_rpc::{GrpcTransport, MessageLimits, Transport};
use larch_types::{Address, ErrorKind, NodeId};

use crate::echo::{Echo, Script};
use crate::harness::{Port, Server, routes, settings};
use crate::requests::{self, PATIENCE};

const LARGE: usize = 8 << 20;
const SMALL: usize = 64 << 10;

fn limits(max_send_bytes: usize, max_receive_bytes: usize) -> MessageLimits {
    MessageLimits { max_send_bytes, max_receive_bytes }
}

async fn start(echo: &Echo, server: MessageLimits, client: MessageLimits) -> (Server, GrpcTransport) {
    let server = Server::start(&Port::reserve(), routes(echo, server), None);
    (server, GrpcTransport::new(settings(client)))
}

/// The kind of failure of a push of two limits' size; `None` if it is taken.
async fn push(transport: &dyn Transport, address: &Address) -> Option<ErrorKind> {
    let request = requests::append(Bytes::from(vec![b'x'; 2 * SMALL]));
    let answer = transport.ingester(address).append(requests::tenant(PATIENCE), request).await;
    answer.err().map(|error| error.kind())
}

#[tokio::test]
async fn requests() {
    for (server, client, refused) in [
        (limits(LARGE, LARGE), limits(LARGE, LARGE), None),
        (limits(LARGE, LARGE), limits(SMALL, LARGE), Some(ErrorKind::TooLarge)),
        (limits(LARGE, SMALL), limits(LARGE, LARGE), Some(ErrorKind::TooLarge)),
    ] {
        let echo = Echo::new(Script::Answer);
        let (server, transport) = start(&echo, server, client).await;
        assert_eq!(push(&transport, &server.address).await, refused);
        // The connection is none the worse for it.
        let state = transport.ingester(&server.address).state(requests::call(PATIENCE)).await;
        assert!(state.is_ok());
    }
}

#[tokio::test]
async fn answers() {
    for (server, client) in
        [(limits(SMALL, LARGE), limits(LARGE, LARGE)), (limits(LARGE, LARGE), limits(LARGE, SMALL))]
    {
        let echo = Echo::new(Script::Flood(2 * SMALL));
        let (server, transport) = start(&echo, server, client).await;
        let ingester = transport.ingester(&server.address);
        let answer = ingester.read(requests::tenant(PATIENCE), requests::read()).await.unwrap();
        let parts: Vec<_> = answer.body.collect().await;
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].as_ref().err().map(|error| error.kind()), Some(ErrorKind::TooLarge));
    }
}

#[tokio::test]
async fn reports() {
    for (server, client) in
        [(limits(LARGE, LARGE), limits(SMALL, LARGE)), (limits(LARGE, SMALL), limits(LARGE, LARGE))]
    {
        let echo = Echo::new(Script::Answer);
        let (server, transport) = start(&echo, server, client).await;
        let head = ReportHead { piece: PieceId(1), worker: NodeId::from_u128(1) };
        let large = ResultPart::Texts(requests::texts(&"x".repeat(2 * SMALL)));
        let parts = iter([Ok(large)]).boxed();
        let queue = transport.work_queue(&server.address);
        // The queue is told what became of the piece, whoever noticed.
        assert!(queue.report(requests::call(PATIENCE), head, parts).await.unwrap().wanted);
        let seen = echo.seen.calls().concat();
        assert!(seen.contains("[Err(CallError { kind: TooLarge"), "{seen}");
    }
}
