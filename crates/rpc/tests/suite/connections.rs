//! Peers that are not there, come back, or share a connection with slow readers.

use std::sync::Arc;

use futures_util::stream::StreamExt;
use larch_rpc::{GrpcTransport, LocalTransport, Transport};
use larch_types::{Address, ErrorKind};

use crate::echo::{Echo, Script};
use crate::harness::{Harness, LIMITS, Port, Server, Way, eventually, routes, settings};
use crate::requests::{self, PATIENCE};

async fn kind_of_failure(transport: &dyn Transport, address: &Address) -> Option<ErrorKind> {
    let answer = transport.ingester(address).state(requests::call(PATIENCE)).await;
    answer.err().map(|error| error.kind())
}

#[tokio::test]
async fn nobody_is_there() {
    let port = Port::reserve();
    let local = LocalTransport::new();
    let grpc = GrpcTransport::new(settings(LIMITS));
    for transport in [&local as &dyn Transport, &grpc] {
        assert_eq!(kind_of_failure(transport, &port.address).await, Some(ErrorKind::Unavailable));
    }
}

#[tokio::test]
async fn a_service_goes_and_comes_again() {
    let echo = Echo::new(Script::Answer);
    let local = LocalTransport::new();
    let address: Address = "in.process:1".parse().unwrap();
    let ingester = local.ingester(&address);
    for _ in 0..2 {
        assert!(ingester.state(requests::call(PATIENCE)).await.is_err());
        local.add_ingester(address.clone(), Arc::new(echo.clone()));
        assert!(ingester.state(requests::call(PATIENCE)).await.is_ok());
        assert_eq!(
            local
                .planner(&address)
                .plan(requests::tenant(PATIENCE), requests::plan())
                .await
                .err()
                .unwrap()
                .text(),
            "no planner at in.process:1"
        );
        local.remove(&address);
    }
}

#[tokio::test]
async fn a_peer_is_restarted() {
    let echo = Echo::new(Script::Answer);
    let grpc = GrpcTransport::new(settings(LIMITS));
    let port = Port::reserve();
    let address = port.address.clone();
    let server = Server::start(&port, routes(&echo, LIMITS), None);
    assert_eq!(kind_of_failure(&grpc, &address).await, None);
    server.stop().await;
    assert_eq!(kind_of_failure(&grpc, &address).await, Some(ErrorKind::Unavailable));
    let _server = Server::start(&port, routes(&echo, LIMITS), None);
    assert_eq!(kind_of_failure(&grpc, &address).await, None);
}

#[tokio::test]
async fn a_peer_dies_in_the_middle_of_an_answer() {
    let echo = Echo::new(Script::HangInStream);
    let grpc = GrpcTransport::new(settings(LIMITS));
    let server = Server::start(&Port::reserve(), routes(&echo, LIMITS), None);
    let ingester = grpc.ingester(&server.address);
    let answer = ingester.read(requests::tenant(PATIENCE), requests::read()).await.unwrap();
    let mut body = answer.body;
    assert!(body.next().await.unwrap().is_ok());
    server.stop().await;
    let error = body.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(body.next().await.is_none());
}

/// Streams that nobody reads fill their own windows and no more: another call on the same connection
/// still goes through.
#[tokio::test]
async fn unread_streams_stop_nobody_else() {
    const STREAMS: u64 = 8;
    let echo = Echo::new(Script::Flood(256 << 10));
    let harness = Harness::start(Way::Grpc, &echo).await;
    let ingester = harness.transport.ingester(&harness.address);
    let mut unread = Vec::new();
    for _ in 0..STREAMS {
        unread.push(ingester.read(requests::tenant(PATIENCE), requests::read()).await.unwrap());
    }
    // A window that all streams shared, such as HTTP/2 stacks have by default, would end before this.
    eventually(echo.seen.wait_flooded(STREAMS * (2 << 20))).await;
    assert!(ingester.state(requests::call(PATIENCE)).await.is_ok());
}
