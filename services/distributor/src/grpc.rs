//! `logproto.Pusher` on the gRPC port: the same push as over HTTP, as a message that is not compressed.
//!
//! The message goes to the decoder that HTTP bodies go to, so that lines need not be UTF-8 and are not
//! copied. Failures have the status of their kind and the text that clients of HTTP are told.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::routing::post;
use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, Request, Response};
use larch_types::{ErrorKind, RequestId};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};

use crate::distributor::{Distributor, Taken};
use crate::error::PushError;

#[derive(Clone)]
struct Pusher {
    distributor: Arc<Distributor>,
    max_message: usize,
}

pub(crate) fn routes(distributor: Arc<Distributor>, max_message: usize) -> Router {
    Router::new().route("/logproto.Pusher/Push", post(push)).with_state(Pusher { distributor, max_message })
}

async fn push(State(pusher): State<Pusher>, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let headers = request.headers().clone();
    let request_id = request.extensions().get::<RequestId>().cloned();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let call = Call { distributor: pusher.distributor, headers, request_id, peer };
    let mut server = Grpc::new(Raw).max_decoding_message_size(pusher.max_message);
    Ok(server.unary(call, request).await.map(Body::new))
}

/// One call, with what its head says.
struct Call {
    distributor: Arc<Distributor>,
    headers: HeaderMap,
    request_id: Option<RequestId>,
    /// The other end of the connection.
    peer: Option<SocketAddr>,
}

impl UnaryService<Bytes> for Call {
    type Response = Bytes;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Bytes>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let distributor = Arc::clone(&self.distributor);
        let (headers, request_id) = (std::mem::take(&mut self.headers), self.request_id.take());
        let peer = self.peer;
        Box::pin(async move {
            let outcome = distributor.push_message(&headers, request_id, peer, request.into_inner()).await;
            // A `PushResponse` has no fields.
            answer(outcome).map(|()| tonic::Response::new(Bytes::new()))
        })
    }
}

fn answer(outcome: Result<Taken, PushError>) -> Result<(), Status> {
    let (kind, text) = match outcome {
        Ok(Taken::All) => return Ok(()),
        Ok(Taken::Partly(text)) => (ErrorKind::Invalid, text),
        Ok(Taken::Blocked { text, .. }) => (ErrorKind::Forbidden, text),
        Err(error) => (error.kind(), error.to_string()),
    };
    // A status travels in a header: longer ones break connections.
    const MAX_TEXT_BYTES: usize = 4096;
    let text = &text[..text.floor_char_boundary(MAX_TEXT_BYTES)];
    Err(Status::new(Code::from_i32(kind.grpc()), text))
}

/// Messages as their bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
